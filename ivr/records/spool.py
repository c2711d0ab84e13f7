"""Records on their way into the database: a file each, so that no crash and no outage loses one.

Theory of operation: whatever is to be stored is put here first and taken out when the database has
it. A record is one file, written beside its place and renamed into it, so a reader sees all of it
or none; a later state of the same call takes the place of the earlier. The spool is bounded: where
it is full, the oldest goes, since the newest says most about what is wrong now. A process that was
killed leaves its files, and the next one finds them. What is in them may be in the database
already: writing it again changes nothing (`ivr.records.store`).

Where there is no folder, or the disk refuses, records wait in memory and are gone with the process.

Used by one thread at a time.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr.errors import ConfigError, StateError

_SUFFIX: Final = ".json"
_REJECTED: Final = "rejected"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a record: it names a file


@dataclass(slots=True)
class _Waiting:
    size_bytes: int
    ticket: int
    text: str | None  # in memory; None where the file has it


@dataclass(frozen=True, slots=True)
class Spooled:
    """What became of a record that was put.

    Attributes:
        ticket: names this state of the record; later ones are greater.
        safe: it is on the disk, and outlives the process.
        dropped: how many older ones had to go for it.
    """

    ticket: int
    safe: bool
    dropped: int


class Spool:
    """The records that wait.

    Args:
        folder: made where it is missing, readable by its owner only; ``None`` for memory.
        max_bytes: of all that wait.

    State: what waits, oldest first.
    """

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._waiting: dict[str, _Waiting] = {}
        self._tickets = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size_bytes(self) -> int:
        """Of all that wait."""
        return self._bytes

    def open(self) -> None:
        """Find what an earlier process left.

        Raises:
            ConfigError: the folder cannot be used.
        """
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            left = [(entry.stat(), entry) for entry in self._folder.glob("*" + _SUFFIX)]
            probe = self._folder / ".probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                f"{self._folder}: the spool of call records cannot be used: {error.strerror}; give "
                "a writable folder as records.spool_dir"
            ) from None
        for found, path in sorted(left, key=lambda one: one[0].st_mtime_ns):
            self._note(path.stem, found.st_size, None)

    def put(self, record_id: str, text: str) -> Spooled:
        """Keep a record, in place of an earlier state of it.

        Raises:
            StateError: the name of the record cannot be that of a file.
        """
        if not _NAME.fullmatch(record_id):
            raise StateError("a record_id is letters, digits, - and _")
        safe = self._folder is not None and self._write(record_id, text)
        ticket = self._note(record_id, len(text), None if safe else text)
        dropped = 0
        while self._bytes > self._max_bytes and self._waiting:
            self._forget(next(iter(self._waiting)))
            dropped += 1
        return Spooled(ticket, safe, dropped)

    def first(self) -> tuple[str, int, str] | None:
        """The oldest: its id, its ticket, its text; ``None`` if nothing waits."""
        while self._waiting:
            record_id, waiting = next(iter(self._waiting.items()))
            if waiting.text is not None:
                return record_id, waiting.ticket, waiting.text
            try:
                return record_id, waiting.ticket, self._path(record_id).read_text(encoding="utf-8")
            except FileNotFoundError:  # another process on the same folder was quicker
                self._forget(record_id)
        return None

    def done(self, record_id: str, ticket: int) -> None:
        """Forget a record, unless a later state of it has come meanwhile."""
        waiting = self._waiting.get(record_id)
        if waiting is not None and waiting.ticket == ticket:
            self._forget(record_id)

    def reject(self, record_id: str, ticket: int) -> None:
        """Set aside a record that the database will never take, for a person to look at."""
        waiting = self._waiting.get(record_id)
        if waiting is None or waiting.ticket != ticket:
            return
        if self._folder is not None and waiting.text is None:
            aside = self._folder / _REJECTED
            aside.mkdir(exist_ok=True, mode=0o700)
            self._path(record_id).replace(aside / (record_id + _SUFFIX))
        self._forget(record_id)

    def purge_rejected(self, before_s: float) -> int:
        """Delete what was set aside before a time, seconds since 1970; returns how many."""
        folder = self._folder / _REJECTED if self._folder is not None else None
        if folder is None or not folder.exists():
            return 0
        old = [path for path in folder.glob("*" + _SUFFIX) if path.stat().st_mtime < before_s]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _path(self, record_id: str) -> Path:
        if self._folder is None:
            raise StateError("a spool in memory has no files")
        return self._folder / (record_id + _SUFFIX)

    def _write(self, record_id: str, text: str) -> bool:
        path = self._path(record_id)
        beside = path.with_name(f".{record_id}.{os.getpid()}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write(text)
                f.flush()
                os.fsync(f.fileno())
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            return False
        return True

    def _note(self, record_id: str, size_bytes: int, text: str | None) -> int:
        self._tickets += 1
        earlier = self._waiting.get(record_id)
        self._bytes += size_bytes - (earlier.size_bytes if earlier is not None else 0)
        self._waiting[record_id] = _Waiting(size_bytes, self._tickets, text)
        return self._tickets

    def _forget(self, record_id: str) -> None:
        self._bytes -= self._waiting.pop(record_id).size_bytes
        if self._folder is not None:
            self._path(record_id).unlink(missing_ok=True)
