"""What kinds of values variables have, and how each is written: one text for one value.

Theory of operation: a value is text, whatever its kind, so that texts, branches and records have
one thing to deal with; its kind says which texts there are.

    text      any
    digits    4155: digits that name something, leading zeros kept
    number    12, -3.5
    amount    12.50: money, two digits after the point
    date      1969-06-23
    boolean   yes, no

A value of another system's is brought to this form by `canonical`, or refused. Captured values have
it by their grammar (`kind_of_grammar`), the others by the flow's ``types``; without one they are
text.
"""

from __future__ import annotations

import re
from calendar import monthrange
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

TEXT: Final = "text"
DIGITS: Final = "digits"
NUMBER: Final = "number"
AMOUNT: Final = "amount"
DATE: Final = "date"
BOOLEAN: Final = "boolean"
LONGEST_VALUE: Final = 1000  # characters; a text that takes in itself would double round by round

_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_DIGITS: Final = re.compile(r"[0-9]+")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?")
_CENT: Final = Decimal("0.01")
# A binary fraction of a database's is this far off its cents at most.
_SLACK: Final = Decimal("0.000001")
_TRUTH: Final = {
    **dict.fromkeys(("yes", "true", "1"), "yes"),
    **dict.fromkeys(("no", "false", "0"), "no"),
}
_BY_GRAMMAR: Final = {
    **dict.fromkeys(("digits", "phone", "expiry", "natural"), DIGITS),
    **{kind: kind for kind in (NUMBER, AMOUNT, DATE, BOOLEAN)},
}


def canonical(kind: str, value: Any) -> str:
    """A value as a variable of a kind has it.

    Args:
        kind: one of those above.
        value: text, int, float, Decimal or bool.

    Raises:
        ValueError: it is none of that kind; the message does not quote it.
    """
    text = _plain(value)
    match kind:
        case "digits":
            written = text if _DIGITS.fullmatch(text) else None
        case "number":
            written = text if _NUMBER.fullmatch(text) else None
        case "amount":
            written = _amount(text)
        case "date":
            written = _date(text)
        case "boolean":
            written = _TRUTH.get(text.lower())
        case _:
            written = text
    if written is None or len(written) > LONGEST_VALUE:
        raise ValueError(f"no {kind}")
    return written


def is_canonical(kind: str, value: str) -> bool:
    """Whether a text is just how a value of this kind is written."""
    try:
        return canonical(kind, value) == value
    except ValueError:
        return False


def kind_of_grammar(grammar: str) -> str:
    """The kind of what a grammar's answers are."""
    kinds = {
        _BY_GRAMMAR.get(re.split(r"[?;]", part.removeprefix("builtin:"))[0], TEXT)
        for part in re.split(r"\|(?=builtin:)", grammar)
    }
    return kinds.pop() if len(kinds) == 1 else TEXT


def _plain(value: Any) -> str:
    """A value as text, numbers without an exponent."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        # A few characters can be a number of a million digits.
        if not value.is_finite() or abs(value.adjusted()) > 30:
            raise ValueError("no number of a usable size")
        return f"{value:f}"
    if isinstance(value, int) and abs(value) >= 10**30:
        raise ValueError("no number of a usable size")
    if not isinstance(value, str | int):
        raise ValueError("no single value")
    return str(value)


def _amount(text: str) -> str | None:
    if not _NUMBER.fullmatch(text):
        return None
    exact = Decimal(text)
    rounded = exact.quantize(_CENT, ROUND_HALF_EVEN)
    return f"{rounded:f}" if abs(exact - rounded) < _SLACK else None


def _date(text: str) -> str | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups())
    exists = year and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
    return text[:10] if exists else None
