"""YAML with places: what is read, as what, and from which line."""

import pytest

from ivr.errors import FlowError
from ivr.flow.source import dotted, parse_yaml

TEXT = """\
# a comment
start: ask   # another

steps:
  ask:
    texts:
      - One
      - >
        Two,
        three
    inline: {a: 1, b: [x, y]}
"""


def test_data_is_plain() -> None:
    """Mappings, lists and scalars come out as dicts, lists and values."""
    assert parse_yaml(TEXT, "f").data == {
        "start": "ask",
        "steps": {"ask": {"texts": ["One", "Two, three\n"], "inline": {"a": 1, "b": ["x", "y"]}}},
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("start",), 2),
        (("steps",), 4),
        (("steps", "ask"), 5),
        (("steps", "ask", "texts", 0), 7),
        (("steps", "ask", "texts", 1), 8),
        (("steps", "ask", "inline", "b", 1), 11),
        (("steps", "ask", "prompt"), 5),
        (("steps", "ask", "texts", 7), 6),
        (("nothing", "like", "this"), 1),
    ],
)
def test_every_place_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    """A key path is found in its line, and one that does not exist in its nearest ancestor's."""
    assert parse_yaml(TEXT, "f").line(path) == line


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("12", 12),
        ("-3", -3),
        ("0012", 12),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("2024-01-31", "2024-01-31"),
        ("null", None),
        ("~", None),
        ("", None),
        ('"12"', "12"),
        ("'true'", "true"),
        ('""', ""),
    ],
)
def test_scalars_are_read_as_people_mean_them(written: str, read: object) -> None:
    """YAML 1.2's few types, not the surprises of 1.1; what is quoted is text."""
    data = parse_yaml(f"key: {written}\n", "f").data
    assert data == {"key": read}
    assert isinstance(data, dict)
    assert type(data["key"]) is type(read)


def test_keys_are_always_text() -> None:
    """``yes:``, ``no:`` and ``1:`` are the words that stand there."""
    assert parse_yaml("yes: a\nno: b\n1: c\n", "f").data == {"yes": "a", "no": "b", "1": "c"}


def test_a_long_number_is_not_computed() -> None:
    """A megabyte of digits would keep int() busy for seconds; no setting needs more than 15."""
    assert parse_yaml("key: " + "9" * 5000, "f").data == {"key": float("inf")}


def test_empty_places_are_listed_in_order() -> None:
    """Every place where nothing stands is found, however deep."""
    source = parse_yaml("a:\nb: {c: , d: 1}\ne: [x, ~]\n", "f")
    assert list(source.empty(source.data)) == [("a",), ("b", "c"), ("e", 1)]


def test_an_error_names_file_line_and_path() -> None:
    """The message has the form that editors make clickable."""
    error = parse_yaml(TEXT, "flows/f.yaml").error(("steps", "ask", "texts", 1), "too short")
    assert str(error) == "flows/f.yaml:8: steps.ask.texts[2]: too short"
    assert str(parse_yaml(TEXT, "f").error((), "odd")) == "f:1: odd"


def test_paths_are_written_as_people_do() -> None:
    """Items are counted from 1, keys joined by dots."""
    assert dotted(("steps", "ask", "no_input", 0)) == "steps.ask.no_input[1]"
    assert dotted(()) == ""


def test_an_alias_bomb_is_refused_quickly() -> None:
    """Aliases that would expand to billions of items are an error at the first."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(FlowError, match=r"^f:2: a1\[1\]: an alias"):
        parse_yaml("\n".join(lines), "f")


def test_an_anchor_without_alias_is_harmless() -> None:
    """Only the alias is refused."""
    assert parse_yaml("a: &x 1\n", "f").data == {"a": 1}


def test_a_huge_file_is_refused() -> None:
    """A megabyte is no flow."""
    with pytest.raises(FlowError, match=r"longer than 1 MB"):
        parse_yaml("a: " + "x" * 1_000_001, "f")


def test_nesting_beyond_the_parser_is_refused() -> None:
    """Where YAML's own reader runs out of stack there is still one message."""
    with pytest.raises(FlowError, match=r"^f:1: nested too deeply"):
        parse_yaml("[" * 500, "f")
