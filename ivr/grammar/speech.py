"""What words write: digits alone, digits parted into fields, or amounts of money.

Theory of operation
-------------------
Account numbers are digits and nothing else: "four one fifty five" and "forty one fifty five" are
the same. A date is not: "twelve seven" may be the seventh of the twelfth, but never the 27th of the
first, for nobody parts "twelve". So where an answer has fields, a mark is written each time that a
new number begins, of one of two kinds, since words alone do not tell which is meant: the number
goes on (``,``), or the next field begins (``/``). The acceptor decides; where both can stand, both
readings go on.

    six      twenty three   nineteen   sixty nine
    6      / 23           / 19       , 69            the sixth month, the 23rd, 1969

Money adds words that write marks of their own: ``d`` for dollars, ``c`` for cents, ``p`` for the
point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ivr.grammar.words import NUMBER_WORDS, Arc, Phase, arcs, closing, natural_arcs

JOINED = ","
NEXT_FIELD = "/"
# The singular is not in the recogniser's vocabulary, but a stock Whisper may write it.
MONEY_WORDS = {
    "dollars": "d",
    "dollar": "d",
    "cents": "c",
    "cent": "c",
    "point": "p",
    "dot": "p",
}


@dataclass(frozen=True, slots=True)
class Speech:
    """A way to write down words.

    Attributes:
        words: those that may occur.
        arcs: every way to take a word in a phase.
        bare: digits alone are written, so whatever an acceptor wants can be said digit by digit.
    """

    words: frozenset[str]
    arcs: Callable[[Phase, str], tuple[Arc, ...]]
    bare: bool


def _marked(choices: Iterable[Arc]) -> tuple[Arc, ...]:
    """The arcs, with a mark of either kind where a number begins."""
    marked: list[Arc] = []
    for arc in choices:
        if arc.opens is None:
            marked.append(arc)
        else:
            before, after = arc.digits[: arc.opens], arc.digits[arc.opens :]
            marked += [arc._replace(digits=before + m + after) for m in (JOINED, NEXT_FIELD)]
    return tuple(marked)


def _field_arcs(phase: Phase, word: str) -> tuple[Arc, ...]:
    """Like `arcs`, with a mark where a number begins that is not the first."""
    choices = arcs(phase, word)
    return choices if phase is Phase.START else _marked(choices)


def _money_arcs(phase: Phase, word: str) -> tuple[Arc, ...]:
    """Like `_field_arcs`, with words for the currency, which end the number before them.

    A word that can go on with the number does: a bound must not make 400.50 of "four hundred
    fifty".
    """
    mark = MONEY_WORDS.get(word)
    if mark is None:
        choices = arcs(phase, word)
        going_on = tuple(arc for arc in choices if arc.opens is None)
        return going_on or (choices if phase is Phase.START else _marked(choices))
    if phase is Phase.ARTICLE and mark != "p":  # "a dollar fifty"
        return (Arc("1" + mark, Phase.CLOSED, 0),)
    hole = closing(phase)
    return () if hole is None else (Arc(hole + mark, Phase.CLOSED, 0),)


PLAIN = Speech(NUMBER_WORDS, arcs, bare=True)
NATURAL = Speech(NUMBER_WORDS, natural_arcs, bare=True)
FIELDS = Speech(NUMBER_WORDS, _field_arcs, bare=False)
MONEY = Speech(NUMBER_WORDS | MONEY_WORDS.keys(), _money_arcs, bare=False)
