"""Flows to begin with: whole flows that run as they stand, to be renamed and changed.

Most of them are the examples of ``config/flows``. What one needs beside it, a flow that it calls or
a list of numbers, comes with it.
"""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from ivr.errors import ConfigError
from ivr.flow.mistakes import unknown
from ivr.flow.text import NAME

# What a template needs beside it.
_BESIDE: Final = {"phone-banking": ("parts/identify.yaml",), "account-record": ("accounts.txt",)}


def template_names() -> tuple[str, ...]:
    """The names of the templates, as they are typed: ``account-id``."""
    found = (file.name for file in _folder().iterdir() if file.name.endswith(".yaml"))
    return tuple(sorted(name.removesuffix(".yaml").replace("_", "-") for name in found))


def from_template(template: str, name: str) -> str:
    """The text of a new flow.

    Args:
        template: one of `template_names`.
        name: of the flow.

    Raises:
        ConfigError: there is no such template, or the name is none that a flow can have.
    """
    if template not in template_names():
        raise ConfigError(unknown("template", template, template_names()))
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f'a flow cannot be named "{name}"; use small letters, digits and underscores, '
            "beginning with a letter"
        )
    text = (_folder() / f"{template.replace('-', '_')}.yaml").read_text(encoding="utf-8")
    return re.sub(r"(?m)^flow: .*$", f"flow: {name}", text)


def files_beside(template: str) -> dict[str, str]:
    """The files that a template's flow reads, by their place beside it, with their texts."""
    places = _BESIDE.get(template, ())
    return {place: _folder().joinpath(place).read_text(encoding="utf-8") for place in places}


def _folder() -> Traversable:
    return files("ivr.flow") / "templates"
