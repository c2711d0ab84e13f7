"""Spoken corrections: what the words make of the digits before them, and what may be expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar.corrections import MARKERS, correct, corrects, restarts
from ivr.grammar.grammar import parse_grammar

SOME_WORDS = ("five", "not", "again", "cancel")
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        # one digit for another
        ("4195", "no five not nine", "4155"),
        ("4195", "five not nine", "4155"),
        ("4195", "not nine five", "4155"),
        ("4195", "no not nine <other> five", "4155"),
        ("", "four one nine five no five not nine", "4155"),
        ("", "four one nine five five not nine", "4155"),
        ("4150", "no fifteen not fifty", "4115"),
        ("4115", "no fifty not fifteen", "4150"),
        ("41998", "no double five not double nine", "41558"),
        ("4195", "no five not nine no six not one", "4655"),
        # the last ones
        ("41955512", "<other> last four <other> five five one three", "41955513"),
        ("41955512", "no the last four are five five one three", None),  # not spoken words
        ("41955512", "last two thirteen", "41955513"),
        ("41955512", "last one <other> three", "41955513"),
        ("41955512", "last <other> three", "41955513"),  # "the last digit is three"
        ("4195", "no six", "4196"),
        ("4195", "no oh six", "4106"),
        ("", "four one five no six", "416"),
        ("41559912", "no <other> four five five one two", "41555512"),  # "the last four are"
        # all of them
        ("4195", "no four one five six", "4156"),
        ("4195", "start again four one five six", "4156"),
        ("", "four one nine start <other> four", None),
        ("", "four one nine cancel four one five six", "4156"),
        ("4195", "no start again", ""),
        ("4195", "cancel <other>", ""),
        # no correction: more digits
        ("41", "five five", "4155"),
        ("", "no four one five five", "4155"),
        ("41", "", "41"),
        # no sense
        ("4155", "no six not nine", None),
        ("41", "last four five five one two", None),
        ("4155", "not nine", None),
        ("4155", "no", None),
        ("4155", "five not", None),
        ("4155", "yes", None),
        ("", "last", None),
    ],
)
def test_corrections(before: str, words: str, after: str | None) -> None:
    """The most natural reading comes first."""
    found = correct(before, words.split())
    assert (found[0][0] if found else None) == after


def test_two_places_are_a_doubt() -> None:
    """Either nine may be meant: equal costs, for a check digit or the caller to decide."""
    assert correct("4199", ["no", "five", "not", "nine"]) == (("4159", 0), ("4195", 0))


def test_nought_may_be_a_not() -> None:
    """They sound alike: both are readings, and the question decides."""
    found = dict(correct("4195", ["no", "five", "nought", "nine"]))
    assert found["4155"] > found["509"]
    assert "509" in dict(correct("", ["five", "nought", "nine"]))


def test_marks_are_known() -> None:
    """Digits alone correct nothing, and only two phrases begin anew."""
    assert corrects(["no", "five"])
    assert not corrects(["four", "one"])
    assert restarts(["four", "start", "again"])
    assert restarts(["cancel", "<other>"])
    assert not restarts(["start", "four", "again"])


@given(
    before=st.text("0123456789", max_size=8),
    words=st.lists(st.sampled_from([*sorted(MARKERS), *DIGIT_WORDS, "fifty", "double", "<other>"])),
)
def test_nothing_but_digits_comes_out(before: str, words: list[str]) -> None:
    """Whatever is said: digit strings, cheapest first, none twice; or nothing."""
    found = correct(before, words)
    texts = [text for text, _ in found]
    assert all(text.isdigit() or text == "" for text in texts)
    assert len(set(texts)) == len(texts) <= 64
    assert [cost for _, cost in found] == sorted(cost for _, cost in found)


@given(digits=st.text("0123456789", min_size=1, max_size=8), data=st.data())
def test_any_digit_can_be_corrected(digits: str, data: st.DataObject) -> None:
    """Saying no, X not Y for the digit at any place is among the readings."""
    at = data.draw(st.integers(0, len(digits) - 1))
    right = data.draw(st.integers(0, 9))
    said = ["no", DIGIT_WORDS[right], "not", DIGIT_WORDS[int(digits[at])]]
    meant = digits[:at] + str(right) + digits[at + 1 :]
    assert meant in dict(correct(digits, said))


@pytest.mark.parametrize(
    ("uri", "words", "expected"),
    [
        ("builtin:correction", "four one nine no five not nine", True),
        ("builtin:correction", "four one no five", False),  # "no" sounds like "oh"
        ("builtin:correction", "no four one", False),
        ("builtin:refusal", "no four one", True),
        ("builtin:refusal", "no", False),
        ("builtin:correction", "last four five five one two", True),
        ("builtin:correction", "four one start again five", True),
        ("builtin:correction", "four one", False),
        ("builtin:command", "repeat", True),
        ("builtin:command", "no start again", True),
        ("builtin:command", "start", False),
    ],
)
def test_what_the_recogniser_expects(uri: str, words: str, expected: bool) -> None:
    """The forms that the decoder is held to, beside the answers."""
    state = parse_grammar(uri).walk(words.split())
    assert (state is not None and state.complete) == expected
    beside = parse_grammar(f"builtin:digits?length=4|{uri}").walk(words.split())
    assert (beside is not None and beside.complete) == expected


@pytest.mark.parametrize("uri", ["builtin:correction", "builtin:refusal", "builtin:command"])
@given(data=st.data())
def test_what_is_expected_can_be_completed(uri: str, data: st.DataObject) -> None:
    """A state that is alive has a way to an end, and no keys."""
    grammar = parse_grammar(uri)
    state = grammar.start()
    for _ in range(data.draw(st.integers(0, 6))):
        if not state.next_words:
            break
        advanced = grammar.advance(state, data.draw(st.sampled_from(sorted(state.next_words))))
        assert advanced is not None
        state = advanced
    reached = [state]
    for _ in range(4):
        after = (grammar.advance(each, word) for each in reached for word in SOME_WORDS)
        reached += [each for each in after if each is not None]
    assert any(each.complete for each in reached)
    assert grammar.interpret_keys("12") is None
    assert not grammar.keys_can_grow("1")
