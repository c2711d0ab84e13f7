"""Call records in a real SQLite file: written, found, and never a reason for a call to fail."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ivr.errors import ConfigError, StateError
from ivr.records import store as store_module
from ivr.records.store import CallStore, RecordsUnavailableError


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A record as the server writes it."""
    return {
        "record_id": f"r{number}",
        "call_id": f"CA{number}",
        "started_at": f"2025-01-01T00:00:{number:02}.000+00:00",
        "outcome": "completed",
        **changes,
    }


@asynccontextmanager
async def opened(path: Path | None) -> AsyncIterator[CallStore]:
    """An open store, closed at the end."""
    store = CallStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def with_store(path: Path | None, scenario: Callable[[CallStore], Awaitable[None]]) -> None:
    """Run a scenario with an open store."""

    async def main() -> None:
        async with opened(path) as store:
            await scenario(store)

    asyncio.run(main())


@pytest.mark.parametrize("in_memory", [True, False])
def test_put_and_get(tmp_path: Path, in_memory: bool) -> None:
    """A record comes back as it was put, in a file and in memory."""

    async def scenario(store: CallStore) -> None:
        document = record(1, variables={"account": "41550012"}, turns=[{"step": "é"}])
        assert await store.put(document)
        assert await store.get("CA1") == document
        assert await store.get("CA2") is None

    with_store(None if in_memory else tmp_path / "deep" / "er" / "calls.db", scenario)


def test_records_survive_a_restart(tmp_path: Path) -> None:
    """What one process wrote, the next one reads."""

    async def write(store: CallStore) -> None:
        await store.put(record(1))

    async def read(store: CallStore) -> None:
        assert await store.get("CA1") == record(1)

    with_store(tmp_path / "calls.db", write)
    with_store(tmp_path / "calls.db", read)


def test_second_put_replaces_the_first(tmp_path: Path) -> None:
    """A call is put at its start and again at its end: one record."""

    async def scenario(store: CallStore) -> None:
        await store.put(record(1, outcome="unfinished"))
        await store.put(record(1, outcome="completed"))
        assert [r["outcome"] for r in await store.list()] == ["completed"]

    with_store(tmp_path / "calls.db", scenario)


def test_list_is_newest_first_and_bounded(tmp_path: Path) -> None:
    """The newest calls come first, and no more than asked for."""

    async def scenario(store: CallStore) -> None:
        for number in (2, 5, 1, 4, 3):
            await store.put(record(number))
        await store.put(record(1))  # an update is not a newer call
        assert [r["record_id"] for r in await store.list(3)] == ["r5", "r4", "r3"]
        assert len(await store.list()) == 5

    with_store(tmp_path / "calls.db", scenario)


def test_get_is_the_newest_of_two_streams_of_a_call(tmp_path: Path) -> None:
    """A call that was streamed twice has two records; its id finds the later one."""

    async def scenario(store: CallStore) -> None:
        await store.put(record(1, call_id="CA"))
        await store.put(record(2, call_id="CA"))
        await store.put(record(1, call_id="CA"))
        found = await store.get("CA")
        assert found is not None
        assert found["record_id"] == "r2"
        assert len(await store.list()) == 2

    with_store(tmp_path / "calls.db", scenario)


def test_ids_are_data_not_sql(tmp_path: Path) -> None:
    """Quotes in an id find nothing and harm nothing."""

    async def scenario(store: CallStore) -> None:
        await store.put(record(1))
        assert await store.get("' OR 1=1; DROP TABLE calls; --") is None
        assert await store.get("CA1") is not None

    with_store(tmp_path / "calls.db", scenario)


def test_many_puts_at_once_keep_their_order(tmp_path: Path) -> None:
    """Calls that end together are all written, the last put of each winning."""

    async def scenario(store: CallStore) -> None:
        puts = [store.put(record(n % 10, outcome=str(n))) for n in range(50)]
        assert all(await asyncio.gather(*puts))
        assert sorted(r["outcome"] for r in await store.list()) == [str(n) for n in range(40, 50)]

    with_store(tmp_path / "calls.db", scenario)


def test_event_loop_turns_while_the_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that hangs on a lock does not hold up anything else."""
    monkeypatch.setattr(store_module, "_LOCK_TIMEOUT_S", 0.3)

    async def scenario(store: CallStore) -> None:
        other = sqlite3.connect(tmp_path / "calls.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        put = asyncio.ensure_future(store.put(record(1)))
        turns = 0
        while not put.done():
            await asyncio.sleep(0.01)
            turns += 1
        other.execute("ROLLBACK")
        other.close()
        assert turns >= 5
        assert put.result() is False
        assert await store.put(record(1))  # and the next one goes through

    with_store(tmp_path / "calls.db", scenario)


def test_failed_write_is_false_not_an_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the record, not the call."""

    def full(store: CallStore, document: dict[str, Any]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(CallStore, "_write", full)

    async def scenario(store: CallStore) -> None:
        assert await store.put(record(1)) is False

    with_store(tmp_path / "calls.db", scenario)


def test_database_that_went_away_cannot_be_read(tmp_path: Path) -> None:
    """A table dropped under the server is an error that the API can answer."""

    async def scenario(store: CallStore) -> None:
        other = sqlite3.connect(tmp_path / "calls.db")
        other.execute("DROP TABLE calls")
        other.close()
        with pytest.raises(RecordsUnavailableError):
            await store.get("CA1")
        with pytest.raises(RecordsUnavailableError):
            await store.list()
        assert await store.put(record(1)) is False

    with_store(tmp_path / "calls.db", scenario)


def test_file_that_is_no_database_is_told_at_start(tmp_path: Path) -> None:
    """A wrong file is named, with the cure, and is not touched."""
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database; keep them as they are\n" * 50)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"notes\.txt.*records\.path"):
        asyncio.run(CallStore(path).open())
    assert path.read_bytes() == before


def test_folder_that_cannot_be_made_is_told_at_start(tmp_path: Path) -> None:
    """A path through a file is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"records\.path"):
        asyncio.run(CallStore(tmp_path / "file" / "calls.db").open())


def test_closed_store_is_our_bug() -> None:
    """Asking a store that is not open is a mistake in the server."""

    async def scenario() -> None:
        store = CallStore(None)
        with pytest.raises(StateError):
            await store.get("CA1")
        await store.close()

    asyncio.run(scenario())
