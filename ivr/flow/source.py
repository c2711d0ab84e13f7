"""YAML with places: plain data, and the line that each part of it came from.

Theory of operation: PyYAML composes a tree of nodes that know their lines; this module turns the
tree into plain dicts, lists and scalars itself and notes the line of every key and item on the way.
Doing it here rather than by `yaml.safe_load` also mends four habits of YAML 1.1 that bite people
who write flows: a key ``no:`` is the text "no" and not False, ``yes`` is text and not True,
``1:30`` is text and not 90, and a key that stands twice is an error and not the last one's victory.
Aliases are refused, for a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from ivr.errors import FlowError

Path = tuple[str | int, ...]

_LARGEST_BYTES: Final = 1_000_000  # a flow of a thousand steps has about 300 kB
_DEEPEST: Final = 20
_CORE_TAG: Final = re.compile(r"tag:yaml\.org,2002:[a-z]+")
_NULL: Final = ("", "~", "null")
_BOOLEAN: Final = {"true": True, "false": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Source:
    """What a file says, and where it says it.

    Attributes:
        file: its name, as the user gave it.
        data: dicts with text keys, lists, text, int, float, bool, None.
        lines: for each key path, the line of its key or item, from 1.
    """

    file: str
    data: object
    lines: dict[Path, int]

    def line(self, path: Sequence[str | int]) -> int:
        """The line of a key path, or of the nearest part of it that exists."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(tuple(path[:length]))) is not None:
                return line
        return 1

    def empty(self, data: object, path: Path = ()) -> Iterator[Path]:
        """The places where nothing stands, in the order of the file."""
        if data is None:
            yield path
        elif isinstance(data, dict):
            for key, value in data.items():
                yield from self.empty(value, (*path, key))
        elif isinstance(data, list):
            for index, value in enumerate(data):
                yield from self.empty(value, (*path, index))

    def error(self, path: Sequence[str | int], message: str) -> FlowError:
        """The one message for a mistake: file, line, key path, what is wrong and what to do."""
        place = dotted(path)
        line = self.line(path)
        return FlowError(f"{self.file}:{line}: {place + ': ' if place else ''}{message}", line)


def dotted(path: Sequence[str | int]) -> str:
    """A key path as people write it: ``steps.ask.no_input[2]``, items counted from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse_yaml(text: str, file: str) -> Source:
    """Read YAML text.

    Raises:
        FlowError: not YAML, empty, too long, or with an alias, a tag or a key that stands twice.
    """
    source = Source(file, None, {(): 1})
    if len(text) > _LARGEST_BYTES:
        raise source.error((), "longer than 1 MB; a flow is text: cut it into several flows")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise source.error((), 'the file is empty; begin with "flow: a_name"')
        return Source(file, _Reader(source).read(root, ()), source.lines)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(file, error) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise FlowError(
            f"{file}:{line}: not YAML: an invisible character (U+{error.character:04X}); remove it"
        ) from error
    except RecursionError:
        raise source.error((), "nested too deeply; a flow needs five levels") from None


class _Reader:
    """Turns nodes into data; one a file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.seen: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> object:
        if id(node) in self.seen:  # the node's mark is the anchor's, so its parent's line is told
            raise self.source.error(path, "an alias (*name) is not allowed; write the value out")
        self.seen.add(id(node))
        self.source.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > _DEEPEST:
            raise self.source.error(path[:1], "nested too deeply; a flow needs five levels")
        if not _CORE_TAG.fullmatch(node.tag):
            raise self.source.error(path, "a tag (!name) is not allowed; leave it out")
        if isinstance(node, yaml.MappingNode):
            return self.read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return _scalar(node.value) if plain else node.value

    def read_mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        data: dict[str, object] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                place = (*path, key.value if isinstance(key, yaml.ScalarNode) else "?")
                self.source.lines[place] = line
                raise self.source.error(place, "a key must be a plain word; write the keys out")
            here = (*path, key.value)
            if key.value in data:
                first = self.source.lines[here]
                self.source.lines[here] = line
                raise self.source.error(
                    here, f"stands twice (first in line {first}); remove or rename one"
                )
            self.source.lines[here] = line
            data[key.value] = self.read(value, here)
        return data


def _scalar(text: str) -> object:
    """A plain scalar by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def _not_yaml(file: str, error: yaml.MarkedYAMLError) -> FlowError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = _one_line(error.problem or "it cannot be read")
    return FlowError(
        f"{file}:{line}: not YAML: {problem}; look at this line and the one above for a missing "
        "quote, colon or space"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
