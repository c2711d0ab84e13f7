"""Directories: lists of values by name, a million account numbers as one constraint.

Theory of operation
-------------------
A grammar names a list (``builtin:digits?list=accounts``); what the name stands for is handed in by
whoever read the file. `publish` keeps it under the name and a digest of the values
(``accounts@6f0c2a91d3b7e845``), and `pin` writes that key into the grammar. So a pinned grammar
means the same for ever: when a flow is loaded anew with another file, its grammars are other
grammars, and a call that is under way keeps the list that it began with.

    accounts.txt --read--> Listed --publish--> Directory  <--lookup-- parse_grammar
                                       |
                   Flow holds it ------+   who lets go of the last flow lets go of the list

Directories are kept weakly, and the grammars over a list live as long as it does: a server that
reloads its flow every night holds one list in the morning, not thirty. Worker processes hold the
same keys over the same bytes, mapped from a file (`ivr.asr.shared_lists`).

The values lie sorted, so those that begin with the same digits lie together and a step is two
binary searches. They are packed into one string of bytes, each filled with NUL to the longest: a
million account numbers of ten digits take 10 MB, where Python's own strings take 67.

Beside other rules (a length, a check digit) a list is narrowed to the values that keep them. What
is left is a list again, so whatever is alive can still be completed. The values go through the
rules' table column by column, all at once.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ivr.errors import ConfigError
from ivr.grammar.table import Table

# The names that grammars and flows may give: those of `ivr.flow.text`.
_LIST: Final = re.compile(
    r"(?P<head>[?;]\s*list\s*=\s*)(?P<name>[a-z][a-z0-9_]*)(?P<digest>@[0-9a-f]+)?"
    r"(?=\s*(?:[;|]|$))"
)
_DIGEST_LENGTH: Final = 16  # hexadecimal digits: 64 bits tell the versions of one list apart
_ROWS: Final = 65_536  # values narrowed at once: 1 MB of working memory rather than a list's size


class Packed(Protocol):
    """What holds the values' bytes: ``bytes``, or a mapped file."""

    def __len__(self) -> int:
        """How many bytes."""

    def __getitem__(self, place: slice, /) -> bytes:
        """Some of them."""


# The stretch of the sorted values that begin with the digits so far, and how many digits those are.
ListedState = tuple[int, int, int]


class Listed:
    """One of the values given, whatever their lengths; an `ivr.grammar.digits.Acceptor`.

    Args:
        packed: the values, sorted and without repeats, each filled with NUL to `width` bytes.
        width: the length of the longest.
    """

    def __init__(self, packed: Packed, width: int) -> None:
        self.packed = packed
        self.width = width
        self._places = range(len(packed) // width)
        self.start: ListedState = (0, len(self._places), 0)

    @classmethod
    def of(cls, values: Iterable[str]) -> Listed:
        """A list of values: at least one, of digits only; repeats are harmless."""
        ordered = np.unique(np.array(list(values), np.bytes_))
        return cls(ordered.tobytes(), ordered.dtype.itemsize)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._places)

    def step(self, state: ListedState, digit: str) -> ListedState | None:
        """See `Acceptor`."""
        low, high, length = state
        begun = self._value(low)[:length] + digit.encode("ascii")
        first = bisect_left(self._places, begun, low, high, key=self._value)
        # ":" follows "9": the first value that can no longer begin so.
        after = bisect_left(self._places, begun + b":", first, high, key=self._value)
        return (first, after, length + 1) if first < after else None

    def accepts(self, state: ListedState) -> bool:
        """See `Acceptor`. The shortest of the values that begin alike comes first."""
        low, _, length = state
        return len(self._value(low).rstrip(b"\0")) == length

    def lengths(self) -> tuple[int, ...]:
        """The lengths that occur, in digits, shortest first."""
        found: set[int] = set()
        for rows in self._chunks():
            found.update(np.count_nonzero(rows, axis=1).tolist())
        return tuple(sorted(found))

    def narrowed(self, tables: Sequence[Table]) -> Listed | None:
        """The values that at least one table accepts: itself for all of them, None for none."""
        arrays = [(*table.arrays(), table.start) for table in tables]
        kept = []
        for rows in self._chunks():
            chosen = np.zeros(len(rows), np.bool_)
            for following, accepting, start in arrays:
                chosen |= accepting[_walk(following, start, rows)]
            kept.append(rows[chosen])
        left = sum(map(len, kept))
        if left == len(self):
            return self
        return Listed(np.concatenate(kept).tobytes(), self.width) if left else None

    def digest(self) -> str:
        """Tells this list from others, in hexadecimal digits."""
        sha = hashlib.sha256(f"{self.width}:".encode())
        for rows in self._chunks():
            sha.update(rows.tobytes())
        return sha.hexdigest()[:_DIGEST_LENGTH]

    def _value(self, place: int) -> bytes:
        """A value with its filling, which sorts before every digit."""
        return self.packed[place * self.width : (place + 1) * self.width]

    def _chunks(self) -> Iterable[NDArray[np.uint8]]:
        """The values a few at a time: [n, width] uint8, ASCII or NUL."""
        for first in range(0, len(self), _ROWS):
            packed = self.packed[first * self.width : (first + _ROWS) * self.width]
            yield np.frombuffer(packed, np.uint8).reshape(-1, self.width)


