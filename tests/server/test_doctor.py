"""`ivr doctor`: each check with what is right and what is wrong, against real files and sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ivr.config import Settings
from ivr.records.database import Database
from ivr.server.doctor import local
from ivr.server.doctor.findings import Finding
from ivr.server.doctor.remote import Remote
from ivr.server.doctor.report import run_doctor

SID = "AC" + "0" * 32
TOKEN = "a token of the test"
DATE = "Wed, 25 Nov 2026 12:00:00 GMT"
DATE_S = 1795608000.0
FLOW = "flow: hello\nstart: bye\nsteps: {bye: {end: completed, say: Good bye.}}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with everything in the test's folder; keyword arguments are sections."""
    (tmp_path / "flow.yaml").write_text(FLOW)

    def make(**sections: Any) -> Settings:
        records = {"path": tmp_path / "calls.db", **sections.pop("records", {})}
        prompts = {"cache_dir": None}
        base = {"flow": tmp_path / "flow.yaml", "records": records, "prompts": prompts}
        return Settings.model_validate({**base, **sections})

    return make


def by_name(found: list[Finding]) -> dict[str, Finding]:
    """Findings by what was looked at."""
    return {finding.name: finding for finding in found}


def told(found: Finding) -> Finding:
    """A finding that is not well says what to do, and never has the token in it."""
    assert found.state == "ok" or found.cure
    assert TOKEN not in found.said + found.cure
    return found


# -- this machine ----------------------------------------------------------------------------------


def test_flows(settings: Any, tmp_path: Path) -> None:
    """A flow that is right is named; one that is wrong is told with its file."""
    (right,) = local.look_at_flows(settings())
    assert (right.state, "hello" in right.said) == ("ok", True)
    (tmp_path / "flow.yaml").write_text("flow: x\nstrat: y\n")
    (wrong,) = local.look_at_flows(settings())
    assert told(wrong).state == "fail"
    assert "flow.yaml" in wrong.said
    (tmp_path / "flow.yaml").write_text(FLOW)
    (voiceless,) = local.look_at_flows(settings(prompts={"voice": "xx-none", "cache_dir": None}))
    assert told(voiceless).state == "fail"


def test_model(settings: Any, tmp_path: Path) -> None:
    """The embedded model hears the test number; a folder without a model fails."""
    (right,) = local.look_at_model(settings())
    assert "digests right" in right.said
    assert right.state in {"ok", "warn"}  # a busy machine is a warning
    assert "not all of it" not in right.said
    (wrong,) = local.look_at_model(settings(recognizer={"model_dir": tmp_path / "nowhere"}))
    assert told(wrong).state == "fail"


def test_database(settings: Any, tmp_path: Path) -> None:
    """Not made yet, up to date, too new, unusable; and looking makes nothing."""
    here = settings()

    async def look(given: Settings) -> Finding:
        (found,) = await local.look_at_database(given)
        return told(found)

    def revise(revision: str) -> None:
        with contextlib.closing(sqlite3.connect(here.records.path)) as file, file:
            file.execute("UPDATE alembic_version SET version_num = ?", (revision,))

    async def scenario() -> None:
        assert (await look(here)).state == "ok"
        assert not here.records.path.exists()
        database = Database(here.records)
        await database.open()
        await database.close()
        assert "the newest" in (await look(here)).said
        revise("0001")
        assert (await look(here)).state == "warn"
        revise("9999")
        assert (await look(here)).state == "fail"
        folder = settings(records={"path": tmp_path})
        assert (await look(folder)).state == "fail"
        assert (await look(settings(records={"path": None}))).state == "warn"

    asyncio.run(scenario())


def test_postgres_that_is_not_there(settings: Any) -> None:
    """A server that refuses connections fails, without the password in the message."""
    pytest.importorskip("asyncpg")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"postgresql://ivr:{'secret'}@127.0.0.1:{taken.getsockname()[1]}/ivr"
        (found,) = asyncio.run(_list(local.look_at_database(settings(records={"url": url}))))
    assert told(found).state == "fail"
    assert "secret" not in found.said


async def _list(found: Any) -> list[Finding]:
    return list(await found)


def test_disks(settings: Any, tmp_path: Path) -> None:
    """Room is told in MB; too little of it fails."""
    assert {found.state for found in local.look_at_disks(settings())} == {"ok"}
    full = settings(records={"min_free_bytes": 1 << 60})
    assert {told(found).state for found in local.look_at_disks(full)} == {"fail"}


