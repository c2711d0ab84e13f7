"""What a grammar URI may say: ``builtin:NAME?key=value;key=value``, and the readers it stands for.

Theory of operation: a URI is cut into alternatives, an alternative into a name and parameters. Each
parameter has a kind (a whole number, a list of numbers), which reads its text or says what it must
be; each name has a builder, which turns its parameters into readers or says what does not fit
together. Every mistake is one message with the cure, for it is the author of a flow who reads it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ivr.errors import ConfigError
from ivr.grammar.amounts import amount_readers
from ivr.grammar.automaton import Reader
from ivr.grammar.checks import CHECKS, CHECKS_BY_LENGTH
from ivr.grammar.commands import CommandReader
from ivr.grammar.corrections import CorrectionReader
from ivr.grammar.dates import ORDERS, date_reader, expiry_reader
from ivr.grammar.digits import Length, Number
from ivr.grammar.lists import Listed, is_key, lookup, unpinned
from ivr.grammar.pattern import Pattern
from ivr.grammar.phones import COUNTRIES, phone_reader
from ivr.grammar.readers import BooleanReader, DigitReader, KeyReader
from ivr.grammar.speech import NATURAL
from ivr.grammar.table import Rule, Table, compile_rules

# The longest answer a grammar may ask for. Nobody speaks more than 40 digits in one answer (an IBAN
# has at most 34 characters); more is a slip of the pen in a flow, and would only slow the
# automaton.
MAX_DIGITS = 100
# What years a date can have; a calendar of many centuries is a slip as well.
MAX_YEARS = 300

Parameters = dict[str, Any]


def readers_of(uri: str) -> list[Reader[Any]]:
    """The readers of all alternatives of a grammar URI.

    Raises:
        ConfigError: what is wrong, and what would be right.
    """
    readers: list[Reader[Any]] = []
    for alternative in _alternatives(uri):
        try:
            readers.extend(_read_alternative(alternative.strip()))
        except ValueError as error:
            raise ConfigError(f"grammar {unpinned(uri)!r}: {error}") from None
    return readers


def _alternatives(uri: str) -> list[str]:
    """The parts of a URI between ``|``; one inside the brackets of a pattern is the pattern's."""
    parts, depth = [""], 0
    for character in uri:
        depth += (character in "([") - (character in ")]")
        if character == "|" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _read_alternative(alternative: str) -> list[Reader[Any]]:
    head, _, query = alternative.partition("?")
    scheme, _, name = head.partition(":")
    if scheme != "builtin" or not name:
        raise ValueError(
            f"{alternative!r} is not a grammar; write builtin:NAME "
            f"with NAME one of {', '.join(_BUILTINS)}"
        )
    if name in _BESIDE and not query:
        return [_BESIDE[name]()]
    if name not in _BUILTINS:
        raise ValueError(_unknown("builtin", name, _BUILTINS))
    kinds, build = _BUILTINS[name]
    parameters: Parameters = {}
    for item in filter(None, (part.strip() for part in query.split(";"))):
        key, _, text = (part.strip() for part in item.partition("="))
        if key not in kinds:
            raise ValueError(_unknown("parameter", key, kinds, of=head))
        if key in parameters:
            raise ValueError(f"{key} is given twice")
        kind = kinds[key]
        value = kind.read(text)
        if value is None:
            raise ValueError(f"{key} must be {kind.meaning}, as in {key}={kind.example}")
        parameters[key] = value
    return build(parameters)


