"""Which address under ``/console`` is handled where, and which scope it takes."""

from __future__ import annotations

from aiohttp import web

from ivr.server.browser_phone import MEDIA_PATH, announce_call, list_flows, serve_browser_media
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
from ivr.server.context import CONTEXT
from ivr.server.watch import watch_calls


def add_console(app: web.Application) -> None:
    """Serve the console in an application that has its context."""
    app[SESSIONS] = new_sessions()
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
            web.post("/console/api/phone", viewing("calls:write", announce_call)),
            web.get("/console/api/live", viewing(None, watch_calls)),
            web.get(MEDIA_PATH, serve_browser_media),
            web.get("/console/{page:[a-z]*}{rest:(/[A-Za-z0-9._@+:-]*)?}", files.page),
        ]
    )


async def _let_go(app: web.Application) -> None:
    app[CONTEXT].hub.close()
