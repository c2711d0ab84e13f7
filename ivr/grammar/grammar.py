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

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ivr.errors import ConfigError
from ivr.grammar.automaton import Automaton, BooleanReader, DigitReader, Node, Reader
from ivr.grammar.digits import Length, Listed, Number
from ivr.grammar.words import OTHER

# The longest answer a grammar may ask for. Nobody speaks more than 40 digits in one answer (an IBAN
# has at most 34 characters); more is a slip of the pen in a flow, and would only slow the
# automaton.
MAX_DIGITS = 100


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


@lru_cache(maxsize=256)  # the automaton's nodes are worth keeping; a flow has a handful of grammars
def parse_grammar(uri: str) -> Grammar:
    """The grammar of a URI in the manner of VoiceXML's builtin grammars.

    ``builtin:digits`` takes ``length``, or ``minlength`` and ``maxlength``, or ``values`` (the
    allowed ones, separated by commas); ``builtin:number`` takes ``min`` and ``max``, both included;
    ``builtin:boolean`` and ``builtin:natural`` (any number or yes/no by its natural reading) take
    nothing. Parameters follow a ``?``, separated by ``;``. Alternatives are joined by ``|``.

    Raises:
        ConfigError: what is wrong, and what would be right.
    """
    readers: list[Reader[Any]] = []
    for alternative in uri.split("|"):
        readers.extend(_parse_alternative(alternative.strip(), uri))
    return Grammar(uri, readers)


def _parse_alternative(alternative: str, uri: str) -> list[Reader[Any]]:
    head, _, query = alternative.partition("?")
    scheme, _, name = head.partition(":")
    if scheme != "builtin" or not name:
        raise ConfigError(
            f"grammar {uri!r}: {alternative!r} is not a grammar; write builtin:NAME "
            f"with NAME one of {', '.join(_BUILTINS)}"
        )
    if name not in _BUILTINS:
        raise ConfigError(f"grammar {uri!r}: {_unknown('builtin', name, _BUILTINS)}")
    known, build = _BUILTINS[name]
    parameters: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in query.split(";"))):
        key, equals, text = (part.strip() for part in item.partition("="))
        if key not in known:
            raise ConfigError(f"grammar {uri!r}: {_unknown('parameter', key, known, of=head)}")
        if key in parameters:
            raise ConfigError(f"grammar {uri!r}: {key} is given twice")
        texts = [part.strip() for part in text.split(",")]
        if not equals or not all(map(_is_number, texts)) or (len(texts) > 1 and key != "values"):
            right = "a whole number" if key != "values" else "numbers separated by commas"
            example = f"{key}=8" if key != "values" else "values=101,205"
            raise ConfigError(f"grammar {uri!r}: {key} must be {right}, as in {example}")
        parameters[key] = texts if key == "values" else int(text)
    try:
        return build(parameters)
    except ValueError as error:
        raise ConfigError(f"grammar {uri!r}: {error}") from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def _unknown(kind: str, name: str, known: Iterable[str], of: str = "") -> str:
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f", did you mean {nearest[0]!r}?" if nearest else ""
    choice = ", ".join(names) if names else "none"
    return f"unknown {kind} {name!r}{f' of {of}' if of else ''}{hint} (known: {choice})"


def _build_digits(parameters: dict[str, Any]) -> list[Reader[Any]]:
    if len(parameters) > 1 and {"length", "values"} & set(parameters):
        raise ValueError("give either length, or minlength and maxlength, or values")
    if "values" in parameters:
        return [DigitReader(Listed(parameters["values"]))]
    minimum = parameters.get("length", parameters.get("minlength", 1))
    maximum = parameters.get("length", parameters.get("maxlength"))
    if minimum < 1 or maximum == 0:
        raise ValueError("an answer has at least 1 digit")
    if max(minimum, maximum or 0) > MAX_DIGITS:
        raise ValueError(f"an answer has at most {MAX_DIGITS} digits")
    if maximum is not None and minimum > maximum:
        raise ValueError(f"minlength {minimum} is more than maxlength {maximum}")
    return [DigitReader(Length(minimum, maximum))]


def _build_number(parameters: dict[str, Any]) -> list[Reader[Any]]:
    minimum, maximum = parameters.get("min", 0), parameters.get("max")
    if maximum is not None and minimum > maximum:
        raise ValueError(f"min {minimum} is more than max {maximum}")
    return [DigitReader(Number(minimum, maximum))]


def _build_boolean(_: dict[str, Any]) -> list[Reader[Any]]:
    return [BooleanReader()]


def _build_natural(_: dict[str, Any]) -> list[Reader[Any]]:
    return [DigitReader(Length(), natural=True), BooleanReader(natural=True)]


_BUILTINS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], list[Reader[Any]]]]] = {
    "digits": (("length", "minlength", "maxlength", "values"), _build_digits),
    "number": (("min", "max"), _build_number),
    "boolean": ((), _build_boolean),
    "natural": ((), _build_natural),
}
