"""Files of directories: a value a line, or a column of a CSV file.

    # branch 12
    4155227101
    4155227119   # the old number

    account,opened          FILE.csv#account
    4155227101,2019-03-01

Comments begin with ``#``; blank lines and surrounding spaces mean nothing. Whatever else a line
holds is a mistake, told with file and line but without the value: account numbers are personal.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ivr.errors import ConfigError
from ivr.grammar.lists import Directory, Listed, is_key, publish

# No answer is longer (`ivr.grammar.builtin.MAX_DIGITS`).
_LONGEST: Final = 100


def list_path(place: str, folder: Path) -> Path:
    """The file that a list is read from; arguments as for `read_list`."""
    return folder / (place.rpartition("#")[0] if "#" in place else place)


def read_list(place: str, folder: Path) -> Listed:
    """Read a list.

    Args:
        place: a file, or ``FILE#COLUMN`` for a column of a CSV file with a line of headings.
        folder: what the file's path is relative to.

    Raises:
        ConfigError: it cannot be read, or a line is wrong; one line with file, line and cure.
    """
    column = place.rpartition("#")[2] if "#" in place else ""
    path = list_path(place, folder)
    try:
        return parse_list(path.read_bytes(), str(path), column)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"{path}: cannot be read ({reason}); give the path of a list: a file with a number a "
            "line"
        ) from error


def parse_list(data: bytes, file: str, column: str = "") -> Listed:
    """The list that a file holds.

    Args:
        data: UTF-8 text.
        file: what to call it in messages.
        column: of a CSV file with a line of headings; "" where each line is a value.

    Raises:
        ConfigError: as `read_list`.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: not UTF-8 text; save the file as UTF-8") from error
    cells = _column(lines, file, column) if column else _plain(lines)
    values = []
    for line, value in cells:
        if not (value.isascii() and value.isdecimal() and len(value) <= _LONGEST):
            raise ConfigError(
                f"{file}:{line}: not a number; write digits alone, at most {_LONGEST}, and # before"
                " a comment"
            )
        values.append(value)
    if not values:
        raise ConfigError(f"{file}: lists nothing; write a number a line")
    return Listed.of(values)


def given_lists(options: Sequence[str]) -> dict[str, Directory]:
    """The lists that a command line names, published, by name.

    Args:
        options: each ``NAME=FILE`` or ``NAME=FILE#COLUMN``.

    Raises:
        ConfigError: an option is wrong, or its file is.
    """
    found: dict[str, Directory] = {}
    for option in options:
        name, equals, place = option.partition("=")
        if not equals or not place or not is_key(name) or name in found:
            raise ConfigError(
                "--list must be NAME=FILE, each name once, in small letters, digits and "
                "underscores, as in accounts=accounts.txt"
            )
        found[name] = publish(name, read_list(place, Path()))
    return found


def _plain(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The number of each line and its value."""
    for number, line in enumerate(lines, start=1):
        value = line.partition("#")[0].strip()
        if value:
            yield number, value


def _column(lines: Iterable[str], file: str, column: str) -> Iterator[tuple[int, str]]:
    reader = csv.reader(lines, skipinitialspace=True)
    place: int | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if place is None:
                if cells.count(column) != 1:
                    # Not the headings found: without any, they would be the first account's.
                    raise ConfigError(
                        f"{file}:{reader.line_num}: no column {column!r}; the first line must name "
                        "the columns, this one once"
                    )
                place = cells.index(column)
            elif value := cells[place] if place < len(cells) else "":
                yield reader.line_num, value
            else:
                raise ConfigError(
                    f"{file}:{reader.line_num}: nothing in column {column!r}; fill it or remove "
                    "the line"
                )
    except csv.Error as error:
        raise ConfigError(f"{file}:{reader.line_num}: not CSV; mend the line's quotes") from error
