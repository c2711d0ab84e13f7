"""Prompt texts with values in them, such as ``I have {account:digits}``.

Theory of operation: a text is cut once into literal pieces and placeholders; filling in puts the
values' spoken forms between the literals. Numbers that name something (accounts, cards) are spoken
digit by digit in groups, because that is how callers check them against what they have in their
hand; the comma between groups makes the synthesiser pause and fall in pitch.

    {name}                the value as it is
    {name:digits}         digit by digit, in groups of four
    {name:digits 3 3 4}   digit by digit, in groups of these sizes, the last size repeated
    {{ and }}             braces
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DIGIT_WORDS: Final = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
ORDINALS: Final = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
NAME: Final = r"[a-z][a-z0-9_]*"
# Four digits fill the phonological loop comfortably and match how cards and most accounts are
# printed.
_GROUPS: Final = (4,)
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_PLACEHOLDER: Final = re.compile(rf"\{{({NAME})(?::(digits)((?: [1-9][0-9]?)*))?\}}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place in a text where a variable's value is spoken.

    Attributes:
        name: the variable.
        groups: sizes of the groups for digit-by-digit speech; empty where the value is spoken as
            it is.
    """

    name: str
    groups: tuple[int, ...] = ()


Template = tuple[str | Placeholder, ...]


def parse_template(text: str) -> Template:
    """Cut a text into literals and placeholders.

    Raises:
        ValueError: a brace that opens or closes nothing, or a placeholder that is none of the forms
            above; the message names it and the cure.
    """
    pieces: list[str | Placeholder] = []
    at = 0
    for token in _TOKEN.finditer(text):
        pieces.append(text[at : token.start()])
        at = token.end()
        if token[0] in ("{{", "}}"):
            pieces.append(token[0][0])
        else:
            pieces.append(_placeholder(token[0]))
    pieces.append(text[at:])
    return tuple(piece for piece in pieces if piece != "")


def _placeholder(token: str) -> Placeholder:
    if token in ("{", "}"):
        raise ValueError(f'a lone "{token}"; write "{token}{token}" where a brace is meant')
    match = _PLACEHOLDER.fullmatch(token)
    if match is None:
        raise ValueError(f'"{token}" is no placeholder; write {{name}} or {{name:digits}}')
    name, spelled, sizes = match.groups()
    groups = tuple(int(size) for size in (sizes or "").split()) or _GROUPS
    return Placeholder(name, groups if spelled else ())


def names(template: Template) -> tuple[str, ...]:
    """The variables that a template speaks, in order of appearance."""
    return tuple(piece.name for piece in template if isinstance(piece, Placeholder))


def rename(text: str, names: Mapping[str, str]) -> str:
    """A text whose placeholders speak other variables; those without a new name stay."""
    pieces = []
    for piece in parse_template(text):
        if isinstance(piece, str):
            pieces.append(piece.replace("{", "{{").replace("}", "}}"))
            continue
        spelled = f":digits {' '.join(map(str, piece.groups))}" if piece.groups else ""
        pieces.append(f"{{{names.get(piece.name, piece.name)}{spelled}}}")
    return "".join(pieces)


def fill(template: Template, values: Mapping[str, str]) -> str:
    """The text with every value in its spoken form.

    Raises:
        KeyError: a variable has no value; a checked flow never gets there.
    """
    return "".join(fill_pieces(template, values))


def fill_pieces(template: Template, values: Mapping[str, str]) -> tuple[str, ...]:
    """As `fill`, piece by piece.

    Raises:
        KeyError: as `fill`.
    """
    spoken = []
    for piece in template:
        if isinstance(piece, str):
            spoken.append(piece)
        elif piece.groups:
            spoken.append(spell_digits(values[piece.name], piece.groups))
        else:
            spoken.append(values[piece.name])
    return tuple(spoken)


def says_something(text: str) -> bool:
    """Whether there is anything to pronounce in it: a letter or a figure."""
    return any(character.isalnum() for character in text)


def spell_digits(value: str, groups: tuple[int, ...] = _GROUPS) -> str:
    """A value digit by digit: ``"41550"`` is ``"four one five five, zero"``.

    Letters are spoken by name; spaces, dashes and other signs are left out.

    Args:
        value: digits and letters.
        groups: group sizes, each positive; the last one repeats until the value is used up.
    """
    characters = [character for character in value if character.isalnum()]
    spoken: list[str] = []
    at = 0
    while at < len(characters):
        size = groups[min(len(spoken), len(groups) - 1)]
        spoken.append(" ".join(_name(character) for character in characters[at : at + size]))
        at += size
    return ", ".join(spoken)


def spell_groups(groups: Sequence[str | None]) -> str:
    """Groups of digits of which some are not known: ``"four one, then something, five"``."""
    spoken = [spell_digits(group, (len(group),)) if group else "then something" for group in groups]
    return ", ".join(spoken).removeprefix("then ")


def ordinal(number: int, count: int) -> str:
    """Which of `count` things, from 0: ``"first"`` .. ``"tenth"``, ``"last"`` for the last."""
    if number == count - 1 or number >= len(ORDINALS):
        return "last"
    return ORDINALS[number]


def _name(character: str) -> str:
    return DIGIT_WORDS[int(character)] if character in "0123456789" else character.upper()
