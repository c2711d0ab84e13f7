"""What is asked in a lookup and what is answered: values only, and the way from one to the other.

Theory of operation: `request_of` fills a source (`ivr.flow.lookup`) with the variables of a call;
each value goes in as what it is there, encoded in an address, a text in JSON, a parameter beside
SQL. The server asks and gives an `Answer`; `read_results` takes the flow's variables out of it. An
answer of another shape than the flow was told of is no answer: all results are there, or none.

Values may be secret, so no `repr` here shows one, and no error quotes one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ivr.flow.lookup import PARAMETER, CallSource, CsvSource, HttpSource, Source, SqlSource, filled
from ivr.flow.text import Placeholder, fill, parse_template
from ivr.flow.values import BOOLEAN, NUMBER, canonical, is_canonical

_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_BACKOFF_S: Final = 1.0  # what the waits between attempts come to, at most, beside the answers
_INDEX: Final = re.compile(r"[0-9]{1,6}")


class LookupCause(StrEnum):
    """How a lookup ended."""

    FOUND = "found"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a lookup.

    Attributes:
        cause: found, missing or failed.
        data: what was found: dicts with text keys, lists, text, int, float, Decimal, bool, None.
        reason: why it failed, a stable name for counters and records.
    """

    cause: LookupCause
    data: Any = field(default=None, repr=False)
    reason: str = ""

    def __str__(self) -> str:
        """How it ended, for the record."""
        return f"{self.cause}: {self.reason}" if self.reason else str(self.cause)

    @classmethod
    def found(cls, data: Any) -> Answer:
        """An answer; null and an empty list are none."""
        if data is None or data == []:
            return cls(LookupCause.MISSING)
        return cls(LookupCause.FOUND, data)

    @classmethod
    def failed(cls, reason: str) -> Answer:
        """No answer."""
        return cls(LookupCause.FAILED, reason=reason)


MISSING: Final = Answer(LookupCause.MISSING)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to an API; the address is encoded already."""

    url: str = field(repr=False)
    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    timeout_s: float
    attempts: int


@dataclass(frozen=True, slots=True)
class SqlRequest:
    """A select, its parameters, and of what kind each is."""

    sql: str
    database: str
    parameters: Mapping[str, str] = field(repr=False)
    kinds: Mapping[str, str]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CsvRequest:
    """The line of a file in which these columns have these texts."""

    file: str
    where: Mapping[str, str] = field(repr=False)
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A function and its keyword arguments."""

    entry_point: str
    arguments: Mapping[str, str] = field(repr=False)
    timeout_s: float


Request = HttpRequest | SqlRequest | CsvRequest | CallRequest


def request_of(
    source: Source, values: Mapping[str, str], kind: Callable[[str], str]
) -> Request | None:
    """What to ask; None where a value would change where is asked.

    Args:
        source: of the step.
        values: of the variables, now.
        kind: of a variable's value (`ivr.flow.values`).
    """
    match source:
        case HttpSource():
            return _http_request(source, values)
        case SqlSource(sql=sql, database=database):
            parameters = {name: values[name] for name in PARAMETER.findall(sql)}
            kinds = {name: kind(name) for name in parameters}
            return SqlRequest(sql, database, parameters, kinds, source.timeout_s)
        case CsvSource(csv=file):
            where = {column: _filled(text, values) for column, text in source.where.items()}
            return CsvRequest(file, where, source.timeout_s)
        case CallSource(call=entry_point):
            arguments = {name: _filled(text, values) for name, text in source.arguments.items()}
            return CallRequest(entry_point, arguments, source.timeout_s)


def longest_s(source: Source) -> float:
    """The longest that a lookup can take."""
    return source.attempts * (source.timeout_s + _BACKOFF_S)


def _http_request(source: HttpSource, values: Mapping[str, str]) -> HttpRequest | None:
    template = parse_template(source.http)
    spoken = [values[piece.name] for piece in template if isinstance(piece, Placeholder)]
    headers = {name: _filled(text, values) for name, text in source.headers.items()}
    # A path's way up, and a line break that would begin another header, are no values.
    if any(value in (".", "..") for value in spoken):
        return None
    if not all(text.isprintable() for text in headers.values()):
        return None
    url = "".join(
        piece if isinstance(piece, str) else _encoded(fill((piece,), values)) for piece in template
    )
    body = filled(source.body, lambda text: _in_json(text, values))
    return HttpRequest(url, source.method, headers, body, source.timeout_s, source.attempts)


def _encoded(value: str) -> str:
    """A value as a part of an address: it opens no folder and no parameter (RFC 3986, 2.1)."""
    data = value.encode("utf-8", "replace")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return fill(parse_template(text), values)


def _in_json(text: str, values: Mapping[str, str]) -> str | int | float | bool:
    """A text with its values; a number or a truth where that is all it is asked to be."""
    template = parse_template(text)
    if len(template) == 1 and isinstance(place := template[0], Placeholder):
        value = values[place.name]
        if place.as_kind == BOOLEAN and is_canonical(BOOLEAN, value):
            return value == "yes"
        if place.as_kind == NUMBER and is_canonical(NUMBER, value):
            return float(value) if "." in value else int(value)
    return fill(template, values)


def read_results(
    data: Any,
    results: Mapping[str, str],
    declared: Mapping[str, str],
    kind: Callable[[str], str],
) -> dict[str, str] | None:
    """The variables that an answer gives; None where it is not what the flow was told.

    Args:
        data: of an `Answer`.
        results: variables, and the path of each in the data.
        declared: values that the flow's file gives the variables where the answer has none.
        kind: of a variable's value (`ivr.flow.values`).
    """
    found = {}
    for name, path in results.items():
        value = _at(data, path)
        if value is None and name in declared:
            found[name] = declared[name]
            continue
        try:
            found[name] = canonical(kind(name), value)
        except ValueError:
            return None
    return found


def _at(data: Any, path: str) -> Any:
    """What stands at a path; None where nothing does."""
    for part in path.split(".") if path != "." else ():
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and _INDEX.fullmatch(part) and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data
