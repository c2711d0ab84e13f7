"""Directories against sets of strings: names, keys, combinations, the choice among hypotheses."""

from __future__ import annotations

import gc
import weakref
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import ConfigError
from ivr.grammar.checks import CHECKS, CHECKS_BY_LENGTH
from ivr.grammar.digits import accepts, can_grow, run
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret, progress
from ivr.grammar.lists import (
    Directory,
    Listed,
    is_key,
    keys_of,
    lookup,
    pin,
    publish,
    register,
    unpinned,
)
from ivr.recognition import Hypothesis, Recognition, Word
from tests.grammar.spelling import one_by_one

SHORT_STRINGS = ["".join(p) for n in range(4) for p in product("0123456789", repeat=n)]
VALUES = st.sets(st.text("0123456789", min_size=1, max_size=5), min_size=1, max_size=40)


def holds(uri: str, value: str) -> bool:
    """Whether a grammar accepts a number, keyed."""
    return parse_grammar(uri).interpret_keys(value) == value


def heard(*spoken: tuple[str, float]) -> Recognition:
    """An N-best list: the words and log-probability of each hypothesis."""
    return Recognition(
        tuple(
            Hypothesis(tuple(Word(word, 0, 0, 0.9) for word in words.split()), score)
            for words, score in spoken
        ),
        0.9,
        audio_ms=1000,
    )


@given(VALUES)
def test_a_list_accepts_its_values_and_lives_while_one_can_follow(values: set[str]) -> None:
    """Every string of up to three digits and every value, against the set itself."""
    acceptor = Listed.of(values)
    proper = {value[:end] for value in values for end in range(len(value))}
    beginnings = proper | values
    assert len(acceptor) == len(values)
    assert acceptor.lengths() == tuple(sorted({len(value) for value in values}))
    for digits in [*SHORT_STRINGS, *values]:
        assert accepts(acceptor, digits) == (digits in values), digits
        assert (run(acceptor, acceptor.start, digits) is not None) == (digits in beginnings), digits
        assert can_grow(acceptor, digits) == (digits in proper), digits


def test_a_list_of_a_million_takes_its_bytes_and_answers_by_its_states() -> None:
    """No walk over the values: an account directory is one constraint."""
    acceptor = Listed.of(f"{number * 97:08d}" for number in range(1_000_000))
    assert len(acceptor.packed) == 8_000_000
    assert accepts(acceptor, f"{97 * 123_456:08d}")
    assert not accepts(acceptor, "00000001")
    state = run(acceptor, acceptor.start, "0000009")
    assert state is not None
    assert acceptor.step(state, "7") is not None
    assert acceptor.step(state, "8") is None


# -- with other rules ------------------------------------------------------------------------------


def fulfils(check: str, value: str) -> bool:
    """The oracle: the rule alone, walked digit by digit."""
    rule = CHECKS[check]() if check in CHECKS else CHECKS_BY_LENGTH[check](len(value))
    state = rule.start
    for digit in value:
        state = rule.step(state, digit)
        if state is None:
            return False
    return rule.accepts(state)


@given(VALUES, st.sampled_from([*CHECKS, *CHECKS_BY_LENGTH]))
def test_a_list_and_a_check_digit_accept_what_fulfils_both(values: set[str], check: str) -> None:
    """Also those that count from the end, without a length: the list knows its lengths."""
    right = {value for value in values if fulfils(check, value)}
    directory = publish("codes", Listed.of(values))
    uri = f"builtin:digits?list={directory.key};check={check}"
    if not right:
        with pytest.raises(ConfigError, match="no digits fulfil list and check together"):
            parse_grammar(uri)
        return
    grammar = parse_grammar(uri)
    proper = {value[:end] for value in right for end in range(len(value))}
    for value in [*values, *proper]:
        assert (grammar.interpret_keys(value) == value) == (value in right), value
        assert grammar.keys_can_grow(value) == (value in proper), value


