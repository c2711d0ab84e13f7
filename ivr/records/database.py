"""The database of the call records: SQLite by default, PostgreSQL by URL, brought up to date.

Theory of operation: `Database` owns the engine and knows three things that differ between the two:
how to connect, whether an error means "away" (try again) or "refused" (never again), and how to run
the migrations alone. Migrations run in one transaction behind one lock, so that several servers may
start at once; a database with a revision that this version does not know is left alone.

An SQLite file that was removed or replaced under an open connection would take every write and keep
none: the file's identity is looked at before each transaction, and a new one is made where it is
gone.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ivr.config import RecordSettings
from ivr.errors import ConfigError, IvrError

# Long enough for another process's checkpoint, short beside the drain deadline; a choice, not
# measured.
LOCK_TIMEOUT_S: Final = 2.0
_CONNECT_TIMEOUT_S: Final = 5.0
_COMMAND_TIMEOUT_S: Final = 10.0
_TRANSACTION_TIMEOUT_S: Final = (
    30.0  # over all of the above: a database that is neither here nor gone
)
_LOCKED_TRIES: Final = 10
_LOCKED_WAIT_S: Final = 0.2
_MIGRATION_LOCK: Final = 0x697672  # "ivr", for PostgreSQL's advisory lock

_SCRIPTS: Final = Path(__file__).parent / "migrations"


class RecordsUnavailableError(IvrError):
    """The records cannot be read or written now: the database is locked, broken or gone."""


@dataclass(frozen=True, slots=True)
class Schema:
    """How far a database is.

    Attributes:
        current: its revision; ``None`` where nothing was made in it yet.
        newest: that this version makes.
        known: this version knows the current one.
    """

    current: str | None
    newest: str
    known: bool


class Database:
    """One database of call records.

    Args:
        settings: where it is.

    State: the engine, between `open` and `close`; whether the schema was brought up to date.
    """

    def __init__(self, settings: RecordSettings) -> None:
        self._settings = settings
        self.url = _url(settings)
        self._engine: AsyncEngine | None = None
        self._file_id: tuple[int, int] | None = None
        self._migrated = False
        self._migrating = asyncio.Lock()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file (or memory) of this machine."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """For messages: the file, or the URL without its password."""
        if self.is_sqlite:
            return self.url.database or ":memory:"
        return self.url.render_as_string(hide_password=True)

    async def open(self) -> None:
        """Connect and migrate.

        Raises:
            ConfigError: it cannot be used as configured, or is newer than this version.
            RecordsUnavailableError: it does not answer now; `begin` will try again.
        """
        try:
            await self._ready_unlocked()
        except IvrError:
            raise
        except Exception as error:  # noqa: BLE001 - SQLAlchemy's, or the driver's own
            raise self._explain(error) from None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end.

        Raises:
            SQLAlchemyError, OSError, TimeoutError: see `is_refusal`.
            RecordsUnavailableError: the server refuses connections now.
            ConfigError: the database came back and is newer than this version.
        """
        try:
            async with asyncio.timeout(_TRANSACTION_TIMEOUT_S):
                engine = await self._ready()
                async with engine.begin() as connection:
                    yield connection
        except Exception as error:
            if isinstance(error, SQLAlchemyError) or not _state(error):
                raise
            raise RecordsUnavailableError(f"{self.name}: {type(error).__name__}") from None

    async def schema(self) -> Schema:
        """How far the database is; nothing is made or changed.

        Raises:
            ConfigError: it cannot be used as configured.
            RecordsUnavailableError: it does not answer now.
        """
        known = _scripts()
        newest = str(known.get_current_head())
        try:
            current = await self._look_up_revision()
        except IvrError:
            raise
        except Exception as error:  # noqa: BLE001 - SQLAlchemy's, or the driver's own
            raise self._explain(error) from None
        revisions = {one.revision for one in known.walk_revisions()}
        return Schema(current, newest, known=current is None or current in revisions)

    async def _look_up_revision(self) -> str | None:
        if self.is_sqlite:
            return await asyncio.to_thread(_read_revision, Path(self.url.database or ""))
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            self._engine = self._engine or self._create_engine()
            async with self._engine.connect() as connection:
                return await connection.run_sync(_revision)

    def _explain(self, error: Exception) -> IvrError:
        """What to tell of a database that cannot be opened: away for now, or never as it is."""
        away = _is_locked(error) if self.is_sqlite else _is_away(error)
        if away or isinstance(error, ConnectionError):
            return RecordsUnavailableError(f"{self.name}: {type(error).__name__}")
        return ConfigError(
            f"{self.name}: the call records cannot be opened: {_cause(error)}; {self._cure()}"
        )

    async def close(self) -> None:
        """Disconnect."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def _ready_unlocked(self) -> None:
        # The switch to WAL does not wait for others who switch as well: it fails at once.
        for _ in range(_LOCKED_TRIES):
            try:
                await self._ready()
            except DBAPIError as error:
                if not (self.is_sqlite and _is_locked(error)):
                    raise
                await asyncio.sleep(_LOCKED_WAIT_S)
            else:
                return
        await self._ready()

    async def _ready(self) -> AsyncEngine:
        """The engine, with the schema up to date and, for a file, the file still there."""
        async with self._migrating:
            if self._migrated and self._file_id != self._identify():
                await self.close()
                self._migrated = False
            if self._engine is None:
                self._engine = self._create_engine()
            if not self._migrated:
                await self._migrate(self._engine)
                self._migrated, self._file_id = True, self._identify()
            return self._engine

    def _identify(self) -> tuple[int, int] | None:
        """Which file it is, whatever its name; ``None`` for a database that is no file."""
        if not self.is_sqlite or not self.url.database:
            return None
        try:
            found = os.stat(self.url.database)  # noqa: PTH116 - a string already
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def _create_engine(self) -> AsyncEngine:
        if not self.is_sqlite:
            return self._create_postgres_engine()
        options: dict[str, Any] = {"connect_args": {"timeout": LOCK_TIMEOUT_S}}
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        else:
            # The one connection is the database: readers and writer take turns.
            options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
        engine = create_async_engine(self.url, **options)
        sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        return engine

    def _create_postgres_engine(self) -> AsyncEngine:
        timeouts = {"timeout": _CONNECT_TIMEOUT_S, "command_timeout": _COMMAND_TIMEOUT_S}
        try:
            return create_async_engine(
                self.url, pool_pre_ping=True, pool_size=4, connect_args=timeouts
            )
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"records.url needs the package {error.name}; install it with "
                "pip install 'ivr[postgres]'"
            ) from None

    async def _migrate(self, engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            if self.is_sqlite:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            await connection.run_sync(self._upgrade)
            await connection.commit()

    def _upgrade(self, connection: Connection) -> None:
        config = _config()
        known = ScriptDirectory.from_config(config)
        current = _revision(connection)
        head = known.get_current_head()
        if current == head:
            return
        if current is not None and current not in {one.revision for one in known.walk_revisions()}:
            raise ConfigError(
                f"{self.name}: the call records were written by a newer ivr (schema {current}, this"
                f" version knows {head}); start that version, or {self._cure()}"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def _cure(self) -> str:
        if self.is_sqlite:
            return "give a writable file as records.path, or null to keep them in memory"
        return "check records.url, its user and its database"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _read_revision(path: Path) -> str | None:
    """The revision in an SQLite file, read without making or changing it."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        if not file.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        ).fetchall():
            return None
        (found,) = file.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
        return found


