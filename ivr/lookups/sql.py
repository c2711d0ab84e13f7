"""Lookups by SQL: one row of a database that the configuration names.

Theory of operation: a flow's select is read-only twice: the file format takes nothing else, and the
database is told so (``mode=ro`` of SQLite, a read-only transaction of PostgreSQL). Values are bound
as parameters of the kinds that the flow gives its variables, so that PostgreSQL compares a number
with a number; none of them is ever in the text.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeEngine

from ivr.config import LookupSettings
from ivr.errors import ConfigError
from ivr.flow.lookup import Source, SqlSource
from ivr.flow.request import MISSING, Answer, SqlRequest
from ivr.flow.values import AMOUNT, BOOLEAN, DATE, NUMBER

_CONNECTIONS: Final = 5
_CONNECT_TIMEOUT_S: Final = 5.0


class SqlLookups:
    """Asks databases.

    Args:
        settings: which.

    Raises:
        ConfigError: an address is none.

    State: connections, made when first needed.
    """

    def __init__(self, settings: LookupSettings) -> None:
        self._urls = {
            name: _url(name, url.get_secret_value()) for name, url in settings.databases.items()
        }
        self._files = {
            name: Path(url.database.removeprefix("file:"))
            for name, url in self._urls.items()
            if url.get_backend_name() == "sqlite" and url.database
        }
        self._engines: dict[str, AsyncEngine] = {}

    def problem(self, source: Source) -> str | None:
        """Why this source cannot be asked, with the cure; None if it can."""
        if not isinstance(source, SqlSource):
            return None
        url = self._urls.get(source.database)
        if url is not None and url.get_backend_name() == "postgresql":
            return None if find_spec("asyncpg") else "needs: pip install 'ivr[postgres]'"
        if url is not None:
            return None
        known = f"it has {', '.join(self._urls)}" if self._urls else "it has none"
        return f"asks the database {source.database}; add it to lookups.databases, {known}"

    async def look_up(self, request: SqlRequest) -> Answer:
        """The first row; more of them are not looked at."""
        if request.database not in self._urls:
            return Answer.failed("unknown_database")
        try:
            async with asyncio.timeout(request.timeout_s):
                if await asyncio.to_thread(self._is_gone, request.database):
                    return Answer.failed("database_gone")
                row = await self._first_row(request)
        except TimeoutError:
            return Answer.failed("timeout")
        except (SQLAlchemyError, OSError):  # its text may hold the parameters
            return Answer.failed("database_error")
        return MISSING if row is None else Answer.found(row)

    async def close(self) -> None:
        """Close the connections."""
        for engine in self._engines.values():
            await engine.dispose()

    def _is_gone(self, name: str) -> bool:
        """Whether the file of an SQLite database is not there: the driver would leave a thread."""
        path = self._files.get(name)
        return path is not None and not path.is_file()

    async def _first_row(self, request: SqlRequest) -> dict[str, Any] | None:
        statement = sa.text(request.sql).bindparams(
            *(
                sa.bindparam(name, *_bound(request.kinds[name], value))
                for name, value in request.parameters.items()
            )
        )
        async with self._engine(request.database).connect() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(postgresql_readonly=True)
            found = (await connection.execute(statement)).mappings().first()
        return None if found is None else {key: _plain(found[key]) for key in found}

    def _engine(self, name: str) -> AsyncEngine:
        if name not in self._engines:
            url = self._urls[name]
            sqlite = url.get_backend_name() == "sqlite"
            self._engines[name] = create_async_engine(
                url,
                hide_parameters=True,
                pool_size=_CONNECTIONS,
                max_overflow=0,
                pool_pre_ping=not sqlite,
                connect_args={"timeout": _CONNECT_TIMEOUT_S},
            )
        return self._engines[name]


def _url(name: str, text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:  # its text holds the password
        url = URL.create("none")
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+asyncpg")
    if url.get_backend_name() == "sqlite" and url.database:
        return URL.create(
            "sqlite+aiosqlite",
            database=f"file:{Path(url.database).absolute()}",
            query={"mode": "ro", "uri": "true"},
        )
    raise ConfigError(
        f"lookups.databases: {name}: write postgresql://USER:PASSWORD@HOST/DATABASE, or "
        "sqlite:////PATH of a file"
    )


def _bound(kind: str, value: str) -> tuple[Any, TypeEngine[Any]]:
    """A value as the driver wants it, and the type that it is bound as."""
    if kind == DATE:
        return datetime.date.fromisoformat(value), sa.Date()
    if kind == BOOLEAN:
        return value == "yes", sa.Boolean()
    if kind == AMOUNT or (kind == NUMBER and "." in value):
        return Decimal(value), sa.Numeric()
    if kind == NUMBER:
        return int(value), sa.BigInteger()
    return value, sa.String()


def _plain(value: Any) -> Any:
    """A cell as an answer has it; what is no text or number of its own is written out."""
    if isinstance(value, datetime.date):  # a datetime is one
        return value.isoformat()
    if value is None or isinstance(value, str | int | float | Decimal | list | dict):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    return None if isinstance(value, bytes | memoryview) else str(value)
