"""The words that are heard everywhere: repeat, help, operator, start again.

Theory of operation: a command is all that was said, apart from speech outside the vocabulary
("could you repeat that, please" is ``<other> repeat <other>``). A command word among digits is
none: it is more likely a digit misheard than a wish. ``builtin:command`` lets the recogniser expect
the phrases beside the answers to a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Final

from ivr.grammar.automaton import Move
from ivr.grammar.words import NO_WORDS, OTHER


class Command(StrEnum):
    """What a caller may want at any question."""

    REPEAT = "repeat"
    HELP = "help"
    OPERATOR = "operator"
    RESTART = "restart"


_RESTART: Final = (("start", "again"), ("cancel",), ("start", "again", "cancel"))
PHRASES: Final[Mapping[tuple[str, ...], Command]] = MappingProxyType(
    {
        ("repeat",): Command.REPEAT,
        ("repeat", "again"): Command.REPEAT,
        ("again",): Command.REPEAT,  # "say that again"
        ("help",): Command.HELP,
        ("operator",): Command.OPERATOR,
        **dict.fromkeys(_RESTART, Command.RESTART),
        **{(no, *words): Command.RESTART for no in NO_WORDS for words in _RESTART},
    }
)


def command_of(words: Iterable[str]) -> Command | None:
    """The command that the words are; a word said twice ("help, help") is said once."""
    once = [word for word, _ in groupby(words)]
    if once[-2:] == ["start", OTHER]:  # "start over"
        once[-1] = "again"
    return PHRASES.get(tuple(word for word, _ in groupby(w for w in once if w != OTHER)))


class CommandReader:
    """The phrases of the commands as an alternative of a grammar; see `Reader`."""

    words = frozenset(word for phrase in PHRASES for word in phrase)
    start: tuple[str, ...] = ()
    max_values = 1

    def moves(self, configuration: tuple[str, ...], word: str) -> tuple[Move[tuple[str, ...]], ...]:
        """See `Reader`."""
        following = (*configuration, word)
        begun = any(phrase[: len(following)] == following for phrase in PHRASES)
        return (Move(following, "", 0),) if begun else ()

    def value(self, configuration: tuple[str, ...], digits: str) -> str | None:  # noqa: ARG002
        """See `Reader`: the name of the command."""
        return PHRASES.get(configuration)

    def complete(self, configuration: tuple[str, ...]) -> bool:
        """See `Reader`."""
        return configuration in PHRASES

    def can_grow(self, configuration: tuple[str, ...]) -> bool:
        """See `Reader`."""
        return any(self.moves(configuration, word) for word in self.words)

    def read_keys(self, keys: str) -> str | None:  # noqa: ARG002 - commands have no keys
        """See `Reader`."""
        return None

    def keys_can_grow(self, keys: str) -> bool:  # noqa: ARG002
        """See `Reader`."""
        return False
