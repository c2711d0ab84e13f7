"""The reference of the configuration: every key, with what the code says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.config.reference import KIND, fill, sections
from ivr.tables import names

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"


def test_tables_are_current() -> None:
    """If not: python -m ivr.config.reference docs/reference/configuration.md."""
    text = PAGE.read_text(encoding="utf-8")
    assert fill(text) == text


def test_every_section_has_a_table() -> None:
    """Once, also the keys that are in none."""
    assert sorted(names(PAGE.read_text(encoding="utf-8"), KIND)) == sorted(sections())


def test_a_row_tells_limits_and_default() -> None:
    """Of a number, a choice, a secret and a switch."""
    page = fill("<!-- keys: server -->\n<!-- end --><!-- keys: twilio -->\n<!-- end -->")
    assert "| `server.max_calls` | `50` | from 1 to 10,000 | Calls at the same time" in page
    assert "| `server.inband_dtmf` | `false` | true or false |" in page
    assert "| `twilio.auth_token` | `null` | a secret |" in page
    assert "| `log.format` | `console` | `console` or `json` |" in fill(
        "<!-- keys: log -->\n<!-- end -->"
    )


def test_section_that_is_gone_is_told() -> None:
    """A table of nothing does not stay by accident."""
    with pytest.raises(KeyError, match="teapot"):
        fill("<!-- keys: teapot -->\n<!-- end -->\n")
