"""The alternatives of a grammar: digits in any grouping, or yes and no.

Theory of operation: a reader joins two machines. The words machine (`ivr.grammar.words`, by way of
`ivr.grammar.speech`) writes the digits of every reading; an acceptor (`ivr.grammar.digits`) says
which digits may follow. A configuration is the pair of their states, and it is alive while some
words complete it: that is searched once and remembered. The automaton (`ivr.grammar.automaton`)
walks all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from ivr.grammar import digits as digit_strings
from ivr.grammar import words as spoken
from ivr.grammar.automaton import MAX_NODES, MAX_READINGS, Move
from ivr.grammar.digits import DIGITS, Acceptor
from ivr.grammar.frame import Framed
from ivr.grammar.speech import NATURAL, PLAIN, Speech
from ivr.grammar.words import Phase

Q = TypeVar("Q", bound=Hashable)


class Written(NamedTuple):
    """Strings that an answer may be written as, spoken or keyed, and what they are worth.

    Attributes:
        acceptor: which strings.
        value: from a string to the canonical value.
        symbols: what the strings are made of.
    """

    acceptor: Acceptor[Any]
    value: Callable[[str], str] = str
    symbols: str = DIGITS


class DigitReader(Generic[Q]):
    """Digits spoken in any grouping, accepted by an automaton over digit strings.

    Args:
        acceptor: which strings are accepted of those that the words write.
        speech: how words are written down.
        value: from an accepted string to the canonical value.
        cost: of reading an answer so at all, over other alternatives.
        keys: the forms of a keyed answer; by default the strings of `acceptor`.
    """

    def __init__(
        self,
        acceptor: Acceptor[Q],
        *,
        speech: Speech = PLAIN,
        value: Callable[[str], str] = str,
        cost: int = 0,
        keys: Sequence[Written] | None = None,
    ) -> None:
        self._acceptor = acceptor
        self._speech = speech
        self._value = value
        self._cost = cost
        self._keys = (Written(acceptor, value),) if keys is None else tuple(keys)
        self._alive: dict[tuple[Q, Phase], bool] = {}
        self._moves: dict[tuple[tuple[Q, Phase], str], tuple[Move[tuple[Q, Phase]], ...]] = {}
        self._words = sorted(speech.words)
        self.words = speech.words
        self.max_values = 1 if speech is NATURAL else MAX_READINGS

    @property
    def start(self) -> tuple[Q, Phase]:
        """See `Reader`."""
        return (self._acceptor.start, Phase.START)

    def moves(self, configuration: tuple[Q, Phase], word: str) -> tuple[Move[tuple[Q, Phase]], ...]:
        """See `Reader`. Remembered, for many nodes share a configuration."""
        known = self._moves.get((configuration, word))
        if known is None:
            known = tuple(
                move
                for move in self._possible(configuration, word)
                if self._is_alive(move.following)
            )
            if len(self._moves) >= MAX_NODES:
                self._moves.clear()
            if word in self.words:
                self._moves[configuration, word] = known
        return known

    def value(self, configuration: tuple[Q, Phase], digits: str) -> str | None:
        """See `Reader`."""
        hole = spoken.closing(configuration[1])
        if hole is None or not self.complete(configuration):
            return None
        return self._value(digits + hole)

    def complete(self, configuration: tuple[Q, Phase]) -> bool:
        """See `Reader`."""
        closed = self._close(configuration)
        return closed is not None and self._acceptor.accepts(closed)

    def can_grow(self, configuration: tuple[Q, Phase]) -> bool:
        """See `Reader`. What a reader moves to is alive, so any move at all means growth."""
        return any(self.moves(configuration, word) for word in self.words)

    def read_keys(self, keys: str) -> str | None:
        """See `Reader`."""
        for acceptor, value, symbols in self._keys:
            if digit_strings.accepts(acceptor, keys, symbols):
                return value(keys)
        return None

    def keys_can_grow(self, keys: str) -> bool:
        """See `Reader`."""
        return any(
            digit_strings.can_grow(acceptor, keys, symbols) for acceptor, _, symbols in self._keys
        )

    def framed(self, before: str, after: str, length: int) -> DigitReader[Any] | None:
        """Reads so many digits between others as the whole; None where no digits fit there."""
        frame = Framed(self._acceptor, before, after, length)
        if not self._speech.bare or not frame.possible:
            return None
        return DigitReader(frame, value=lambda digits: self._value(before + digits + after))

    def _possible(self, configuration: tuple[Q, Phase], word: str) -> list[Move[tuple[Q, Phase]]]:
        state, phase = configuration
        possible = []
        base = self._cost if phase is Phase.START else 0
        for arc in self._speech.arcs(phase, word):
            following = digit_strings.run(self._acceptor, state, arc.digits)
            if following is not None:
                possible.append(Move((following, arc.phase), arc.digits, base + arc.cost))
        return possible

    def _close(self, configuration: tuple[Q, Phase]) -> Q | None:
        """The acceptor's state once the open hole is closed with zeros."""
        state, phase = configuration
        hole = spoken.closing(phase)
        return None if hole is None else digit_strings.run(self._acceptor, state, hole)

    def _is_alive(self, configuration: tuple[Q, Phase]) -> bool:
        """Whether some words complete this configuration: a search for one that is settled."""
        known = self._alive.get(configuration)
        if known is not None:
            return known
        if len(self._alive) >= MAX_NODES:
            self._alive.clear()
        before: dict[tuple[Q, Phase], tuple[Q, Phase] | None] = {configuration: None}
        waiting = [configuration]
        while waiting:
            reached = waiting.pop()
            if self._alive.get(reached) or self._is_settled(reached):
                on_the_way: tuple[Q, Phase] | None = reached
                while on_the_way is not None:
                    self._alive[on_the_way] = True
                    on_the_way = before[on_the_way]
                return True
            for word in self._words:
                for move in self._possible(reached, word):
                    following = move.following
                    if following not in before and self._alive.get(following) is not False:
                        before[following] = reached
                        waiting.append(following)
        self._alive.update(dict.fromkeys(before, False))
        return False

    def _is_settled(self, configuration: tuple[Q, Phase]) -> bool:
        """Whether it can be completed, seen without a search.

        Where digits alone are written and the open number can be closed, single digits can follow,
        and the acceptor promises that some of them succeed.
        """
        if self._speech.bare:
            return self._close(configuration) is not None
        return self.complete(configuration)


