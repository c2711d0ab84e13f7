"""Call records in SQLite, written off the event loop, never at a call's expense.

Theory of operation: one table, one row a stream, the record itself a JSON document beside the few
columns it is found by. One thread owns the connection, so writes keep their order and the event
loop never waits for a disk. A record that cannot be written is logged and given up: a full disk
must not end the calls. The first `put` of a call is at its start, so that a server which is killed
leaves a record with no end.

Documents hold what callers said. They leave this file through the API only, and never into a log.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from ivr.errors import ConfigError, IvrError, StateError

Document = dict[str, Any]
"""One call record as JSON has it; ``record_id``, ``call_id``, ``started_at`` are always there."""

Documents = list[Document]

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

# Long enough for another process's checkpoint, short beside the drain deadline; a choice, not
# measured.
_LOCK_TIMEOUT_S: Final = 2.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS calls (
    record_id TEXT PRIMARY KEY,
    call_id TEXT NOT NULL,
    started_at TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_by_call ON calls (call_id, started_at);
CREATE INDEX IF NOT EXISTS calls_by_start ON calls (started_at);
"""


class RecordsUnavailableError(IvrError):
    """The records cannot be read now: the database is locked, broken or gone."""


class CallStore:
    """The call records.

    Args:
        path: the SQLite file, created with its folder; ``None`` keeps the records in memory.

    State: one connection in one thread, between `open` and `close`.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="records")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Connect, and create the table where it is missing.

        Raises:
            ConfigError: the file cannot be opened or is no database.
        """
        try:
            await self._run(self._connect)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"{self._path}: the call records cannot be opened: {error}; give a writable file "
                "as records.path, or null to keep them in memory"
            ) from None

    async def put(self, document: Document) -> bool:
        """Write a record, or replace the one of the same ``record_id``.

        Returns:
            Whether it was written; a failure is logged, never raised.
        """
        try:
            await self._run(lambda: self._write(document))
        except (sqlite3.Error, OSError) as error:
            _log.error(
                "record_not_written",
                call_id=document.get("call_id"),
                cause=type(error).__name__,
                sqlite_error=getattr(error, "sqlite_errorname", None),
            )
            return False
        return True

    async def get(self, call_id: str) -> Document | None:
        """The newest record of a call, by the provider's id of it; ``None`` if there is none.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        rows = await self._select(
            "SELECT document FROM calls WHERE call_id = ? ORDER BY started_at DESC, rowid DESC "
            "LIMIT 1",
            (call_id,),
        )
        return rows[0] if rows else None

    async def list(self, limit: int = 50) -> Documents:
        """The newest records, newest first.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        return await self._select(
            "SELECT document FROM calls ORDER BY started_at DESC, rowid DESC LIMIT ?", (limit,)
        )

    async def close(self) -> None:
        """Finish what was put, and disconnect."""
        await self._run(self._disconnect)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _select(self, query: str, values: tuple[object, ...]) -> Documents:
        try:
            rows = await self._run(
                lambda: self._open_connection().execute(query, values).fetchall()
            )
        except (sqlite3.Error, OSError) as error:
            raise RecordsUnavailableError(f"the call records cannot be read: {error}") from None
        return [json.loads(row[0]) for row in rows]

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateError("the call store is not open")
        return self._connection

    def _connect(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path or ":memory:", timeout=_LOCK_TIMEOUT_S)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # With WAL, NORMAL can lose the last records in a power cut, but never breaks the file.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        self._connection = connection

    def _write(self, document: Document) -> None:
        connection = self._open_connection()
        row = (
            document["record_id"],
            document["call_id"],
            document["started_at"],
            json.dumps(document, ensure_ascii=False),
        )
        with connection:  # commits, or rolls back and re-raises
            connection.execute(
                "INSERT INTO calls VALUES (?, ?, ?, ?) "
                "ON CONFLICT (record_id) DO UPDATE SET document = excluded.document",
                row,
            )

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