def test_a_list_with_prefix_pattern_and_length() -> None:
    """Each of them narrows the list, in any order."""
    directory = publish("codes", Listed.of(["41", "415", "4155", "4157", "6155", "62"]))
    for rules, left in {
        "prefix=41": {"41", "415", "4155", "4157"},
        "prefix=415,62": {"415", "4155", "4157", "62"},
        "pattern=[46].*5": {"415", "4155", "6155"},
        "length=4": {"4155", "4157", "6155"},
        "minlength=3": {"415", "4155", "4157", "6155"},
        "maxlength=2;prefix=6": {"62"},
    }.items():
        uri = f"builtin:digits?{rules};list={directory.key}"
        every = ["41", "415", "4155", "4157", "6155", "62"]
        assert {value for value in every if holds(uri, value)} == left, rules


def test_a_rule_that_all_values_keep_costs_no_copy() -> None:
    """A directory whose check digits are right is narrowed to itself."""
    values = [f"{n:04d}" for n in range(10_000) if fulfils("luhn", f"{n:04d}")]
    listed = Listed.of(values)
    table = parse_grammar("builtin:digits?length=4;check=luhn")._readers[0]._acceptor  # type: ignore[attr-defined]
    assert listed.narrowed([table]) is listed


def test_a_list_is_one_alternative_among_others() -> None:
    """An account, or yes or no."""
    directory = publish("codes", Listed.of(["4155"]))
    grammar = parse_grammar(f"builtin:digits?list={directory.key}|builtin:boolean")
    assert grammar.walk(one_by_one("4155").split()) is not None
    state = grammar.walk(["yes"])
    assert state is not None
    assert state.values == ("yes",)


# -- the choice ------------------------------------------------------------------------------------


def test_the_directory_chooses_among_the_hypotheses() -> None:
    """The likeliest number is nobody's; the second likeliest account is one, and wins."""
    directory = publish("accounts", Listed.of(["41552271", "41559271"]))
    grammar = parse_grammar(f"builtin:digits?list={directory.key}")
    recognition = heard(
        (one_by_one("41555271"), -0.4), (one_by_one("41559271"), -1.4), ("four", -5.0)
    )
    answer = interpret(grammar, recognition)
    assert answer is not None
    assert answer.value == "41559271"
    assert answer.confidence < 0.9  # as much less as it is less likely
    plain = interpret(parse_grammar("builtin:digits?length=8"), recognition)
    assert plain is not None
    assert plain.value == "41555271"


def test_the_directory_chooses_among_the_readings() -> None:
    """Fifty one fifteen is 5115, unless only 50115 is an account."""
    directory = publish("accounts", Listed.of(["50115", "5200"]))
    answer = interpret(
        parse_grammar(f"builtin:digits?list={directory.key}"), heard(("fifty one fifteen", 0.0))
    )
    assert answer is not None
    assert answer.value == "50115"


def test_the_check_digit_chooses_within_the_directory() -> None:
    """Both are accounts, one has a wrong check digit."""
    directory = publish("accounts", Listed.of(["79927398713", "79927398710"]))
    uri = f"builtin:digits?list={directory.key};check=luhn"
    answer = interpret(
        parse_grammar(uri),
        heard((one_by_one("79927398710"), -0.1), (one_by_one("79927398713"), -3)),
    )
    assert answer is not None
    assert answer.value == "79927398713"


def test_words_that_no_account_begins_with_are_dead() -> None:
    """For the endpointer: growing, complete and able to grow, complete, dead."""
    directory = publish("accounts", Listed.of(["41", "415"]))
    grammar = parse_grammar(f"builtin:digits?list={directory.key}")
    found = {words: progress(grammar, words.split()) for words in ("four", "four one", "five")}
    assert (found["four"].complete, found["four"].can_grow) == (False, True)
    assert (found["four one"].complete, found["four one"].can_grow) == (True, True)
    assert (found["five"].complete, found["five"].can_grow) == (False, False)
    ended = progress(grammar, ["four", "one", "five"])
    assert (ended.complete, ended.can_grow) == (True, False)


# -- names and keys --------------------------------------------------------------------------------


