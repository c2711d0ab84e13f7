"""What `/readyz` says is wrong, and what of it takes a server out of service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ivr.server import readiness as readiness_module
from ivr.server.health import READINESS


async def ask(bench: Any) -> tuple[int, dict[str, Any]]:
    """Status and body of a probe."""
    response = await bench.client.get(bench.url + "/readyz")
    return response.status, await response.json()


def put_folder_in_place_of(path: Path) -> None:
    """Break a database as a mistake at the console does."""
    for file in path.parent.glob(path.name + "*"):
        if file.is_file():
            file.unlink()
    path.mkdir()


def test_dead_workers(kit: Any) -> None:
    """Without any worker no call should come; with a queue that is full they may, at a price."""
    recognizer = kit.recognizer([kit.heard("five")])

    async def scenario() -> None:
        async with kit.serving(recognizer=recognizer) as bench:
            recognizer.waiting = 2
            status, body = await ask(bench)
            assert (status, body["status"]) == (200, "degraded")
            assert body["checks"]["workers"]["reason"] == "queue_full"
            recognizer.alive = 0
            status, body = await ask(bench)
            assert (status, body["reason"]) == (503, "no_worker_alive")
            text = await (await bench.client.get(bench.url + "/metrics")).text()
            assert "ivr_ready 0.0" in text
            assert "ivr_workers_alive 0.0" in text

    kit.run(scenario)


def test_database_away_is_told_and_calls_go_on(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records wait in the spool meanwhile, so a probe is told and calls are still taken."""
    monkeypatch.setattr(readiness_module, "_FRESH_S", 0.0)
    monkeypatch.setattr(readiness_module, "_PATIENCE_S", 60.0)  # the file is made anew
    path = tmp_path / "calls.db"

    async def scenario() -> None:
        async with kit.serving(records=path) as bench:
            assert (await ask(bench))[1]["status"] == "ready"
            put_folder_in_place_of(path)
            status, body = await ask(bench)
            assert (status, body["status"]) == (200, "degraded")
            assert body["checks"]["database"] == {"state": "warn", "reason": "database_away"}
            path.rmdir()
            assert (await ask(bench))[1]["checks"]["database"] == {"state": "ok"}

    kit.run(scenario)


def test_disk_nearly_full(kit: Any, tmp_path: Path) -> None:
    """Where records could not be kept for long, no call should come; numbers say how bad it is."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db", min_free_bytes=1 << 60) as bench:
            status, body = await ask(bench)
            assert (status, body["reason"]) == (503, "disk_nearly_full")
            assert body["checks"]["disk"]["records_free_bytes"] > 0
            assert body["checks"]["disk"]["spool_free_bytes"] > 0
            text = await (await bench.client.get(bench.url + "/metrics")).text()
            assert 'ivr_disk_free_bytes{folder="spool"}' in text

    kit.run(scenario)


def test_probes_share_one_look(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask, the database is asked once in a while."""
    looks = 0

    async def scenario() -> None:
        nonlocal looks
        async with kit.serving() as bench:
            ping = bench.context.store.ping

            async def counted() -> None:
                nonlocal looks
                looks += 1
                await ping()

            monkeypatch.setattr(bench.context.store, "ping", counted)
            answers = await asyncio.gather(*(ask(bench) for _ in range(20)))
            assert {status for status, _ in answers} == {200}

    kit.run(scenario)
    assert looks == 1


def test_slow_database_does_not_hold_up_a_probe(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that neither answers nor refuses counts as away; draining is told at once."""
    monkeypatch.setattr(readiness_module, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(readiness_module, "_FRESH_S", 0.0)

    async def scenario() -> None:
        async with kit.serving() as bench:
            never = asyncio.Event()
            monkeypatch.setattr(bench.context.store, "ping", never.wait)
            status, body = await ask(bench)
            assert status == 200
            assert body["checks"]["database"]["reason"] == "database_away"
            monkeypatch.setattr(readiness_module, "_PATIENCE_S", 600.0)
            waiting = asyncio.ensure_future(bench.runner.app[READINESS].report())
            await asyncio.sleep(0)
            bench.context.draining = True
            status, body = await ask(bench)
            assert (status, body["reason"]) == (503, "draining")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    kit.run(scenario)
