"""One group of a number on its own: what may stand between the digits that are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar.grammar import parse_grammar

EIGHT = parse_grammar("builtin:digits?length=8")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("five five one two", "41555512"),
        ("fifty five twelve", "41555512"),
        ("five five one", None),
        ("four one five five zero zero one two", "41550012"),  # the whole number
    ],
)
def test_group_stands_for_the_whole(words: str, value: str | None) -> None:
    """The digits around it are added; the number in full is an answer too."""
    state = EIGHT.framed("4155", "", 4).walk(words.split())
    assert (state is not None and state.complete) == (value is not None)
    if state is not None and value is not None:
        assert state.values[0] == value


def test_group_in_the_middle_by_keys() -> None:
    """Keys likewise, and they can go on to the whole number."""
    grammar = parse_grammar("builtin:digits?length=10").framed("415", "0012", 3)
    assert grammar.interpret_keys("555") == "4155550012"
    assert grammar.interpret_keys("4155550012") == "4155550012"
    assert grammar.interpret_keys("5555") is None
    assert grammar.keys_can_grow("555")


def test_check_digit_narrows_the_group() -> None:
    """Of the ten digits for one place just one keeps it; no digits, no frame."""
    luhn = parse_grammar("builtin:digits?length=8;check=luhn")
    fits = [d for d in "0123456789" if luhn.framed("4155", "012", 1).interpret_keys(d)]
    assert len(fits) == 1
    listed = parse_grammar("builtin:digits?values=41550012,41559912")
    assert listed.framed("4155", "12", 2).walk(["five"]) is None
    assert listed.framed("9", "12", 2).interpret_keys("55") is None


@given(number=st.text("0123456789", min_size=8, max_size=8), at=st.integers(0, 6), data=st.data())
def test_nothing_is_accepted_that_the_number_refuses(
    number: str, at: int, data: st.DataObject
) -> None:
    """Whatever group is given: the whole is a number of the grammar, or nothing."""
    grammar = parse_grammar("builtin:digits?length=8;check=mod97")
    length = data.draw(st.integers(1, 8 - at))
    framed = grammar.framed(number[:at], number[at + length :], length)
    given_digits = data.draw(st.text("0123456789", min_size=length, max_size=length))
    value = framed.interpret_keys(given_digits)
    whole = number[:at] + given_digits + number[at + length :]
    if length < 8:
        assert value == grammar.interpret_keys(whole)
