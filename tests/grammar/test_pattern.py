"""Regular expressions over digits, against Python's own."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import parse_grammar
from ivr.grammar.checks import Luhn
from ivr.grammar.digits import Length, accepts, can_grow, run
from ivr.grammar.pattern import Pattern
from ivr.grammar.table import compile_rules

SHORT_STRINGS = ["".join(p) for n in range(6) for p in product("0123", repeat=n)]

ATOMS = st.sampled_from(["0", "1", "2", ".", r"\d", "[0-13]", "[^02]", "[3]"])
SIGNS = st.sampled_from(["?", "*", "+", "{2}", "{1,}", "{1,3}", "{0,2}"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, SIGNS).map(lambda pair: f"({pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_an_expression_means_what_it_means_in_python(text: str) -> None:
    """Every string of up to five of four digits, matched as a whole."""
    acceptor = compile_rules(Pattern(text))
    assert acceptor is not None
    for digits in SHORT_STRINGS:
        assert accepts(acceptor, digits) == bool(re.fullmatch(text, digits)), digits


@given(EXPRESSIONS, st.integers(1, 5))
def test_an_expression_is_alive_while_it_can_be_completed(text: str, longest: int) -> None:
    """With a length beside it: alive if and only if some accepted string begins so."""
    acceptor = compile_rules(Length(1, longest), Pattern(text), Pattern("[0-3]*"))
    strings = [s for s in SHORT_STRINGS if 1 <= len(s) <= longest and re.fullmatch(text, s)]
    proper = {s[:end] for s in strings for end in range(len(s))}
    assert (acceptor is None) == (not strings)
    if acceptor is None:
        return
    for digits in SHORT_STRINGS:
        alive = run(acceptor, acceptor.start, digits) is not None
        assert alive == (digits in proper or digits in strings), digits
        assert can_grow(acceptor, digits) == (digits in proper), digits


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty alternative"),
        ("1|", "empty alternative; write ?"),
        ("()", "empty alternative"),
        ("(12", "a ( without its )"),
        ("12)", "a ) without its ("),
        ("*", "nothing before * to repeat"),
        ("(|1)", "empty alternative"),
        ("{2}", "nothing before { to repeat"),
        ("1+?", "? after a repetition; group it"),
        ("1{2}{3}", "{ after a repetition; group it"),
        ("1{a}", "must be a count"),
        ("1{2", "must be a count"),
        ("1{,3}", "must be a count"),
        ("1{3,2}", "must go upwards"),
        ("1{0}", "must go upwards"),
        ("1{101}", "to 100 at most"),
        ("[]", "must hold digits"),
        ("[^]", "must hold digits"),
        ("[^0-9]", "must hold digits"),
        ("[12", "end with ]"),
        ("[3-]", "must hold digits, as [0-46] does"),
        ("[3-1]", "must hold digits, as [0-46] does"),
        ("[a]", "must hold digits, as [0-46] does"),
        (r"\w", r"\d is any digit"),
        ("\\", r"\d is any digit"),
        ("^1$", "'^' has no meaning; write digits"),
        ("12-34", "'-' has no meaning"),
        ("٤", "has no meaning"),
        ("1{²}", "must be a count"),
        ("(" * 30 + "1" + ")" * 30, "nested too deeply"),
        ("(((1{100}){100}){100}){100}", "too large; count lower"),
    ],
)
def test_a_wrong_expression_is_named_with_its_cure(text: str, named: str) -> None:
    """The author of a flow reads the expression, what is wrong and what would be right."""
    with pytest.raises(ValueError, match=r"^pattern ") as caught:
        Pattern(text)
    assert named in str(caught.value)
    assert repr(text) in str(caught.value)


@given(st.text("0123[]()|?*+{},.\\d^-", max_size=12))
def test_whatever_is_written_compiles_or_is_a_value_error(text: str) -> None:
    """No expression brings the parser down, and what it takes means what it means in Python."""
    try:
        pattern = Pattern(text)
    except ValueError:
        return
    acceptor = compile_rules(pattern)
    for digits in SHORT_STRINGS[:200]:
        accepted = acceptor is not None and accepts(acceptor, digits)
        assert accepted == bool(re.fullmatch(text, digits)), digits


def test_marks_stand_for_themselves() -> None:
    """A slash between fields, and an escaped star."""
    acceptor = compile_rules(Pattern(r"1/2\*?", marks="/*"), symbols="0123456789/*")
    assert acceptor is not None
    state = run(acceptor, acceptor.start, "1/2*")
    assert state is not None
    assert acceptor.accepts(state)
    assert run(acceptor, acceptor.start, "12") is None


def test_a_hostile_expression_takes_no_time() -> None:
    """What makes a backtracking matcher run for ages has two states here."""
    acceptor = compile_rules(Pattern("(1*)*(1|11)*2"))
    assert acceptor is not None
    assert len(acceptor) == 2
    assert not accepts(acceptor, "1" * 100)


def test_patterns_prefixes_lengths_and_check_digits_go_together() -> None:
    """Visa or Mastercard, by their first digits: the acceptor is the intersection of all."""
    grammar = parse_grammar(
        "builtin:digits?length=16;prefix=4,51,55;pattern=\\d{12}(0000|[1-9]{4});check=luhn"
    )
    oracle = compile_rules(
        Length(16, 16), Luhn(), Pattern(r"(4|51|55)\d*"), Pattern(r"\d{12}(0000|[1-9]{4})")
    )
    assert oracle is not None
    assert grammar.keys_complete("4111111111111111")
    assert not grammar.keys_complete("5211111111111111")
    for number in range(4_111_111_111_110_000, 4_111_111_111_112_000):
        assert grammar.keys_complete(str(number)) == accepts(oracle, str(number))


def test_a_bar_in_brackets_is_the_patterns() -> None:
    """Outside of them it parts alternatives, as ever."""
    grammar = parse_grammar(
        "builtin:digits?pattern=4(1|2)|builtin:digits?pattern=[5]6|builtin:boolean"
    )
    assert [keys for keys in ("41", "42", "56", "1", "43") if grammar.keys_complete(keys)] == [
        "41",
        "42",
        "56",
        "1",
    ]


@given(st.lists(st.text("0123456789", min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_a_prefix_is_how_the_value_begins(prefixes: list[str], data: st.DataObject) -> None:
    """Any prefixes, also such as begin one another, at any length."""
    grammar = parse_grammar(f"builtin:digits?minlength=2;maxlength=6;prefix={','.join(prefixes)}")
    keys = data.draw(st.sampled_from(prefixes)) + data.draw(st.text("0123456789", max_size=4))
    other = data.draw(st.text("0123456789", max_size=7))
    for digits in (keys, other):
        begins = any(digits.startswith(prefix) for prefix in prefixes)
        assert grammar.keys_complete(digits) == (begins and 2 <= len(digits) <= 6)
        could = begins or any(prefix.startswith(digits) for prefix in prefixes)
        assert grammar.keys_can_grow(digits) == (could and len(digits) < 6)