def test_missing_extra(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the configuration needs and is not installed is told with the command."""
    (right,) = local.look_at_extras(settings())
    assert right.state == "ok"
    monkeypatch.setattr(local, "_installed", lambda module: False)
    wanted = settings(telemetry={"endpoint": "http://localhost:4318"})
    (wrong,) = local.look_at_extras(wanted)
    assert wrong.state == "fail"
    assert wrong.cure == "pip install 'ivr[otel]'"


def test_settings_that_are_seldom_meant(settings: Any) -> None:
    """A public server without signatures, and more workers than cores."""
    exposed = settings(server={"public_url": "https://ivr.example.com"}, recognizer={"workers": 64})
    found = by_name([told(one) for one in local.look_at_settings(exposed)])
    assert {one.state for one in found.values()} == {"warn"}
    assert set(found) == {"signatures", "workers"}


# -- the network -----------------------------------------------------------------------------------


@asynccontextmanager
async def answering(handler: Any) -> AsyncIterator[str]:
    """Somebody at an address who answers everything in one way."""
    app = web.Application()
    app.add_routes([web.route("*", "/{rest:.*}", handler)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def look(given: Settings, clock_s: float = DATE_S) -> dict[str, Finding]:
    """What the checks over the network find."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as client:
        found = await Remote(given, client, lambda: clock_s).look()
    return by_name([told(one) for one in found if one.said != "calls would travel unencrypted"])


@pytest.mark.parametrize(
    ("status", "account", "state"),
    [(200, "active", "ok"), (200, "suspended", "fail"), (401, None, "fail"), (500, None, "warn")],
)
def test_account(settings: Any, status: int, account: str | None, state: str) -> None:
    """The account is fetched with the credentials, and what it says is believed."""
    asked: list[tuple[str, str]] = []

    async def account_api(request: web.Request) -> web.Response:
        login = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        asked.append((request.path, login))
        return web.json_response({"status": account}, status=status, headers={"Date": DATE})

    async def scenario() -> None:
        async with answering(account_api) as url:
            twilio = {"account_sid": SID, "auth_token": TOKEN, "api_url": url}
            server = {"public_url": "http://127.0.0.1:9"}
            found = await look(settings(twilio=twilio, server=server))
            assert found["twilio"].state == state

    asyncio.run(scenario())
    assert asked == [(f"/2010-04-01/Accounts/{SID}.json", f"{SID}:{TOKEN}")]


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0.0, "ok"), (-1.0, "ok"), (30.0, "warn"), (-600.0, "fail")]
)
def test_clock(settings: Any, ahead_s: float, state: str) -> None:
    """Ours is compared with that of whoever answers; our own address does not count."""

    async def dated(request: web.Request) -> web.Response:
        return web.json_response({"status": "active"}, headers={"Date": DATE})

    async def scenario() -> None:
        async with answering(dated) as url:
            elsewhere = url.replace("127.0.0.1", "localhost")
            twilio = {"account_sid": SID, "auth_token": TOKEN, "api_url": elsewhere}
            found = await look(
                settings(twilio=twilio, server={"public_url": url}), DATE_S + ahead_s
            )
            assert found["clock"].state == state
            alone = await look(settings(server={"public_url": url}), DATE_S + 9999)
            assert alone["clock"].state == "warn"

    asyncio.run(scenario())


def test_own_address(kit: Any, settings: Any) -> None:
    """A running server is reached, its socket opened with the right signature only."""

    async def scenario() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        twilio = {"auth_token": TOKEN}
        async with kit.serving(server={"public_url": url}, twilio=twilio) as bench:
            await web.TCPSite(bench.runner, "127.0.0.1", port).start()
            found = await look(settings(twilio=twilio, server={"public_url": url}))
            assert (found["public_url"].state, found["media_socket"].state) == ("ok", "ok")
            other = settings(twilio={"auth_token": "another"}, server={"public_url": url})
            assert (await look(other))["media_socket"].state == "fail"
            bench.context.draining = True
            busy = await look(settings(twilio=twilio, server={"public_url": url}))
            assert busy["media_socket"].state == "warn"
        gone = await look(settings(server={"public_url": url}))
        assert gone["public_url"].state == "fail"
        assert gone["media_socket"].state == "fail"

    kit.run(scenario)


def test_proxy_that_is_not_ours(settings: Any) -> None:
    """Somebody else's page, or a proxy that forwards no upgrade, is told with where to look."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="Welcome to nginx!")

    async def only_calls(request: web.Request) -> web.Response:
        return web.Response(status=404 if request.path == "/livez" else 400)

    async def scenario() -> None:
        async with answering(page) as url:
            found = await look(settings(server={"public_url": url}))
            assert found["public_url"].state == "fail"
        async with answering(only_calls) as url:
            found = await look(settings(server={"public_url": url}))
            assert found["public_url"].state == "ok"
            assert "Upgrade" in found["media_socket"].cure

    asyncio.run(scenario())


# -- the command -----------------------------------------------------------------------------------


def test_json_and_status(settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object for machines; the status says whether something failed, and whose it is."""
    settings()
    config = tmp_path / "ivr.yaml"
    config.write_text("flow: flow.yaml\nrecords: {path: calls.db}\nprompts: {cache_dir: null}\n")
    assert run_doctor(config, offline=True, json_output=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {"configuration", "flows", "model", "database", "disk", "extras"} <= {
        check["name"] for check in document["checks"]
    }
    config.write_text("flow: flow.yaml\nsever: {}\n")
    assert run_doctor(config, offline=True) == 2
    out = capsys.readouterr().out
    assert "fail" in out
    assert "server" in out
    config.write_text("flow: none.yaml\nrecords: {path: calls.db}\nprompts: {cache_dir: null}\n")
    assert run_doctor(config, offline=True) == 1
