"""Natural readings: what a listener would write down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar.words import (
    NUMBER_WORDS,
    SINGLES,
    TEENS,
    TENS,
    Phase,
    arcs,
    closing,
    natural_reading,
    said_boolean,
)

READINGS = {
    # digit by digit
    "four one oh": "410",
    "nought zero oh": "000",
    "four one two five two one two one eight": "412521218",
    "seven seven seven seven": "7777",
    "one oh five": "105",
    # pairs and teens, as street numbers, years and telephone numbers are said
    "fifty one fifteen": "5115",
    "twenty two twenty six": "2226",
    "six twenty six sixty three": "62663",
    "nineteen eighty": "1980",
    "twenty oh five": "2005",
    "one twenty": "120",
    "seven forty seven": "747",
    "four seven sixty four": "4764",
    "eight forty one": "841",
    "thirty ten": "3010",
    "ten twelve sixty seven": "101267",
    "five two one sixty fifty five": "5216055",
    # hundreds
    "one hundred": "100",
    "hundred": "100",
    "a hundred": "100",
    "one hundred and five": "105",
    "a hundred and five": "105",
    "one hundred five": "105",
    "five hundred twelve": "512",
    "nine hundred and ninety nine": "999",
    "twelve hundred": "1200",
    "forty nine hundred": "4900",
    "twelve hundred and fifty": "1250",
    "four five hundred": "4500",
    "one hundred five hundred": "100500",
    "eight hundred five five five one two one two": "8005551212",
    "nine hundred one two three": "900123",
    "eight hundred twenty one fifty": "82150",
    # thousands
    "one thousand": "1000",
    "a thousand": "1000",
    "two thousand and five": "2005",
    "two thousand oh five": "2005",
    "two thousand twenty six": "2026",
    "four thousand eight hundred eighty three": "4883",
    "six thousand eight hundred and eighty one": "6881",
    "fifty eight thousand nine thirty nine": "58939",
    "fifty eight thousand nine oh four": "58904",
    "one hundred thousand": "100000",
    "one hundred twenty three thousand four hundred and fifty six": "123456",
    "four thousand one two three": "4000123",
    # repeats
    "double seven": "77",
    "triple oh": "000",
    "oh double seven nine": "0779",
    "double double five": "55",
    # and, where it adds nothing
    "four one and five five": "4155",
    "and five": "5",
    "five and": "5",
    # yes, no and neither
    "yes": "yes",
    "yeah": "yes",
    "correct": "yes",
    "no": "no",
    "nope": "no",
    "no no": "no",
    "not correct": "no",
    "<other> correct": "yes",
    "not <other> correct": "no",
    "yes no": "",
    "no five": "5",
    "help": "",
    "<other>": "",
    "and": "",
    "a": "",
    "double": "",
    "not": "",
    "": "",
    # a word without digits does not come between a number's parts
    "fifty <other> one": "51",
    "<other> four one <other>": "41",
    "four a one": "41",
    "four help one": "41",
}


@pytest.mark.parametrize(
    ("words", "expected"), READINGS.items(), ids=lambda text: text or "nothing"
)
def test_the_natural_reading_is_what_a_listener_writes_down(words: str, expected: str) -> None:
    """Each form has the one reading that people give it."""
    assert natural_reading(words) == expected


def test_words_may_come_one_by_one() -> None:
    """An iterable of words reads like the joined string."""
    assert natural_reading(iter(["fifty", "one"])) == natural_reading("fifty one")


def test_teens_and_tens_stay_apart() -> None:
    """Thirteen is not thirty: all pairs that the ear confuses have different readings."""
    for teen, ten in zip(list(TEENS)[3:], list(TENS)[1:], strict=False):
        assert natural_reading(teen)[0] == "1"
        assert natural_reading(ten)[1] == "0"


@given(st.lists(st.sampled_from(list(SINGLES)), min_size=1, max_size=20))
def test_single_digits_read_as_they_come(words: list[str]) -> None:
    """However long the string and whatever repeats, each digit word is one digit."""
    assert natural_reading(words) == "".join(SINGLES[word] for word in words)


ANY_WORD = st.sampled_from([*sorted(NUMBER_WORDS), "<other>", "yes", "no", "not", "help", "banana"])


@given(st.lists(ANY_WORD, max_size=14))
def test_every_string_of_words_has_a_natural_reading(words: list[str]) -> None:
    """The reading is total: digits, yes, no or nothing, never an error."""
    reading = natural_reading(words)
    assert reading in {"", "yes", "no"} or (reading.isascii() and reading.isdecimal())


@given(st.lists(ANY_WORD, max_size=14))
def test_what_is_said_in_digits_is_never_lost(words: list[str]) -> None:
    """The digits of words that always carry some appear in order in the reading."""
    reading = iter(natural_reading(words))
    said = "".join({**SINGLES, **TEENS, **TENS}.get(word, "") for word in words)
    assert all(digit in reading for digit in said)


@given(st.lists(ANY_WORD, max_size=10))
def test_words_outside_the_numbers_change_no_digits(words: list[str]) -> None:
    """Leaving out what carries no digits leaves the digits as they are."""
    reading = natural_reading(words)
    if reading.isdecimal():
        assert natural_reading([word for word in words if word in NUMBER_WORDS]) == reading


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("yes", "yes"),
        ("no not correct", "no"),
        ("yes nope", None),
        ("help", None),
        ("", None),
        ("yes five", None),
        ("no not", "no"),
    ],
)
def test_yes_and_no_are_told_apart_or_neither(words: str, expected: str | None) -> None:
    """A contradiction, or a number with it, is no answer."""
    assert said_boolean(words.split()) == expected


def test_the_table_never_leaves_a_reading_stuck() -> None:
    """From every phase a number can be ended, or some word leads to a phase where it can."""
    ending = {phase for phase in Phase if closing(phase) is not None}
    for phase in set(Phase) - ending:
        reached = {arc.phase for word in NUMBER_WORDS for arc in arcs(phase, word)}
        assert reached & ending, phase


def test_unknown_words_have_no_arc() -> None:
    """The strict table knows number words only."""
    assert all(arcs(phase, word) == () for phase in Phase for word in ("help", "<other>", "yes"))


def test_costs_are_never_negative() -> None:
    """A negative cost would make the best reading depend on how it is searched."""
    assert all(
        arc.cost >= 0 for phase in Phase for word in NUMBER_WORDS for arc in arcs(phase, word)
    )
