"""``GET /console/api/live``: what happens in the calls, as server-sent events.

One message is one event of `ivr.server.live`, masked unless the viewer may see numbers. A viewer
whose session ends is let go at the next message, one that does not read after `_WRITE_S`.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from aiohttp import web

from ivr.server.console import current_session, require
from ivr.server.context import CONTEXT
from ivr.server.live import LiveEvent, Subscription
from ivr.server.problems import Problem
from ivr.server.session import Session

_BEAT_S: Final = 15.0  # proxies close what is silent for longer, and a beat finds who has left
_WRITE_S: Final = 10.0


async def watch_calls(request: web.Request, session: Session) -> web.StreamResponse:
    """Stream the events of one call (``?call=ID``) or of all."""
    call_id = request.query.get("call")
    # Whoever has placed a call may follow that one.
    if call_id not in session.calls:
        require(session, "calls:read")
    with request.app[CONTEXT].hub.subscribe(call_id) as subscription:
        return await _stream(request, session, subscription)


async def _stream(
    request: web.Request, session: Session, subscription: Subscription
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # nginx would collect the events first
        }
    )
    await response.prepare(request)
    await response.write(b": watching\n\n")
    while await _still_in(request, session):
        try:
            async with asyncio.timeout(_BEAT_S):
                events = await subscription.take()
        except TimeoutError:
            text = ": beat\n\n"
        else:
            if not events:
                break
            text = "".join(_message(event, session) for event in events)
            if subscription.lost:
                text += _data({"kind": "lost", "count": subscription.lost})
                subscription.lost = 0
        try:
            async with asyncio.timeout(_WRITE_S):
                await response.write(text.encode())
        except (OSError, TimeoutError):
            break
    return response


async def _still_in(request: web.Request, session: Session) -> bool:
    try:
        return await current_session(request) is session
    except Problem:
        return False


def _message(event: LiveEvent, session: Session) -> str:
    if event.call_id not in session.calls and not session.principal.viewer.sees(event.owner):
        return ""
    return _data(event.document(numbers=session.may("numbers:read")))


def _data(document: dict[str, object]) -> str:
    return f"data: {json.dumps(document, separators=(',', ':'))}\n\n"
