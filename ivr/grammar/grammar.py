"""Grammars: which answers a question accepts, as an incremental automaton over words and keys.

Theory of operation
-------------------
`parse_grammar` turns ``builtin:...`` into a `Grammar`. A grammar is walked word by word:
`Grammar.start` gives a `State`, `Grammar.advance` the next one, or ``None`` as soon as no
continuation could be accepted. A state answers the three questions that the rest of the product
asks of it: the decoder "may this word follow?" (`advance`, `State.next_words`), the endpointer "is
it complete, could it go on?" (`complete`, `can_grow`), the call flow "what was said?" (`values`).
Words are ambiguous ("fifty one" is 51 or 50 1); every reading stays alive until the grammar itself
rules it out, and the values come best reading first.

`<other>`, speech outside the vocabulary, leaves a state as it is: where it may stand is for
`ivr.grammar.interpret` to judge.

Keys are the same question asked of another alphabet: `interpret_keys`, `keys_complete`,
`keys_can_grow`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ivr.grammar.automaton import Automaton, Node, Reader
from ivr.grammar.builtin import readers_of
from ivr.grammar.lists import keys_of, lookup
from ivr.grammar.readers import DigitReader
from ivr.grammar.words import OTHER


@dataclass(frozen=True, slots=True)
class State:
    """What some words mean to a grammar. Immutable, hashable, cheap; equal words give equal states.

    Attributes:
        words: the words that led here, ``<other>`` left out.
    """

    words: tuple[str, ...] = field(repr=False)  # what a caller said is personal
    _automaton: Automaton = field(repr=False)
    _node: Node = field(repr=False, compare=False)  # follows from the words

    @property
    def complete(self) -> bool:
        """Some reading is accepted as it stands."""
        return self._node.complete

    @property
    def can_grow(self) -> bool:
        """More words could give another value; where False, the answer can end at once."""
        return self._node.can_grow

    @property
    def values(self) -> tuple[str, ...]:
        """The accepted values of the readings that are complete, best first, at most 64.

        Worked out anew at each call, tens of microseconds: ask at the end, not for every word.
        """
        return tuple(value for value, _ in self.readings)

    @property
    def readings(self) -> tuple[tuple[str, int], ...]:
        """The values with the cost of each: 0 is plain, a second of equal cost is a true doubt."""
        return self._automaton.best_values(self.words)

    @property
    def next_words(self) -> frozenset[str]:
        """The words that may follow, ``<other>`` not among them."""
        advance, node = self._automaton.advance, self._node
        return frozenset(word for word in self._automaton.words if advance(node, word) is not None)


class Grammar:
    """One or several alternatives that an answer may match. Made by `parse_grammar`.

    Attributes:
        uri: what it was parsed from.
        words: every word that can occur in an accepted answer.
    """

    def __init__(self, uri: str, readers: Iterable[Reader[Any]]) -> None:
        self.uri = uri
        self._readers = tuple(readers)
        self._automaton = Automaton(self._readers)
        self.words = self._automaton.words

    def __repr__(self) -> str:
        return f"Grammar({self.uri!r})"

    def start(self) -> State:
        """The state before the first word."""
        return State((), self._automaton, self._automaton.start())

    def advance(self, state: State, word: str) -> State | None:
        """The state after one more spoken word.

        Returns:
            ``None`` if and only if no answer that begins with these words is accepted; `state`
            itself for ``<other>``.
        """
        if word == OTHER:
            return state
        node = self._automaton.advance(state._node, word)
        return None if node is None else State((*state.words, word), self._automaton, node)

    def walk(self, words: Iterable[str]) -> State | None:
        """The state after all of the words, ``None`` if they are not the beginning of an answer."""
        state: State | None = self.start()
        for word in words:
            if state is None:
                return None
            state = self.advance(state, word)
        return state

    def framed(self, before: str, after: str, length: int) -> Grammar:
        """This grammar, and beside it so many digits that stand for the whole in their place.

        Args:
            before: known digits before those that are asked for.
            after: known digits after them.
            length: how many are asked for.
        """
        frames = (
            reader.framed(before, after, length)
            for reader in self._readers
            if isinstance(reader, DigitReader)
        )
        return Grammar(self.uri, [*(f for f in frames if f is not None), *self._readers])

    def interpret_keys(self, keys: str) -> str | None:
        """The accepted value of DTMF keys (without the term key), ``None`` if there is none."""
        values = (reader.read_keys(keys) for reader in self._readers)
        return next((value for value in values if value is not None), None)

    def keys_complete(self, keys: str) -> bool:
        """Whether the keys are accepted as they stand."""
        return self.interpret_keys(keys) is not None

    def keys_can_grow(self, keys: str) -> bool:
        """Whether more keys could be accepted; neither this nor complete: the keys are wrong."""
        return any(reader.keys_can_grow(keys) for reader in self._readers)


def parse_grammar(uri: str) -> Grammar:
    """The grammar of a URI in the manner of VoiceXML's builtin grammars.

    The automaton's nodes are worth keeping and a flow has a handful of grammars, so a grammar is
    remembered: one over a list with the list, any other for good.

    Args:
        uri: alternatives joined by ``|``, each a name and parameters, such as
            ``builtin:digits?length=16;check=luhn``; docs/reference/flow.md lists them all, and
            ``builtin:natural`` is any number or yes/no by its natural reading. Lists are named by
            their keys (`ivr.grammar.lists`).

    Raises:
        ConfigError: what is wrong, and what would be right.
    """
    keys = keys_of(uri)
    return _parse_listed(uri, keys[0]) if keys else _parse_plain(uri)


@lru_cache(maxsize=256)
def _parse_plain(uri: str) -> Grammar:
    return Grammar(uri, readers_of(uri))


def _parse_listed(uri: str, key: str) -> Grammar:
    grammars = lookup(key).grammars
    if uri not in grammars:
        grammars[uri] = Grammar(uri, readers_of(uri))
    grammar: Grammar = grammars[uri]
    return grammar
