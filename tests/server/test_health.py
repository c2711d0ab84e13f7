"""Liveness, readiness, counters, and a server that lets its calls finish."""

from __future__ import annotations

import asyncio
from typing import Any

from ivr.server.context import drain


def test_alive_and_ready(kit: Any) -> None:
    """A server with a warm model is alive and ready."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert (await bench.client.get(bench.url + "/livez")).status == 200
            response = await bench.client.get(bench.url + "/readyz")
            assert response.status == 200
            body = await response.json()
            assert (body["status"], body["calls"]) == ("ready", 0)
            assert {check["state"] for check in body["checks"].values()} == {"ok"}
            assert list(body["checks"]) == [
                "model",
                "workers",
                "database",
                "disk",
                "spool",
                "flows",
            ]

    kit.run(scenario)


def test_not_ready_without_a_model(kit: Any) -> None:
    """Until the model is warm the server lives but takes no calls, and says why."""

    async def scenario() -> None:
        recognizer = kit.recognizer([], ready=False)
        async with kit.serving(recognizer=recognizer) as bench:
            assert (await bench.client.get(bench.url + "/livez")).status == 200
            response = await bench.client.get(bench.url + "/readyz")
            assert response.status == 503
            assert (await response.json())["reason"] == "recognizer_not_ready"
            recognizer.ready = True
            assert (await bench.client.get(bench.url + "/readyz")).status == 200

    kit.run(scenario)


def test_metrics_show_refusals_by_name(kit: Any) -> None:
    """Every refusal can be read as a counter."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.line()
            await line.say("{")
            await line.closed()
            text = await (await bench.client.get(bench.url + "/metrics")).text()
            assert 'ivr_refusals_total{reason="bad_json"} 1.0' in text.splitlines()
            assert 'ivr_streams_total{reason="bad_json"} 1.0' in text.splitlines()
            assert "ivr_calls_active 0.0" in text.splitlines()

    kit.run(scenario)


def test_draining_server_lets_a_call_finish(kit: Any) -> None:
    """Readiness goes at once, no new call is taken, the current one ends in peace."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            draining = asyncio.ensure_future(drain(bench.context, 20.0))
            await asyncio.sleep(0)
            assert (await bench.client.get(bench.url + "/readyz")).status == 503
            assert (await bench.post_voice(CallSid="CA2")).status == 503
            assert (await bench.client.get(bench.url + "/media")).status == 503
            assert (await bench.client.get(bench.url + "/livez")).status == 200
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            assert await line.closed() == 1000
            assert await draining is True
            assert (await bench.record())["outcome"] == "completed"
            assert bench.count("draining") == 2

    kit.run(scenario)


def test_drain_deadline_ends_calls_politely(kit: Any) -> None:
    """A call that outlasts the deadline is closed with 1001, and its record says so."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            assert await drain(bench.context, 0.1) is False
            assert await line.closed() == 1001
            record = await bench.record()
            assert record["ending"] == {
                "by": "server",
                "reason": "server_shutdown",
                "close_code": 1001,
            }

    kit.run(scenario)


def test_drain_of_an_idle_server_is_immediate(kit: Any) -> None:
    """Without calls there is nothing to wait for; a socket without a call is none."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert await drain(bench.context, 20.0) is True
        async with kit.serving() as bench:
            line = await bench.line()
            assert await drain(bench.context, 20.0) is True
            assert await line.closed() == 1001

    kit.run(scenario)
