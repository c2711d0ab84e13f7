"""Mistakes in a flow file, in words that help: pydantic's findings become one line with a cure.

Theory of operation: pydantic reports every finding with a location and a type. The location, less
the tags of the step kinds, is a key path, which `ivr.flow.source` knows the line of; the type
chooses the sentence; the key's own description is the cure. Of several findings in one place the
first is told.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from ivr.errors import FlowError
from ivr.flow.lookup import SOURCES, source_kinds
from ivr.flow.model import KINDS, BranchStep, Case, Flow, kinds
from ivr.flow.parts import KIND, Listening, Model, Text
from ivr.flow.source import Path, Source


def in_our_words(source: Source, error: ValidationError) -> FlowError:
    """The mistakes, the one first that stands first in the file."""
    found = [(details, *_locate(details["loc"])) for details in error.errors(include_url=False)]
    strange = {path[:-1] for details, path, _ in found if details["type"] == "extra_forbidden"}
    # A key that is missing beside one that is unknown is most often the same key, misspelt.
    shown: dict[Path, FlowError] = {}
    for details, path, model in found:
        if not (details["type"] == "missing" and path[:-1] in strange):
            shown.setdefault(path, source.error(path, _message(dict(details), path, model)))
    return FlowError.of(sorted(shown.values(), key=lambda mistake: mistake.line))


def _locate(location: tuple[str | int, ...]) -> tuple[Path, type[Model]]:
    """The key path in the file, and the model that the innermost mapping on it is read by."""
    model: type[Model] = Flow
    path: list[str | int] = []
    for part in location:
        if isinstance(part, str) and part.endswith(KIND):
            model = {**KINDS, **SOURCES}[part.removesuffix(KIND)]
        elif part == "[key]":  # pydantic's mark for a mistake in the key itself
            continue
        else:
            path.append(part)
            if model is BranchStep and isinstance(part, int):
                model = Case
            if path == ["defaults"]:
                model = Listening
    if path and path[-1] == "text" and model is not Flow:
        path.pop()  # a plain text was read as {text: ...}
    return tuple(path), model


_EXPECTED: Final = {
    "bool_type": "must be true or false",
    "string_type": 'must be text; put it in "quotes"',
    "list_type": 'must be a list: one line each, beginning with "- "',
    "dict_type": 'must hold keys and values, one "key: value" a line',
    "model_type": 'must hold keys and values, one "key: value" a line',
    "model_attributes_type": 'must hold keys and values, one "key: value" a line',
}

_ITEMS: Final = {  # what may not be empty holds these
    "steps": "step",
    "menu": "choice",
    "set": "variable",
    "branch": "case",
    "in": "text",
    "ends": "outcome",
}


def _message(details: Mapping[str, Any], path: Path, model: type[Model]) -> str:
    """What is wrong and what to do about it, for one of pydantic's findings."""
    kind = details["type"]
    key = str(path[-1]) if path else ""
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind == "extra_forbidden":
        holder = Text if _in_text(path, model) else model
        return unknown("key", key, holder.file_keys())
    if kind == "missing":
        return f'is missing; add "{key}: ...", {_meaning(key, model)}'
    if kind == "union_tag_not_found":
        return _two_kinds(details["input"], in_lookup=key == "lookup")
    return _wrong_value(details, key, model)


def _two_kinds(data: object, *, in_lookup: bool) -> str:
    if not in_lookup:
        return f"both {' and '.join(kinds(data))}; make two steps of it"
    if found := source_kinds(data):
        return f"both {' and '.join(found)}; ask one of them"
    return f"names no source; write one of {', '.join(SOURCES)} in it"


def _wrong_value(details: Mapping[str, Any], key: str, model: type[Model]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "too_short":
        return f"is empty; write at least one {_ITEMS.get(key, 'item')}"
    if kind == "string_type" and isinstance(details["input"], dict | list):
        return "must be a text, not keys or a list; write it on one line"
    wrong = {
        "string_pattern_mismatch": f'cannot be "{details["input"]}"',
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "greater_than": f"must be more than {context.get('gt', 0):g}",
        "greater_than_equal": f"must be at least {context.get('ge', 0):g}",
        "less_than_equal": f"must be at most {context.get('le', 0):g}",
    }
    if kind in wrong:
        return f"{wrong[kind]}; it is {_meaning(key, model)}"
    return _EXPECTED.get(kind, str(details["msg"]))


def _in_text(path: Path, model: type[Model]) -> bool:
    """Whether a key path ends inside a ``{text: ..., recording: ...}``."""
    holders = {"say", "prompt", "no_input", "no_match", "rejected", "help", "restarted", "unclear"}
    return model is not Flow and any(part in holders for part in path[2:-1])


def _meaning(key: str, model: type[Model]) -> str:
    """What a key is, from its description's first sentence: the cure for a wrong value."""
    field = {**Text.file_keys(), **model.file_keys()}.get(key)
    description = field.description if field else None
    if description is None:
        return "a name: small letters, digits and underscores, beginning with a letter"
    first = description.split(". ")[0].rstrip(".")
    return first[0].lower() + first[1:]


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """``unknown key "promt"; did you mean "prompt"?``, or the list of what there is."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    cure = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(sorted(known))}"
    return f'unknown {what} "{name}"; {cure}'
