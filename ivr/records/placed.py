"""Calls that were placed through the API: whose they are, and how far they have come.

Theory of operation: a row is written before the provider is asked, so that a call which the
provider has placed is never unknown here. Its random id goes into the addresses that the provider
is given; when the provider calls back, the id says whose call it is and which flow it follows.

    placing -- the provider takes it --> queued, initiated, ringing, in-progress
            |                            --> completed, busy, no-answer, failed, canceled
            +- refuses it            --> refused
            +- does not answer       --> unknown, until it calls back

A status never goes back: the provider's messages come in any order. Whom a call goes to is not
kept. An Idempotency-Key is kept as a hash, and what was asked with it as a hash that takes the key
to compute: whoever has the database cannot try all telephone numbers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ivr.errors import ConfigError
from ivr.records.database import Database
from ivr.records.selection import Viewer
from ivr.records.store import unavailable
from ivr.records.tables import placed_calls
from ivr.records.webhook import utc

# A later one never gives way to an earlier one.
_RANKS: Final = {
    "placing": 0,
    "unknown": 1,
    "queued": 2,
    "initiated": 3,
    "ringing": 4,
    "in-progress": 5,
    **dict.fromkeys(("refused", "completed", "busy", "no-answer", "failed", "canceled"), 6),
}
STATUSES: Final = tuple(_RANKS)


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that was placed.

    Attributes:
        placed_id: ours; not to be guessed.
        owner: whose it is; ``None`` for this machine's.
        idempotency: hash of the owner and the key that it was asked with, if it was.
        fingerprint: of what was asked.
        flow: that it follows.
        call_id: the provider's, once it has one.
        status: of `STATUSES`.
        placed_at, updated_at: ISO 8601 in UTC.
    """

    placed_id: str
    owner: str | None
    idempotency: str | None
    fingerprint: str | None
    flow: str
    call_id: str | None
    status: str
    placed_at: str
    updated_at: str


def new_placed(owner: str | None, flow: str, idempotency_key: str | None, asked: str) -> Placed:
    """A call about to be placed.

    Args:
        owner: whose it is.
        flow: that it follows.
        idempotency_key: the client's.
        asked: all that the client asked, the number among it.
    """
    now = utc(0.0)
    name = fingerprint = None
    if idempotency_key is not None:
        name = hashlib.sha256(f"{owner}\n{idempotency_key}".encode()).hexdigest()
        secret = idempotency_key.encode()
        fingerprint = hmac.new(secret, asked.encode(), hashlib.sha256).hexdigest()
    return Placed(secrets.token_hex(16), owner, name, fingerprint, flow, None, "placing", now, now)


class PlacedStore:
    """The placed calls of one database.

    Args:
        database: its owner opens and closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, placed: Placed) -> Placed:
        """Note a call about to be placed.

        Returns:
            The same, or the one that was asked with the same key before.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        row = {name: getattr(placed, name) for name in Placed.__slots__}
        try:
            await self._execute(placed_calls.insert().values(row))
        except IntegrityError:
            rows = await self._found(placed_calls.c.idempotency == placed.idempotency)
            return rows[0] if rows else await self.add(placed)  # forgotten meanwhile
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            raise unavailable(error) from None
        return placed

    async def note(self, placed_id: str, status: str, call_id: str | None = None) -> None:
        """Note how far a call has come; an earlier status than the one known changes nothing.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        before = [known for known, rank in _RANKS.items() if rank < _RANKS[status]]
        here = placed_calls.update().where(placed_calls.c.placed_id == placed_id)
        await self._change(
            here.where(placed_calls.c.status.in_(before)).values(status=status, updated_at=utc(0.0))
        )
        if call_id is not None:
            await self._change(here.where(placed_calls.c.call_id.is_(None)).values(call_id=call_id))

    async def get(self, placed_id: str) -> Placed | None:
        """The call with this id.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        rows = await self._found(placed_calls.c.placed_id == placed_id)
        return rows[0] if rows else None

    async def find(self, name: str, viewer: Viewer) -> Placed | None:
        """The call with this call_id or placed_id that somebody may see.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        named = sa.or_(placed_calls.c.call_id == name, placed_calls.c.placed_id == name)
        rows = [row for row in await self._found(named) if viewer.sees(row.owner)]
        return rows[0] if rows else None

    async def forget(self, placed_id: str) -> None:
        """Forget a call that the provider was never asked for, so that it can be asked again.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        await self._change(placed_calls.delete().where(placed_calls.c.placed_id == placed_id))

    async def _change(self, statement: sa.Executable) -> None:
        try:
            await self._execute(statement)
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            raise unavailable(error) from None

    async def _found(self, which: sa.ColumnElement[bool]) -> list[Placed]:
        try:
            return await self._read(which)
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            raise unavailable(error) from None

    async def _read(self, which: sa.ColumnElement[bool]) -> list[Placed]:
        async with self._database.begin() as connection:
            rows: Any = (await connection.execute(sa.select(placed_calls).where(which))).mappings()
            return [Placed(**row) for row in rows]

    async def _execute(self, statement: sa.Executable) -> None:
        async with self._database.begin() as connection:
            await connection.execute(statement)
