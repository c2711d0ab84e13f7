"""`ivr calibrate`: fits the constants of decoding to recordings of tuning speakers.

Theory of operation: all constants are fitted on answers of people whom training never heard. Two of
them are chosen together, by the answers that a flow would then accept: the share of the CTC score,
and how much less likely a hypothesis without a word is made, since training has heard far more
speech without a number than callers utter when they are asked for one. Most right answers win,
where of the utterances without a number at most one in eighty more than the least give one. The
confidence curve is a logistic regression (Platt 1999) of "was it right?" on the
log-odds that the N-best list gives the first answer; files without a number count as wrong answers,
so that the curve knows them too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.asr.engine import Engine, log_odds
from ivr.asr.model_files import Decoding, ModelDescription, write_description
from ivr.asr.tokens import OTHER, decode
from ivr.endpointing.endpointer import Endpointer, EndpointSettings, UtteranceEnded
from ivr.errors import ConfigError
from ivr.flow.model import Listening
from ivr.grammar.words import natural_reading
from ivr.hearing import NATURAL, call_audio
from ivr.line import END_SILENCE_MS
from ivr.train.evaluate import Item

CTC_WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MORE_FALSE = (
    0.0125  # of the utterances without a number, that may give one for the sake of the rest
)
OTHER_PENALTIES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class Proposal:
    """The N-best list of one utterance before its scores are joined.

    Attributes:
        expected: the right digits, ``yes``, ``no`` or "".
        values: natural reading of each candidate.
        wordless: which candidates hold no word of the vocabulary.
        ctc, decoder: log-scores of each candidate.
    """

    expected: str
    values: tuple[str, ...]
    wordless: NDArray[np.bool_]
    ctc: NDArray[np.float64]
    decoder: NDArray[np.float64]

    def answer(self, ctc_weight: float, other_penalty: float = 0.0) -> tuple[str, float]:
        """The first candidate's value, and the log-odds of the probability it gets."""
        joined = ctc_weight * self.ctc + (1 - ctc_weight) * self.decoder
        joined = joined - other_penalty * self.wordless
        best = int(joined.argmax())
        probability = 1.0 / float(np.exp(joined - joined[best]).sum())
        return self.values[best], log_odds(probability)


def propose(engine: Engine, item: Item) -> Proposal | None:
    """The proposal for a file; None where the endpointer found no utterance or several."""
    endpointer = Endpointer(EndpointSettings(end_silence_ms=END_SILENCE_MS))
    events = endpointer.feed(call_audio(item.file))
    ended = [event for event in events if isinstance(event, UtteranceEnded)]
    if len(ended) != 1:
        return None
    pieces = engine.pieces(ended[0].samples)
    states, log_probs = engine.encode_pieces([engine.features(piece) for piece in pieces])
    candidates = engine.propose(log_probs, NATURAL)
    scores = engine.rescore(states, list(candidates)).sum(axis=1)
    values = tuple(natural_reading(decode(list(ids))) for ids in candidates)
    wordless = np.array([not set(ids) - {OTHER} for ids in candidates])
    ctc = np.array(list(candidates.values()))
    return Proposal(item.digits, values, wordless, ctc, scores.astype(np.float64))


def fit_curve(odds: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the logistic curve from log-odds to confidence.

    A weak pull towards slope 1 and offset 0 keeps a handful of answers from bending the curve.
    """
    slope, offset = 1.0, 0.0
    inputs = np.stack([odds, np.ones_like(odds)], axis=1)
    for _ in range(50):
        predicted = 1.0 / (1.0 + np.exp(-np.clip(inputs @ [slope, offset], -30, 30)))
        gradient = inputs.T @ (predicted - right) + np.array([slope - 1.0, offset]) * 1.0
        spread = predicted * (1 - predicted)
        hessian = (inputs * spread[:, None]).T @ inputs + np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if np.abs(step).max() < 1e-6:
            break
    return slope, offset


@dataclass(frozen=True)
class _Fit:
    """What a pair of constants gives: its curve, and the answers that this accepts.

    Attributes:
        right: of them, how many are.
        false: of them, how many are to speech without a number.
    """

    weight: float
    penalty: float
    slope: float
    offset: float
    right: int
    false: int


def _try(proposals: Sequence[Proposal], weight: float, penalty: float) -> _Fit:
    answers = [(proposal.answer(weight, penalty), proposal.expected) for proposal in proposals]
    given = [(value, odds, expected) for (value, odds), expected in answers if value]
    odds = np.array([odds for _, odds, _ in given])
    right = np.array([value == expected for value, _, expected in given])
    slope, offset = fit_curve(odds, right)
    accepted = slope * odds + offset >= log_odds(Listening().confidence_level)
    false = np.array([not expected for _, _, expected in given])
    return _Fit(
        weight,
        penalty,
        slope,
        offset,
        right=int((right & accepted).sum()),
        false=int((false & accepted).sum()),
    )


def fit(proposals: Sequence[Proposal], decoding: Decoding) -> Decoding:
    """The decoding constants with which most answers are right, and their confidence curve.

    Raises:
        ConfigError: too few answers to fit anything.
    """
    if len(proposals) < 50:
        raise ConfigError(f"calibration needs 50 recordings or more, not {len(proposals)}")

    tried = [
        _try(proposals, weight, penalty) for penalty in OTHER_PENALTIES for weight in CTC_WEIGHTS
    ]
    others = sum(not proposal.expected for proposal in proposals)
    allowed = min(fit.false for fit in tried) + MORE_FALSE * others
    sound = [fit for fit in tried if fit.false <= allowed]
    most = max(fit.right for fit in sound)
    equals = [fit for fit in sound if fit.right == most]
    # The least penalty, and of the weights that do equally well with it, the one in the middle.
    equals = [fit for fit in equals if fit.penalty == equals[0].penalty]
    best = equals[len(equals) // 2]
    return replace(
        decoding,
        ctc_weight=best.weight,
        other_penalty=best.penalty,
        temperature=1.0,
        confidence_slope=round(best.slope, 4),
        confidence_offset=round(best.offset, 4),
    )


def calibrate(
    folder: Path, items: Sequence[Item], progress: Callable[[int], None]
) -> ModelDescription:
    """Fits the constants of the model in `folder` and writes them to its `model.json`."""
    engine = Engine(folder)
    proposals = []
    for count, item in enumerate(items, start=1):
        proposal = propose(engine, item)
        if proposal is not None:
            proposals.append(proposal)
        progress(count)
    decoding = fit(proposals, engine.description.decoding)
    description = replace(engine.description, decoding=decoding)
    write_description(folder, description)
    return description
