"""Dates and expiry: every day of the calendar, however its numbers are said."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import parse_grammar
from tests.grammar.spelling import ONES, below_hundred, one_by_one, two_digits, year_words

EXPIRY = parse_grammar("builtin:expiry")
DATE = parse_grammar("builtin:date")
BIRTH = parse_grammar("builtin:date?order=dmy;minyear=1925;maxyear=2024")

DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))
WORDS = st.lists(
    st.sampled_from([*ONES, "oh", "ten", "twelve", "nineteen", "twenty", "thirty", "hundred"]),
    max_size=9,
)


def day_of(year: str, month: str, day: str) -> str | None:
    """The oracle: what Python's calendar makes of three fields."""
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found.isoformat() if 1900 <= found.year <= 2099 else None


@st.composite
def field(draw: st.DrawFn, value: int) -> str:
    """A month or a day: "six", "oh six", "twenty three", "two three"."""
    return draw(two_digits(value) | st.just(below_hundred(value)))


@given(DAYS, st.sampled_from(["mdy", "dmy", "ymd"]), st.data())
def test_every_day_can_be_said(day: date, order: str, data: st.DataObject) -> None:
    """In any order and any grouping; each word of it may follow."""
    said = {
        "m": data.draw(field(day.month)),
        "d": data.draw(field(day.day)),
        "y": data.draw(year_words(day.year)),
    }
    grammar = parse_grammar(f"builtin:date?order={order}")
    state = grammar.start()
    for word in " ".join(said[name] for name in order).split():
        assert word in state.next_words
        following = grammar.advance(state, word)
        assert following is not None
        state = following
    assert day.isoformat() in state.values


@given(WORDS)
def test_whatever_is_said_comes_out_as_a_day_or_not_at_all(words: list[str]) -> None:
    """Python's calendar takes every value, within the years that the grammar has."""
    state = DATE.walk(words)
    for value in state.values if state else ():
        assert day_of(*value.split("-")) == value


@given(st.text("0123456789", min_size=6, max_size=8))
def test_single_digits_are_every_day_that_they_can_be(digits: str) -> None:
    """Fields of one or two digits, cut in every way: just the days of the calendar come out."""
    state = DATE.walk(one_by_one(digits).split())
    cuts = [(m, m + d) for m, d in product((1, 2), (1, 2)) if len(digits) - m - d == 4]
    days = {day_of(digits[to:], digits[:m], digits[m:to]) for m, to in cuts}
    assert set(state.values if state else ()) == days - {None}


def test_spoken_months_and_days_die_where_the_calendar_ends() -> None:
    """Month and day in two digits each: alive if and only if a leap year has that day."""
    for month, day in product(range(20), range(40)):
        state = DATE.walk(one_by_one(f"{month:02d}{day:02d}2000").split())
        assert (state is not None) == (day_of("2000", str(month), str(day)) is not None)


@pytest.mark.parametrize("year", [1900, 1999, 2000, 2023, 2024, 2099])
def test_keys_are_eight_digits(year: int) -> None:
    """Every month and day against the calendar, in all three orders."""
    for month, day in product(range(14), range(33)):
        right = day_of(str(year), str(month), str(day))
        for order in ("mdy", "dmy", "ymd"):
            written = {"y": f"{year:04d}", "m": f"{month:02d}", "d": f"{day:02d}"}
            keys = "".join(written[name] for name in order)
            grammar = parse_grammar(f"builtin:date?order={order}")
            assert grammar.interpret_keys(keys) == right
            if right is not None:
                assert all(grammar.keys_can_grow(keys[:end]) for end in range(8))
                assert not grammar.keys_can_grow(keys)


@given(st.dates(date(1925, 1, 1), date(2024, 12, 31)))
def test_a_year_may_be_short_where_its_century_is_certain(day: date) -> None:
    """A hundred years: two digits say which. In two hundred they do not."""
    start = f"{below_hundred(day.day)} {below_hundred(day.month)}"
    short = f"{start} {one_by_one(f'{day.year % 100:02d}')}".split()
    state = BIRTH.walk(short)
    assert state is not None
    assert day.isoformat() in state.values
    any_century = parse_grammar("builtin:date?order=dmy").walk(short)
    assert any_century is None or any_century.values == ()


def test_a_year_that_could_be_two_must_be_said_in_full() -> None:
    """1915 or 2015: within 1910 to 2020 "fifteen" is not enough, "fifty" is."""
    grammar = parse_grammar("builtin:date?minyear=1910;maxyear=2020")
    assert grammar.walk(["six", "one", "fifteen"]) is None
    fifty = grammar.walk(["six", "one", "fifty"])
    assert fifty is not None
    assert fifty.values == ("1950-06-01",)


def test_two_days_in_the_same_words_are_both_there() -> None:
    """The eleventh of January or the first of November: a true doubt, at equal cost."""
    state = DATE.walk(["one", "one", "one", "nineteen", "ninety"])
    assert state is not None
    assert state.readings == (("1990-01-11", 0), ("1990-11-01", 0))


def test_a_number_is_not_parted() -> None:
    """Twelve, seven: that begins with December, and never is the 27th of January."""
    state = DATE.walk(["twelve", "seven", "twenty", "twenty", "five"])
    assert state is not None
    assert state.values == ("2025-12-07",)
    assert DATE.walk(["thirteen"]) is None


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("oh five twenty seven", "0527"),
        ("five twenty seven", "0527"),
        ("zero five two zero two seven", "0527"),
        ("oh five twenty twenty seven", "0527"),
        ("oh five two thousand twenty seven", "0527"),
        ("twelve oh seven", "1207"),
        ("one two two seven", "1227"),
        ("one one oh nine", "1109"),
        ("ten ten", "1010"),
        ("double oh", None),
        ("twelve seven", None),
        ("thirteen twenty seven", None),
        ("twenty five", None),
        ("oh oh twenty seven", None),
    ],
)
def test_the_expiry_of_a_card(words: str, value: str | None) -> None:
    """Month and year in the forms that people read off their cards."""
    state = EXPIRY.walk(words.split())
    assert (state.values if state else ()) == ((value,) if value else ())


@given(st.integers(1, 12), st.integers(0, 99), st.data())
def test_every_expiry_can_be_said_and_keyed(month: int, year: int, data: st.DataObject) -> None:
    """With and without a zero, with and without the century."""
    words = data.draw(field(month)) + " "
    words += data.draw(two_digits(year) | year_words(2000 + year))
    state = EXPIRY.walk(words.split())
    assert state is not None
    assert f"{month:02d}{year:02d}" in state.values
    assert EXPIRY.interpret_keys(f"{month:02d}{year:02d}") == f"{month:02d}{year:02d}"


@given(st.text("0123456789", min_size=3, max_size=6))
def test_single_digits_are_every_expiry_that_they_can_be(digits: str) -> None:
    """One or two digits of month, two or four of year, cut in every way."""
    state = EXPIRY.walk(one_by_one(digits).split())
    expected = set()
    for width in (1, 2):
        month, year = digits[:width], digits[width:]
        if 1 <= int(month) <= 12 and (len(year) == 2 or (len(year) == 4 and year[:2] == "20")):
            expected.add(month.zfill(2) + year[-2:])
    assert set(state.values if state else ()) == expected


def test_expiry_keys_are_four_digits() -> None:
    """All of them."""
    for keys in (f"{number:04d}" for number in range(10_000)):
        right = 1 <= int(keys[:2]) <= 12
        assert EXPIRY.keys_complete(keys) == right
        assert not EXPIRY.keys_can_grow(keys)
        assert EXPIRY.keys_can_grow(keys[:2]) == right
