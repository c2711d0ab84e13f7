"""A part of an answer, asked for on its own: what may stand between the digits that are known.

Theory of operation: the caller was asked for one group of a number again. An acceptor of the group
walks the number's own acceptor from behind the digits before it, and accepts what the digits after
it complete. So a check digit or a list of accounts narrows the group as it narrows the number.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from ivr.grammar.digits import DIGITS, Acceptor, run

Q = TypeVar("Q")


class Framed(Generic[Q]):
    """Strings of a fixed length that make an accepted number with the digits around them.

    State: the number's acceptor's state, and how many digits of the group there are.

    Args:
        acceptor: of the number.
        before: digits before the group.
        after: digits after it.
        length: of the group.
    """

    def __init__(self, acceptor: Acceptor[Q], before: str, after: str, length: int) -> None:
        self._acceptor = acceptor
        self._after = after
        self._length = length
        self._alive: dict[tuple[Q, int], bool] = {}
        begun = run(acceptor, acceptor.start, before)
        self.possible = begun is not None and self._is_alive((begun, 0))
        # Where nothing is possible the reader is not used at all.
        self.start = (acceptor.start if begun is None else begun, 0)

    def step(self, state: tuple[Q, int], digit: str) -> tuple[Q, int] | None:
        """See `Acceptor`."""
        following = self._follow(state, digit)
        return following if following is not None and self._is_alive(following) else None

    def accepts(self, state: tuple[Q, int]) -> bool:
        """See `Acceptor`."""
        reached, count = state
        if count != self._length:
            return False
        end = run(self._acceptor, reached, self._after)
        return end is not None and self._acceptor.accepts(end)

    def _follow(self, state: tuple[Q, int], digit: str) -> tuple[Q, int] | None:
        reached, count = state
        if count == self._length:
            return None
        following = self._acceptor.step(reached, digit)
        return None if following is None else (following, count + 1)

    def _is_alive(self, state: tuple[Q, int]) -> bool:
        """Whether some digits complete the group; remembered, for groups share their ends."""
        known = self._alive.get(state)
        if known is None:
            following = (self._follow(state, digit) for digit in DIGITS)
            known = self.accepts(state) or any(
                self._is_alive(each) for each in following if each is not None
            )
            self._alive[state] = known
        return known
