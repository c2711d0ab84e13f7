"""Deleting what is old: calls with their turns, results and audio, and audio before its call.

Theory of operation: every hour what is older than ``keep_days`` goes, and audio that is older than
``keep_audio_days``. Files of recordings go before the rows that tell of them; files without a row,
of a database that was lost, go by their own age.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import RecordSettings
from ivr.records.database import RecordsUnavailableError
from ivr.records.recordings import (
    delete_files,
    delete_old_files,
    files_of,
    forget,
    old_recordings,
)
from ivr.records.tables import calls, outbox, placed_calls, recordings, turns
from ivr.records.webhook import utc

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

_CLEANING_S: Final = 3600.0
_DAY_S: Final = 86_400.0
_PURGED_AT_ONCE: Final = 500  # rows of a transaction: others may write in between

Transaction = Callable[[Callable[[AsyncConnection], Awaitable[_T]]], Awaitable[_T]]


class Cleaner:
    """What deletes, once or every hour.

    Args:
        settings: for how long calls and audio are kept, and the folder of audio.
        read: runs work in a transaction; raises `RecordsUnavailableError`.
        purge_rejected: deletes records that were set aside before a time, seconds since 1970.
        counts: for /metrics: ``purged`` and ``audio_purged``.

    State: the task, from `start` to `close`.
    """

    def __init__(
        self,
        settings: RecordSettings,
        read: Transaction,  # type: ignore[type-arg]
        purge_rejected: Callable[[float], Awaitable[object]],
        counts: Counter[str],
    ) -> None:
        self._days = settings.keep_days
        kept = (settings.keep_days, settings.keep_audio_days)
        self._audio_days = min((days for days in kept if days is not None), default=None)
        self._folder = settings.audio_dir
        self._read = read
        self._purge_rejected = purge_rejected
        self._counts = counts
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Clean now and every hour, where anything is to be deleted for its age."""
        if self._audio_days is not None:
            self._task = asyncio.create_task(self._clean())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def purge(self, before: str) -> int:
        """Delete the calls that started before a time, ISO 8601 in UTC; returns how many.

        Raises:
            RecordsUnavailableError: the database does not answer, or a file cannot be deleted.
        """
        deleted = 0
        while count := await self._read(lambda connection: self._purge_calls(connection, before)):
            deleted += count
        self._counts["purged"] += deleted
        return deleted

    async def purge_audio(self, age_s: float) -> int:
        """Delete the audio of calls that started longer ago; returns how many recordings.

        Raises:
            RecordsUnavailableError: as `purge`.
        """
        deleted, before = 0, utc(-age_s)
        while count := await self._read(lambda connection: self._purge_audio(connection, before)):
            deleted += count
        with suppress(OSError):  # what cannot be looked at now is there in an hour
            await asyncio.to_thread(delete_old_files, self._folder, time.time() - age_s)
        self._counts["audio_purged"] += deleted
        return deleted

    async def _clean(self) -> None:
        while True:
            # Where the database is away, the writer tells, and the next hour does it.
            with suppress(RecordsUnavailableError):
                if self._days is not None and (
                    count := await self.purge(utc(-self._days * _DAY_S))
                ):
                    _log.info("records_purged", count=count)
                if self._audio_days is not None and (
                    count := await self.purge_audio(self._audio_days * _DAY_S)
                ):
                    _log.info("audio_purged", count=count)
            if self._days is not None:
                await self._purge_rejected(time.time() - self._days * _DAY_S)
            await asyncio.sleep(_CLEANING_S)

    async def _purge_calls(self, connection: AsyncConnection, before: str) -> int:
        oldest = sa.select(calls.c.record_id).where(calls.c.started_at < before)
        found = await connection.execute(oldest.limit(_PURGED_AT_ONCE))
        record_ids = list(found.scalars())
        files = await files_of(connection, record_ids)
        await asyncio.to_thread(delete_files, self._folder, files)
        for table in (outbox, turns, recordings, calls):
            await connection.execute(table.delete().where(table.c.record_id.in_(record_ids)))
        old = placed_calls.c.placed_at < before  # also of calls that nobody answered
        await connection.execute(placed_calls.delete().where(old))
        return len(record_ids)

    async def _purge_audio(self, connection: AsyncConnection, before: str) -> int:
        old = await old_recordings(connection, before)
        files = [file for _, file in old if file is not None]
        await asyncio.to_thread(delete_files, self._folder, files)
        await forget(connection, [recording_id for recording_id, _ in old])
        return len(old)
