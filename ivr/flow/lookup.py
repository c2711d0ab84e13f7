"""Whom a ``lookup`` step asks: one model a kind of source, every key described.

Theory of operation: like the kind of a step, that of a source is told by its leading key. The texts
in it take variables by the placeholders of prompts; what each becomes when it is filled in (a part
of an address, a text of JSON, a parameter of SQL) is for `ivr.flow.request`, so that no value of a
caller's can be more than a value there. Host and scheme of an address are fixed when the file is
read: the server compares them with those that it is allowed to ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Tag, WithJsonSchema, field_validator

from ivr.flow.parts import KIND, Model, Name, Template
from ivr.flow.text import names, parse_template, rename

_URL: Final = re.compile(
    r"https?://(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
    r"(?P<rest>([/?].*)?)"
)
_URL_TEXT: Final = re.compile(r"[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]*")
_METHODS: Final = "^(GET|POST|PUT|PATCH|DELETE)$"
_HEADER: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
_OWN_HEADERS: Final = (
    *("host", "connection", "content-length", "transfer-encoding", "accept-encoding"),
    *("upgrade", "te", "trailer", "expect"),
)
_DEEPEST: Final = 20
# As SQLAlchemy finds them: `::` is a cast, a backslash before a colon makes it one.
PARAMETER: Final = re.compile(r"(?<![:\w\\]):([a-z][a-z0-9_]*)(?![:\w])")
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


Seconds = Annotated[
    float, Field(gt=0, le=30, description="The longest wait for one answer, seconds.")
]
DEFAULT_TIMEOUT_S: Final = 3.0  # of silence on the line; a caller takes more for a dead line


class HttpSource(Model):
    """An API that answers with JSON."""

    http: Template = Field(
        description="The address, beginning with https:// or http:// and a host that the server is"
        " allowed to ask; {name} puts in a variable, safely encoded."
    )
    method: str = Field(
        default="GET",
        pattern=_METHODS,
        description="The method: GET, POST, PUT, PATCH or DELETE.",
    )
    headers: dict[Annotated[str, Field(pattern=_HEADER)], Template] = Field(
        default={}, description="Headers to send; secrets belong in the server's configuration."
    )
    body: Annotated[
        dict[str, Any] | list[Any] | None, WithJsonSchema({"type": ["object", "array"]})
    ] = Field(
        default=None,
        alias="json",
        description="What to send as JSON; {name} in its texts puts in a variable.",
    )
    timeout_s: Seconds = DEFAULT_TIMEOUT_S
    retries: int | None = Field(
        default=None,
        ge=0,
        le=5,
        description="How often to ask again where the connection, the time or the server failed; 1"
        " for GET, else 0.",
    )

    @field_validator("http")
    @classmethod
    def _check_url(cls, value: str) -> str:
        found = _URL.fullmatch(value)
        if found is None:
            raise ValueError(
                "must begin with https:// or http://, a host in full and no placeholder in it"
            )
        for piece in parse_template(found["rest"]):
            if isinstance(piece, str) and not _URL_TEXT.fullmatch(piece):
                raise ValueError(
                    "an address has no spaces, no # and no letters beyond a to z; write them as %20"
                )
        return value

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} is the server's to say; leave it out")
        return value

    @field_validator("body")
    @classmethod
    def _check_body(cls, value: object) -> object:
        for text in _texts(value, _DEEPEST):
            parse_template(text)
        return value

    @property
    def attempts(self) -> int:
        """How often it is asked at most."""
        return 1 + (self.retries if self.retries is not None else int(self.method == "GET"))

    def variables(self) -> Iterator[str]:
        """The variables that it is asked with."""
        yield from _spoken((self.http, *self.headers.values(), *_texts(self.body, _DEEPEST)))

    def renamed(self, new: Mapping[str, str]) -> HttpSource:
        """The same, asked with other variables."""
        return self.model_copy(
            update={
                "http": rename(self.http, new),
                "headers": {name: rename(text, new) for name, text in self.headers.items()},
                "body": filled(self.body, lambda text: rename(text, new)),
            }
        )


def _texts(body: object, depth: int) -> Iterator[str]:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(body, str):
        yield body
    for part in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _texts(part, depth - 1)


def filled(body: Any, fill: Callable[[str], object]) -> Any:
    """A body with something in place of each text; keys stay as they are."""
    if isinstance(body, dict):
        return {key: filled(part, fill) for key, part in body.items()}
    if isinstance(body, list):
        return [filled(part, fill) for part in body]
    return fill(body) if isinstance(body, str) else body


class SqlSource(Model):
    """A row of a database; columns are the keys of the answer."""

    sql: str = Field(
        min_length=1,
        description="A select; :name is a variable, sent beside the text and never in it.",
    )
    database: Name = Field(description="The database, as the server's configuration names it.")
    timeout_s: Seconds = DEFAULT_TIMEOUT_S

    @field_validator("sql")
    @classmethod
    def _check_sql(cls, value: str) -> str:
        plain = _LITERAL.sub("", value).strip()
        if plain.split(maxsplit=1)[:1] == [] or plain.split()[0].lower() not in ("select", "with"):
            raise ValueError("a lookup only reads; begin with select, or with")
        if ";" in plain.rstrip(";"):
            raise ValueError("one statement, please; remove what follows the ;")
        if "{" in plain:
            raise ValueError("no placeholders in SQL; write :name for a variable")
        for literal in _LITERAL.finditer(value):
            if found := PARAMETER.search(literal[0]):
                raise ValueError(
                    f"{found[0]} stands in quotes or a comment; take it out, or write \\{found[0]}"
                )
        return value

    @property
    def attempts(self) -> int:
        """How often it is asked."""
        return 1

    def variables(self) -> Iterator[str]:
        """The variables that it is asked with."""
        yield from PARAMETER.findall(self.sql)

    def renamed(self, new: Mapping[str, str]) -> SqlSource:
        """The same, asked with other variables."""
        sql = PARAMETER.sub(lambda found: ":" + new.get(found[1], found[1]), self.sql)
        return self.model_copy(update={"sql": sql})


class CsvSource(Model):
    """A line of a CSV file whose first line names the columns; they are the keys of the answer."""

    csv: str = Field(min_length=1, description="The file, relative to the flow's.")
    where: dict[str, Template] = Field(
        min_length=1, description="Columns, and the text that each has in the line looked for."
    )
    timeout_s: Seconds = DEFAULT_TIMEOUT_S

    @property
    def attempts(self) -> int:
        """How often it is asked."""
        return 1

    def variables(self) -> Iterator[str]:
        """The variables that it is asked with."""
        yield from _spoken(self.where.values())

    def renamed(self, new: Mapping[str, str]) -> CsvSource:
        """The same, asked with other variables."""
        where = {column: rename(text, new) for column, text in self.where.items()}
        return self.model_copy(update={"where": where})


class CallSource(Model):
    """A function in Python that an installed package offers."""

    call: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="The name of its entry point, in the group ivr.lookups.",
    )
    arguments: dict[Name, Template] = Field(
        default={}, alias="with", description="Texts for its keyword arguments."
    )
    timeout_s: Seconds = DEFAULT_TIMEOUT_S

    @property
    def attempts(self) -> int:
        """How often it is asked."""
        return 1

    def variables(self) -> Iterator[str]:
        """The variables that it is asked with."""
        yield from _spoken(self.arguments.values())

    def renamed(self, new: Mapping[str, str]) -> CallSource:
        """The same, asked with other variables."""
        arguments = {name: rename(text, new) for name, text in self.arguments.items()}
        return self.model_copy(update={"arguments": arguments})


def _spoken(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from names(parse_template(text))


SOURCES: Final[dict[str, type[Model]]] = {
    "http": HttpSource,
    "sql": SqlSource,
    "csv": CsvSource,
    "call": CallSource,
}


def source_kinds(data: object) -> tuple[str, ...]:
    """The kinds that a source in the file could be, by its keys; one of them in a sound file."""
    return tuple(kind for kind in SOURCES if isinstance(data, dict) and kind in data)


def _tag(data: object) -> str | None:
    for kind, model in SOURCES.items():
        if isinstance(data, model):
            return kind + KIND
    found = source_kinds(data)
    return found[0] + KIND if len(found) == 1 else None


Source = Annotated[
    Annotated[HttpSource, Tag("http" + KIND)]
    | Annotated[SqlSource, Tag("sql" + KIND)]
    | Annotated[CsvSource, Tag("csv" + KIND)]
    | Annotated[CallSource, Tag("call" + KIND)],
    Discriminator(_tag),
]
