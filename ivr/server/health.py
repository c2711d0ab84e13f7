"""``/livez``, ``/readyz`` and ``/metrics``: for the machines that watch the server."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.server.context import CONTEXT
from ivr.server.readiness import Readiness

READINESS: Final = web.AppKey("readiness", Readiness)


async def live(request: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    """Handle ``/livez``: the event loop turns."""
    return web.json_response({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """Handle ``/readyz``: 200 while a new call would be taken, else 503 with the reason.

    Either names the files of flows that are wrong as they stand, and of which an older version is
    served.
    """
    report = await request.app[READINESS].report()
    status = 200 if report.reason is None else 503
    return web.json_response(
        report.document(), status=status, headers={"Cache-Control": "no-store"}
    )


async def metrics(request: web.Request) -> web.Response:
    """Handle ``/metrics``: everything in `ivr.server.metrics.FAMILIES`, for Prometheus."""
    await request.app[READINESS].report()
    page, content_type = request.app[CONTEXT].metrics.page(request.headers.get("Accept", ""))
    return web.Response(body=page, headers={"Content-Type": content_type})
