"""The alternatives of a grammar: digits in any grouping, or yes and no.

Theory of operation: a reader joins two machines. The words machine (`ivr.grammar.words`) writes the
digits of every reading; an acceptor (`ivr.grammar.digits`) says which digits may follow. A
configuration is the pair of their states, and it is alive while some words complete it: that is
searched once and remembered. The automaton (`ivr.grammar.automaton`) walks all of them at once.
"""

from __future__ import annotations

from collections.abc import Hashable
from types import MappingProxyType
from typing import Generic, TypeVar

from ivr.grammar import digits as digit_strings
from ivr.grammar import words as spoken
from ivr.grammar.automaton import MAX_NODES, MAX_READINGS, Move
from ivr.grammar.digits import Acceptor
from ivr.grammar.words import Phase

Q = TypeVar("Q", bound=Hashable)


class DigitReader(Generic[Q]):
    """Digits spoken in any grouping, accepted by an automaton over digit strings.

    Args:
        acceptor: which digit strings are accepted.
        natural: take every word, as `ivr.grammar.words.natural_reading` does; for evaluation.
    """

    def __init__(self, acceptor: Acceptor[Q], *, natural: bool = False) -> None:
        self._acceptor = acceptor
        self._arcs = spoken.natural_arcs if natural else spoken.arcs
        self._alive: dict[tuple[Q, Phase], bool] = {}
        self._moves: dict[tuple[tuple[Q, Phase], str], tuple[Move[tuple[Q, Phase]], ...]] = {}
        self.words = spoken.NUMBER_WORDS
        self.max_values = 1 if natural else MAX_READINGS

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
        return digits + hole

    def complete(self, configuration: tuple[Q, Phase]) -> bool:
        """See `Reader`."""
        closed = self._close(configuration)
        return closed is not None and self._acceptor.accepts(closed)

    def can_grow(self, configuration: tuple[Q, Phase]) -> bool:
        """See `Reader`. What a reader moves to is alive, so any move at all means growth."""
        return any(self.moves(configuration, word) for word in self.words)

    def read_keys(self, keys: str) -> str | None:
        """See `Reader`."""
        return keys if digit_strings.accepts(self._acceptor, keys) else None

    def keys_can_grow(self, keys: str) -> bool:
        """See `Reader`."""
        return digit_strings.can_grow(self._acceptor, keys)

    def _possible(self, configuration: tuple[Q, Phase], word: str) -> list[Move[tuple[Q, Phase]]]:
        state, phase = configuration
        possible = []
        for arc in self._arcs(phase, word):
            following = digit_strings.run(self._acceptor, state, arc.digits)
            if following is not None:
                possible.append(Move((following, arc.phase), arc.digits, arc.cost))
        return possible

    def _close(self, configuration: tuple[Q, Phase]) -> Q | None:
        """The acceptor's state once the open hole is closed with zeros."""
        state, phase = configuration
        hole = spoken.closing(phase)
        return None if hole is None else digit_strings.run(self._acceptor, state, hole)

    def _is_alive(self, configuration: tuple[Q, Phase]) -> bool:
        """Whether some words complete this configuration.

        If the open number can be closed at all, single digits can follow in any order, and the
        acceptor promises that some of them succeed. Otherwise some word must fill the hole. That
        search ends, because the words that extend one number never come round to the phase they
        started from.
        """
        known = self._alive.get(configuration)
        if known is None:
            known = self._close(configuration) is not None or any(
                self._is_alive(move.following)
                for word in sorted(self.words)
                for move in self._possible(configuration, word)
                if move.following != configuration
            )
            if len(self._alive) >= MAX_NODES:
                self._alive.clear()
            self._alive[configuration] = known
        return known


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
