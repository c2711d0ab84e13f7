"""Databases for the tests of the records: SQLite, and a real PostgreSQL where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.config import RecordSettings
from tests.records.postgres import PostgresServer, start_or_skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests that leave it running."""
    server = start_or_skip()
    yield server
    server.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> RecordSettings:
    """Settings of an empty database, of each kind in turn."""
    if request.param == "memory":
        return RecordSettings(path=None)
    if request.param == "sqlite":
        return RecordSettings(path=tmp_path / "deep" / "er" / "calls.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return RecordSettings.model_validate(
        {"url": server.new_database(), "spool_dir": tmp_path / "spool"}
    )


@pytest.fixture(params=["sqlite", "postgres"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> RecordSettings:
    """Settings of an empty database that outlives its store."""
    if request.param == "sqlite":
        return RecordSettings(path=tmp_path / "calls.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return RecordSettings.model_validate(
        {"url": server.new_database(), "spool_dir": tmp_path / "spool"}
    )
