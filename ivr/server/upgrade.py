"""A media socket from upgrade to close: who may open one, and what it may carry."""

from __future__ import annotations

import structlog
from aiohttp import web

from ivr.server.context import CONTEXT, Context
from ivr.server.endings import CLOSE_TIMEOUT_S
from ivr.server.media import MediaStream
from ivr.server.signature import is_signed

_log = structlog.get_logger(__name__)


async def serve_media(request: web.Request) -> web.StreamResponse:
    """Handle ``GET /media``: the provider's WebSocket, from upgrade to close."""
    context = request.app[CONTEXT]
    if not is_signed(request, context.settings, websocket=True):
        context.metrics.add("refusals", "bad_signature")
        _log.warning("upgrade_refused", reason="bad_signature")
        return web.Response(status=403, text="bad_signature")
    return await pump_media(request, context)


async def pump_media(request: web.Request, context: Context) -> web.StreamResponse:
    """Take a media socket whose caller is known to be one, from upgrade to close."""
    refusal = context.stream_refusal()
    if refusal is not None:
        context.metrics.add("refusals", refusal)
        return web.Response(status=503, text=refusal, headers={"Retry-After": "5"})
    socket = web.WebSocketResponse(
        timeout=CLOSE_TIMEOUT_S,
        max_msg_size=context.settings.server.max_message_bytes,
        compress=False,  # audio does not compress, and a bomb must not unpack
    )
    await socket.prepare(request)
    stream = MediaStream(context, socket, request.transport)
    context.add(stream)
    try:
        await stream.run()
    finally:
        context.remove(stream)
    return socket