def _unknown(kind: str, name: str, known: Iterable[str], of: str = "") -> str:
    names = list(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f", did you mean {nearest[0]!r}?" if nearest else ""
    choice = ", ".join(names) if names else "none"
    return f"unknown {kind} {name!r}{f' of {of}' if of else ''}{hint} (known: {choice})"


class _Kind(NamedTuple):
    """How to read a parameter (None where its text is no such thing), and what it must be."""

    read: Callable[[str], Any]
    meaning: str
    example: str


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def _whole_number(text: str) -> int | None:
    return int(text) if _is_number(text) else None


def _numbers(text: str) -> list[str] | None:
    parts = [part.strip() for part in text.split(",")]
    return parts if all(map(_is_number, parts)) else None


def _signs(text: str) -> list[str] | None:
    parts = [part.strip() for part in text.split(",")]
    return parts if all(part in ("*", "#") for part in parts) else None


def _cents(text: str) -> int | None:
    whole, point, cents = text.partition(".")
    right = _is_number(whole) and (not point or (_is_number(cents) and len(cents) == 2))
    return int(whole + (cents or "00")) if right else None


def _one_of(*names: str) -> _Kind:
    def read(text: str) -> str | None:
        return text if text in names else None

    return _Kind(read, " or ".join(names), names[0])


_COUNT = _Kind(_whole_number, "a whole number", "8")
_PREFIX = _Kind(_numbers, "numbers separated by commas", "4155,62")
_KEYS = _Kind(_signs, "the keys * and #, with a comma between them", "*,#")
_PATTERN = _Kind(lambda text: text or None, "a regular expression over digits", "4[0-46]{7}")
_CHECK = _Kind(lambda text: text or None, "the name of a check digit", "luhn")
_VALUES = _Kind(_numbers, "numbers separated by commas", "101,205")
_LIST = _Kind(lambda text: text if is_key(text) else None, "the name of a list", "accounts")
_MONEY = _Kind(_cents, "dollars, with two digits of cents or none", "499.99")
_YEAR = _Kind(_whole_number, "a whole number", "1925")
_ORDER = _one_of(*ORDERS)
_COUNTRY = _one_of(*COUNTRIES)


def _digits(parameters: Parameters) -> list[Reader[Any]]:
    if len(parameters) > 1 and "values" in parameters:
        raise ValueError("values says all there is to say; leave out the other parameters")
    if "values" in parameters:
        return [DigitReader(Listed.of(parameters["values"]))]
    if "list" in parameters:
        return [_listed_digits(parameters)]
    minimum, maximum = _lengths(parameters)
    if not {"prefix", "pattern", "check"} & parameters.keys():
        return [DigitReader(Length(minimum, maximum))]
    lengths = None if maximum is None else range(minimum, maximum + 1)
    tables = _tables(parameters, minimum, maximum, lengths)
    if not tables:
        raise _contradiction(parameters)
    return [DigitReader(table) for table in tables]


def _listed_digits(parameters: Parameters) -> Reader[Any]:
    """The values of a list, those that the other parameters leave."""
    listed: Listed | None = lookup(parameters["list"]).listed
    if len(parameters) > 1 and listed is not None:
        minimum, maximum = _lengths(parameters)
        # A look at every value, so only where a check wants to know.
        lengths = listed.lengths() if parameters.get("check") in CHECKS_BY_LENGTH else None
        listed = listed.narrowed(_tables(parameters, minimum, maximum, lengths))
    if listed is None:
        raise _contradiction(parameters)
    return DigitReader(listed)


def _contradiction(parameters: Parameters) -> ValueError:
    return ValueError(f"no digits fulfil {' and '.join(parameters)} together; leave one out")


def _tables(
    parameters: Parameters, minimum: int, maximum: int | None, lengths: Sequence[int] | None
) -> list[Table]:
    """What lengths, prefix, pattern and check demand together, as alternatives; none for nothing.

    Args:
        parameters: of the grammar.
        minimum: the shortest answer.
        maximum: the longest, ``None`` for no limit.
        lengths: those that can occur, where that is known.
    """
    rules: list[Rule[Any]] = []
    if "prefix" in parameters:
        rules.append(Pattern(f"({'|'.join(parameters['prefix'])})[0-9]*"))
    if "pattern" in parameters:
        rules.append(Pattern(parameters["pattern"]))
    check = parameters.get("check")
    if check in CHECKS_BY_LENGTH:
        if lengths is None:
            raise ValueError(f"check={check} needs length or maxlength, for it counts from the end")
        by_length = CHECKS_BY_LENGTH[check]
        wanted = [n for n in lengths if n >= minimum and (maximum is None or n <= maximum)]
        tables = [compile_rules(Length(n, n), by_length(n), *rules) for n in wanted]
    else:
        if check in CHECKS:
            rules.append(CHECKS[check]())
        elif check is not None:
            raise ValueError(_unknown("check", check, [*CHECKS, *CHECKS_BY_LENGTH]))
        tables = [compile_rules(Length(minimum, maximum), *rules)]
    return [table for table in tables if table is not None]


def _lengths(parameters: Parameters) -> tuple[int, int | None]:
    """The shortest and the longest answer in digits."""
    if "length" in parameters:
        if {"minlength", "maxlength"} & set(parameters):
            raise ValueError("give either length, or minlength and maxlength")
        minimum = maximum = parameters["length"]
    else:
        minimum, maximum = parameters.get("minlength", 1), parameters.get("maxlength")
    if minimum < 1 or maximum == 0:
        raise ValueError("an answer has at least 1 digit")
    if max(minimum, maximum or 0) > MAX_DIGITS:
        raise ValueError(f"an answer has at most {MAX_DIGITS} digits")
    if maximum is not None and minimum > maximum:
        raise ValueError(f"minlength {minimum} is more than maxlength {maximum}")
    return minimum, maximum


def _number(parameters: Parameters) -> list[Reader[Any]]:
    minimum, maximum = parameters.get("min", 0), parameters.get("max")
    if maximum is not None and minimum > maximum:
        raise ValueError(f"min {minimum} is more than max {maximum}")
    return [DigitReader(Number(minimum, maximum))]


def _expiry(_: Parameters) -> list[Reader[Any]]:
    return [expiry_reader()]


def _date(parameters: Parameters) -> list[Reader[Any]]:
    first, last = parameters.get("minyear", 1900), parameters.get("maxyear", 2099)
    if not 1000 <= first <= last <= 9999:
        raise ValueError(
            f"minyear {first} to maxyear {last} must be years of four digits, in order"
        )
    if last - first >= MAX_YEARS:
        raise ValueError(f"minyear {first} to maxyear {last} must be {MAX_YEARS} years at most")
    return [date_reader(parameters.get("order", "mdy"), range(first, last + 1))]


def _phone(_: Parameters) -> list[Reader[Any]]:
    return [phone_reader()]


def _amount(parameters: Parameters) -> list[Reader[Any]]:
    minimum, maximum = parameters.get("min", 0), parameters.get("max")
    if maximum is not None and minimum > maximum:
        raise ValueError(f"min {minimum / 100:.2f} is more than max {maximum / 100:.2f}")
    return [*amount_readers(minimum, maximum)]


def _boolean(_: Parameters) -> list[Reader[Any]]:
    return [BooleanReader()]


def _keys(parameters: Parameters) -> list[Reader[Any]]:
    return [KeyReader(parameters.get("values", ["*", "#"]))]


def _natural(_: Parameters) -> list[Reader[Any]]:
    return [DigitReader(Length(), speech=NATURAL), BooleanReader(natural=True)]


_BUILTINS: dict[str, tuple[dict[str, _Kind], Callable[[Parameters], list[Reader[Any]]]]] = {
    "digits": (
        {
            "length": _COUNT,
            "minlength": _COUNT,
            "maxlength": _COUNT,
            "prefix": _PREFIX,
            "pattern": _PATTERN,
            "check": _CHECK,
            "values": _VALUES,
            "list": _LIST,
        },
        _digits,
    ),
    "number": ({"min": _COUNT, "max": _COUNT}, _number),
    "amount": ({"min": _MONEY, "max": _MONEY}, _amount),
    "date": ({"order": _ORDER, "minyear": _YEAR, "maxyear": _YEAR}, _date),
    "expiry": ({}, _expiry),
    "phone": ({"country": _COUNTRY}, _phone),
    "boolean": ({}, _boolean),
    "keys": ({"values": _KEYS}, _keys),
    "natural": ({}, _natural),
}
# What the recogniser is to expect beside the answers to a question; no question on its own.
_BESIDE: dict[str, Callable[[], Reader[Any]]] = {
    "command": CommandReader,
    "correction": lambda: CorrectionReader(refusal=False),
    "refusal": lambda: CorrectionReader(refusal=True),
}
