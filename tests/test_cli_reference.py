"""The reference of the commands: every one of them, with the options that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.cli.reference import KIND, commands, fill
from ivr.tables import names

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"


def test_tables_are_current() -> None:
    """If not: python -m ivr.cli.reference docs/reference/cli.md."""
    text = PAGE.read_text(encoding="utf-8")
    assert fill(text) == text


def test_every_command_has_a_table() -> None:
    """Once, also those that take no option."""
    assert sorted(names(PAGE.read_text(encoding="utf-8"), KIND)) == sorted(commands())


def test_command_that_is_gone_is_told() -> None:
    """A table of nothing does not stay by accident."""
    with pytest.raises(KeyError, match="ivr dance"):
        fill("<!-- options: ivr dance -->\n<!-- end -->\n")
