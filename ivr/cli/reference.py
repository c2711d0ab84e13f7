"""The tables of options in the reference of the commands, made from the commands themselves.

    python -m ivr.cli.reference docs/reference/cli.md

A table stands after ``<!-- options: ivr serve -->`` (`ivr.tables`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import typer

from ivr import tables
from ivr.cli import app

KIND: Final = "options"
_VALUES = {Path: "PATH", int: "NUMBER", float: "NUMBER", str: "TEXT"}
_UNSAID = {"help", "install_completion", "show_completion", "version"}


def commands() -> dict[str, Any]:
    """Every command by its whole name, such as ``ivr records list``."""
    return dict(_walk(typer.main.get_command(app), "ivr"))


def _walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    # By what it has, not by its class: some versions of typer bring a click of their own.
    if hasattr(command, "commands"):
        for inner, below in command.commands.items():
            yield from _walk(below, f"{name} {inner}")
    else:
        yield name, command


def fill(text: str) -> str:
    """The page with its tables made anew.

    Raises:
        KeyError: a table is of a command that there is not.
    """
    known = commands()
    return tables.fill(text, KIND, lambda name: _table(known[name]))


def _table(command: Any) -> str:
    kinds = get_type_hints(command.callback)
    rows = [_row(one, kinds.get(one.name)) for one in command.params if one.name not in _UNSAID]
    if not rows:
        return "No options.\n"
    return "| option | default | meaning |\n| --- | --- | --- |\n" + "".join(rows)


def _row(parameter: Any, kind: Any) -> str:
    names = ", ".join(f"`{name}`" for name in _names(parameter))
    value = "" if _is_argument(parameter) or parameter.is_flag else f" {_value(kind)}"
    meaning = (getattr(parameter, "help", None) or "").replace("\\[", "[").replace("|", "\\|")
    several = getattr(parameter, "multiple", False) and "again" not in meaning
    again = " May be given again." if several and "repeated" not in meaning else ""
    return f"| {names}{value} | {_default(parameter)} | {meaning}{again} |\n"


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _names(parameter: Any) -> list[str]:
    if _is_argument(parameter):
        return [parameter.name.upper()]
    # The long name first; last the way back, as in --pool and --no-pool.
    return [*sorted(parameter.opts, key=lambda name: -len(name)), *parameter.secondary_opts]


def _value(kind: Any) -> str:
    for inner in (kind, *get_args(kind)):
        for plain in (inner, *get_args(inner)):
            if plain in _VALUES:
                return _VALUES[plain]
    return "NAME"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if getattr(parameter, "is_flag", False):
        return "on" if parameter.default is True else "off"
    if parameter.default in (None, "", ()) or callable(parameter.default):
        return ""
    return f"`{parameter.default}`"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
