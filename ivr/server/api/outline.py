"""The API's description for people: one outline, written as a page or as a chapter."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading.

    Attributes:
        level: 1 to 3.
        text: plain.
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text with code between backquotes; lines that begin with a dash are a list."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        head: of its columns.
        rows: with code between backquotes.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """Something to type."""

    text: str


Item = Heading | Paragraph | Table | Example


def outline(document: JsonObject) -> Iterator[Item]:
    """What the OpenAPI document says, in reading order."""
    info, schemas = document["info"], document["components"]["schemas"]
    yield Heading(1, "REST API")
    for text in info["description"].strip().split("\n\n"):
        yield Paragraph(text)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(method.upper(), path, operation, schemas)
    yield Heading(2, "Models")
    for name, schema in schemas.items():
        if schema.get("type") == "object":
            yield Heading(3, name)
            yield Paragraph(schema.get("description", ""))
            yield _fields(schema)


def _operation(
    method: str, path: str, operation: JsonObject, schemas: JsonObject
) -> Iterator[Item]:
    yield Heading(2, f"{method} {path}")
    yield Paragraph(f"{operation['summary']}.")
    for text in operation["description"].split("\n\n"):
        yield Paragraph(text)
    yield Example(_curl(method, path, operation, schemas))
    parameters = operation.get("parameters", [])
    if parameters:
        rows = tuple(
            (f"`{one['name']}`", one["in"], _kind(one["schema"]), one["description"])
            for one in parameters
        )
        yield Table(("parameter", "in", "kind", "meaning"), rows)
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        raw = content["schema"].get("format") == "binary"
        said = "a recording" if raw else _kind(content["schema"])
        yield Paragraph(f"Takes `{kind}`: {said}.")
    yield Table(
        ("status", "answer", "when"),
        tuple(
            (status, _answer(answer), answer["description"])
            for status, answer in operation["responses"].items()
        ),
    )


def _curl(method: str, path: str, operation: JsonObject, schemas: JsonObject) -> str:
    kinds = operation.get("requestBody", {}).get("content", {})
    lines = [f"curl{'' if method == 'GET' else f' -X {method}'} https://ivr.example.com{path}"]
    lines.append("-H 'Authorization: Bearer KEY'")
    if "multipart/form-data" in kinds:
        lines += ["-F file=@answer.wav", "-F 'grammar=builtin:digits?length=8'"]
    elif "application/json" in kinds:
        model = schemas[_kind(kinds["application/json"]["schema"])]
        example = json.dumps(model["examples"][0])
        lines += ["-H 'Content-Type: application/json'", f"-d '{example}'"]
    return " \\\n  ".join(lines)


def _answer(answer: JsonObject) -> str:
    ((_, content),) = answer["content"].items()
    return _kind(content["schema"])


def _fields(schema: JsonObject) -> Table:
    required = schema.get("required", [])
    return Table(
        ("field", "kind", "meaning"),
        tuple(
            (
                f"`{name}`" + ("" if name in required else ", optional"),
                _kind(field),
                field.get("description", ""),
            )
            for name, field in schema.get("properties", {}).items()
        ),
    )


def _kind(schema: JsonObject) -> str:
    """What a value is, in some words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " or ".join(_kind(one) for one in schema[name])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[key]}"
        for key, word in (
            *(("minimum", "from"), ("maximum", "to"), ("maxLength", "up to"), ("format", "")),
            ("default", "default"),
        )
        if schema.get(key) is not None
    ]
    return ", ".join([kind, *(limit.strip() for limit in limits)])


def to_markdown(items: Iterable[Item]) -> str:
    """The outline as a chapter of the documents."""
    return "\n\n".join(filter(None, map(_markdown, items))) + "\n"


def _markdown(item: Item) -> str:
    match item:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return text
        case Example(text):
            return "\n".join(f"    {line}" for line in text.splitlines())
        case Table(head, rows):
            lines = [head, tuple("---" for _ in head), *rows]
            return "\n".join(
                "| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines
            )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def to_html(items: Iterable[Item], stylesheet: str) -> str:
    """The outline as a page that needs no script."""
    items = list(items)
    links = "".join(
        f'<li><a href="#{_anchor(item.text)}">{html.escape(item.text)}</a></li>'
        for item in items
        if isinstance(item, Heading) and item.level == 2
    )
    body = "\n".join(map(_html, items))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>ivr: REST API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{stylesheet}"></head>\n<body>'
        f'<nav aria-label="Contents"><ul>{links}</ul>'
        '<p><a href="/v1/openapi.json">OpenAPI document</a></p></nav>\n'
        f"<main>\n{body}\n</main></body></html>\n"
    )


def _html(item: Item) -> str:
    match item:
        case Heading(level, text):
            escaped = html.escape(text)
            return f'<h{level} id="{_anchor(text)}">{escaped}</h{level}>'
        case Paragraph(text):
            if text.startswith("- "):
                points = "".join(f"<li>{_inline(line[2:])}</li>" for line in text.splitlines())
                return f"<ul>{points}</ul>"
            return f"<p>{_inline(text)}</p>"
        case Example(text):
            return f"<pre><code>{html.escape(text)}</code></pre>"
        case Table(head, rows):
            top = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
            lines = "".join(
                "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>"
                for row in rows
            )
            return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _inline(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
