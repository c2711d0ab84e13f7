"""``/livez``, ``/readyz`` and ``/metrics``: for the machines that watch the server."""

from __future__ import annotations

from aiohttp import web

from ivr.server.context import CONTEXT


async def live(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    """Handle ``/livez``: the event loop turns."""
    return web.json_response({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """Handle ``/readyz``: 200 while a new call would be taken, else 503 with the reason."""
    context = request.app[CONTEXT]
    reason = context.refusal()
    body = {"status": "ready" if reason is None else "not-ready", "calls": len(context.calls)}
    if reason is not None:
        body["reason"] = reason
    return web.json_response(body, status=200 if reason is None else 503)


async def metrics(request: web.Request) -> web.Response:
    """Handle ``/metrics``: the counters and the calls on the line, in Prometheus's text format."""
    context = request.app[CONTEXT]
    calls = f"# TYPE ivr_calls gauge\nivr_calls {len(context.calls)}\n"
    return web.Response(
        text=context.counters.exposition() + calls,
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )
