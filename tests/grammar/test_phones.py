"""Telephone numbers against the numbering plan in plain code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import parse_grammar
from tests.grammar.spelling import one_by_one

PHONE = parse_grammar("builtin:phone")
FREE = {"800", "822", "833", "844", "855", "866", "877", "888"}
LIKELY = st.sampled_from(["1", "2", "4", "8", "9", "0", "11", "00", "800", "415", "555", "911"])


def is_phone(digits: str) -> bool:
    """The oracle: ten digits after an optional 1, by the rules of the plan."""
    number = digits.removeprefix("1")
    if len(number) != 10:
        return False
    area, exchange = number[:3], number[3:6]
    if area[0] in "01" or area[1] == "9" or area[1:] == "11" or exchange[0] in "01":
        return False
    return exchange[1:] != "11" or area in FREE


@given(st.lists(LIKELY, max_size=8).map("".join) | st.text("0123456789", max_size=12))
def test_keys_agree_with_the_plan(keys: str) -> None:
    """Accepted, the ten digits come out; and a beginning lives while some ending is right."""
    assert PHONE.interpret_keys(keys) == (keys[-10:] if is_phone(keys) else None)
    endings = ("2222222222", "0" * 10)  # every place takes one of the two, where it takes any
    completed = any(
        is_phone(keys + ending[:length]) for ending in endings for length in range(1, 11)
    ) or any(
        is_phone(keys + digit + ending[:length])
        for digit in "02"
        for ending in endings
        for length in range(10)
    )
    assert PHONE.keys_can_grow(keys) == completed


@given(st.lists(LIKELY, max_size=8).map("".join))
def test_spoken_digits_agree_with_the_plan(digits: str) -> None:
    """Digit by digit, keys and words are the same."""
    state = PHONE.walk(one_by_one(digits).split())
    assert (state.values if state else ()) == ((digits[-10:],) if is_phone(digits) else ())
    assert (state is not None) == (PHONE.keys_complete(digits) or PHONE.keys_can_grow(digits))


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("four one five five five five two six seven one", "4155552671"),
        ("one eight hundred five five five one two one two", "8005551212"),
        ("two one two five five five oh one double nine", "2125550199"),
        ("six one seven eight six seven fifty three oh nine", "6178675309"),
    ],
)
def test_a_number_in_groups(words: str, value: str) -> None:
    """As people say them."""
    state = PHONE.walk(words.split())
    assert state is not None
    assert state.values[0] == value
