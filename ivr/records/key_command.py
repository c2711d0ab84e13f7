"""``ivr keys``: create, list, rotate and revoke API keys."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from ivr.config import RecordSettings
from ivr.errors import ConfigError
from ivr.records.database import Database
from ivr.records.duration import parse_age
from ivr.records.keys import ApiKey, KeyStore, new_key
from ivr.records.webhook import utc

_T = TypeVar("_T")


def run_create(
    settings: RecordSettings,
    name: str,
    scopes: Sequence[str],
    *,
    expires_in: str | None = None,
    own_calls: bool = False,
    json_output: bool = False,
) -> int:
    """Make a key and print it, the only time that it can be seen; returns 0.

    Raises:
        ConfigError: name, scope or age are wrong, or the database is not usable.
        RecordsUnavailableError: the database does not answer.
    """
    key, text = new_key(name, scopes, expires_in_s=_age(expires_in), own_calls_only=own_calls)
    _run(settings, lambda keys: keys.add(key))
    _print_new(key, text, json_output)
    return 0


def run_rotate(
    settings: RecordSettings,
    key_id: str,
    *,
    overlap: str,
    expires_in: str | None = None,
    json_output: bool = False,
) -> int:
    """Make a key's successor and print it; returns 0.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_create`.
    """
    overlap_s, life_s = parse_age(overlap), _age(expires_in)
    key, text = _run(settings, lambda keys: keys.rotate(key_id, overlap_s, life_s))
    _print_new(key, text, json_output)
    return 0


def run_revoke(settings: RecordSettings, key_id: str) -> int:
    """End a key; returns 0.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_create`.
    """
    key = _run(settings, lambda keys: keys.revoke(key_id))
    print(f"{key.key_id} ({key.name}) is revoked; servers notice within seconds")  # noqa: T201
    return 0


def run_list(settings: RecordSettings, *, json_output: bool = False) -> int:
    """Print the keys, without anything secret; returns 0.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_create`.
    """
    keys = _run(settings, lambda store: store.all())
    if json_output:
        for key in keys:
            print(json.dumps(_shown(key)))  # noqa: T201 - what the command is for
        return 0
    columns = ("key_id", "name", "state", "scopes", "expires_at", "last_used_at", "uses")
    table = Table()
    for name in columns:
        table.add_column(name, no_wrap=name == "key_id")  # it is what the other commands want
    for key in keys:
        shown = _shown(key)
        table.add_row(*(str(shown[name] if shown[name] is not None else "") for name in columns))
    Console().print(table)
    return 0


def _print_new(key: ApiKey, text: str, json_output: bool) -> None:
    if json_output:
        print(json.dumps({**_shown(key), "key": text}))  # noqa: T201 - what the command is for
        return
    print(text)  # noqa: T201 - alone on standard output, so that it can be piped into a vault
    until = f", good until {key.expires_at}" if key.expires_at else ""
    print(  # noqa: T201
        f"ivr: {key.key_id} ({key.name}): {', '.join(sorted(key.scopes))}{until}; keep the line "
        "above now, it is not shown again",
        file=sys.stderr,
    )


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "state": key.state(utc(0.0)),
        "scopes": " ".join(sorted(key.scopes)),
        "own_calls_only": key.own_calls_only,
        "owner": key.owner,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "uses": key.uses,
    }


def _age(text: str | None) -> float | None:
    return None if text is None else parse_age(text)


def _run(settings: RecordSettings, work: Callable[[KeyStore], Awaitable[_T]]) -> _T:
    if settings.url is None and settings.path is None:
        raise ConfigError(
            "records.path is null: keys would be in this command's memory only; give a file, or "
            "records.url"
        )

    async def main() -> _T:
        database = Database(settings)
        try:
            await database.open()
            return await work(KeyStore(database))
        finally:
            await database.close()

    return asyncio.run(main())
