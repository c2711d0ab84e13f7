"""Tables in a page of documentation that are made from the code.

A table stands between ``<!-- KIND: NAME -->`` and ``<!-- end -->``; what is around them is written
by people and left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def fill(text: str, kind: str, table: Callable[[str], str]) -> str:
    """A page with its tables of a kind made anew.

    Args:
        text: the page.
        kind: what the marks begin with, such as ``options``.
        table: makes the table of a name; what it raises for one that is unknown comes through.
    """
    return _block(kind).sub(lambda found: found[1] + table(found["name"]) + found[3], text)


def names(text: str, kind: str) -> list[str]:
    """Of what the tables of a kind are that a page has."""
    return [found["name"] for found in _block(kind).finditer(text)]


def _block(kind: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {kind}: (?P<name>[a-z_ -]+) -->\n).*?(<!-- end -->)", re.DOTALL)
