"""What the console's views show: calls, flows, quality, health, each for those who may see it."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Final

from aiohttp import web

from ivr.flow.picture import svg
from ivr.records.protection import UnreadableError
from ivr.records.recordings import NoRecordingError, Recordings
from ivr.records.statistics import Statistics, Unit
from ivr.server.access import PRINCIPAL
from ivr.server.console import Handler, reply
from ivr.server.context import CONTEXT
from ivr.server.health import ready
from ivr.server.problems import Problem
from ivr.server.session import Session

STARTED: Final = web.AppKey("console_started_at_s", float)
_PERIODS: Final[dict[str, Unit]] = {"1": "hour", "7": "day", "30": "day"}


def as_api(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Handler:
    """A handler of the API's, for a viewer: his session says who asks, in place of a key."""

    async def handle(request: web.Request, session: Session) -> web.StreamResponse:
        request[PRINCIPAL] = session.principal
        return await handler(request)

    return handle


async def list_flows(request: web.Request, session: Session) -> web.Response:
    """Handle ``GET /console/api/flows``: those that can be called, and files that are wrong."""
    flows = request.app[CONTEXT].flows
    default = flows.default.name
    listed = []
    for name in flows.names():
        served = flows.served(name)
        if served is not None:
            listed.append({"name": name, "default": name == default, "version": served.version})
    broken = dict(flows.broken) if session.may("flows:read") else {}
    return reply({"flows": listed, "broken": broken})


async def draw_flow(request: web.Request, session: Session) -> web.Response:  # noqa: ARG001
    """Handle ``GET /console/api/flows/{name}/picture``: a flow as SVG."""
    flow = request.app[CONTEXT].flows.get(request.match_info["name"])
    if flow is None:
        raise Problem(404, "no-such-flow", "no flow that is served has this name")
    # The policy takes no style from within; the page has its own.
    picture = svg(flow, styled=False)
    headers = {"Cache-Control": "no-store"}
    return web.Response(text=picture, content_type="image/svg+xml", headers=headers)


async def show_quality(request: web.Request, session: Session) -> web.Response:
    """Handle ``GET /console/api/quality?days=N``: how well callers were heard, over time."""
    days = request.query.get("days", "7")
    if days not in _PERIODS:
        raise Problem(400, "bad-days", f"days must be one of {', '.join(_PERIODS)}")
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=int(days))
    statistics = Statistics(request.app[CONTEXT].store.database)
    return reply(await statistics.quality(since, _PERIODS[days], session.principal.viewer))


async def send_recording(request: web.Request, session: Session) -> web.Response:
    """Handle ``GET /console/api/recordings/{id}``: a call's sound as WAV, in clear."""
    context, name = request.app[CONTEXT], request.match_info["recording_id"]
    recordings = Recordings(context.settings.records, context.store.database)
    missing = Problem(404, "no-such-recording", "no recording has this id, or it was deleted")
    try:
        (found,) = [r for r in await recordings.of_call(name) if r.recording_id == name]
        # Whoever may not see the call may not hear it, and is not told that there is one.
        if await context.store.get(found.record_id, session.principal.viewer) is None:
            raise missing
        audio = await recordings.open(name)
    except (ValueError, NoRecordingError):
        raise missing from None
    except UnreadableError as error:
        raise Problem(409, "unreadable", f"{error}") from None
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=audio.wav, content_type="audio/wav", headers=headers)


async def show_health(request: web.Request, session: Session) -> web.Response:  # noqa: ARG001
    """Handle ``GET /console/api/health``: what ``/readyz`` says, and what became of the records."""
    store = request.app[CONTEXT].store
    said = await ready(request)
    return reply(
        {
            "version": version("ivr"),
            "uptime_s": round(time.monotonic() - request.app[STARTED]),
            "ready": json.loads(said.text or "{}"),
            "records": {"waiting": store.waiting, **store.counts},
        }
    )
