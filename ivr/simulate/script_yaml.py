"""YAML with line numbers: plain values, and the line on which each of them stands.

Theory of operation: a dialogue script is data, so every scalar is read as the text that the
author typed. The implicit types of YAML 1.1 would turn ``keys: 0012`` into 10 and ``confirmed:
yes`` into a boolean, which is never what the author of a telephone script means. The schema
above this module converts text to numbers where a number is due. Aliases are refused: a script
has no use for them, and without them the document is a tree, so reading it always ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from ivr.errors import ConfigError

_NODE_KINDS = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "text"}

Value = str | list["Value"] | dict[str, "Value"]
"""What a document holds: text, lists and mappings, nothing else."""

Place = tuple[str | int, ...]
"""The way to a value from the top: ``("steps", 2, "say")``."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as values and places.

    Attributes:
        path: the file, as the user named it.
        value: its content.
        lines: line number (from 1) of each place; a mapping's entry stands where its key stands.
    """

    path: Path
    value: Value
    lines: dict[Place, int]

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest enclosing place that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, place: Place, problem: str) -> ConfigError:
        """A `ConfigError` that names file, line, key path and the problem."""
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        name = f"{where.lstrip('.')}: " if place else ""
        return ConfigError(f"{self.path}:{self.line(place)}: {name}{problem}")


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Args:
        path: the file.

    Returns:
        Its values, every scalar as the text that was typed, with their lines.

    Raises:
        ConfigError: unreadable, not UTF-8, not YAML, more than one document, empty, a duplicate
            key, a key that is not text, or an alias; the message has file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}; check the path") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}:1: not valid YAML: {type(error).__name__}") from error
    if root is None:
        raise ConfigError(f"{path}:1: the file is empty")
    document = Document(path, "", {})
    value = _read_node(root, (), document, set())
    return Document(path, value, document.lines)


def _read_node(node: yaml.Node, place: Place, document: Document, seen: set[int]) -> Value:
    """The value of a node; notes the lines of all places below it."""
    document.lines.setdefault(place, node.start_mark.line + 1)
    if id(node) in seen:
        raise document.error(place, "aliases (*name) are not allowed here; write the value out")
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [
            _read_node(child, (*place, index), document, seen)
            for index, child in enumerate(node.value)
        ]
    mapping: dict[str, Value] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            line = key_node.start_mark.line + 1
            kind = _NODE_KINDS[type(key_node)]
            raise ConfigError(f"{document.path}:{line}: a key must be text, not {kind}")
        key = str(key_node.value)
        entry = (*place, key)
        if key in mapping:
            first = document.lines[entry]
            document.lines[entry] = key_node.start_mark.line + 1
            raise document.error(entry, f"the key is here twice, first on line {first}")
        document.lines[entry] = key_node.start_mark.line + 1
        mapping[key] = _read_node(value_node, entry, document, seen)
    return mapping
