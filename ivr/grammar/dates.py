"""Dates and the expiry of cards, from spoken numbers alone.

Theory of operation: a date is a string of fields (`ivr.grammar.speech`), each said in any grouping
but not across its borders. What the calendar allows is one pattern: every month with its days, the
29th of February with leap years only. So an impossible date is dead as soon as it is impossible,
and "oh two thirty" has no next word at all.

    6/23/19,69     six, twenty three, nineteen sixty nine     1969-06-23

Where the border lies is for the acceptor to find: "one one one nineteen ninety" is the first of
November and the 11th of January alike, and comes out as both. Names of months are not in the
recogniser's vocabulary.
"""

from __future__ import annotations

from calendar import isleap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from ivr.errors import StateError
from ivr.grammar.digits import DIGITS
from ivr.grammar.pattern import Pattern
from ivr.grammar.readers import DigitReader, Written
from ivr.grammar.speech import FIELDS, JOINED, NEXT_FIELD
from ivr.grammar.table import Table, compile_rules

ORDERS: Final = ("mdy", "dmy", "ymd")
EXPIRY_MONTH: Final = "(0,?)?[1-9]|1,?[0-2]"
_SYMBOLS: Final = DIGITS + JOINED + NEXT_FIELD


def expiry_reader() -> DigitReader[int]:
    """The month and year that a card is good through; the value is MMYY, keyed or spoken."""
    spoken = _compile(f"({EXPIRY_MONTH})/(2,?0,?)?[0-9],?[0-9]", _SYMBOLS)
    keyed = _compile("(0[1-9]|1[0-2])[0-9]{2}", DIGITS)
    return DigitReader(spoken, speech=FIELDS, value=_month_and_year, keys=[Written(keyed)])


def _month_and_year(text: str) -> str:
    month, year = text.replace(JOINED, "").split(NEXT_FIELD)
    return month.zfill(2) + year[-2:]


def date_reader(order: str, years: range) -> DigitReader[int]:
    """A day in these years; the value is YYYY-MM-DD.

    Args:
        order: of the fields, one of `ORDERS`; the keys are eight digits in the same order.
        years: of four digits, at least one. A year may be said by its last two digits where only
            one of these ends so.
    """
    endings = Counter(year % 100 for year in years)
    short = {f"{year % 100:02d}": year for year in years if endings[year % 100] == 1}
    spoken = _compile(_calendar(order, years, short), _SYMBOLS)
    keyed = _compile(_calendar(order, years), DIGITS)

    def of_words(text: str) -> str:
        return _iso(order, text.replace(JOINED, "").split(NEXT_FIELD), short)

    def of_keys(text: str) -> str:
        ends = (4, 6) if order == "ymd" else (2, 4)
        return _iso(order, [text[: ends[0]], text[ends[0] : ends[1]], text[ends[1] :]], {})

    return DigitReader(spoken, speech=FIELDS, value=of_words, keys=[Written(keyed, of_keys)])


def _iso(order: str, fields: Sequence[str], short: dict[str, int]) -> str:
    named = dict(zip(order, fields, strict=True))
    year = short.get(named["y"], named["y"])
    return f"{year}-{named['m'].zfill(2)}-{named['d'].zfill(2)}"


def _calendar(order: str, years: range, short: dict[str, int] | None = None) -> str:
    """The pattern of all days; spoken ones, with marks, where short years are given."""
    spoken = short is not None
    joint = f"{JOINED}?" if spoken else ""
    zero = f"(0{joint})?" if spoken else "0"

    def written(years: Iterable[int]) -> str:
        return "|".join(
            [
                *(joint.join(str(year)) for year in years),
                *(joint.join(two) for two, year in (short or {}).items() if year in years),
            ]
        )

    leap = [year for year in years if isleap(year)]
    to_28 = f"{zero}[1-9]|1{joint}[0-9]|2{joint}[0-8]"
    of_31 = f"{zero}[13578]|1{joint}[02]"
    of_30 = f"{zero}[469]|1{joint}1"
    choices = [
        (f"{of_31}|{of_30}|{zero}2", to_28, written(years)),
        (f"{of_31}|{of_30}", f"2{joint}9|3{joint}0", written(years)),
        (of_31, f"3{joint}1", written(years)),
    ]
    if leap:
        choices.append((f"{zero}2", f"2{joint}9", written(leap)))
    border = NEXT_FIELD if spoken else ""
    texts = []
    for month, day, year in choices:
        fields = {"m": month, "d": day, "y": year}
        texts.append(border.join(f"({fields[name]})" for name in order))
    return "|".join(texts)


def _compile(pattern: str, symbols: str) -> Table:
    acceptor = compile_rules(Pattern(pattern, marks=symbols.removeprefix(DIGITS)), symbols=symbols)
    if acceptor is None:
        raise StateError("a calendar without days")
    return acceptor
