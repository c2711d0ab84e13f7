"""Telephone numbers of the North American Numbering Plan: the US, Canada, the Caribbean.

Theory of operation: area code, exchange, line, each with the digits that the plan allows, as one
pattern over ten digits in any grouping. A leading 1, the country code, may be said and is dropped.

    [2-9]XX   not N9X (kept for an eleventh digit), not N11 (services, such as 911)
    [2-9]XX   not N11, except after the area codes of free numbers, where it may be given out
    XXXX
"""

from __future__ import annotations

from typing import Final

from ivr.errors import StateError
from ivr.grammar.pattern import Pattern
from ivr.grammar.readers import DigitReader
from ivr.grammar.table import compile_rules

COUNTRIES: Final = ("us",)
_AREA: Final = "[2-9](0[0-9]|1[02-9]|[2-8][0-9])"
_EXCHANGE: Final = "[2-9](1[02-9]|[02-9][0-9])"
_FREE: Final = "8(00|22|33|44|55|66|77|88)[2-9][0-9]{2}"


def phone_reader() -> DigitReader[int]:
    """A telephone number; the value is its ten digits."""
    acceptor = compile_rules(Pattern(f"1?({_AREA}{_EXCHANGE}|{_FREE})[0-9]{{4}}"))
    if acceptor is None:
        raise StateError("a plan without numbers")
    return DigitReader(acceptor, value=lambda digits: digits[-10:])
