"""Lookups in PostgreSQL: values bound by their kinds, and nothing written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import asyncpg
import pytest

from ivr.config import Settings
from ivr.flow.request import MISSING, Answer, SqlRequest
from ivr.lookups.service import Lookups
from tests.records.postgres import PostgresServer, start_or_skip


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server of these tests' own."""
    server = start_or_skip()
    yield server
    server.close()


@pytest.fixture
def bank(postgres: PostgresServer) -> str:
    """A database with one account."""
    url = postgres.new_database()

    async def fill() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(
            """
            create table accounts (id bigint, name text, balance numeric, opened date, closed bool);
            insert into accounts values (41, 'Jane', 12.50, '2024-02-29', false);
            """
        )
        await connection.close()

    asyncio.run(fill())
    return url


def test_a_row_is_found_and_none_is_written(bank: str) -> None:
    """Each value is compared as what it is; a write is refused by the database."""
    where = "id = cast(:id as bigint) and balance < :n and opened = :d and closed = :b"
    values = {"id": "41", "n": "13.00", "d": "2024-02-29", "b": "no"}
    kinds = {"id": "digits", "n": "amount", "d": "date", "b": "boolean"}
    select = "select name, balance, opened from accounts where " + where  # noqa: S608
    found = SqlRequest(select, "bank", values, kinds, 10.0)
    nobody = SqlRequest(select, "bank", {**values, "id": "42"}, kinds, 10.0)
    written = SqlRequest("delete from accounts", "bank", {}, {}, 10.0)
    hidden = "with gone as (delete from accounts returning id) select count(*) from gone"
    slow = SqlRequest("select pg_sleep(20)", "bank", {}, {}, 0.3)

    async def main() -> list[Answer]:
        lookups = {"databases": {"bank": bank}}
        asker = Lookups(Settings.model_validate({"lookups": lookups}).lookups)
        try:
            requests = (written, SqlRequest(hidden, "bank", {}, {}, 10.0), slow, found, nobody)
            return [await asker.look_up(request) for request in requests]
        finally:
            await asker.close()

    row = {"name": "Jane", "balance": Decimal("12.50"), "opened": "2024-02-29"}
    assert asyncio.run(main()) == [
        Answer.failed("database_error"),
        Answer.failed("database_error"),
        Answer.failed("timeout"),
        Answer.found(row),
        MISSING,
    ]
