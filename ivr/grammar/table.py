"""Several rules about one string, compiled into the smallest automaton that keeps them all.

Theory of operation
-------------------
A rule (a length, a check digit, a pattern) reads symbols one by one like an acceptor, but it need
not know whether it can still be fulfilled. Nor could it: two rules that could each be fulfilled may
have no string in common. So `compile_rules` walks every combination of the rules' states that can
be reached, and then merges combinations with the same future, by Moore's partition refinement: at
first those that accept are told from those that do not, then those are told apart that a symbol
leads to different classes, until no class splits any more (where strings cannot be endless, one
pass from their ends does). Combinations without any future fall
together with the state "refused", and that makes the acceptor's promise true: what is not refused
can be completed.

    length 4      -> position 0..4      \
    Luhn          -> two sums mod 10     |-> one table; after three digits just one may follow
    begins with 4 -> begun, or not      /

Few states are worth the work: the automaton over words (`ivr.grammar.automaton`) remembers what it
has worked out for each of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ivr.grammar.digits import DIGITS

Q = TypeVar("Q", bound=Hashable)

# The largest tables that make sense, remainders of 97 at each of 100 lengths, have 10,000 states;
# much more is a slip in a pattern, and would make a server slow to start.
MAX_STATES = 50_000
_REFUSED = 0  # the number of the state that nothing leads out of, and of its class


class Rule(Protocol[Q]):
    """An `Acceptor` without its promise: a state may be one that nothing completes."""

    @property
    def start(self) -> Q:
        """The state before the first symbol."""

    def step(self, state: Q, symbol: str, /) -> Q | None:
        """The state after one more symbol; ``None`` only if nothing acceptable begins so."""

    def accepts(self, state: Q, /) -> bool:
        """Whether the symbols so far are acceptable as they stand."""


class Table:
    """An acceptor as a table; made by `compile_rules`. States are small integers.

    Args:
        start: the first state.
        following: for each state, the next state by symbol; no symbol leads to a dead end.
        accepting: for each state, whether it accepts.
    """

    def __init__(
        self, start: int, following: Sequence[dict[str, int]], accepting: Sequence[bool]
    ) -> None:
        self.start = start
        self._following = following
        self._accepting = accepting

    def __len__(self) -> int:
        """The number of states."""
        return len(self._following) - 1  # the refused one is never reached

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The same for many strings of digits at once.

        Returns:
            [states, 11] int32, the next state by digit, 0 for refused, and in the last column the
            state itself; [states] bool, whether a state accepts.
        """
        rows = [
            [following.get(digit, _REFUSED) for digit in DIGITS] + [state]
            for state, following in enumerate(self._following)
        ]
        return np.array(rows, np.int32), np.array(self._accepting, np.bool_)

    def step(self, state: int, digit: str) -> int | None:
        """See `Acceptor`."""
        return self._following[state].get(digit)

    def accepts(self, state: int) -> bool:
        """See `Acceptor`."""
        return self._accepting[state]


def compile_rules(*rules: Rule[Any], symbols: str = DIGITS) -> Table | None:
    """The acceptor of the strings that fulfil all rules, ``None`` if there are no such strings.

    Args:
        rules: at least one; their combined states must be finite in number.
        symbols: what strings are made of, one character each.

    Raises:
        ValueError: more than `MAX_STATES` combinations.
    """
    rows, accepting = _combinations(rules, symbols)
    classes = _merge(rows, accepting)
    start = classes[1]
    if start == _REFUSED:
        return None
    following: list[dict[str, int]] = [{} for _ in range(max(classes) + 1)]
    accepted = [False] * len(following)
    for number, row, accepts in zip(classes, rows, accepting, strict=True):
        if accepts:
            accepted[number] = True
        if not following[number]:
            reached = ((symbol, classes[at]) for symbol, at in zip(symbols, row, strict=True))
            following[number] = {symbol: at for symbol, at in reached if at != _REFUSED}
    return Table(start, following, accepted)


def _combinations(
    rules: tuple[Rule[Any], ...], symbols: str
) -> tuple[list[tuple[int, ...]], list[bool]]:
    """Every reachable combination: where each symbol leads, and whether it accepts.

    Number 0 is the refused one, number 1 the start.
    """
    start = tuple(rule.start for rule in rules)
    numbers: dict[tuple[Any, ...], int] = {start: 1}
    found = [start]
    rows: list[tuple[int, ...]] = [(_REFUSED,) * len(symbols)]
    accepting = [False]
    for states in found:  # grows as it is walked
        row = []
        for symbol in symbols:
            reached = _step_all(rules, states, symbol)
            if reached is not None and reached not in numbers:
                found.append(reached)
                numbers[reached] = len(found)
            row.append(_REFUSED if reached is None else numbers[reached])
        if len(found) > MAX_STATES:
            raise ValueError("the parameters are too many-sided together; leave one of them out")
        rows.append(tuple(row))
        accepting.append(
            all(rule.accepts(state) for rule, state in zip(rules, states, strict=True))
        )
    return rows, accepting


def _step_all(
    rules: tuple[Rule[Any], ...], states: tuple[Any, ...], symbol: str
) -> tuple[Any, ...] | None:
    reached = []
    for rule, state in zip(rules, states, strict=True):
        following = rule.step(state, symbol)
        if following is None:
            return None
        reached.append(following)
    return tuple(reached)


def _merge(rows: list[tuple[int, ...]], accepting: list[bool]) -> list[int]:
    """For each state its class: states with the same future share one. The refused are class 0."""
    if all(
        reached == _REFUSED or reached > state for state, row in enumerate(rows) for reached in row
    ):
        return _merge_backwards(rows, accepting)
    classes = [int(accepts) for accepts in accepting]
    count = 0
    while True:
        known: dict[tuple[int, ...], int] = {}
        classes = [
            known.setdefault((own, *(classes[reached] for reached in row)), len(known))
            for own, row in zip(classes, rows, strict=True)
        ]
        if len(known) == count:
            return classes
        count = len(known)


def _merge_backwards(rows: list[tuple[int, ...]], accepting: list[bool]) -> list[int]:
    """The same in one pass, where symbols only lead on: each state's future is known before it."""
    known = {(0, *rows[_REFUSED]): _REFUSED}
    classes = [_REFUSED] * len(rows)
    for state in range(len(rows) - 1, _REFUSED, -1):
        future = (int(accepting[state]), *(classes[reached] for reached in rows[state]))
        classes[state] = known.setdefault(future, len(known))
    return classes
