"""Properties that hold for every grammar and every string of words."""

from __future__ import annotations

import pickle
import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import Grammar, natural_reading, parse_grammar, progress
from ivr.grammar.builtin import readers_of
from tests.grammar.spelling import ONES, TEENS, TENS, below_hundred, below_thousand, spell

SCALE = ["hundred", "thousand", "and", "a", "double", "triple"]
COMMANDS = ["yes", "yeah", "correct", "no", "nope", "not", "help", "<other>"]
MONEY = ["dollars", "cents", "point"]
ALL_WORDS = [*ONES, "oh", "nought", *TEENS, *TENS, *SCALE, *MONEY, *COMMANDS]

# URI -> the values it accepts, as a regular expression: an oracle independent of the code.
ORACLES = {
    "builtin:digits": r"\d+",
    "builtin:digits?length=3": r"\d{3}",
    "builtin:digits?length=8": r"\d{8}",
    "builtin:digits?minlength=4;maxlength=6": r"\d{4,6}",
    "builtin:number?min=1;max=999": r"[1-9]\d{0,2}",
    "builtin:number?min=0;max=12": r"\d|1[0-2]",
    "builtin:number?min=95;max=105": r"9[5-9]|10[0-5]",
    "builtin:number": r"0|[1-9]\d*",
    "builtin:expiry": r"(0[1-9]|1[0-2])\d\d",
    "builtin:date": r"(19|20)\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])",
    "builtin:date?order=dmy;minyear=1925;maxyear=2024": r"(19|20)\d\d-\d\d-\d\d",
    "builtin:phone": r"[2-9]\d\d[2-9]\d{6}",
    "builtin:amount": r"(0|[1-9]\d*)\.\d\d",
    "builtin:amount?min=1;max=99.50": r"[1-9]\d?\.\d\d",
    "builtin:boolean": r"yes|no",
    "builtin:natural": r"\d+|yes|no",
    "builtin:digits?length=4|builtin:boolean": r"\d{4}|yes|no",
    "builtin:digits?minlength=3;maxlength=5;prefix=41,509": r"41\d{1,3}|509\d{0,2}",
    "builtin:digits?pattern=(4|50)[^0-4]?1*": r"(4|50)[^0-4]?1*",
    "builtin:digits?length=6;pattern=(12|3)*;prefix=1": r"1(?=.{5}$)2(12|3)*",
    "builtin:digits?values=7,70,705,4155,41550": r"7|70|705|4155|41550",
}
GRAMMARS = st.sampled_from([parse_grammar(uri) for uri in ORACLES])
WORDS = st.lists(st.sampled_from(ALL_WORDS), max_size=12)


@st.composite
def group(draw: st.DrawFn) -> tuple[str, str]:
    """One way to say a few digits: (words, digits)."""
    kind = draw(st.sampled_from(["single", "pair", "hundred", "repeat"]))
    if kind == "single":
        digit = draw(st.integers(0, 9))
        word = draw(st.sampled_from(["zero", "oh", "nought"])) if digit == 0 else ONES[digit]
        return word, str(digit)
    if kind == "pair":
        value = draw(st.integers(10, 99))
        return below_hundred(value), str(value)
    if kind == "hundred":
        value = draw(st.integers(100, 999))
        return below_thousand(value, draw(st.sampled_from([" ", " and "])), "one"), str(value)
    digit, times = draw(st.integers(0, 9)), draw(st.sampled_from([2, 3]))
    return f"{'double' if times == 2 else 'triple'} {ONES[digit]}", str(digit) * times


@given(st.integers(0, 999_999), st.booleans(), st.booleans())
def test_a_spelled_number_reads_back(value: int, british: bool, article: bool) -> None:
    """US and UK manner, "a" or "one": the natural reading is the number."""
    words = spell(value, british=british, article=article)
    assert natural_reading(words) == str(value)


def test_every_number_to_999_is_the_best_value_in_its_grammar() -> None:
    """All of them, both manners: the first value of number?min=1;max=999."""
    grammar = parse_grammar("builtin:number?min=1;max=999")
    for value, british in product(range(1, 1000), (False, True)):
        state = grammar.walk(spell(value, british=british).split())
        assert state is not None
        assert state.values[0] == str(value)


@given(st.lists(group(), min_size=1, max_size=6))
def test_digits_in_any_grouping_are_among_the_values(groups: list[tuple[str, str]]) -> None:
    """A grammar of the right length has the string, whatever the grouping, and never loses it."""
    words = " ".join(text for text, _ in groups).split()
    digits = "".join(value for _, value in groups)
    grammar = parse_grammar(f"builtin:digits?length={len(digits)}")
    state = grammar.start()
    for word in words:
        assert word in state.next_words
        following = grammar.advance(state, word)
        assert following is not None
        state = following
    assert digits in state.values
    assert state.complete


@given(st.text("0123456789", min_size=1, max_size=19))
def test_single_digits_have_one_value(digits: str) -> None:
    """Digit by digit there is no doubt, true repeats included, and a known length ends at once."""
    grammar = parse_grammar(f"builtin:digits?length={len(digits)}")
    state = grammar.walk(ONES[int(digit)] for digit in digits)
    assert state is not None
    assert state.values == (digits,)
    assert not state.can_grow


