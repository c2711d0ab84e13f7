"""Two hearings of one number: what both say is surer, what they contradict is less so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar.fusion import fuse


def test_agreement_is_surer() -> None:
    """Either hearing may be right."""
    ((value, sure),) = fuse([("4155", 0.4)], [("4155", 0.4)])
    assert value == "4155"
    assert sure == pytest.approx(0.64)


def test_earlier_hearing_decides_between_equals() -> None:
    """The second hypothesis wins where it was heard before."""
    ranked = fuse([("4195", 0.45), ("4155", 0.4)], [("4155", 0.45), ("4655", 0.1)])
    assert [value for value, _ in ranked] == ["4155", "4195"]
    assert sum(sure for _, sure in ranked) <= 1.0


def test_what_was_heard_only_once_before_does_not_come_back() -> None:
    """It was not sure enough then."""
    assert fuse([("4155", 0.6)], [("6200", 0.3)]) == (("4155", pytest.approx(0.6)),)
    assert fuse([], [("6200", 0.3)]) == ()


VALUES = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), max_size=5).map(
    lambda found: tuple(found.items())
)


@given(heard=VALUES, earlier=VALUES)
def test_confidences_stay_confidences(
    heard: tuple[tuple[str, float], ...], earlier: tuple[tuple[str, float], ...]
) -> None:
    """The values of the second hearing, each between 0 and 1, the surest first."""
    ranked = fuse(heard, earlier)
    assert {value for value, _ in ranked} == {value for value, _ in heard}
    assert all(0.0 <= sure <= 1.0 for _, sure in ranked)
    assert [sure for _, sure in ranked] == sorted((sure for _, sure in ranked), reverse=True)
