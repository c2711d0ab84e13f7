"""Values as they are spoken: digit by digit, as money, as a day; in the languages that we speak.

Theory of operation: the synthesiser reads numbers as a person would, so a value becomes words only
where that is not enough: "12.50" would be "twelve point five oh". Numbers that name something
(accounts, cards) are spoken digit by digit in groups, because that is how callers check them
against what they have in their hand; the comma between groups makes the synthesiser pause and fall
in pitch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

# Four digits fill the phonological loop comfortably and match how cards and most accounts are
# printed.
GROUPS: Final = (4,)
ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language.

    Attributes:
        digits: zero to nine.
        months: January to December.
        day: how a day is written: ``{month} {day}, {year}``.
        money: units and cents, one and several of each.
        joint: what stands between units and cents.
        minus: before an amount that is owed.
        yes, no: truth.
    """

    digits: tuple[str, ...]
    months: tuple[str, ...]
    day: str
    money: tuple[tuple[str, str], tuple[str, str]]
    joint: str
    minus: str
    yes: str
    no: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANGUAGES: Final = {
    "en": Language(
        digits=_words("zero one two three four five six seven eight nine"),
        months=_words(
            "January February March April May June July August September October November December"
        ),
        day="{month} {day}, {year}",
        money=(("dollar", "dollars"), ("cent", "cents")),
        joint="and",
        minus="minus",
        yes="yes",
        no="no",
    ),
    "es": Language(
        digits=_words("cero uno dos tres cuatro cinco seis siete ocho nueve"),
        months=_words(
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
            "diciembre"
        ),
        day="{day} de {month} de {year}",
        money=(("dólar", "dólares"), ("centavo", "centavos")),
        joint="con",
        minus="menos",
        yes="sí",
        no="no",
    ),
    "fr": Language(
        digits=_words("zéro un deux trois quatre cinq six sept huit neuf"),
        months=_words(
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
        ),
        day="{day} {month} {year}",
        money=(("dollar", "dollars"), ("cent", "cents")),
        joint="et",
        minus="moins",
        yes="oui",
        no="non",
    ),
    "de": Language(
        digits=_words("null eins zwei drei vier fünf sechs sieben acht neun"),
        months=_words(
            "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
        ),
        day="{day}. {month} {year}",
        money=(("Dollar", "Dollar"), ("Cent", "Cent")),
        joint="und",
        minus="minus",
        yes="ja",
        no="nein",
    ),
}


def words_of(language: str) -> Language:
    """The words of a language, by its code without the country: ``en`` for ``en-us``."""
    return LANGUAGES.get(language.partition("-")[0], LANGUAGES[ENGLISH])


def spell_digits(value: str, groups: tuple[int, ...] = GROUPS, language: str = ENGLISH) -> str:
    """A value digit by digit: ``"41550"`` is ``"four one five five, zero"``.

    Letters are spoken by name; spaces, dashes and other signs are left out.

    Args:
        value: digits and letters.
        groups: group sizes, each positive; the last one repeats until the value is used up.
        language: of the words.
    """
    digits = words_of(language).digits
    characters = [character for character in value if character.isalnum()]
    spoken: list[str] = []
    at = 0
    while at < len(characters):
        size = groups[min(len(spoken), len(groups) - 1)]
        group = characters[at : at + size]
        spoken.append(" ".join(_name(character, digits) for character in group))
        at += size
    return ", ".join(spoken)


def _name(character: str, digits: Sequence[str]) -> str:
    return digits[int(character)] if character in "0123456789" else character.upper()


def spell_amount(value: str, language: str = ENGLISH) -> str:
    """An amount of money: ``"12.50"`` is ``"12 dollars and 50 cents"``."""
    words = words_of(language)
    exact = Decimal(value)
    cents = int(abs(exact) * 100)
    parts = [
        f"{count} {one if count == 1 else several}"
        for count, (one, several) in zip(divmod(cents, 100), words.money, strict=True)
        if count
    ]
    spoken = f" {words.joint} ".join(parts) or f"0 {words.money[0][1]}"
    return f"{words.minus} {spoken}" if exact < 0 else spoken


def spell_date(value: str, language: str = ENGLISH) -> str:
    """A day: ``"1969-06-23"`` is ``"June 23, 1969"``."""
    words = words_of(language)
    year, month, day = value.split("-")
    return words.day.format(year=int(year), month=words.months[int(month) - 1], day=int(day))


def spell_truth(value: str, language: str = ENGLISH) -> str:
    """Yes or no."""
    words = words_of(language)
    return words.yes if value == "yes" else words.no
