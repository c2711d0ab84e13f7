"""Traces: a call with its turns, in the SDK's own exporter, and nothing in them that was said."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from ivr.config import TelemetrySettings
from ivr.errors import ConfigError
from ivr.server.tracing import NO_TRACE, Tracing

trace_export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

CHANCE = re.compile(r"0x[0-9a-f]{16,}|\b[0-9a-f]{32}\b|\d{4}-\d\d-\d\dT[0-9:.]+Z")


def called(spans: Sequence[Any], name: str) -> list[Any]:
    """The spans of a name, as they began."""
    return sorted((s for s in spans if s.name == name), key=lambda span: span.start_time)


def test_a_call_is_one_trace(kit: Any, speech: bytes) -> None:
    """Call, turns in it, recognition and prompts in those; no digit of the caller's anywhere."""
    exporter = trace_export.InMemorySpanExporter()
    tracing = Tracing(TelemetrySettings(), exporter)

    async def scenario() -> None:
        async with kit.serving(tracing=tracing) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(2)))
            await line.closed()
            await bench.ended()
            assert (await bench.record())["variables"] == {"account": "4155"}

    kit.run(scenario)
    spans = exporter.get_finished_spans()
    (call,) = called(spans, "call")
    turns = called(spans, "turn")
    assert {span.context.trace_id for span in spans} == {call.context.trace_id}
    assert call.parent is None
    assert call.attributes["ivr.flow"] == "pin"
    assert call.attributes["ivr.outcome"] == "completed"
    assert call.attributes["ivr.ended_by"] == "agent"
    assert [turn.parent.span_id for turn in turns] == [call.context.span_id] * 2
    asked = turns[0].attributes
    assert (asked["ivr.step"], asked["ivr.cause"], asked["ivr.length"]) == ("ask", "success", 4)
    heard, prompts = called(spans, "recognise"), called(spans, "prompt")
    assert {span.parent.span_id for span in heard} == {turns[0].context.span_id}
    assert [span.parent.span_id for span in prompts] == [turn.context.span_id for turn in turns]
    assert heard[-1].attributes["ivr.words"] == 4
    assert prompts[1].attributes["ivr.personal"] is True
    # But for ids and moments, which hold any four digits by chance.
    everything = CHANCE.sub("", " ".join(span.to_json() for span in spans))
    assert '"ivr.length": 4' in everything
    for said in ("4155", "four", "4 1 5 5", "Thank you"):
        assert said not in everything


def test_nothing_is_traced_by_default(kit: Any) -> None:
    """Without an endpoint calls have no trace, and nothing of the SDK is loaded."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert bench.context.tracing.call("r1", "pin") is NO_TRACE

    kit.run(scenario)
    code = "import sys, ivr.server.app; print('opentelemetry' in sys.modules)"
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_spans_reach_a_collector(kit: Any) -> None:
    """Over HTTP, with the headers that it wants, at the latest when the server stops."""
    got: list[tuple[str, str | None, int]] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        got.append((request.path, request.headers.get("x-key"), len(body)))
        return web.Response(content_type="application/x-protobuf")

    async def scenario() -> None:
        app = web.Application()
        app.add_routes([web.post("/{rest:.*}", take)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with kit.serving(telemetry={"endpoint": url, "headers": "x-key=k1"}) as bench:
            line = await bench.call()
            await line.mark()
            await line.hang_up()
            await bench.ended()
        await runner.cleanup()

    kit.run(scenario)
    assert got
    assert {(path, key) for path, key, _ in got} == {("/v1/traces", "k1")}


def test_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the command that mends it."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigError, match=r"ivr\[otel\]"):
        Tracing(TelemetrySettings(endpoint="http://localhost:4318"))
