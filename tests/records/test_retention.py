"""What is old is deleted, from every table and every byte of the file."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from ivr.config import RecordSettings
from ivr.records.database import Database
from ivr.records.store import CallStore
from tests.records.calls import ended, opened, until, with_store

OLD, NEW = "2020-01-01T00:00:00.000+00:00", "2099-01-01T00:00:00.000+00:00"


def bytes_in(folder: Path) -> bytes:
    """All that the files below a folder hold."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_purge_deletes_what_is_older(lasting: RecordSettings) -> None:
    """Calls, turns and results before a time are gone, the others stay."""

    async def scenario(store: CallStore) -> None:
        for number in range(7):
            await store.put(ended(number, started_at=OLD if number < 5 else NEW))
        assert await store.purge("2021-01-01T00:00:00.000+00:00") == 5
        assert {r["record_id"] for r in await store.list()} == {"r5", "r6"}
        assert store.counts["purged"] == 5
        database = Database(lasting)
        await database.open()
        async with database.begin() as connection:
            left = (await connection.execute(text("SELECT count(*) FROM turns"))).scalar_one()
        await database.close()
        assert left == 4

    with_store(lasting, scenario)


def test_nothing_of_a_purged_call_is_left_in_the_files(tmp_path: Path) -> None:
    """Neither free pages nor the write-ahead log keep what was said."""
    canary = b"41550099"

    async def scenario(store: CallStore) -> None:
        for number in range(30):
            await store.put(ended(number, started_at=OLD, variables={"account": canary.decode()}))
        assert await store.purge(NEW) == 30
        files = bytes_in(tmp_path)
        assert canary not in files
        assert b"41550012" not in files

    with_store(RecordSettings(path=tmp_path / "calls.db"), scenario)


def test_retention_runs_by_itself(lasting: RecordSettings) -> None:
    """With keep_days a server deletes what is too old when it starts."""
    spool = lasting.spool_folder
    assert spool is not None
    rejected = spool / "rejected"
    rejected.mkdir(parents=True)
    for name, age_s in (("old", 40 * 86_400), ("new", 0)):
        (rejected / f"{name}.json").write_text("{}")
        os.utime(rejected / f"{name}.json", (time.time() - age_s,) * 2)

    async def main() -> None:
        async with opened(lasting) as store:
            await store.put(ended(1, started_at=OLD))
            await store.put(ended(2, started_at=NEW))
        async with opened(lasting.model_copy(update={"keep_days": 30})) as store:
            await until(lambda: store.counts["purged"] == 1)
            assert [r["record_id"] for r in await store.list()] == ["r2"]
            await until(lambda: not os.path.exists(rejected / "old.json"))  # noqa: PTH110

    asyncio.run(main())
    assert (rejected / "new.json").exists()


@pytest.mark.parametrize("days", [0, -1])
def test_keep_days_is_a_day_or_more(days: int) -> None:
    """Nobody deletes all by a slip."""
    with pytest.raises(ValueError, match="keep_days"):
        RecordSettings(keep_days=days)
