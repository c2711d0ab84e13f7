"""API keys: who may use the API, kept as hashes in the records' database.

Theory of operation: a key is ``ivr_ID_SECRET``. The first half, its *prefix*, is public: it names
the key in lists, logs and records. The secret is 256 random bits, shown once and stored as SHA-256:
what cannot be guessed needs no slow hash, and a copy of the database opens nothing.

    usable -- expires_at has come --> expired
    usable -- revoke              --> revoked
    usable -- rotate              --> usable until the overlap is over, beside its successor

A rotated key and its successor have the same *owner*, so that the calls placed with the one are
seen with the other. Rows are never deleted: records name their owner.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ivr.errors import ConfigError
from ivr.records.database import Database
from ivr.records.store import unavailable
from ivr.records.tables import api_keys
from ivr.records.webhook import utc

SCOPES: Final[Mapping[str, str]] = {
    "transcribe": "send recordings and streams to be heard",
    "calls:read": "read call records, numbers masked",
    "calls:write": "place calls",
    "numbers:read": "see callers' numbers as they are stored",
    "audio:read": "listen to recorded calls",
    "flows:read": "read the flows",
    "metrics:read": "read the metrics",
    "admin": "everything, and the calls of every key",
}

_ID_BYTES: Final = 6  # public; 10^14 of them
_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(r"(ivr_[0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored; the secret is not in it.

    Attributes:
        key_id: the public first half, ``ivr_`` and 12 hex digits.
        name: what people call it.
        secret_hash: SHA-256 of the secret, hex.
        scopes: what it may do, of `SCOPES`.
        owner: whom the calls placed with it belong to: the id of the first key of its line.
        own_calls_only: whether calls that came in by telephone are hidden from it as well.
        created_at, expires_at, revoked_at, last_used_at: ISO 8601 in UTC; ``None`` for never.
        uses: requests that it was accepted for.
    """

    key_id: str
    name: str
    secret_hash: str = field(repr=False)
    scopes: frozenset[str]
    owner: str
    own_calls_only: bool
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None
    uses: int = 0

    def state(self, now: str) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def matches(self, secret: str) -> bool:
        """Whether this is its secret, in a time that does not tell how nearly."""
        return hmac.compare_digest(self.secret_hash, _hash(secret))


def parse_key(text: str) -> tuple[str, str] | None:
    """A shown key's id and secret; ``None`` where it does not look like one."""
    found = _KEY.fullmatch(text)
    return (found[1], found[2]) if found is not None else None


def new_key(
    name: str,
    scopes: Iterable[str],
    *,
    expires_in_s: float | None = None,
    own_calls_only: bool = False,
    owner: str | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its whole text, which exists nowhere else.

    Args:
        name: what people call it.
        scopes: what it may do.
        expires_in_s: its life, seconds; ``None`` for ever.
        own_calls_only: hide calls that came in by telephone from it.
        owner: of the key that it follows; ``None`` for the first of a line.

    Raises:
        ConfigError: no such scope, none at all, or a name that is blank or long.
    """
    wanted = frozenset(scopes)
    unknown = sorted(wanted - SCOPES.keys())
    if unknown or not wanted:
        which = f"no scope {unknown[0]!r}" if unknown else "a key needs a scope"
        raise ConfigError(f"{which}; there are {', '.join(SCOPES)}")
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise ConfigError("a key's name has 1 to 100 printable characters")
    key_id = f"ivr_{secrets.token_hex(_ID_BYTES)}"
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        key_id=key_id,
        name=name,
        secret_hash=_hash(secret),
        scopes=wanted,
        owner=owner or key_id,
        own_calls_only=own_calls_only,
        created_at=utc(0.0),
        expires_at=None if expires_in_s is None else utc(expires_in_s),
    )
    return key, f"{key_id}_{secret}"


class KeyStore:
    """The keys of one database.

    Args:
        database: open, or opened before the first use; its owner closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[ApiKey]:
        """Every key, the newest first.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        query = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id)
        return [_key_of(row) for row in await self._execute(query)]

    async def add(self, key: ApiKey) -> None:
        """Store a new key.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        await self._execute(api_keys.insert().values(_row_of(key)))

    async def revoke(self, key_id: str) -> ApiKey:
        """End a key now; one that is over stays so.

        Raises:
            ConfigError: there is no such key.
            RecordsUnavailableError: the database does not answer.
        """
        await self._find(key_id)
        ended = api_keys.update().where(
            api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None)
        )
        await self._execute(ended.values(revoked_at=utc(0.0)))
        return await self._find(key_id)

    async def rotate(
        self, key_id: str, overlap_s: float, expires_in_s: float | None = None
    ) -> tuple[ApiKey, str]:
        """Give a key a successor, and let it end when the overlap is over.

        Args:
            key_id: of the key.
            overlap_s: how long both are good, seconds.
            expires_in_s: the successor's life; ``None`` for as long as the key's own.

        Returns:
            The successor, and its whole text.

        Raises:
            ConfigError: there is no such key, or it is over.
            RecordsUnavailableError: the database does not answer.
        """
        old = await self._find(key_id)
        if old.state(utc(0.0)) != "active":
            raise ConfigError(f"{key_id} is {old.state(utc(0.0))}; create a new key instead")
        new, text = new_key(
            old.name,
            old.scopes,
            expires_in_s=_life_s(old) if expires_in_s is None else expires_in_s,
            own_calls_only=old.own_calls_only,
            owner=old.owner,
        )
        ends_at = min(old.expires_at or "~", utc(overlap_s))  # "~" sorts after every time
        ending = api_keys.update().where(api_keys.c.key_id == key_id).values(expires_at=ends_at)
        await self._execute(api_keys.insert().values(_row_of(new)), ending)
        return new, text

    async def note_uses(self, uses: Mapping[str, tuple[int, str]]) -> None:
        """Count uses: by key_id, how many more, and when the last was.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        await self._execute(
            *(
                api_keys.update()
                .where(api_keys.c.key_id == key_id)
                .values(uses=api_keys.c.uses + count, last_used_at=last)
                for key_id, (count, last) in uses.items()
            )
        )

    async def _find(self, key_id: str) -> ApiKey:
        rows = await self._execute(sa.select(api_keys).where(api_keys.c.key_id == key_id))
        if not rows:
            raise ConfigError(f"there is no key {key_id!r}; ivr keys list shows their ids")
        return _key_of(rows[0])

    async def _execute(self, *statements: sa.Executable) -> list[Any]:
        """Run statements in one transaction; returns the rows of the last, where it has any."""
        rows: list[Any] = []
        try:
            async with self._database.begin() as connection:
                for statement in statements:
                    result = await connection.execute(statement)
                    rows = list(result.mappings()) if result.returns_rows else []
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            raise unavailable(error) from None
        return rows


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _life_s(key: ApiKey) -> float | None:
    if key.expires_at is None:
        return None
    began, ends = map(datetime.datetime.fromisoformat, (key.created_at, key.expires_at))
    return (ends - began).total_seconds()


def _row_of(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "secret_hash": key.secret_hash,
        "scopes": " ".join(sorted(key.scopes)),
        "owner": key.owner,
        "own_calls_only": key.own_calls_only,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "uses": key.uses,
    }


def _key_of(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(row["scopes"].split())})