@given(GRAMMARS, WORDS)
def test_values_always_satisfy_the_grammar(grammar: Grammar, words: list[str]) -> None:
    """Whatever was said, an accepted value is one that the oracle accepts, and is listed once."""
    state = grammar.walk(words)
    values = state.values if state else ()
    assert all(re.fullmatch(ORACLES[grammar.uri], value) for value in values)
    assert len(set(values)) == len(values)
    if state is not None:
        assert state.complete == bool(values)


@given(st.sampled_from([uri for uri in ORACLES if re.match("builtin:(digits|number)", uri)]), WORDS)
def test_no_accepted_reading_is_lost(uri: str, words: list[str]) -> None:
    """A reading of the words that the oracle accepts is a value: pruning drops nothing."""
    free = parse_grammar("builtin:digits").walk(words)
    values = free.values if free else ()
    if len(values) < 64:  # else the list itself is cut short
        state = parse_grammar(uri).walk(words)
        expected = {value for value in values if re.fullmatch(ORACLES[uri], value)}
        assert expected <= set(state.values if state else ())


@given(GRAMMARS, WORDS, st.integers(0, 12))
def test_word_by_word_equals_at_once(grammar: Grammar, words: list[str], cut: int) -> None:
    """Walking in two parts, or anew, or in a fresh automaton, gives the same answers."""
    head = grammar.walk(words[:cut])
    state = head
    for word in words[cut:]:
        state = grammar.advance(state, word) if state is not None else None
    assert state == grammar.walk(words)
    fresh = Grammar(grammar.uri, readers_of(grammar.uri)).walk(words)
    assert (state is None) == (fresh is None)
    if state is not None and fresh is not None:
        assert (state.readings, state.can_grow) == (fresh.readings, fresh.can_grow)
        assert state.next_words == fresh.next_words


@given(GRAMMARS, WORDS)
def test_what_is_alive_can_be_completed(grammar: Grammar, words: list[str]) -> None:
    """No dead ends: from every live state some few words lead to an answer (the decoder's need)."""
    state = grammar.walk(words)
    if state is None:
        return
    frontier = {state}
    for _ in range(9):  # eight digits at most are missing, and one for a dangling word
        if any(candidate.complete for candidate in frontier):
            return
        # One state for each automaton node is enough: equal nodes have equal futures.
        following = {
            reached._node: reached
            for candidate in frontier
            for word in candidate.next_words
            if (reached := grammar.advance(candidate, word)) is not None
        }
        frontier = set(following.values())
    raise AssertionError("no completion within nine words")


@given(GRAMMARS, WORDS)
def test_what_cannot_grow_gets_no_other_value(grammar: Grammar, words: list[str]) -> None:
    """Ending at once loses nothing: after `can_grow` is False no word brings a new value."""
    state = grammar.walk(words)
    if state is None or state.can_grow:
        return
    for word in state.next_words:
        following = grammar.advance(state, word)
        assert following is not None
        assert set(following.values) <= set(state.values)
        assert not following.can_grow or not following.complete


@given(WORDS)
def test_the_natural_grammar_is_the_natural_reading(words: list[str]) -> None:
    """Two searches over one table agree; the natural grammar refuses no words."""
    state = parse_grammar("builtin:natural").walk(words)
    reading = natural_reading(words)
    assert (state.values if state else ()) == ((reading,) if reading else ())


@given(GRAMMARS, WORDS)
def test_progress_agrees_with_the_state(grammar: Grammar, words: list[str]) -> None:
    """The endpointer's view is the state's."""
    state, found = grammar.walk(words), progress(grammar, words)
    assert found.complete == (state is not None and state.complete)
    assert found.can_grow == (state is not None and state.can_grow)


@given(GRAMMARS, st.text("0123456789*#", max_size=10))
def test_keys_satisfy_the_grammar_and_grow_truthfully(grammar: Grammar, keys: str) -> None:
    """Accepted keys satisfy the oracle; a prefix of accepted keys could always grow."""
    value = grammar.interpret_keys(keys)
    assert grammar.keys_complete(keys) == (value is not None)
    if value is not None:
        assert re.fullmatch(ORACLES[grammar.uri], value)
        assert all(grammar.keys_can_grow(keys[:end]) for end in range(len(keys)))


@given(st.integers(1, 999))
def test_keys_and_words_agree(value: int) -> None:
    """The same number, spoken or keyed, is the same value."""
    grammar = parse_grammar("builtin:number?min=1;max=999")
    state = grammar.walk(spell(value).split())
    assert state is not None
    assert grammar.interpret_keys(str(value)) == state.values[0]


def test_the_words_of_a_grammar_are_plain_data() -> None:
    """A grammar's URI and words can be sent to a worker process, which parses it anew."""
    for uri in ORACLES:
        sent = pickle.loads(pickle.dumps((uri, parse_grammar(uri).words)))  # noqa: S301 - our own
        assert parse_grammar(sent[0]).words == sent[1]
