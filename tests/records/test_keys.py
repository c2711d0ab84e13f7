"""API keys: what is stored of them, how they end, and the commands that make them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ivr.cli import main
from ivr.config import RecordSettings
from ivr.errors import ConfigError
from ivr.records.database import Database
from ivr.records.keys import SCOPES, KeyStore, new_key, parse_key
from ivr.records.webhook import utc


def with_keys(settings: RecordSettings, work: Callable[[KeyStore], Awaitable[None]]) -> None:
    """Do something with the keys of a database."""

    async def run() -> None:
        database = Database(settings)
        await database.open()
        try:
            await work(KeyStore(database))
        finally:
            await database.close()

    asyncio.run(run())


def test_a_key_has_a_public_half_and_256_secret_bits() -> None:
    """Its text is taken apart again, and no two are alike."""
    key, text = new_key("crm", ["transcribe"])
    parsed = parse_key(text)
    assert parsed is not None
    assert parsed[0] == key.key_id
    assert len(parsed[1]) == 43  # base64url of 32 bytes
    assert key.matches(parsed[1])
    other, _ = new_key("crm", ["transcribe"])
    assert not other.matches(parsed[1])
    assert parsed[1] not in repr(key)


@pytest.mark.parametrize(
    "text", ["", "ivr_", "ivr_123456789abc_short", "sk_123456789abc_" + "a" * 43]
)
def test_what_is_no_key_is_known_by_its_form(text: str) -> None:
    """The database is not asked for it."""
    assert parse_key(text) is None


@pytest.mark.parametrize(
    ("name", "scopes"), [("x", []), ("x", ["all"]), (" ", ["admin"]), ("a\nb", ["admin"])]
)
def test_a_key_without_name_or_scope_is_refused(name: str, scopes: list[str]) -> None:
    """The message says what there is."""
    with pytest.raises(ConfigError):
        new_key(name, scopes)


def test_keys_are_stored_as_hashes(tmp_path: Path) -> None:
    """A copy of the database opens nothing."""
    key, text = new_key("crm", ["admin"])
    settings = RecordSettings(path=tmp_path / "calls.db")

    async def add(keys: KeyStore) -> None:
        await keys.add(key)

    with_keys(settings, add)
    assert text.split("_", 2)[2].encode() not in (tmp_path / "calls.db").read_bytes()


def test_keys_live_in_every_database(settings: RecordSettings) -> None:
    """SQLite, memory and PostgreSQL keep them, count their uses and end them."""

    async def work(keys: KeyStore) -> None:
        key, _ = new_key("crm", ["transcribe", "calls:read"], expires_in_s=60.0)
        await keys.add(key)
        assert await keys.all() == [key]
        await keys.note_uses({key.key_id: (2, utc(0.0))})
        await keys.note_uses({key.key_id: (1, utc(1.0))})
        (used,) = await keys.all()
        assert used.uses == 3
        assert used.last_used_at is not None
        assert used.state(utc(0.0)) == "active"
        assert used.state(utc(61.0)) == "expired"
        gone = await keys.revoke(key.key_id)
        assert gone.state(utc(0.0)) == "revoked"
        assert await keys.revoke(key.key_id) == gone

    with_keys(settings, work)


def test_rotation_overlaps(lasting: RecordSettings) -> None:
    """The successor has name, scopes, owner and life; the old key ends when the overlap is over."""

    async def work(keys: KeyStore) -> None:
        old, _ = new_key("crm", ["calls:read"], expires_in_s=3600.0, own_calls_only=True)
        await keys.add(old)
        new, text = await keys.rotate(old.key_id, 60.0)
        assert (new.name, new.scopes, new.owner) == (old.name, old.scopes, old.key_id)
        assert new.own_calls_only
        assert new.expires_at is not None
        assert new.expires_at > utc(3500.0)
        assert parse_key(text) is not None
        found = {key.key_id: key for key in await keys.all()}
        assert found[old.key_id].state(utc(0.0)) == "active"
        assert found[old.key_id].state(utc(61.0)) == "expired"
        # An overlap never makes a key live longer than it would have.
        third, _ = await keys.rotate(new.key_id, 1e6)
        found = {key.key_id: key for key in await keys.all()}
        assert found[new.key_id].expires_at == new.expires_at
        assert third.owner == old.key_id
        await keys.revoke(third.key_id)
        with pytest.raises(ConfigError, match="revoked"):
            await keys.rotate(third.key_id, 60.0)
        with pytest.raises(ConfigError, match="no key"):
            await keys.revoke("ivr_000000000000")

    with_keys(lasting, work)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``ivr keys``; returns status, standard output and standard error."""
    monkeypatch.setenv("IVR_RECORDS__PATH", str(tmp_path / "calls.db"))

    def run_keys(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ivr", "keys", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run_keys


def test_commands(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """Create, list, rotate and revoke, as somebody at a terminal does."""
    status, out, err = run("create", "crm", "--scope", "transcribe", "--expires-in", "90d")
    assert status == 0
    text = out.strip()
    assert parse_key(text) is not None  # the key alone, for a pipe
    assert "not shown again" in err
    key_id = "_".join(text.split("_")[:2])
    status, out, _ = run("rotate", key_id, "--overlap", "1h", "--json")
    new = json.loads(out)
    assert (status, new["owner"], new["scopes"]) == (0, key_id, "transcribe")
    assert run("revoke", key_id)[0] == 0
    status, out, _ = run("list", "--json")
    states = {key["key_id"]: key["state"] for key in map(json.loads, out.splitlines())}
    assert states == {key_id: "revoked", new["key_id"]: "active"}
    assert "secret" not in out
    assert text.split("_", 2)[2] not in out
    assert run("list")[0] == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "calls.db")) as file:
        hashes = file.execute("SELECT secret_hash FROM api_keys").fetchall()
    assert hashes
    assert all(re.fullmatch("[0-9a-f]{64}", row[0]) for row in hashes)


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "crm", "--scope", "everything"),
        ("create", "crm", "--scope", "admin", "--expires-in", "soon"),
        ("rotate", "ivr_000000000000"),
        ("revoke", "x"),
    ],
)
def test_mistakes_are_told(
    run: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...]
) -> None:
    """A message and status 2, never a traceback."""
    status, _, err = run(*arguments)
    assert status == 2
    assert err.startswith("error: ")


def test_every_scope_is_told_by_the_help(run: Callable[..., tuple[int, str, str]]) -> None:
    """Who makes a key need not look into the documents."""
    _, out, _ = run("create", "--help")
    assert all(scope in out for scope in SCOPES)
