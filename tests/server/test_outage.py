"""The database is away while calls come in: they go on, and each is in it once afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ivr.config import RecordSettings
from ivr.records.database import Database
from ivr.records.tables import calls, turns
from tests.records.postgres import PostgresServer, start_or_skip

Away = Callable[[], Any]
DURATIONS_S = [pytest.param(3.0, id="3s"), pytest.param(60.0, id="60s", marks=pytest.mark.slow)]


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that the test may stop."""
    server = start_or_skip()
    yield server
    server.close()


@asynccontextmanager
async def stopped(server: PostgresServer) -> AsyncIterator[None]:
    """The server is down, its connections cut."""
    await asyncio.to_thread(server.stop)
    yield
    await asyncio.to_thread(server.start)


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Somebody else has the file for themselves, a backup perhaps."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    await asyncio.to_thread(other.execute, "BEGIN EXCLUSIVE")  # the server may be writing
    yield
    other.execute("ROLLBACK")
    other.close()


async def place_call(bench: Any, call_id: str) -> None:
    """A caller keys four digits and is thanked; nothing of it waits for the database for long."""
    async with asyncio.timeout(20):
        line = await bench.call(call_id)
        await line.say(line.caller.mark(await line.mark()))
        await line.keys("4155")
        await line.say(line.caller.mark(await line.mark(2)))
        assert await line.closed() == 1000


async def stored(settings: RecordSettings) -> tuple[list[str], int]:
    """The calls that ended, by the provider's id, and how many turns there are, as rows."""
    database = Database(settings)
    await database.open()
    try:
        async with database.begin() as connection:
            ended = sa.select(calls.c.call_id).where(calls.c.status == "ended")
            ids = list((await connection.execute(ended)).scalars())
            count = await connection.execute(sa.select(sa.func.count()).select_from(turns))
            return sorted(ids), int(count.scalar_one())
    finally:
        await database.close()


async def outage(kit: Any, records: dict[str, Any], away: Away, seconds: float) -> None:
    """Calls before, during and after; then every one of them is there once."""
    placed: list[str] = []

    async with kit.serving(records=records) as bench:

        async def call() -> None:
            placed.append(f"CA{len(placed):03}")
            await place_call(bench, placed[-1])

        loop = asyncio.get_running_loop()
        await call()
        async with away():
            until_s = loop.time() + seconds
            while loop.time() < until_s or len(placed) < 4:
                await call()
                await asyncio.sleep(min(1.0, seconds / 6))  # callers come now and then
            assert bench.context.store.waiting >= 3
            if "url" in records:  # a locked file of SQLite can still be read
                response = await bench.client.get(bench.url + "/v1/calls/CA000")
                assert response.status == 503
        await call()
        await bench.until(lambda: bench.context.store.waiting == 0, timeout_s=60)
        counts = bench.context.store.counts
        assert counts["away"] == 1
        assert counts["dropped"] == counts["rejected"] == counts["unsafe"] == 0
    ids, n_turns = await stored(RecordSettings.model_validate(records))
    assert ids == placed
    assert n_turns == 2 * len(placed)


@pytest.mark.parametrize("seconds", DURATIONS_S)
def test_calls_go_on_while_postgres_is_stopped(
    kit: Any, own_postgres: PostgresServer, tmp_path: Path, seconds: float
) -> None:
    """Really stopped, really started again."""
    records = {"url": own_postgres.new_database(), "spool_dir": tmp_path / "spool"}
    kit.run(lambda: outage(kit, records, lambda: stopped(own_postgres), seconds))


@pytest.mark.parametrize("seconds", DURATIONS_S)
def test_calls_go_on_while_sqlite_is_locked(kit: Any, tmp_path: Path, seconds: float) -> None:
    """A lock that outlasts every timeout of the driver."""
    path = tmp_path / "calls.db"
    kit.run(lambda: outage(kit, {"path": path}, lambda: locked(path), seconds))
