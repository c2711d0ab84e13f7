"""Prompt texts with values in them, such as ``I have {account:digits}``.

Theory of operation: a text is cut once into literal pieces and placeholders; filling in puts the
values' spoken forms (`ivr.flow.spoken`) between the literals.

    {name}                the value as it is
    {name:digits}         digit by digit, in groups of four
    {name:digits 3 3 4}   digit by digit, in groups of these sizes, the last size repeated
    {name:amount}         money: "12 dollars and 50 cents"
    {name:date}           a day: "June 23, 1969"
    {name:number}         a number; in the JSON of a lookup one without quotation marks
    {name:boolean}        yes or no; in the JSON of a lookup true or false
    {{ and }}             braces
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ivr.flow.spoken import ENGLISH, GROUPS, spell_amount, spell_date, spell_digits, spell_truth
from ivr.flow.values import AMOUNT, BOOLEAN, DATE, DIGITS, NUMBER, TEXT, is_canonical

ORDINALS: Final = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
NAME: Final = r"[a-z][a-z0-9_]*"
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_PLACEHOLDER: Final = re.compile(
    rf"\{{({NAME})(?::(?:(digits)((?: [1-9][0-9]?)*)|(amount|date|number|boolean)))?\}}"
)
# Form -> the kinds of values that can be spoken so.
FITTING: Final = {
    "": (TEXT, DIGITS, NUMBER, AMOUNT, DATE, BOOLEAN),
    DIGITS: (TEXT, DIGITS, NUMBER, AMOUNT, DATE),
    AMOUNT: (AMOUNT, NUMBER),
    DATE: (DATE,),
    NUMBER: (NUMBER, AMOUNT, DIGITS),
    BOOLEAN: (BOOLEAN,),
}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place in a text where a variable's value is spoken.

    Attributes:
        name: the variable.
        groups: sizes of the groups for digit-by-digit speech; empty where it is spoken otherwise.
        as_kind: the kind of value that it is spoken as; empty where it is spoken as it is.
    """

    name: str
    groups: tuple[int, ...] = ()
    as_kind: str = ""

    @property
    def form(self) -> str:
        """How it is spoken: a key of `FITTING`."""
        return DIGITS if self.groups else self.as_kind


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
        raise ValueError(
            f'"{token}" is no placeholder; write {{name}}, or {{name:digits}}, amount, date, '
            "number or boolean"
        )
    name, spelled, sizes, as_kind = match.groups()
    groups = tuple(int(size) for size in (sizes or "").split()) or GROUPS
    return Placeholder(name, groups if spelled else (), as_kind or "")


def placeholders(template: Template) -> tuple[Placeholder, ...]:
    """The placeholders of a template, in order of appearance."""
    return tuple(piece for piece in template if isinstance(piece, Placeholder))


def names(template: Template) -> tuple[str, ...]:
    """The variables that a template speaks, in order of appearance."""
    return tuple(piece.name for piece in placeholders(template))


def rename(text: str, names: Mapping[str, str]) -> str:
    """A text whose placeholders speak other variables; those without a new name stay."""
    pieces = []
    for piece in parse_template(text):
        if isinstance(piece, str):
            pieces.append(piece.replace("{", "{{").replace("}", "}}"))
            continue
        form = f":{piece.form}" if piece.form else ""
        sizes = "".join(f" {size}" for size in piece.groups)
        pieces.append(f"{{{names.get(piece.name, piece.name)}{form}{sizes}}}")
    return "".join(pieces)


def fill(template: Template, values: Mapping[str, str], language: str = ENGLISH) -> str:
    """The text with every value in its spoken form.

    Raises:
        KeyError: a variable has no value; a checked flow never gets there.
    """
    return "".join(fill_pieces(template, values, language))


def fill_pieces(
    template: Template, values: Mapping[str, str], language: str = ENGLISH
) -> tuple[str, ...]:
    """As `fill`, piece by piece.

    Raises:
        KeyError: as `fill`.
    """
    return tuple(
        piece if isinstance(piece, str) else speak(piece, values[piece.name], language)
        for piece in template
    )


def says_something(text: str) -> bool:
    """Whether there is anything to pronounce in it: a letter or a figure."""
    return any(character.isalnum() for character in text)


def speak(place: Placeholder, value: str, language: str = ENGLISH) -> str:
    """A value in the form of its place; as it is where it has no such form."""
    if place.groups:
        return spell_digits(value, place.groups, language)
    if place.as_kind == AMOUNT and is_canonical(NUMBER, value):
        return spell_amount(value, language)
    if place.as_kind == DATE and is_canonical(DATE, value):
        return spell_date(value, language)
    if place.as_kind == BOOLEAN and is_canonical(BOOLEAN, value):
        return spell_truth(value, language)
    return value


def spell_groups(groups: Sequence[str | None]) -> str:
    """Groups of digits of which some are not known: ``"four one, then something, five"``."""
    spoken = [spell_digits(group, (len(group),)) if group else "then something" for group in groups]
    return ", ".join(spoken).removeprefix("then ")


def ordinal(number: int, count: int) -> str:
    """Which of `count` things, from 0: ``"first"`` .. ``"tenth"``, ``"last"`` for the last."""
    if number == count - 1 or number >= len(ORDINALS):
        return "last"
    return ORDINALS[number]
