"""Rules compiled together, against their meaning."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar import table
from ivr.grammar.digits import Length, Number, accepts, run
from ivr.grammar.table import compile_rules

SHORT_STRINGS = ["".join(p) for n in range(7) for p in product("01", repeat=n)]


class Arbitrary:
    """A rule of up to five states in which anything may lead anywhere, dead ends included."""

    start = 0

    def __init__(self, following: list[tuple[int | None, int | None]], accepting: set[int]) -> None:
        self._following = following
        self._accepting = accepting

    def step(self, state: int, symbol: str) -> int | None:
        """See `Rule`."""
        return self._following[state][int(symbol)]

    def accepts(self, state: int) -> bool:
        """See `Rule`."""
        return state in self._accepting


@st.composite
def arbitrary(draw: st.DrawFn) -> Arbitrary:
    """Any rule over two symbols."""
    size = draw(st.integers(1, 5))
    reached = st.none() | st.integers(0, size - 1)
    rows = draw(st.lists(st.tuples(reached, reached), min_size=size, max_size=size))
    return Arbitrary(rows, draw(st.sets(st.integers(0, size - 1))))


def fulfils(rule: Arbitrary, text: str) -> bool:
    """The oracle: one rule alone, run to the end."""
    state: int | None = rule.start
    for symbol in text:
        state = None if state is None else rule.step(state, symbol)
    return state is not None and rule.accepts(state)


@given(arbitrary(), arbitrary())
def test_a_table_accepts_what_all_rules_accept(one: Arbitrary, other: Arbitrary) -> None:
    """Every string of up to six symbols; no table means that none of them is accepted."""
    acceptor = compile_rules(one, other, symbols="01")
    for text in SHORT_STRINGS:
        accepted = acceptor is not None and accepts(acceptor, text)
        assert accepted == (fulfils(one, text) and fulfils(other, text)), text


@given(arbitrary(), arbitrary())
def test_whatever_is_alive_can_be_completed(one: Arbitrary, other: Arbitrary) -> None:
    """From every state that a string leads to, as many more symbols as there are states suffice."""
    acceptor = compile_rules(one, other, symbols="01")
    if acceptor is None:
        return
    for text in SHORT_STRINGS:
        states = {run(acceptor, acceptor.start, text)} - {None}
        for _ in range(len(acceptor)):
            if not states or any(acceptor.accepts(state) for state in states if state is not None):
                break
            states |= {acceptor.step(s, digit) for s in states if s is not None for digit in "01"}
            states.discard(None)
        assert not states or any(acceptor.accepts(state) for state in states if state is not None)


@given(arbitrary(), arbitrary())
def test_what_can_be_completed_is_alive(one: Arbitrary, other: Arbitrary) -> None:
    """Every beginning of an accepted string has a state."""
    acceptor = compile_rules(one, other, symbols="01")
    for text in SHORT_STRINGS:
        if fulfils(one, text) and fulfils(other, text):
            assert acceptor is not None
            assert run(acceptor, acceptor.start, text) is not None


@given(arbitrary(), st.integers(1, 6))
def test_no_two_states_have_the_same_future(rule: Arbitrary, length: int) -> None:
    """The smallest table, whether strings may be endless or not: all states can be told apart."""
    for acceptor in (
        compile_rules(rule, symbols="01"),
        compile_rules(rule, Length(1, length), symbols="01"),
    ):
        if acceptor is None:
            continue
        reached = {acceptor.start: ""}
        for state in (waiting := [acceptor.start]):
            for digit in "01":
                following = acceptor.step(state, digit)
                if following is not None and following not in reached:
                    reached[following] = reached[state] + digit
                    waiting.append(following)
        assert len(reached) == len(acceptor)
        futures = {
            tuple(
                (end := run(acceptor, state, text)) is not None and acceptor.accepts(end)
                for text in SHORT_STRINGS
            )
            for state in reached
        }
        assert len(futures) == len(acceptor)


def test_rules_may_be_acceptors() -> None:
    """Numbers of three digits up to 500: two acceptors of this project, held together."""
    acceptor = compile_rules(Length(3, 3), Number(0, 500))
    assert acceptor is not None
    accepted = [value for value in range(2000) if accepts(acceptor, str(value))]
    assert accepted == list(range(100, 501))


def test_rules_without_a_common_string_have_no_table() -> None:
    """Two digits, at least a hundred: nothing is both."""
    assert compile_rules(Length(2, 2), Number(100)) is None


def test_too_many_states_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in a flow must not eat the memory of a server."""
    monkeypatch.setattr(table, "MAX_STATES", 10)
    with pytest.raises(ValueError, match="leave one of them out"):
        compile_rules(Length(20, 20))