def test_pinning_writes_the_key_for_the_name() -> None:
    """Wherever a list may be named, and nothing else is touched."""
    accounts = publish("accounts", Listed.of(["1"]))
    cards = publish("cards", Listed.of(["2"]))
    named = {"accounts": accounts, "cards": cards}
    uri = "builtin:digits?prefix=4; list = accounts ;check=luhn|builtin:digits?list=cards"
    pinned = pin(uri, named)
    assert keys_of(pinned) == (accounts.key, cards.key)
    assert unpinned(pinned) == uri
    assert pin(pinned, named) == pinned
    assert pin("builtin:digits?length=4", {}) == "builtin:digits?length=4"


def test_a_list_that_is_not_there_is_told_with_its_cure() -> None:
    """A slip of the pen, a list without its file, and a grammar that nobody pinned."""
    accounts = publish("accounts", Listed.of(["1"]))
    with pytest.raises(ConfigError, match="unknown list 'acounts'; did you mean 'accounts'"):
        pin("builtin:digits?list=acounts", {"accounts": accounts})
    with pytest.raises(ConfigError, match=r"lists in the flow or with --list \(known: accounts\)"):
        pin("builtin:digits?list=zzz", {"accounts": accounts})
    with pytest.raises(ConfigError, match=r"lists in the flow or with --list$"):
        pin("builtin:digits?list=zzz", {})
    with pytest.raises(ConfigError, match="unknown list 'accounts'"):
        parse_grammar("builtin:digits?list=accounts")
    with pytest.raises(ConfigError, match="unknown list 'zzz'"):
        parse_grammar(f"builtin:digits?list={accounts.key}|builtin:digits?list=zzz@0123")


@pytest.mark.parametrize("name", ["", "Accounts", "1st", "a-b", "accounts@", "accounts@xyz", "a b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """A name is small letters, digits and underscores, beginning with a letter."""
    assert not is_key(name)
    with pytest.raises(ConfigError, match="list must be the name of a list"):
        parse_grammar(f"builtin:digits?list={name}")


def test_mistakes_beside_a_list_show_what_the_author_wrote() -> None:
    """The key is ours and not theirs."""
    accounts = publish("accounts", Listed.of(["1"]))
    with pytest.raises(ConfigError) as caught:
        parse_grammar(f"builtin:digits?list={accounts.key};check=lunh")
    assert "'builtin:digits?list=accounts;check=lunh'" in str(caught.value)


def test_the_same_values_are_one_directory() -> None:
    """In whatever order and however often they come; other values, or another name, are not."""
    one = publish("accounts", Listed.of(["2", "1"]))
    assert publish("accounts", Listed.of(["1", "2", "2"])) is one
    assert publish("accounts", Listed.of(["1", "3"])) is not one
    assert publish("cards", Listed.of(["1", "2"])) is not one
    assert register(one.key, Listed.of(["1", "2"])) is one
    assert lookup(one.key) is one


def test_a_call_keeps_the_list_that_it_began_with() -> None:
    """A reload publishes other values under the same name; the old grammar still means the old."""
    old = publish("accounts", Listed.of(["4155"]))
    before = pin("builtin:digits?list=accounts", {"accounts": old})
    new = publish("accounts", Listed.of(["4156"]))
    after = pin("builtin:digits?list=accounts", {"accounts": new})
    assert holds(before, "4155")
    assert not holds(before, "4156")
    assert holds(after, "4156")
    assert not holds(after, "4155")


def test_a_list_that_nobody_keeps_is_gone_and_its_grammars_with_it() -> None:
    """A server that reloads every night does not collect directories."""
    directory = publish("accounts", Listed.of(["7", "8", "9"]))
    uri = pin("builtin:digits?list=accounts", {"accounts": directory})
    assert parse_grammar(uri) is parse_grammar(uri)
    values, grammar = weakref.ref(directory.listed), weakref.ref(parse_grammar(uri))
    del directory
    gc.collect()
    assert values() is None
    assert grammar() is None
    with pytest.raises(ConfigError, match="unknown list"):
        parse_grammar(uri)


def test_nothing_that_is_printed_holds_the_values() -> None:
    """Account numbers are personal."""
    directory: Directory = publish("accounts", Listed.of(["41552271"]))
    grammar = parse_grammar(f"builtin:digits?list={directory.key}")
    for shown in (repr(directory), repr(grammar), repr(directory.listed)):
        assert "41552271" not in shown
