"""Call records in real databases: written, found, brought up to date."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from ivr.config import RecordSettings
from ivr.errors import ConfigError, StateError
from ivr.records.database import Database
from ivr.records.store import CallStore, RecordsUnavailableError
from tests.records.calls import ended, record, with_store


def test_put_and_get(settings: RecordSettings) -> None:
    """A record comes back as it was put, turns and all."""

    async def scenario(store: CallStore) -> None:
        document = ended(1, refusals={"bad_json": 2})
        document["note"] = "é\x00\ud800"  # whatever a provider sends
        assert await store.put(document)
        assert await store.get("CA1") == document
        assert await store.get("CA2") is None

    with_store(settings, scenario)


def test_records_survive_a_restart(lasting: RecordSettings) -> None:
    """What one process wrote, the next one reads."""

    async def write(store: CallStore) -> None:
        await store.put(ended(1))

    async def read(store: CallStore) -> None:
        assert await store.get("CA1") == ended(1)

    with_store(lasting, write)
    with_store(lasting, read)


def test_later_state_replaces_the_earlier(settings: RecordSettings) -> None:
    """A call is put at its start, after turns and at its end: one record, the last state of it."""

    async def scenario(store: CallStore) -> None:
        await store.put(record(1, outcome="unfinished", status="in-progress", turns=[]))
        await store.put(ended(1))
        assert [r["outcome"] for r in await store.list()] == ["completed"]
        found = await store.get("CA1")
        assert found is not None
        assert len(found["turns"]) == 2

    with_store(settings, scenario)


def test_earlier_state_never_replaces_the_later(settings: RecordSettings) -> None:
    """A record that is replayed late does no harm."""

    async def scenario(store: CallStore) -> None:
        await store.put(ended(1))
        await store.put(record(1, outcome="unfinished", status="in-progress", turns=[]))
        await store.put(ended(1))
        assert await store.get("CA1") == ended(1)

    with_store(settings, scenario)


def test_list_is_newest_first_and_bounded(settings: RecordSettings) -> None:
    """The newest calls come first, no more than asked for, and without what was said."""

    async def scenario(store: CallStore) -> None:
        for number in (2, 5, 1, 4, 3):
            await store.put(ended(number))
        await store.put(ended(1))  # an update is not a newer call
        listed = await store.list(3)
        assert [r["record_id"] for r in listed] == ["r5", "r4", "r3"]
        assert "turns" not in listed[0]
        assert len(await store.list()) == 5

    with_store(settings, scenario)


def test_get_is_the_newest_of_two_streams_of_a_call(settings: RecordSettings) -> None:
    """A call that was streamed twice has two records; its id finds the later one."""

    async def scenario(store: CallStore) -> None:
        await store.put(record(1, call_id="CA"))
        await store.put(record(2, call_id="CA"))
        await store.put(record(1, call_id="CA"))
        found = await store.get("CA")
        assert found is not None
        assert found["record_id"] == "r2"
        assert len(await store.list()) == 2

    with_store(settings, scenario)


def test_ids_are_data_not_sql(settings: RecordSettings) -> None:
    """Quotes in an id find nothing and harm nothing."""

    async def scenario(store: CallStore) -> None:
        await store.put(record(1))
        assert await store.get("' OR 1=1; DROP TABLE calls; --") is None
        assert await store.get("CA1") is not None

    with_store(settings, scenario)


def test_many_puts_at_once_keep_their_order(settings: RecordSettings) -> None:
    """Calls that end together are all written, the last put of each winning."""

    async def scenario(store: CallStore) -> None:
        puts = [store.put(record(n % 10, outcome=str(n))) for n in range(50)]
        assert all(await asyncio.gather(*puts))
        assert sorted(r["outcome"] for r in await store.list()) == [str(n) for n in range(40, 50)]

    with_store(settings, scenario)


def test_columns_hold_what_is_looked_for(lasting: RecordSettings) -> None:
    """Who reads the tables with SQL finds calls and turns by columns."""

    async def scenario(store: CallStore) -> None:
        await store.put(ended(1, duration_ms=14841))
        database = Database(lasting)
        await database.open()
        async with database.begin() as connection:
            call = (await connection.execute(text("SELECT * FROM calls"))).mappings().one()
            turns = (
                (await connection.execute(text("SELECT * FROM turns ORDER BY number")))
                .mappings()
                .all()
            )
        await database.close()
        assert (call["status"], call["outcome"]) == ("ended", "completed")
        assert (call["ended_by"], call["duration_ms"]) == ("agent", 14841)
        assert [(t["number"], t["step"], t["cause"]) for t in turns] == [
            (0, "ask0", "success"),
            (1, "ask1", "success"),
        ]

    with_store(lasting, scenario)


# -- migrations ------------------------------------------------------------------------------------


def test_file_of_before_the_migrations_is_taken_over(tmp_path: Path) -> None:
    """The one table that ivr made before is brought up to date, its records with it."""
    path = tmp_path / "calls.db"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE calls (record_id TEXT PRIMARY KEY, call_id TEXT NOT NULL, "
        "started_at TEXT NOT NULL, document TEXT NOT NULL);"
        "CREATE INDEX calls_by_call ON calls (call_id, started_at);"
        "CREATE INDEX calls_by_start ON calls (started_at);"
    )
    for number in (1, 2):
        document = ended(number)
        values = (f"r{number}", f"CA{number}", document["started_at"], json.dumps(document))
        old.execute("INSERT INTO calls VALUES (?, ?, ?, ?)", values)
    old.commit()
    old.close()

    async def scenario(store: CallStore) -> None:
        assert await store.get("CA1") == ended(1)
        assert [r["record_id"] for r in await store.list()] == ["r2", "r1"]

    with_store(RecordSettings(path=path), scenario)


def test_newer_database_is_left_alone(lasting: RecordSettings) -> None:
    """A schema that this version does not know is told, with the cure."""

    async def age(store: CallStore) -> None:
        database = Database(lasting)
        await database.open()
        async with database.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await database.close()

    with_store(lasting, age)
    with pytest.raises(ConfigError, match=r"newer ivr.*9999"):
        asyncio.run(CallStore(lasting).open())


def test_several_servers_may_start_at_once(lasting: RecordSettings) -> None:
    """The migrations run once, whoever is first."""

    async def main() -> None:
        stores = [CallStore(lasting) for _ in range(4)]
        await asyncio.gather(*(store.open() for store in stores))
        await asyncio.gather(*(store.put(ended(n)) for n, store in enumerate(stores)))
        assert len(await stores[0].list()) == 4
        for store in stores:
            await store.close()

    asyncio.run(main())


# -- mistakes --------------------------------------------------------------------------------------


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
        assert await store.put(record(1))  # it waits in the spool
        assert store.waiting == 1

    with_store(RecordSettings(path=tmp_path / "calls.db"), scenario)


def test_file_that_is_no_database_is_told_at_start(tmp_path: Path) -> None:
    """A wrong file is named, with the cure, and is not touched."""
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database; keep them as they are\n" * 50)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"notes\.txt.*records\.path"):
        asyncio.run(CallStore(RecordSettings(path=path)).open())
    assert path.read_bytes() == before


def test_folder_that_cannot_be_made_is_told_at_start(tmp_path: Path) -> None:
    """A path through a file is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"records\.path"):
        asyncio.run(CallStore(RecordSettings(path=tmp_path / "file" / "calls.db")).open())


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "secret", "postgresql+psycopg2"])
def test_wrong_url_is_told_without_its_password(url: str) -> None:
    """An address that is none of PostgreSQL's is refused, unseen."""
    with pytest.raises(ConfigError, match=r"records\.url") as caught:
        CallStore(RecordSettings.model_validate({"url": url}))
    assert "secret" not in str(caught.value)


def test_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL wants its extra, and the message has it."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    settings = RecordSettings.model_validate({"url": "postgresql://ivr@127.0.0.1/x"})
    with pytest.raises(ConfigError, match=r"ivr\[postgres\]"):
        asyncio.run(CallStore(settings).open())


def test_unknown_database_is_told_at_start(lasting: RecordSettings, tmp_path: Path) -> None:
    """A PostgreSQL that answers but has no such database is a mistake of the configuration."""
    if lasting.url is None:
        pytest.skip("SQLite makes the file")
    url = lasting.url.get_secret_value().rpartition("/")[0] + "/nowhere"
    wrong = RecordSettings.model_validate({"url": url, "spool_dir": tmp_path / "spool"})
    with pytest.raises(ConfigError, match=r"nowhere.*records\.url"):
        asyncio.run(CallStore(wrong).open())


def test_closed_store_is_our_bug() -> None:
    """Asking a store that is not open is a mistake in the server."""

    async def scenario() -> None:
        store = CallStore(RecordSettings(path=None))
        with pytest.raises(StateError):
            await store.get("CA1")
        await store.close()

    asyncio.run(scenario())
