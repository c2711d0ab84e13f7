"""Outcomes of an evaluation, made up."""

from __future__ import annotations

from pathlib import Path

from ivr.heard import Answer
from ivr.train.evaluate import Item, Outcome, Report

LEVEL = 0.5


def outcome(
    said: str,
    value: str,
    confidence: float = 0.9,
    *,
    file: str = "a.wav",
    group: str = "",
    speaker: str = "",
    snr_db: float | None = None,
    words: str = "words",
) -> Outcome:
    """A file in which this was said and heard, judged at `LEVEL`."""
    item = Item(Path(file), said, "", speaker, group, snr_db)
    answer = Answer(value, words, confidence if value else 0.0, 1230.0 + 100 * confidence, 30.0)
    return Outcome(item, answer, value if confidence >= LEVEL else "")


def report_of(*outcomes: Outcome, errors: tuple[str, ...] = ()) -> Report:
    """A report of these."""
    report = Report(confidence_level=LEVEL)
    for made in outcomes:
        report.add(made.item, made.answer)
    for error in errors:
        report.add(Item(Path("broken.wav"), "1", "", "", ""), Answer(error=error))
    return report
