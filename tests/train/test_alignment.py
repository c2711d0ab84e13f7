"""Alignment against its definition, and which of several cheapest ones is taken."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.train.alignment import GAP, align, edits


def slow_distance(expected: str, heard: str) -> int:
    """Edit distance by definition, for short strings."""
    if not expected or not heard:
        return len(expected) + len(heard)
    if expected[0] == heard[0]:
        return slow_distance(expected[1:], heard[1:])
    return 1 + min(
        slow_distance(expected[1:], heard[1:]),
        slow_distance(expected[1:], heard),
        slow_distance(expected, heard[1:]),
    )


@pytest.mark.parametrize(
    ("expected", "heard", "counts"),
    [
        ("", "", (0, 0, 0)),
        ("415", "415", (0, 0, 0)),
        ("415", "445", (1, 0, 0)),
        ("415", "4155", (0, 1, 0)),
        ("4155", "415", (0, 0, 1)),
        ("415", "", (0, 0, 3)),
        ("", "415", (0, 3, 0)),
        ("12345", "2345", (0, 0, 1)),
        ("12345", "23456", (0, 1, 1)),
        ("77", "777", (0, 1, 0)),
    ],
)
def test_edits_of_known_pairs(expected: str, heard: str, counts: tuple[int, int, int]) -> None:
    """Substitutions, insertions, deletions."""
    assert edits(expected, heard) == counts


def test_edits_are_the_cheapest_alignment() -> None:
    """Against the definition, for all pairs of up to four symbols of two."""
    words = ["".join(p) for n in range(5) for p in itertools.product("12", repeat=n)]
    for expected, heard in itertools.product(words, words):
        substitutions, insertions, deletions = edits(expected, heard)
        assert substitutions + insertions + deletions == slow_distance(expected, heard)
        assert insertions - deletions == len(heard) - len(expected)


@given(st.text("0123456789", max_size=30), st.text("0123456789", max_size=30))
def test_edits_never_cost_more_than_starting_over(expected: str, heard: str) -> None:
    """Bounds that hold at any length; and the other way round insertions become deletions."""
    substitutions, insertions, deletions = edits(expected, heard)
    total = substitutions + insertions + deletions
    assert abs(len(expected) - len(heard)) <= total <= max(len(expected), len(heard))
    assert sum(edits(heard, expected)) == total
    assert (total == 0) == (expected == heard)


@pytest.mark.parametrize(
    ("expected", "heard", "pairs"),
    [
        ("", "", []),
        ("415", "495", [("4", "4"), ("1", "9"), ("5", "5")]),
        ("415", "45", [("4", "4"), ("1", GAP), ("5", "5")]),
        ("45", "415", [("4", "4"), (GAP, "1"), ("5", "5")]),
        ("12", "21", [("1", "2"), ("2", "1")]),
    ],
)
def test_alignments_of_known_pairs(expected: str, heard: str, pairs: list[tuple[str, str]]) -> None:
    """Of two equally cheap alignments the one that substitutes."""
    assert align(expected, heard) == pairs


@given(st.text("0123456789", max_size=20), st.text("0123456789", max_size=20))
def test_an_alignment_spells_both_strings(expected: str, heard: str) -> None:
    """Nothing is left out, added or put in another order."""
    pairs = align(expected, heard)
    assert "".join(wanted for wanted, _ in pairs) == expected
    assert "".join(got for _, got in pairs) == heard
    assert (GAP, GAP) not in pairs


def test_whole_words_are_symbols_too() -> None:
    """Yes and no are one each."""
    assert align(["yes"], ["4", "1"]) == [(GAP, "4"), ("yes", "1")]
