"""The database goes away and comes back: calls go on, and every record is there once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ivr.config import RecordSettings
from ivr.records import database as database_module
from ivr.records import store as store_module
from ivr.records.database import Database
from ivr.records.spool import Spool
from ivr.records.store import CallStore, RecordsUnavailableError
from tests.records.calls import ended, opened, record, until
from tests.records.postgres import PostgresServer, start_or_skip


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that the test may stop."""
    server = start_or_skip()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "LOCK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(store_module, "_FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(store_module, "_LAST_RETRY_S", 0.2)


async def count(settings: RecordSettings, table: str) -> int:
    """The rows of a table, by a connection of its own."""
    database = Database(settings)
    await database.open()
    try:
        async with database.begin() as connection:
            found = await connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
            return int(found.scalar_one())
    finally:
        await database.close()


def test_postgres_stops_and_comes_back(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """What was put while the server was down is written when it is up, each record once."""
    settings = RecordSettings.model_validate(
        {"url": own_postgres.new_database(), "spool_dir": tmp_path / "spool"}
    )

    async def main() -> None:
        async with opened(settings) as store:
            assert await store.put(ended(0))
            await asyncio.to_thread(own_postgres.stop)
            for number in range(1, 21):
                async with asyncio.timeout(10):  # a call's end is not held up
                    assert await store.put(record(number, status="in-progress", turns=[]))
                    assert await store.put(ended(number))
            assert store.waiting == 20
            with pytest.raises(RecordsUnavailableError):
                await store.get("CA0")
            await asyncio.to_thread(own_postgres.start)
            await until(lambda: store.waiting == 0)
            assert await store.get("CA20") == ended(20)
            assert store.counts["away"] == 1
            assert store.counts["dropped"] == 0
        assert await count(settings, "calls") == 21
        assert await count(settings, "turns") == 42

    asyncio.run(main())


def test_server_starts_while_postgres_is_away(own_postgres: PostgresServer, tmp_path: Path) -> None:
    """Calls are answered without the database, and the schema is made when it is there."""
    settings = RecordSettings.model_validate(
        {"url": own_postgres.new_database(), "spool_dir": tmp_path / "spool"}
    )
    own_postgres.stop()

    async def main() -> None:
        async with opened(settings) as store:
            assert await store.put(ended(1))
            await asyncio.to_thread(own_postgres.start)
            await until(lambda: store.waiting == 0)
            assert await store.get("CA1") == ended(1)

    asyncio.run(main())


def test_locked_file_is_waited_for_and_the_loop_turns(tmp_path: Path) -> None:
    """A write that hangs on a lock holds up nothing, and goes through afterwards."""

    async def main() -> None:
        async with opened(RecordSettings(path=tmp_path / "calls.db")) as store:
            other = sqlite3.connect(tmp_path / "calls.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            put = asyncio.ensure_future(store.put(ended(1)))
            turns = 0
            while not put.done():
                await asyncio.sleep(0.01)
                turns += 1
            assert turns >= 5
            assert put.result() is True  # it is in the spool
            assert store.waiting == 1
            other.execute("ROLLBACK")
            other.close()
            await until(lambda: store.waiting == 0)
            assert await store.get("CA1") == ended(1)

    asyncio.run(main())


def test_file_that_is_removed_is_made_anew(tmp_path: Path) -> None:
    """Writes do not vanish into a file that has no name any more."""
    path = tmp_path / "calls.db"

    async def main() -> None:
        async with opened(RecordSettings(path=path)) as store:
            assert await store.put(ended(1))
            for suffix in ("", "-wal", "-shm"):
                os.unlink(f"{path}{suffix}")  # noqa: PTH108 - quick enough
            assert await store.put(ended(2))
            assert await store.get("CA2") == ended(2)
            assert await store.get("CA1") is None
        assert await count(RecordSettings(path=path), "calls") == 1

    asyncio.run(main())


def test_database_that_hangs_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that neither answers nor refuses holds up one put, not every one."""
    monkeypatch.setattr(store_module, "_WRITTEN_S", 0.3)
    write, hang = CallStore._write, asyncio.Event()

    async def slow(store: CallStore, document: dict[str, object]) -> None:
        await hang.wait()
        await write(store, document)

    monkeypatch.setattr(CallStore, "_write", slow)

    async def main() -> None:
        async with opened(RecordSettings(path=tmp_path / "calls.db")) as store:
            assert await store.put(ended(0))
            async with asyncio.timeout(0.25):
                for number in range(1, 4):
                    assert await store.put(ended(number))
            hang.set()
            await until(lambda: store.waiting == 0)
            assert len(await store.list()) == 4

    asyncio.run(main())


def test_full_spool_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    """A bound is a bound: the newest stay, and the loss is told."""
    settings = RecordSettings(path=tmp_path / "calls.db", spool_max_bytes=65_536)

    async def main() -> None:
        async with opened(settings) as store:
            other = sqlite3.connect(tmp_path / "calls.db", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            await store.put(record(0))
            for number in range(1, 20):
                assert await store.put(record(number, note="x" * 10_000))
            assert store.counts["dropped"] == 14
            other.execute("ROLLBACK")
            other.close()
            await until(lambda: store.waiting == 0)
            newest = [r["record_id"] for r in await store.list(6)]
            assert newest == [f"r{n}" for n in range(19, 13, -1)]

    asyncio.run(main())


KILLED = """
import asyncio, json, os, signal, sqlite3, sys
from pathlib import Path
from ivr.config import RecordSettings
from ivr.records.store import CallStore
from tests.records.calls import ended

async def main():
    path = Path(sys.argv[1])
    store = CallStore(RecordSettings(path=path))
    await store.open()
    await store.put(ended(0))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for number in range(1, 11):
        assert await store.put(ended(number))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_kill_loses_nothing_that_was_spooled(tmp_path: Path) -> None:
    """The next process writes what the killed one could not, each record once."""
    settings = RecordSettings(path=tmp_path / "calls.db")
    killed = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", KILLED, str(settings.path)],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert killed.returncode == -signal.SIGKILL
    spool = tmp_path / "calls.db-spool"
    assert len(list(spool.glob("*.json"))) == 10
    # A record that reached the database just before the kill may be in the spool still.
    (spool / "r0.json").write_text(json.dumps(ended(0)))

    async def main() -> None:
        async with opened(settings) as store:
            await until(lambda: store.waiting == 0)
            assert len(await store.list()) == 11
            assert await store.get("CA7") == ended(7)
        assert await count(settings, "turns") == 22

    asyncio.run(main())
    assert list(spool.glob("*")) == []


def test_record_with_an_impossible_column_is_set_aside(lasting: RecordSettings) -> None:
    """What no database can store as text does not block the others."""

    async def main() -> None:
        async with opened(lasting) as store:
            await store.put(record(1, call_id="\ud800"))
            await store.put(record(2))
            await until(lambda: store.waiting == 0)
            assert store.counts["rejected"] == 1
            assert [r["record_id"] for r in await store.list()] == ["r2"]

    asyncio.run(main())


def test_record_that_the_database_refuses_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad record does not hold up those behind it."""
    write = CallStore._write

    async def picky(store: CallStore, document: dict[str, object]) -> None:
        if document["record_id"] == "r1":
            raise ValueError("not this one")
        await write(store, document)

    monkeypatch.setattr(CallStore, "_write", picky)

    async def main() -> None:
        async with opened(RecordSettings(path=tmp_path / "calls.db")) as store:
            assert await store.put(record(1))  # safe on the disk
            assert await store.put(record(2))
            assert store.counts["rejected"] == 1
            assert [r["record_id"] for r in await store.list()] == ["r2"]

    asyncio.run(main())
    assert (tmp_path / "calls.db-spool" / "rejected" / "r1.json").exists()


def test_spool_without_a_disk_keeps_records_in_memory(tmp_path: Path) -> None:
    """A full disk is no reason to lose what the database could take."""
    spool = Spool(tmp_path / "spool", 65_536)
    spool.open()
    (tmp_path / "spool").rmdir()
    assert spool.put("r1", "{}").safe is False
    assert spool.first() == ("r1", 1, "{}")
    spool.done("r1", 1)
    assert spool.first() is None


def test_spool_forgets_only_the_state_that_was_written(tmp_path: Path) -> None:
    """A later state that comes while the earlier is written stays."""
    spool = Spool(tmp_path, 65_536)
    early = spool.put("r1", '{"turns": []}')
    late = spool.put("r1", '{"turns": [1]}')
    spool.done("r1", early.ticket)
    assert spool.first() == ("r1", late.ticket, '{"turns": [1]}')
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_spool_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """It holds what the records hold."""
    spool = Spool(tmp_path / "spool", 65_536)
    spool.open()
    spool.put("r1", "{}")
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool" / "r1.json").stat().st_mode & 0o077 == 0
