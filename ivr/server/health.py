"""``/livez``, ``/readyz`` and ``/metrics``: for the machines that watch the server."""

from __future__ import annotations

from aiohttp import web

from ivr.server.context import CONTEXT


async def live(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    """Handle ``/livez``: the event loop turns."""
    return web.json_response({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """Handle ``/readyz``: 200 while a new call would be taken, else 503 with the reason.

    Either names the files of flows that are wrong as they stand, and of which an older version is
    served.
    """
    context = request.app[CONTEXT]
    reason = context.refusal()
    body: dict[str, object] = {
        "status": "ready" if reason is None else "not-ready",
        "calls": len(context.calls),
    }
    if reason is not None:
        body["reason"] = reason
    if context.flows.broken:  # the version before answers, so calls are taken all the same
        body["flows_not_reloaded"] = sorted(context.flows.broken)
    return web.json_response(body, status=200 if reason is None else 503)


async def metrics(request: web.Request) -> web.Response:
    """Handle ``/metrics``: counters, calls on the line and records, in Prometheus's text format."""
    context = request.app[CONTEXT]
    store = context.store
    calls = f"# TYPE ivr_calls gauge\nivr_calls {len(context.calls)}\n"
    waiting = f"# TYPE ivr_records_waiting gauge\nivr_records_waiting {store.waiting}\n"
    records = "# TYPE ivr_records_total counter\n" + "".join(
        f'ivr_records_total{{reason="{reason}"}} {count}\n'
        for reason, count in sorted(store.counts.items())
    )
    return web.Response(
        text=context.counters.exposition() + calls + waiting + records,
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )
