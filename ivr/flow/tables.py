"""CSV files that flows look into: a line of headings, then a row a line.

Blank lines and lines that begin with ``#`` mean nothing, nor do spaces around a cell.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """The rows by their headings, one after the other.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no UTF-8, has no headings, or a heading stands twice.
        csv.Error: it is no CSV.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = (
            cells
            for row in csv.reader(file, skipinitialspace=True)
            if any(cells := [cell.strip() for cell in row]) and not cells[0].startswith("#")
        )
        headings = _headings(next(rows, []))
        for cells in rows:
            yield dict(zip(headings, chain(cells, [""] * len(headings)), strict=False))


def headings_of(path: Path) -> list[str]:
    """The names of the columns.

    Raises:
        OSError: it cannot be read.
        ValueError: as `read_table`.
        csv.Error: it is no CSV.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file, skipinitialspace=True):
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                return _headings(cells)
    return _headings([])


def _headings(cells: list[str]) -> list[str]:
    if not cells or len(set(cells)) < len(cells):
        raise ValueError("the first line must name the columns, each once")
    return cells
