"""What a confidence is worth: the reliability diagram and the rejection curve of an evaluation.

Theory of operation: an answer counts as right where its value is the expected one; a number heard
in a file that holds none is a wrong answer. The diagram asks, for each band of confidence, how many
answers were right: a calibrated recogniser is right 95 % of the time where it says 0.95. The curve
asks what a flow gets at each level: how many files are answered, how many of the answers are right,
and how many files without a number give one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

# Bands of confidence; narrow at the top, where most answers and all decisions are.
EDGES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
LEVELS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True, slots=True)
class Judged:
    """One file's answer beside what was expected; "" stands for no number."""

    expected: str
    value: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the value is the one that was said."""
        return self.value == self.expected


def reliability(answers: Sequence[Judged]) -> list[dict[str, Any]]:
    """The reliability diagram.

    Returns:
        For each band of confidence how many answers fall there, their mean confidence, and the
        share of them that is right; bands without an answer are left out.
    """
    bands = []
    for low, high in pairwise(EDGES):
        within = [
            answer
            for answer in answers
            if answer.value and (low <= answer.confidence < high or answer.confidence == high == 1)
        ]
        if within:
            mean = sum(answer.confidence for answer in within) / len(within)
            right = sum(answer.right for answer in within) / len(within)
            bands.append(
                {
                    "from": low,
                    "to": high,
                    "answers": len(within),
                    "mean_confidence": round(mean, 4),
                    "right": round(right, 4),
                }
            )
    return bands


def rejection(answers: Sequence[Judged]) -> list[dict[str, Any]]:
    """The rejection curve.

    Returns:
        For each confidence level the share of files with a number that are answered, the share of
        the answers that is right, and the share of files without a number that give one; None is a
        share of nothing.
    """
    with_number = [answer for answer in answers if answer.expected]
    without = [answer for answer in answers if not answer.expected]
    curve = []
    for level in LEVELS:
        given = [answer for answer in answers if answer.value and answer.confidence >= level]
        answered = sum(bool(answer.expected) for answer in given)
        curve.append(
            {
                "confidence_level": level,
                "answered": _share(answered, len(with_number)),
                "right": _share(sum(answer.right for answer in given), len(given)),
                "false_accept_rate": _share(len(given) - answered, len(without)),
            }
        )
    return curve


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None