class BooleanReader:
    """Yes or no, once or repeated ("no nope"); "not correct" is a no. Keys: 1 is yes, 2 is no.

    Args:
        natural: let words that are neither pass, for evaluation.
    """

    words = spoken.YES_WORDS | spoken.NO_WORDS | {spoken.NOT}
    start = ""
    max_values = 1
    _keys = MappingProxyType({"1": "yes", "2": "no"})

    def __init__(self, *, natural: bool = False) -> None:
        self._natural = natural

    def moves(self, configuration: str, word: str) -> tuple[Move[str], ...]:
        """See `Reader`."""
        following = spoken.boolean_step(configuration, word, natural=self._natural)
        return () if following is None else (Move(following, "", 0),)

    def value(self, configuration: str, digits: str) -> str | None:  # noqa: ARG002 - it writes none
        """See `Reader`."""
        return spoken.boolean_value(configuration, natural=self._natural)

    def complete(self, configuration: str) -> bool:
        """See `Reader`."""
        return spoken.boolean_value(configuration, natural=self._natural) is not None

    def can_grow(self, configuration: str) -> bool:
        """See `Reader`: a second "yes" changes nothing."""
        return not self.complete(configuration)

    def read_keys(self, keys: str) -> str | None:
        """See `Reader`."""
        return self._keys.get(keys)

    def keys_can_grow(self, keys: str) -> bool:
        """See `Reader`."""
        return keys == ""


class KeyReader:
    """Keys that are no digits, one of them; they cannot be spoken.

    Args:
        keys: ``*`` and ``#``, or one of them.
    """

    words: frozenset[str] = frozenset()
    start = ""
    max_values = 1

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = frozenset(keys)

    def moves(self, configuration: str, word: str) -> tuple[Move[str], ...]:  # noqa: ARG002
        """See `Reader`: no word is a key."""
        return ()

    def value(self, configuration: str, digits: str) -> str | None:  # noqa: ARG002
        """See `Reader`."""
        return None

    def complete(self, configuration: str) -> bool:  # noqa: ARG002
        """See `Reader`."""
        return False

    def can_grow(self, configuration: str) -> bool:  # noqa: ARG002
        """See `Reader`."""
        return False

    def read_keys(self, keys: str) -> str | None:
        """See `Reader`."""
        return keys if keys in self._keys else None

    def keys_can_grow(self, keys: str) -> bool:
        """See `Reader`."""
        return keys == ""
