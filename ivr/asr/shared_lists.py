"""Directories in recogniser processes: one file, mapped by all of them.

Theory of operation: whoever starts the workers has the lists that grammars name
(`ivr.grammar.lists`); a worker has none. With each utterance goes where the lists of its grammar
lie. The first time a list is needed its bytes are written to a temporary file, and each worker maps
that file the first time it hears of it. So a list is in memory once, whatever the number of
workers; a worker that was replaced finds it again, and a flow that was loaded anew with another
list needs no restart.

    parent:  Directory --first use--> temporary file --place--> utterance --> worker: map, register

State: the parent's file goes with its directory, or at `close`. A worker keeps the latest
`MAX_HELD` lists, for their grammars' automata are worth keeping and mapped pages cost nothing.
"""

from __future__ import annotations

import mmap
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from ivr.errors import ModelError
from ivr.grammar.lists import Directory, Listed, keys_of, lookup, register

# Lists a worker keeps at a time: those of some flows, and of the versions of them that calls still
# use. What it keeps of each beside the mapping is the automaton, up to some tens of megabytes.
MAX_HELD: Final = 16


class Place(NamedTuple):
    """Where a list lies.

    Attributes:
        key: of the directory.
        path: of the file with its packed values.
        width: of each, bytes.
    """

    key: str
    path: str
    width: int


def directories_of(grammar: str) -> list[Directory]:
    """The directories that a grammar URI names; keep them while a worker may look for them.

    Raises:
        ConfigError: it names one that nobody has published.
    """
    return [lookup(key) for key in keys_of(grammar)]


class SharedLists:
    """The parent's side: lists as files. Safe to use from several threads."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._places: weakref.WeakKeyDictionary[Directory, Place] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def place(self, directories: Iterable[Directory]) -> tuple[Place, ...]:
        """Where they lie; writes what is not written yet, which for a million values is 10 MB.

        Raises:
            ModelError: the temporary folder cannot be written.
        """
        with self._lock:
            return tuple(self._place(directory) for directory in directories)

    def close(self) -> None:
        """Removes the files; workers that have mapped them go on."""
        with self._lock:
            self._places.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _place(self, directory: Directory) -> Place:
        place = self._places.get(directory)
        if place is None:
            try:
                if self._folder is None:
                    self._folder = Path(tempfile.mkdtemp(prefix="ivr-lists-"))
                path = self._folder / directory.key
                path.write_bytes(directory.listed.packed[:])
            except OSError as error:
                raise ModelError(
                    f"the recogniser's lists cannot be written to {tempfile.gettempdir()}: "
                    f"{error.strerror}; free some space there or set TMPDIR"
                ) from error
            place = Place(directory.key, str(path), directory.listed.width)
            self._places[directory] = place
            weakref.finalize(directory, path.unlink, missing_ok=True)
        return place


_held: OrderedDict[str, Directory] = OrderedDict()  # the lists of a worker process, oldest first


def hold(places: Iterable[Place]) -> None:
    """Runs in a worker: makes the lists known to its grammars.

    Raises:
        ModelError: a file is gone.
    """
    for place in places:
        if place.key not in _held:
            try:
                with Path(place.path).open("rb") as file:
                    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except OSError as error:
                raise ModelError(f"a list of the grammar is gone: {error.strerror}") from error
            _held[place.key] = register(place.key, Listed(mapped, place.width))
        _held.move_to_end(place.key)
    while len(_held) > MAX_HELD:
        _held.popitem(last=False)
