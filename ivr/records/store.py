"""Call records in a database, by way of a spool, never at a call's expense.

Theory of operation: `put` puts a record into the spool and is done; one task takes what waits
there, oldest first, writes each in a transaction of its own and only then forgets it. So the
database may be away for as long as the spool has room, and a process that is killed loses nothing
that was put.
Writing is idempotent: a call is known by its ``record_id``, a turn by its number in it, and an
earlier state of a call (fewer turns, no end) never replaces a later one. Hence a record that is
replayed, by this process or the next, is there once.

While the database answers, `put` waits a moment for the write, so that what was put can be read.

Documents hold what callers said, as the flow lets it be stored. They leave the database through the
API and `ivr records` only, and never into a log.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.config import RecordSettings, WebhookSettings
from ivr.errors import ConfigError, StateError
from ivr.records.cleaning import Cleaner
from ivr.records.database import Database, RecordsUnavailableError, is_refusal
from ivr.records.recordings import recording_rows
from ivr.records.rows import Document, call_row, document_of, turn_rows
from ivr.records.selection import Filter, Viewer, visible
from ivr.records.spool import Spool
from ivr.records.tables import calls, outbox, recordings, turns
from ivr.records.webhook import Courier, result_row

__all__ = ["CallStore", "Document", "Documents", "RecordsUnavailableError"]

Documents = list[Document]

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

_WRITTEN_S: Final = 5.0  # how long `put` waits for a database that has answered so far
_ANY: Final = sa.select(calls.c.record_id).limit(1)
_FIRST_RETRY_S: Final = 0.25
_LAST_RETRY_S: Final = 5.0  # a database that is back is used within this
_ANYBODY: Final = Viewer()
_EVERYTHING: Final = Filter()


class CallStore:
    """The call records.

    Args:
        settings: where they are kept, where they wait, for how long.
        webhook: where the results of ended calls are sent; ``None`` or without a ``url``: nowhere.
        spooled: records wait on the disk; without, in memory, and nothing that waits there already
            is touched.

    Raises:
        ConfigError: the settings cannot be right.

    Attributes:
        counts: for /metrics: ``written``, ``dropped`` (the spool was full), ``rejected`` (the
            database refuses the record), ``unsafe`` (the spool's disk refuses it), ``away`` (the
            database stopped answering), ``purged``, ``audio_purged``; of the webhook
            ``delivered``, ``failed`` (attempts) and ``dead``.

    State: the database, the spool and the tasks around them, from `open` to `close`.
    """

    def __init__(
        self,
        settings: RecordSettings,
        webhook: WebhookSettings | None = None,
        *,
        spooled: bool = True,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._database = Database(settings)
        self._spool = Spool(settings.spool_folder if spooled else None, settings.spool_max_bytes)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="records")
        self._away = self._behind = self._stopping = False
        self._work = asyncio.Event()
        self._stop = asyncio.Event()
        self._waiters: dict[str, list[tuple[int, asyncio.Future[bool]]]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._cleaner = Cleaner(settings, self._read, self._purge_rejected, self.counts)
        self._courier: Courier | None = None
        if webhook is not None and webhook.url is not None:
            self._courier = Courier(webhook, self._database, self.counts)

    @property
    def database(self) -> Database:
        """Where the records are, for what else is kept beside them."""
        return self._database

    @property
    def waiting(self) -> int:
        """How many records wait for the database."""
        return len(self._spool)

    @property
    def waiting_bytes(self) -> int:
        """How much that is."""
        return self._spool.size_bytes

    async def open(self) -> None:
        """Connect, bring the schema up to date, and begin with what an earlier process left.

        A PostgreSQL server that does not answer is waited for meanwhile.

        Raises:
            ConfigError: database or spool cannot be used as configured.
        """
        try:
            await self._database.open()
        except RecordsUnavailableError as error:
            self._note_away(error)
        except BaseException:
            await self._database.close()
            raise
        try:
            await self._run(self._spool.open)
        except BaseException:
            await self._database.close()
            raise
        if len(self._spool):
            _log.info("records_found", waiting=len(self._spool))
        self._work.set()
        self._writer = asyncio.create_task(self._write_all())
        if self._courier is not None:
            self._courier.start()
        self._cleaner.start()

    async def put(self, document: Document) -> bool:
        """Keep a record, or a later state of the one with the same ``record_id``.

        Returns:
            Whether it is safe: in the database, or in the spool on the disk; a failure is logged,
            never raised.

        Raises:
            StateError: the store is not open.
        """
        self._refuse_closed()
        record_id = document["record_id"]
        text = json.dumps(document)
        spooled = await self._run(lambda: self._spool.put(record_id, text))
        if spooled.dropped:
            self.counts["dropped"] += spooled.dropped
            _log.error("records_dropped", count=spooled.dropped, waiting=len(self._spool))
        if not spooled.safe:
            self.counts["unsafe"] += 1
        self._work.set()
        if self._away or self._behind:
            return spooled.safe
        written = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(record_id, []).append((spooled.ticket, written))
        try:
            async with asyncio.timeout(_WRITTEN_S):
                done = await written
        except TimeoutError:
            self._behind = True  # the next ones do not wait for it
            done = False
        if not done and not spooled.safe:
            _log.error("record_not_written", call_id=document.get("call_id"))
        return done or spooled.safe

    async def get(self, name: str, viewer: Viewer = _ANYBODY) -> Document | None:
        """The newest record with this call_id or record_id that somebody may see.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        named = sa.or_(calls.c.call_id == name, calls.c.record_id == name)
        query = visible(viewer).where(named).limit(1)
        found = await self._read(lambda connection: with_turns(connection, query))
        return found[0] if found else None

    async def list(self, limit: int = 50, wanted: Filter = _EVERYTHING) -> Documents:
        """The newest records without their turns, newest first.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        query = replace(wanted, limit=limit).query()

        async def select(connection: AsyncConnection) -> Documents:
            return [json.loads(text) for _, text in await connection.execute(query)]

        documents: Documents = await self._read(select)
        for document in documents:
            document.pop("turns", None)
        return documents

    async def ping(self) -> None:
        """Ask the database for next to nothing, to see whether it answers.

        Raises:
            RecordsUnavailableError: it does not.
        """
        await self._read(lambda connection: connection.execute(_ANY))

    async def purge(self, before: str) -> int:
        """Delete the calls that started before a time, with their turns, results and audio.

        Args:
            before: as the records have it, ISO 8601 in UTC.

        Returns:
            How many calls.

        Raises:
            RecordsUnavailableError: the database does not answer; what was deleted is.
        """
        deleted = await self._cleaner.purge(before)
        if deleted and self._database.is_sqlite:
            # The log of SQLite still holds the pages of before.
            await self._read(_truncate_log)
        return deleted

    async def close(self) -> None:
        """Write what was put, as far as the database takes it now, and disconnect."""
        self._stopping = True
        self._stop.set()
        self._work.set()
        await self._cleaner.close()
        if self._writer is not None:
            await self._writer
            self._writer = None
        if self._courier is not None:
            await self._courier.close()
        if len(self._spool):
            _log.warning("records_left", waiting=len(self._spool))
        await self._database.close()
        self._thread.shutdown(wait=True)

    # -- the task between spool and database ------------------------------------------------------

    async def _write_all(self) -> None:
        wait_s = _FIRST_RETRY_S
        while True:
            first = await self._run(self._spool.first)
            if first is None:
                if self._stopping:
                    return
                self._behind = False
                self._work.clear()
                if not len(self._spool):
                    await self._work.wait()
                continue
            record_id, ticket, text = first
            try:
                await self._write(json.loads(text))
            except Exception as error:  # noqa: BLE001 - whatever it is, the calls go on
                if is_refusal(error):
                    await self._set_aside(record_id, ticket, error)
                    continue
                self._note_away(error)
                if self._stopping:
                    return
                await self._pause(wait_s)
                wait_s = min(2 * wait_s, _LAST_RETRY_S)
                continue
            wait_s = _FIRST_RETRY_S
            self.counts["written"] += 1
            if self._courier is not None:
                self._courier.wake()
            await self._run(partial(self._spool.done, record_id, ticket))
            self._tell(record_id, ticket, written=True)
            if self._away:
                self._away = False
                _log.warning("records_database_back", waiting=len(self._spool))

    async def _set_aside(self, record_id: str, ticket: int, error: Exception) -> None:
        """One record that the database will never take does not hold up those behind it."""
        self.counts["rejected"] += 1
        _log.error("record_rejected", record_id=record_id, cause=type(error).__name__)
        await self._run(partial(self._spool.reject, record_id, ticket))
        self._tell(record_id, ticket, written=False)

    async def _write(self, document: Document) -> None:
        row = call_row(document)
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        new = insert(calls).values(row)
        upsert = new.on_conflict_do_update(
            index_elements=[calls.c.record_id],
            set_={key: new.excluded[key] for key in row if key != "record_id"},
            where=calls.c.revision <= new.excluded.revision,
        ).returning(calls.c.record_id)
        async with self._database.begin() as connection:
            taken = (await connection.execute(upsert)).all()
            if not taken:
                return  # a later state is there
            for turn in turn_rows(document):
                said = insert(turns).values(turn)
                await connection.execute(
                    said.on_conflict_do_update(
                        index_elements=[turns.c.record_id, turns.c.number],
                        set_={key: said.excluded[key] for key in turn},
                    )
                )
            for recording in recording_rows(document):
                kept = insert(recordings).values(recording)
                await connection.execute(
                    kept.on_conflict_do_update(
                        index_elements=[recordings.c.recording_id],
                        set_={key: kept.excluded[key] for key in recording},
                    )
                )
            if self._courier is not None and document.get("status") == "ended":
                result = insert(outbox).values(result_row(document))
                await connection.execute(
                    result.on_conflict_do_nothing(index_elements=[outbox.c.event_id])
                )

    async def _purge_rejected(self, before_s: float) -> None:
        await self._run(partial(self._spool.purge_rejected, before_s))

    def _tell(self, record_id: str, ticket: int, *, written: bool) -> None:
        """Tell those who wait for this state of a record, or for an earlier one."""
        left = []
        for waiting, future in self._waiters.pop(record_id, []):
            if waiting > ticket:
                left.append((waiting, future))
            elif not future.done():
                future.set_result(written)
        if left:
            self._waiters[record_id] = left

    def _note_away(self, error: BaseException) -> None:
        if not self._away:
            self._away = True
            self.counts["away"] += 1
            # Not the error's text: SQLAlchemy puts the statement's values into it.
            cause = type(getattr(error, "orig", None) or error).__name__
            _log.error("records_database_away", cause=cause, waiting=len(self._spool))
        for waiters in self._waiters.values():
            for _, future in waiters:
                if not future.done():
                    future.set_result(False)
        self._waiters.clear()

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stop.wait()

    # -- for both ---------------------------------------------------------------------------------

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        self._refuse_closed()
        try:
            async with self._database.begin() as connection:
                return await work(connection)
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            raise unavailable(error) from None

    def _refuse_closed(self) -> None:
        if self._writer is None:
            raise StateError("the call store is not open")


def unavailable(error: BaseException) -> RecordsUnavailableError:
    """What a reader is told of a failure: its kind, without the statement and its values."""
    kind = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return RecordsUnavailableError(f"the call records cannot be read: {type(kind).__name__}")


async def with_turns(connection: AsyncConnection, query: sa.Select[Any]) -> Documents:
    """Calls with their turns; the query selects record_id and document."""
    found = (await connection.execute(query)).all()
    of_call: dict[str, list[str]] = {record_id: [] for record_id, _ in found}
    rows = await connection.execute(
        sa.select(turns.c.record_id, turns.c.document)
        .where(turns.c.record_id.in_(of_call))
        .order_by(turns.c.record_id, turns.c.number)
    )
    for record_id, text in rows:
        of_call[record_id].append(text)
    return [document_of(text, of_call[record_id]) for record_id, text in found]


async def _truncate_log(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
