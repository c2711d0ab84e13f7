"""Files of directories: what they may hold, and the one message for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ConfigError
from ivr.grammar.digits import accepts
from ivr.grammar.list_file import given_lists, parse_list, read_list

CSV = """\
# exported on Monday
account, opened, "branch, if any"

41552271, 2019-03-01, 12
"41559271",2020-01-01,
"""


def test_a_value_a_line_with_comments_and_blank_lines() -> None:
    """A byte order mark, Windows' line ends and spaces are no mistakes either."""
    listed = parse_list(
        b"\xef\xbb\xbf# branch 12\r\n41552271\r\n\r\n  41559271 # old\r\n41552271", "f"
    )
    assert len(listed) == 2
    assert accepts(listed, "41559271")


def test_a_column_of_a_csv_file() -> None:
    """By its heading, quotes and comments allowed."""
    assert accepts(parse_list(CSV.encode(), "f", "account"), "41559271")


@pytest.mark.parametrize(
    ("data", "column", "message"),
    [
        (b"41552271\n4155-9271\n", "", "f:2: not a number; write digits alone"),
        ("٤١".encode(), "", "f:1: not a number"),
        (b"1\n" + b"7" * 101, "", "f:2: not a number; write digits alone, at most 100"),
        (b"# nothing\n\n", "", "f: lists nothing; write a number a line"),
        (b"1\n2\n\xff\n", "", "f:3: not UTF-8 text; save the file as UTF-8"),
        (CSV.encode(), "iban", "f:2: no column 'iban'; the first line must name the columns"),
        (b"a,a\n1,2\n", "a", "f:1: no column 'a'"),
        (b"a,b\n1,2\n3\n", "b", "f:3: nothing in column 'b'; fill it or remove the line"),
        (b"a,b\n1,x2\n", "b", "f:2: not a number"),
        (b"a,b\n", "b", "f: lists nothing"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(data: bytes, column: str, message: str) -> None:
    """Nor does it say which number it was: account numbers are personal."""
    with pytest.raises(ConfigError) as caught:
        parse_list(data, "f", column)
    assert str(caught.value).startswith(message)
    assert "9271" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The path is told as it was looked for."""
    with pytest.raises(ConfigError, match=r"nowhere.txt: cannot be read \(No such file"):
        read_list("nowhere.txt", tmp_path)


def test_lists_of_the_command_line(tmp_path: Path) -> None:
    """NAME=FILE, or NAME=FILE#COLUMN; relative to the working directory."""
    plain, table = tmp_path / "a.txt", tmp_path / "b.csv"
    plain.write_text("41\n")
    table.write_text(CSV)
    found = given_lists([f"codes={plain}", f"accounts={table}#account"])
    assert [len(directory.listed) for directory in found.values()] == [1, 2]
    assert found["accounts"].key.startswith("accounts@")


@pytest.mark.parametrize("option", ["accounts", "accounts=", "=a.txt", "Big=a.txt"])
def test_an_option_that_is_none(option: str) -> None:
    """The message has the form."""
    with pytest.raises(ConfigError, match="--list must be NAME=FILE"):
        given_lists([option])


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """The second would silently win."""
    (tmp_path / "a.txt").write_text("41\n")
    with pytest.raises(ConfigError, match="each name once"):
        given_lists([f"a={tmp_path / 'a.txt'}"] * 2)
