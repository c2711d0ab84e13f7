"""From an N-best list to one accepted value with a confidence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import interpret, parse_grammar
from ivr.grammar.interpret import INNER_OTHER_FACTOR
from ivr.recognition import Hypothesis, Recognition, Word

DIGITS = parse_grammar("builtin:digits")
FOUR = parse_grammar("builtin:digits?length=4")
THREE = parse_grammar("builtin:digits?length=3")
BOOLEAN = parse_grammar("builtin:boolean")


def hypothesis(text: str, posterior: float = 1.0) -> Hypothesis:
    """A hypothesis as the recogniser writes it, 300 ms a word."""
    words = tuple(
        Word(word, 300 * index, 300 * index + 250, 0.9) for index, word in enumerate(text.split())
    )
    return Hypothesis(words, math.log(posterior))


def recognition(*hypotheses: Hypothesis, confidence: float = 0.95) -> Recognition:
    """A recognition of the given N-best list."""
    return Recognition(hypotheses, confidence, audio_ms=2000)


def test_the_first_hypothesis_has_the_recognisers_confidence() -> None:
    """An accepted best hypothesis is taken as it is."""
    found = interpret(FOUR, recognition(hypothesis("fifty one fifteen", 0.9)))
    assert found is not None
    assert (found.value, found.words, found.confidence) == ("5115", "fifty one fifteen", 0.95)


def test_a_later_hypothesis_wins_where_the_grammar_refuses_the_first() -> None:
    """The length is known: the hypothesis that dropped a digit gives way, at a price."""
    heard = recognition(hypothesis("four one five", 0.6), hypothesis("four one five five", 0.3))
    found = interpret(FOUR, heard)
    assert found is not None
    assert found.value == "4155"
    assert found.confidence == pytest.approx(0.95 * 0.5)


def test_the_order_of_the_list_counts() -> None:
    """Of two accepted hypotheses the first is taken."""
    heard = recognition(hypothesis("four", 0.5), hypothesis("five", 0.5))
    found = interpret(DIGITS, heard)
    assert found is not None
    assert found.value == "4"


def test_the_best_reading_of_a_hypothesis_is_taken() -> None:
    """Of the readings that are accepted, the one of least cost."""
    found = interpret(DIGITS, recognition(hypothesis("one hundred five")))
    assert found is not None
    assert found.value == "105"


def test_the_grammar_chooses_among_readings() -> None:
    """Where three digits are asked for, "fifty one" is 501."""
    found = interpret(THREE, recognition(hypothesis("fifty one")))
    assert found is not None
    assert found.value == "501"


@pytest.mark.parametrize(
    ("uri", "text", "value", "alternatives"),
    [
        ("builtin:amount", "twelve fifty", "12.50", ("1250.00",)),
        ("builtin:amount?max=500", "twelve fifty", "12.50", ()),
        ("builtin:amount", "one hundred twenty five", "125.00", ()),
        ("builtin:date", "one one one nineteen ninety", "1990-01-11", ("1990-11-01",)),
        ("builtin:digits", "fifty one", "51", ()),  # 501 is dearer, hence no doubt
        ("builtin:digits?length=4|builtin:amount", "twelve fifty five", "1255", ()),
        ("builtin:digits", "four one five", "415", ()),
    ],
)
def test_readings_of_the_same_cost_are_told(
    uri: str, text: str, value: str, alternatives: tuple[str, ...]
) -> None:
    """Who wins stays as it is; that there is a tie, and with what, is said beside it."""
    found = interpret(parse_grammar(uri), recognition(hypothesis(text)))
    assert found is not None
    assert (found.value, found.alternatives) == (value, alternatives)
    assert found.ambiguous == bool(alternatives)
    assert found.confidence == 0.95


@given(st.sampled_from(["builtin:amount", "builtin:date", "builtin:digits"]), st.data())
def test_alternatives_are_readings_of_the_best_cost(uri: str, data: st.DataObject) -> None:
    """Against the state: the value is its first, the alternatives are all that tie with it."""
    words = data.draw(
        st.lists(
            st.sampled_from(["one", "oh", "twelve", "twenty", "nineteen", "ninety"]), min_size=1
        )
    )
    grammar = parse_grammar(uri)
    state = grammar.walk(words)
    found = interpret(grammar, recognition(hypothesis(" ".join(words))))
    readings = dict(state.readings) if state else {}
    assert (found is None) == (not readings)
    if found is not None:
        least = min(readings.values())
        tied = {value for value, cost in readings.items() if cost == least}
        assert {found.value, *found.alternatives} == tied
        assert found.value not in found.alternatives


@pytest.mark.parametrize(
    "text", ["<other> four one five", "four one five <other>", "<other> four one five <other>"]
)
def test_speech_around_an_answer_is_tolerated(text: str) -> None:
    """A plain answer: "it's four one five, please"."""
    found = interpret(DIGITS, recognition(hypothesis(text)))
    assert found is not None
    assert (found.value, found.words, found.confidence) == ("415", "four one five", 0.95)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("four <other> one five", 1),
        ("four <other> one <other> five", 2),
        ("four <other> <other> one five", 1),
        ("<other> four <other> one five <other>", 1),
    ],
)
def test_speech_within_an_answer_lowers_confidence(text: str, times: int) -> None:
    """A word that was not understood may have been a digit."""
    found = interpret(DIGITS, recognition(hypothesis(text)))
    assert found is not None
    assert found.value == "415"
    assert found.confidence == pytest.approx(0.95 * INNER_OTHER_FACTOR**times)


@pytest.mark.parametrize("text", ["", "<other>", "<other> <other>"])
def test_no_word_is_no_answer(text: str) -> None:
    """Silence, noise and other speech are a nomatch, even for a grammar that takes anything."""
    assert interpret(DIGITS, recognition(hypothesis(text))) is None
    assert interpret(parse_grammar("builtin:natural"), recognition(hypothesis(text))) is None


@pytest.mark.parametrize("text", ["", "<other>"])
def test_nothing_ranks_below_no_word(text: str) -> None:
    """If no word was likelier than a number, the number is not taken."""
    heard = recognition(hypothesis(text, 0.6), hypothesis("five", 0.4))
    assert interpret(DIGITS, heard) is None


def test_an_answer_ranked_above_no_word_is_taken() -> None:
    """The empty hypothesis only ends the walk."""
    heard = recognition(hypothesis("help", 0.5), hypothesis("five", 0.3), hypothesis("", 0.2))
    found = interpret(DIGITS, heard)
    assert found is not None
    assert found.value == "5"


@pytest.mark.parametrize("text", ["help", "four one", "four one five help", "yes", "and", "double"])
def test_an_answer_to_another_question_is_a_nomatch(text: str) -> None:
    """Commands, strings of the wrong length and dangling words are not forced into an answer."""
    assert interpret(FOUR, recognition(hypothesis(text))) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("<other> correct", "yes"), ("no", "no"), ("not <other> correct", "no")],
)
def test_yes_and_no(text: str, value: str) -> None:
    """Boolean values are words."""
    found = interpret(BOOLEAN, recognition(hypothesis(text)))
    assert found is not None
    assert found.value == value


@given(
    st.lists(
        st.tuples(
            st.lists(
                st.sampled_from(["one", "oh", "fifty", "hundred", "help", "<other>"]), max_size=6
            ),
            st.floats(0.001, 1.0),
        ),
        min_size=1,
        max_size=5,
    ),
    st.floats(0.0, 1.0),
)
def test_confidence_is_a_probability_and_never_rises(
    n_best: list[tuple[list[str], float]], confidence: float
) -> None:
    """Whatever the list, 0 <= confidence <= the recogniser's; the value comes from a hypothesis."""
    heard = recognition(
        *(hypothesis(" ".join(words), posterior) for words, posterior in n_best),
        confidence=confidence,
    )
    found = interpret(DIGITS, heard)
    if found is not None:
        assert 0.0 <= found.confidence <= confidence
        spoken = [" ".join(w for w in words if w != "<other>") for words, _ in n_best]
        assert found.words in spoken
