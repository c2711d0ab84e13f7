"""Amounts of money: every form of every amount, bounds, doubts and keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import parse_grammar
from tests.grammar.spelling import ONES, one_by_one, spell, two_digits

AMOUNT = parse_grammar("builtin:amount")
TO_500 = parse_grammar("builtin:amount?max=500")
WORDS = st.lists(
    st.sampled_from(
        [
            *(
                *ONES,
                "oh",
                "twelve",
                "twenty",
                "fifty",
                "hundred",
                "thousand",
                "and",
                "a",
                "double",
            ),
            *("dollars", "cents", "point", "dollar"),
        ]
    ),
    max_size=8,
)


def written(cents: int) -> str:
    """The oracle's canonical form."""
    return f"{cents // 100}.{cents % 100:02d}"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("twelve dollars fifty", ["12.50"]),
        ("twelve dollars and fifty cents", ["12.50"]),
        ("twelve dollars oh five", ["12.05"]),
        ("twelve dollars five cents", ["12.05"]),
        ("twelve dollars", ["12.00"]),
        ("twelve", ["12.00"]),
        ("zero dollars", ["0.00"]),
        ("a hundred and five dollars and ten cents", ["105.10"]),
        ("a dollar fifty", ["1.50"]),
        ("fifty cents", ["0.50"]),
        ("a cent", ["0.01"]),
        ("twelve point five", ["12.50"]),
        ("twelve point oh five", ["12.05"]),
        ("twelve dot fifty dollars", ["12.50"]),
        ("point five", ["0.50"]),
        ("two thousand three hundred and forty dollars seventeen", ["2340.17"]),
        # words left out: dollars and cents, or one number
        ("twelve fifty", ["12.50", "1250.00"]),
        ("nine ninety nine", ["9.99", "999.00"]),
        ("one oh five", ["1.05", "105.00"]),
        ("one twenty five fifty", ["125.50", "12550.00"]),
        # nothing left out
        ("one hundred twenty five", ["125.00"]),
        ("twelve hundred", ["1200.00"]),
        ("one hundred twenty five fifty", ["125.50"]),
        ("twelve fifty dollars", ["1250.00"]),
        # no amounts
        ("twelve dollars five", []),
        ("dollars", []),
        ("twelve cents dollars", []),
        ("twelve point", []),
        ("twelve point five oh five", []),
        ("oh five", []),
        ("double", []),
        ("a point five", []),
        ("one hundred and five cents", []),
    ],
)
def test_an_amount_is_what_a_listener_writes_down(words: str, values: list[str]) -> None:
    """Best reading first, and every other that words left out could mean."""
    state = AMOUNT.walk(words.split())
    assert list(state.values if state else ()) == values


def test_two_readings_of_bare_numbers_tie_and_a_bound_decides() -> None:
    """Twelve, fifty: that is 12.50 or 1250.00 at equal cost; up to 500 it is 12.50 alone."""
    state = AMOUNT.walk(["twelve", "fifty"])
    assert state is not None
    assert state.readings == (("12.50", 2), ("1250.00", 2))
    bounded = TO_500.walk(["twelve", "fifty"])
    assert bounded is not None
    assert bounded.values == ("12.50",)


def test_a_bound_does_not_part_a_number() -> None:
    """Up to 440, "four hundred fifty" is no amount, rather than 400.50."""
    grammar = parse_grammar("builtin:amount?max=440")
    assert grammar.walk(["four", "hundred", "forty"]) is not None
    assert grammar.walk(["four", "hundred", "fifty"]) is None


@given(st.integers(0, 999_999), st.integers(0, 99), st.booleans(), st.data())
def test_every_amount_can_be_said(
    dollars: int, cents: int, british: bool, data: st.DataObject
) -> None:
    """In all forms with a word for the currency or the point; each word of it may follow."""
    whole = spell(dollars, british=british)
    end = data.draw(two_digits(cents))
    forms = [f"{whole} dollars {end}", f"{whole} dollars and {end} cents", f"{whole} point {end}"]
    forms += [f"{whole} point {end} dollars"]
    forms += [whole, f"{whole} dollars"] * (cents == 0)
    forms += [f"{end} cents"] * (dollars == 0)
    forms += [f"{whole} dollars {spell(cents)} cents"] * (cents > 0)
    state = AMOUNT.start()
    for word in data.draw(st.sampled_from(forms)).split():
        assert word in state.next_words
        following = AMOUNT.advance(state, word)
        assert following is not None
        state = following
    assert state.values[0] == written(dollars * 100 + cents)


@given(st.sampled_from([(0, 50_000), (5, 99), (1250, 1250), (9_999, 2_000_005), (1, 105)]), WORDS)
def test_values_are_canonical_and_within_the_bounds(
    bounds: tuple[int, int], words: list[str]
) -> None:
    """Whatever is said; and an amount that the bounds admit is not lost to them."""
    low, high = bounds
    grammar = parse_grammar(f"builtin:amount?min={written(low)};max={written(high)}")
    free = AMOUNT.walk(words)
    expected = set()
    for value in free.values if free else ():
        assert re.fullmatch(r"(0|[1-9]\d*)\.\d\d", value)
        if low <= int(value.replace(".", "")) <= high:
            expected.add(value)
    state = grammar.walk(words)
    assert set(state.values if state else ()) == expected


@given(st.text("0123456789", min_size=1, max_size=6))
def test_bare_digits_are_dollars_or_dollars_and_cents(digits: str) -> None:
    """Digit by digit: the whole number, and the last two as cents; a zero in front is neither."""
    state = AMOUNT.walk(one_by_one(digits).split())
    expected = set()
    if str(int(digits)) == digits:
        expected.add(f"{digits}.00")
    if len(digits) > 2 and str(int(digits[:-2])) == digits[:-2]:
        expected.add(f"{digits[:-2]}.{digits[-2:]}")
    assert set(state.values if state else ()) == expected


@given(st.text("0123456789*", max_size=7))
def test_the_star_is_the_decimal_point_of_keys(keys: str) -> None:
    """Whole dollars, or dollars, a star and two digits; up to 500.00."""
    found = re.fullmatch(r"(0|[1-9]\d*)?(?:\*(\d\d))?", keys)
    value = None
    if found and keys:
        cents = int(found[1] or "0") * 100 + int(found[2] or "0")
        value = written(cents) if cents <= 50_000 else None
    assert TO_500.interpret_keys(keys) == value
    if value is not None:
        assert all(TO_500.keys_can_grow(keys[:end]) for end in range(len(keys)))


@pytest.mark.parametrize(
    ("keys", "can_grow"),
    [("500", True), ("500*00", False), ("500*0", True), ("50", True), ("5*", True)],
)
def test_keys_grow_while_they_can(keys: str, can_grow: bool) -> None:
    """After two digits of cents the answer is taken at once."""
    assert TO_500.keys_can_grow(keys) == can_grow
