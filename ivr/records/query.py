"""Reading the records for people: undelivered results, and values revealed with a key."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ivr.config import RecordSettings
from ivr.errors import ConfigError
from ivr.records.database import Database
from ivr.records.protection import Keyring, mask
from ivr.records.recordings import Recordings
from ivr.records.rows import Document
from ivr.records.selection import Filter, Viewer, visible
from ivr.records.store import unavailable, with_turns
from ivr.records.tables import calls, outbox
from ivr.records.webhook import DEAD, PENDING, utc

_AT_ONCE: Final = 200
_SEALED: Final = re.compile(r"(hmac-sha256|aes-256-gcm):[A-Za-z0-9_-]+:.*")


class Reader:
    """The records of a database that a server may be writing to.

    Args:
        settings: where they are.
    """

    def __init__(self, settings: RecordSettings) -> None:
        if settings.url is None and settings.path is None:
            raise ConfigError("records.path is null: those records are in the server's memory only")
        self._settings = settings
        self._database = Database(settings)

    async def open(self) -> None:
        """Connect, and bring the schema up to date.

        Raises:
            ConfigError: it cannot be used as configured.
            RecordsUnavailableError: it does not answer.
        """
        await self._database.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._database.close()

    @property
    def recordings(self) -> Recordings:
        """The recordings of its calls."""
        return Recordings(self._settings, self._database)

    async def find(self, name: str) -> list[Document]:
        """The records with this call_id or record_id, newest first."""
        named = sa.or_(calls.c.call_id == name, calls.c.record_id == name)
        return await self._documents(visible(Viewer()).where(named))

    async def select(self, wanted: Filter) -> AsyncIterator[Document]:
        """Records, newest first, some at a time: there may be a million."""
        after, left = wanted.after, wanted.limit
        while left is None or left > 0:
            size = _AT_ONCE if left is None else min(left, _AT_ONCE)
            found = await self._documents(replace(wanted, after=after, limit=size).query())
            for document in found:
                yield document
            if len(found) < size:
                return
            after = (found[-1]["started_at"], found[-1]["record_id"])
            left = None if left is None else left - size

    async def retry(self) -> int:
        """Make dead results due again; returns how many."""
        again = (
            outbox.update()
            .where(outbox.c.state == DEAD)
            .values(state=PENDING, attempts=0, due_at=utc(0.0))
        )
        try:
            async with self._database.begin() as connection:
                return int((await connection.execute(again)).rowcount)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise unavailable(error) from None

    async def _documents(self, query: sa.Select[Any]) -> list[Document]:
        try:
            async with self._database.begin() as connection:
                return await with_turns(connection, query)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise unavailable(error) from None


def masked(document: Document) -> Document:
    """A record with every value as stars, also those that are stored plain."""

    def stars(value: str) -> str:
        return "*" if _SEALED.fullmatch(value) else mask(value)

    return _with_values(document, stars, words=False)


def revealed(document: Document, keyring: Keyring) -> Document:
    """A record with its encrypted values in clear.

    Raises:
        UnreadableError: a key is missing, or a value was altered.
    """

    def clear(value: str) -> str:
        return keyring.reveal(value, document["record_id"])

    return _with_values(document, clear, words=True)


def _with_values(document: Document, change: Callable[[str], str], *, words: bool) -> Document:
    variables = document.get("variables") or {}
    changed = {**document, "variables": {name: change(text) for name, text in variables.items()}}
    changed["turns"] = [_turn_with(turn, change, words) for turn in document.get("turns") or ()]
    return changed


def _turn_with(turn: dict[str, Any], change: Callable[[str], str], words: bool) -> dict[str, Any]:
    collected = turn.get("collected")
    if collected is None:
        return turn
    new = dict(collected)
    if new.get("value") not in (None, "yes", "no"):
        new["value"] = change(new["value"])
    new["alternatives"] = [change(value) for value in new.get("alternatives") or ()]
    new["n_best"] = [[change(value), sure] for value, sure in new.get("n_best") or ()]
    if not words:
        new["words"] = " ".join("*" for _ in (new.get("words") or "").split())
    return {**turn, "collected": new}
