"""Which address under ``/console`` is handled where, and which scope it takes."""

from __future__ import annotations

import time

from aiohttp import web

from ivr.server.api.calls import get_call, list_calls
from ivr.server.browser_phone import MEDIA_PATH, announce_call, serve_browser_media
from ivr.server.console import (
    SESSIONS,
    ConsoleFiles,
    add_headers,
    log_in,
    log_out,
    new_sessions,
    show_session,
    viewing,
)
from ivr.server.console_data import (
    STARTED,
    as_api,
    draw_flow,
    list_flows,
    send_recording,
    show_health,
    show_quality,
)
from ivr.server.context import CONTEXT
from ivr.server.watch import watch_calls


def add_console(app: web.Application) -> None:
    """Serve the console in an application that has its context."""
    app[SESSIONS] = new_sessions()
    app[STARTED] = time.monotonic()
    files = ConsoleFiles()
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_let_go)
    app.add_routes(
        [
            web.get("/console", files.page),
            web.get("/console/static/{name:.+}", files.file),
            web.get("/console/api/session", show_session),
            web.post("/console/api/login", log_in),
            web.post("/console/api/logout", viewing(None, log_out)),
            web.get("/console/api/flows", viewing(None, list_flows)),
            web.get("/console/api/flows/{name}/picture", viewing("flows:read", draw_flow)),
            web.get("/console/api/calls", viewing(None, as_api(list_calls))),
            web.get("/console/api/calls/{call_id}", viewing(None, as_api(get_call))),
            web.get(
                "/console/api/recordings/{recording_id}", viewing("audio:read", send_recording)
            ),
            web.get("/console/api/quality", viewing("calls:read", show_quality)),
            web.get("/console/api/health", viewing("metrics:read", show_health)),
            web.post("/console/api/phone", viewing("calls:write", announce_call)),
            web.get("/console/api/live", viewing(None, watch_calls)),
            web.get(MEDIA_PATH, serve_browser_media),
            web.get("/console/{page:[a-z]*}{rest:(/[A-Za-z0-9._@+:-]*)?}", files.page),
        ]
    )


async def _let_go(app: web.Application) -> None:
    app[CONTEXT].hub.close()