def _url(settings: RecordSettings) -> URL:
    if settings.url is None:
        return URL.create(
            "sqlite+aiosqlite", database=str(settings.path) if settings.path else None
        )
    try:
        url = make_url(settings.url.get_secret_value())
    except ArgumentError:  # its text holds the password
        url = URL.create("none")
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+asyncpg")
    raise ConfigError(
        "records.url: not an address of PostgreSQL; write postgresql://USER:PASSWORD@HOST/DATABASE,"
        " or leave it out and give a file as records.path"
    )


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's call
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # With WAL, NORMAL can lose the last records in a power cut, but never breaks the file.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What is deleted or replaced is overwritten: it held callers' numbers.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


# Classes of PostgreSQL's error codes. Away: the connection, resources, stopping or starting.
_AWAY: Final = ("08", "53", "57")
# Refused: wrong data, a broken constraint, a limit of the program.
_REFUSED: Final = ("22", "23", "54")


def is_refusal(error: BaseException) -> bool:
    """Whether the database will never take what was asked; otherwise it may later.

    In doubt it may: a record waits in the spool then, and what was rejected is as good as lost.
    """
    if _state(error):
        return _state(error) in _REFUSED or isinstance(error, DataError | IntegrityError)
    if isinstance(error, DBAPIError):
        # asyncpg's own check of a value is a ValueError below SQLAlchemy's error.
        below = getattr(error.orig, "__cause__", None)
        return isinstance(error, DataError | IntegrityError) or isinstance(below, ValueError)
    return type(error) is StatementError or isinstance(error, ValueError | TypeError | LookupError)


def _is_away(error: BaseException) -> bool:
    """Whether a PostgreSQL that cannot be opened may be there later, configured as it is."""
    return isinstance(error, OSError | TimeoutError) or _state(error) in _AWAY


def _is_locked(error: BaseException) -> bool:
    """Whether an SQLite file is just being used by another."""
    found = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(error, DBAPIError | sqlite3.Error) and "locked" in str(found)


def _state(error: BaseException) -> str:
    # SQLAlchemy 2.0 lets asyncpg's errors through where it connects; 2.1 wraps them.
    return str(getattr(getattr(error, "orig", None) or error, "sqlstate", None) or "")[:2]


def _cause(error: BaseException) -> str:
    """What the driver says, in one line; it knows of files and users, nothing of calls."""
    text = str(getattr(error, "orig", None) or error)
    return (
        text.splitlines()[0].removeprefix("<class 'asyncpg.exceptions.").strip()
        or type(error).__name__
    )