def _walk(following: NDArray[np.int32], start: int, rows: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The state [n] of a table after each of the values [n, width] uint8."""
    width = following.shape[1]
    # One row after the other, so that a step is one addition and one look-up.
    flat = following.ravel().astype(np.intp) * width
    at = np.full(len(rows), start * width, np.intp)
    # NUL, the filling, wraps round to a column of its own, which leaves the state as it is.
    for column in np.minimum(rows - np.uint8(ord("0")), width - 1).T:
        at = flat.take(at + column)
    states: NDArray[np.intp] = at // width
    return states


@dataclass(eq=False)
class Directory:
    """A list that grammars can name.

    Attributes:
        key: its name and the digest of its values, ``accounts@6f0c2a91d3b7e845``.
        listed: the values.
        grammars: those parsed over it, by URI; they live as long as the directory.
    """

    key: str
    listed: Listed = field(repr=False)
    grammars: dict[str, Any] = field(default_factory=dict, repr=False)


_directories: WeakValueDictionary[str, Directory] = WeakValueDictionary()


def publish(name: str, listed: Listed) -> Directory:
    """Lets grammars name a list, for as long as somebody keeps what is returned.

    Args:
        name: small letters, digits and underscores, beginning with a letter.
        listed: its values; where the same ones are published under this name already, the
            directory there is returned.
    """
    return register(f"{name}@{listed.digest()}", listed)


def register(key: str, listed: Listed) -> Directory:
    """Like `publish`, by a key that another process made."""
    found = _directories.get(key)
    if found is None:
        found = _directories[key] = Directory(key, listed)
    return found


def lookup(key: str) -> Directory:
    """The directory of a key.

    Raises:
        ConfigError: nobody keeps such a list; the message has the cure.
    """
    found = _directories.get(key)
    if found is None:
        raise ConfigError(
            f"unknown list {key.partition('@')[0]!r}; name its file, under lists in the flow or "
            "with --list"
        )
    return found


def keys_of(uri: str) -> tuple[str, ...]:
    """The keys, or names, of the lists in a grammar URI."""
    return tuple(found["name"] + (found["digest"] or "") for found in _LIST.finditer(uri))


def is_key(text: str) -> bool:
    """Whether a text may be the key or the name of a list."""
    return keys_of(f"?list={text}") == (text,)


def pin(uri: str, directories: Mapping[str, Directory]) -> str:
    """A grammar URI with the key in place of each list's name.

    Args:
        uri: may name no list at all.
        directories: by name.

    Raises:
        ConfigError: it names one that is not there; the message has the cure.
    """

    def keyed(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in directories:
            raise ConfigError(f"grammar {uri!r}: {_unknown(name, directories)}")
        return found["head"] + directories[name].key

    return _LIST.sub(keyed, uri)


def unpinned(uri: str) -> str:
    """A grammar URI as its author wrote it, for messages."""
    return _LIST.sub(lambda found: found["head"] + found["name"], uri)


def _unknown(name: str, directories: Mapping[str, Directory]) -> str:
    near = difflib.get_close_matches(name, directories, n=1)
    if near:
        return f"unknown list {name!r}; did you mean {near[0]!r}?"
    known = f" (known: {', '.join(directories)})" if directories else ""
    return f"unknown list {name!r}; name its file, under lists in the flow or with --list{known}"
