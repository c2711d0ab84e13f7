"""The tables of keys in the reference of the configuration, made from the settings themselves.

    python -m ivr.config.reference docs/reference/configuration.md

A table stands after ``<!-- keys: server -->`` (`ivr.tables`); that of the keys outside the sections
after ``<!-- keys: top -->``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ivr import tables
from ivr.config.settings import Settings

KIND: Final = "keys"
TOP: Final = "top"
_BOUNDS: Final = {"ge": "from {}", "gt": "over {}", "le": "to {}", "lt": "under {}"}


def sections() -> dict[str, dict[str, FieldInfo]]:
    """The keys of each section by their dotted names, and those of none under `TOP`."""
    found: dict[str, dict[str, FieldInfo]] = {TOP: {}}
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found[name] = {f"{name}.{key}": one for key, one in kind.model_fields.items()}
        else:
            found[TOP][name] = field
    return found


def fill(text: str) -> str:
    """The page with its tables made anew.

    Raises:
        KeyError: a table is of a section that there is not.
    """
    known = sections()
    return tables.fill(text, KIND, lambda name: _table(known[name]))


def _table(keys: dict[str, FieldInfo]) -> str:
    head = "| key | default | allowed | meaning |\n| --- | --- | --- | --- |\n"
    return head + "".join(_row(key, field) for key, field in keys.items())


def _row(key: str, field: FieldInfo) -> str:
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{key}` | `{_default(field)}` | {', '.join(_allowed(field))} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    plain = str(value) if isinstance(value, Path) else value
    if isinstance(plain, SecretStr) or plain is None:
        return "null"
    plain = list(plain) if isinstance(plain, tuple) else plain
    return yaml.safe_dump(plain, default_flow_style=True).removesuffix("\n...\n").strip()


def _allowed(field: FieldInfo) -> Iterator[str]:
    kind: Any = field.annotation
    inner = [one for one in get_args(kind) if one is not NoneType]
    # What may be left out is what it is when it is not.
    if NoneType in get_args(kind) and len(inner) == 1:
        kind = inner[0]
    if kind is bool:
        yield "true or false"
    if kind is SecretStr:
        yield "a secret"
    if get_origin(kind) is Literal:
        yield " or ".join(f"`{one}`" for one in get_args(kind))
    limits = [*field.metadata]
    bounds = [
        text.format(f"{getattr(one, name):,}")
        for name, text in _BOUNDS.items()
        for one in limits
        if getattr(one, name, None) is not None
    ]
    if bounds:
        yield " ".join(bounds)
    for one in limits:
        if getattr(one, "min_length", None) not in (None, 1):
            yield f"{one.min_length} characters or more"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
