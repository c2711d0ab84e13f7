"""The browser phone's end here: a call is announced, and its audio comes by the media socket.

A browser plays the provider: it posts for a call, is given a token, opens the socket and speaks
the provider's dialect. The one difference is the door: a provider's upgrade is known by its
signature, a browser's by its session, so it has an address of its own in front of the same pump.
"""

from __future__ import annotations

import uuid

from aiohttp import web

from ivr.server.console import current_session, foreign_page, read_object, reply, require
from ivr.server.context import CONTEXT
from ivr.server.problems import Problem
from ivr.server.session import Session, is_own_page
from ivr.server.upgrade import pump_media

MEDIA_PATH = "/console/media"


async def announce_call(request: web.Request, session: Session) -> web.Response:
    """Handle ``POST /console/api/phone``: a token for a call to a flow, ``{"flow": NAME}``."""
    context = request.app[CONTEXT]
    wanted = (await read_object(request)).get("flow")
    served = context.flows.served(wanted) if wanted is None or isinstance(wanted, str) else None
    if served is None:
        raise Problem(404, "no-such-flow", "choose one of those that are listed")
    refusal = context.refusal()
    if refusal is not None:
        context.metrics.add("refusals", refusal)
        detail = f"no call can be taken now ({refusal}); try again in a moment"
        raise Problem(503, "busy", detail, headers={"Retry-After": "5"})
    call_id = f"CA{uuid.uuid4().hex}"
    token = context.tokens.issue(call_id, served.name, session.principal.owner, "browser phone")
    session.placed(call_id)
    context.metrics.add("webhooks", "browser")
    return reply(
        {
            "call_id": call_id,
            "stream_id": f"MZ{uuid.uuid4().hex}",
            "token": token,
            "media": MEDIA_PATH,
            "flow": served.name,
        },
        status=201,
    )


async def serve_browser_media(request: web.Request) -> web.StreamResponse:
    """Handle ``GET /console/media``: the media socket of a browser that is logged in."""
    context = request.app[CONTEXT]
    if not is_own_page(request, context.settings):
        raise foreign_page(request)
    require(await current_session(request), "calls:write")
    return await pump_media(request, context)
