"""Readers of spoken words, composed into one incremental automaton.

Theory of operation
-------------------
A `Reader` (`ivr.grammar.readers`) takes words and keeps *configurations*: for digits the pair
(acceptor state, phase of the words machine). It is non-deterministic, since words have several
readings, and it drops a configuration as soon as no words could complete it. The `Automaton` is the
subset construction over all readers of a grammar: a `Node` is the set of configurations that the
words so far can be in, so every reading stays alive at once, without listing the readings (there
can be hundreds). Nodes are made when they are first needed and kept, so advancing by a word is one
dictionary lookup. No live configuration means that no reading of these words, however they go on,
is accepted: the node does not exist.

The digits themselves are not part of a node. They are recovered when someone asks for the values,
by running the readers over the words again with the best few readings of each configuration
(`best_values`).

State: nodes are shared by all calls of a process; they hold what words *may* follow, never what was
said.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

Placed = tuple[int, Any]  # (number of the reader, one of its configurations)

C = TypeVar("C", bound=Hashable)

# Real callers reach a few hundred nodes of most grammars, but thousands where digits are checked or
# listed. So many take about 60 MB; past it the table starts anew, while states that are in use keep
# their nodes.
MAX_NODES = 50_000
# Readings kept of one configuration when values are listed. "twenty one" eight times over has 256
# readings; nobody can use the 65th, and the best come first whatever the limit.
MAX_READINGS = 64
# Words remembered per node: the vocabulary and then some; a stream of unknown words must not fill
# memory.
_MAX_WORDS = 256


class Move(NamedTuple, Generic[C]):
    """One way for a reader to take a word."""

    following: C
    digits: str
    cost: int


class Reader(Protocol[C]):
    """One alternative of a grammar: words in, values out, by way of configurations."""

    words: frozenset[str]
    max_values: int  # how many values it may list

    @property
    def start(self) -> C:
        """The configuration before the first word."""

    def moves(self, configuration: C, word: str) -> tuple[Move[C], ...]:
        """Every way to take `word` from which the grammar can still be completed."""

    def value(self, configuration: C, digits: str) -> str | None:
        """The accepted value if the words end here, ``None`` if they cannot."""

    def complete(self, configuration: C) -> bool:
        """Whether the words may end here."""

    def can_grow(self, configuration: C) -> bool:
        """Whether more words could give a value other than the present one."""

    def read_keys(self, keys: str) -> str | None:
        """The accepted value of DTMF keys, ``None`` if they are not acceptable (yet)."""

    def keys_can_grow(self, keys: str) -> bool:
        """Whether more keys could be accepted."""


class Node:
    """All configurations that some words can be in; made by `Automaton` only.

    Attributes:
        configurations: never empty; (number of the reader, configuration).
        complete: some reading is accepted as it stands.
    """

    __slots__ = ("_can_grow", "automaton", "complete", "configurations", "following")

    def __init__(self, automaton: Automaton, configurations: frozenset[Placed]) -> None:
        self.automaton = automaton
        self.configurations = configurations
        self.following: dict[str, Node | None] = {}
        self.complete = any(
            automaton.readers[number].complete(configuration)
            for number, configuration in configurations
        )
        self._can_grow: bool | None = None

    @property
    def can_grow(self) -> bool:
        """Whether more words could give a value other than the present ones (worked out once)."""
        if self._can_grow is None:
            readers = self.automaton.readers
            self._can_grow = any(
                readers[number].can_grow(configuration)
                for number, configuration in self.configurations
            )
        return self._can_grow


class Automaton:
    """The readers of one grammar, all at once, as nodes made on demand.

    Args:
        readers: the alternatives; at equal cost the values of earlier ones come first.
    """

    def __init__(self, readers: Sequence[Reader[Any]]) -> None:
        self.readers = tuple(readers)
        self.words: frozenset[str] = frozenset().union(*(reader.words for reader in readers))
        self._nodes: dict[frozenset[Placed], Node] = {}

    def start(self) -> Node:
        """The node before the first word."""
        return self._node(frozenset((n, reader.start) for n, reader in enumerate(self.readers)))

    def advance(self, node: Node, word: str) -> Node | None:
        """The node after one more word, ``None`` if no reading of the words can be accepted."""
        try:
            return node.following[word]
        except KeyError:
            following = frozenset(
                (number, move.following)
                for number, configuration in node.configurations
                for move in self.readers[number].moves(configuration, word)
            )
            reached = self._node(following) if following else None
            if len(node.following) < _MAX_WORDS:
                node.following[word] = reached
            return reached

    def best_values(self, words: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """Every accepted value of the words with its cost, best first, no duplicates.

        Exact up to `MAX_READINGS` per configuration: of equally placed readings the best are kept,
        as in Viterbi's algorithm.
        """
        found: dict[str, tuple[int, int]] = {}
        for number, reader in enumerate(self.readers):
            for value, cost in _values_of(reader, words):
                found[value] = min((cost, number), found.get(value, (cost, number)))
        ranked = sorted(found, key=lambda value: (found[value], len(value), value))
        return tuple((value, found[value][0]) for value in ranked)

    def _node(self, configurations: frozenset[Placed]) -> Node:
        node = self._nodes.get(configurations)
        if node is None:
            if len(self._nodes) >= MAX_NODES:
                self._nodes.clear()
            node = self._nodes[configurations] = Node(self, configurations)
        return node


def _values_of(reader: Reader[C], words: Sequence[str]) -> list[tuple[str, int]]:
    """One reader's values with their costs, best first."""
    kept: dict[C, dict[str, int]] = {reader.start: {"": 0}}
    for word in words:
        reached: dict[C, dict[str, int]] = {}
        for configuration, texts in kept.items():
            for move in reader.moves(configuration, word):
                into = reached.setdefault(move.following, {})
                for text, so_far in texts.items():
                    written, cost = text + move.digits, so_far + move.cost
                    into[written] = min(cost, into.get(written, cost))
        kept = {configuration: _cheapest(texts) for configuration, texts in reached.items()}
    values: dict[str, int] = {}
    for configuration, texts in kept.items():
        for text, cost in texts.items():
            value = reader.value(configuration, text)
            if value is not None:
                values[value] = min(cost, values.get(value, cost))
    ranked = sorted(values.items(), key=lambda item: (item[1], len(item[0]), item[0]))
    return ranked[: reader.max_values]


def _cheapest(texts: dict[str, int]) -> dict[str, int]:
    """The best `MAX_READINGS` of the readings of one configuration."""
    if len(texts) <= MAX_READINGS:
        return texts
    ranked = sorted(texts.items(), key=lambda item: (item[1], len(item[0]), item[0]))
    return dict(ranked[:MAX_READINGS])
