"""The reliability diagram and the rejection curve, on answers counted by hand."""

from __future__ import annotations

import pytest

from ivr.train.reliability import EDGES, Judged, rejection, reliability

ANSWERS = [
    Judged("4", "4", 0.995),
    Judged("5", "5", 1.0),
    Judged("15", "50", 0.96),
    Judged("7", "7", 0.95),
    Judged("9", "", 0.0),  # rejected: no answer
    Judged("", "2", 0.4),  # a number out of noise
    Judged("", "", 0.0),
]


def test_the_diagram_counts_answers_by_band() -> None:
    """Each band has its answers, the mean of what they claim, and how many keep it."""
    bands = {band["from"]: band for band in reliability(ANSWERS)}
    assert set(bands) == {0.3, 0.95, 0.99}
    assert bands[0.95] == {
        "from": 0.95,
        "to": 0.98,
        "answers": 2,
        "mean_confidence": 0.955,
        "right": 0.5,
    }
    assert bands[0.99]["answers"] == 2
    assert bands[0.3]["right"] == 0.0


def test_every_answer_is_in_one_band() -> None:
    """The edges belong to the band above them, and 1.0 to the last."""
    answers = [Judged("1", "1", edge) for edge in EDGES]
    assert sum(band["answers"] for band in reliability(answers)) == len(EDGES)


@pytest.mark.parametrize(
    ("level", "answered", "right", "false_accepts"),
    [(0.0, 4 / 5, 3 / 5, 1 / 2), (0.5, 4 / 5, 3 / 4, 0.0), (0.98, 2 / 5, 1.0, 0.0)],
)
def test_the_curve_trades_answers_for_being_right(
    level: float, answered: float, right: float, false_accepts: float
) -> None:
    """A higher level answers less and is right more often."""
    (row,) = [row for row in rejection(ANSWERS) if row["confidence_level"] == level]
    assert row["answered"] == pytest.approx(answered)
    assert row["right"] == pytest.approx(right)
    assert row["false_accept_rate"] == pytest.approx(false_accepts)


def test_a_share_of_nothing_is_none() -> None:
    """Without files no share is claimed, and no division fails."""
    assert reliability([]) == []
    assert all(row["right"] is None and row["answered"] is None for row in rejection([]))
