"""Which digit strings a grammar accepts, one digit at a time.

Theory of operation
-------------------
An acceptor is a deterministic automaton over digits. It never sees a word: `ivr.grammar.automaton`
feeds it the digits that `ivr.grammar.words` writes, and keys are fed to it as they are. Two
promises make the whole grammar exact:

- `step` returns ``None`` if and only if no further digits could make the string acceptable, so
  whatever is alive can be completed, and whatever can be completed is alive;
- states hold no more than what the future depends on (a count, a comparison, a place in a list),
  not the digits. So there are few of them and memoised tables stay small.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol, TypeVar

Q = TypeVar("Q", bound=Hashable)

DIGITS = "0123456789"


class Acceptor(Protocol[Q]):
    """A deterministic automaton over the digits ``"0"``..``"9"``; states are small and hashable."""

    @property
    def start(self) -> Q:
        """The state before the first digit."""

    def step(self, state: Q, digit: str) -> Q | None:
        """The state after one more digit; ``None`` if and only if nothing acceptable begins so."""

    def accepts(self, state: Q) -> bool:
        """Whether the digits so far are acceptable as they stand."""


def run(acceptor: Acceptor[Q], state: Q, digits: str) -> Q | None:
    """The state after several digits, ``None`` once they are not acceptable."""
    following: Q | None = state
    for digit in digits:
        if following is None:
            return None
        following = acceptor.step(following, digit)
    return following


def accepts(acceptor: Acceptor[Q], keys: str, symbols: str = DIGITS) -> bool:
    """Whether the whole string is acceptable; keys other than the symbols are not."""
    state = _run_keys(acceptor, keys, symbols)
    return state is not None and acceptor.accepts(state)


def can_grow(acceptor: Acceptor[Q], keys: str, symbols: str = DIGITS) -> bool:
    """Whether more symbols could make the string acceptable (again)."""
    state = _run_keys(acceptor, keys, symbols)
    return state is not None and any(acceptor.step(state, symbol) is not None for symbol in symbols)


def _run_keys(acceptor: Acceptor[Q], keys: str, symbols: str) -> Q | None:
    if not all(key in symbols for key in keys):
        return None
    return run(acceptor, acceptor.start, keys)


class Length:
    """Strings of `minimum` to `maximum` digits. State: how many there are.

    Args:
        minimum: at least 1.
        maximum: at least `minimum`; ``None`` for no limit.
    """

    start = 0

    def __init__(self, minimum: int = 1, maximum: int | None = None) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def step(self, state: int, digit: str) -> int | None:  # noqa: ARG002 - only counts
        """See `Acceptor`."""
        if self.maximum is None:
            return min(state + 1, self.minimum)  # more digits make no difference any more
        return state + 1 if state < self.maximum else None

    def accepts(self, state: int) -> bool:
        """See `Acceptor`."""
        return state >= self.minimum


# Number's state: how many digits, and how they compare with as many first digits of min and of max
# (-1, 0, 1).
NumberState = tuple[int, int, int]
_ZERO: NumberState = (-1, 0, 0)  # the number 0 itself, which nothing may follow


class Number:
    """Whole numbers from `minimum` to `maximum` in canonical decimal: no leading zero.

    The digits are compared with those of the bounds as they come, so the state is the same for the
    millions of numbers that lie between them.

    Args:
        minimum: at least 0.
        maximum: at least `minimum`; ``None`` for no limit.
    """

    start: NumberState = (0, 0, 0)

    def __init__(self, minimum: int = 0, maximum: int | None = None) -> None:
        self._low = str(minimum)
        self._high = None if maximum is None else str(maximum)

    def step(self, state: NumberState, digit: str) -> NumberState | None:
        """See `Acceptor`."""
        length, versus_low, versus_high = state
        if state == _ZERO:
            return None
        if length == 0 and digit == "0":
            return _ZERO if self._low == "0" else None
        following = (
            length + 1,
            _compare(versus_low, digit, self._low, length),
            -1 if self._high is None else _compare(versus_high, digit, self._high, length),
        )
        if self._high is None:
            if length >= len(self._low):
                return (len(self._low) + 1, 1, -1)  # larger than the minimum, whatever follows
            return following
        longest = len(self._high)
        reachable = any(self._within(following, total) for total in range(length + 1, longest + 1))
        return following if reachable else None

    def accepts(self, state: NumberState) -> bool:
        """See `Acceptor`."""
        return state == _ZERO or (state[0] > 0 and self._within(state, state[0]))

    def _within(self, state: NumberState, total: int) -> bool:
        """Whether a number of `total` digits that begins like this can lie within the bounds."""
        _, versus_low, versus_high = state
        above = total > len(self._low) or (total == len(self._low) and versus_low >= 0)
        if self._high is None:
            return above
        below = total < len(self._high) or (total == len(self._high) and versus_high <= 0)
        return above and below


def _compare(so_far: int, digit: str, bound: str, position: int) -> int:
    """How a prefix compares with the bound's prefix after `digit`; longer is larger."""
    if position >= len(bound):
        return 1
    if so_far != 0 or digit == bound[position]:
        return so_far
    return 1 if digit > bound[position] else -1
