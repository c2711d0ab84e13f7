"""``POST /voice``: the provider asks what to do with a call, and is told to stream it to us.

The answer is TwiML that connects the call to the media socket and hands it a token, without which
the socket takes no call. ``/voice?flow=NAME`` chooses the flow, and the token remembers it: a
provider drops the query of a stream's address. Where an auth token is configured, a request without
the provider's signature is refused before anything in it is believed.

When the stream is closed, a provider goes on with what stands behind it: for flows that transfer,
where no REST API is configured (`ivr.server.transfers`), that is to ask at ``/voice/after``.

Sources: Twilio, "TwiML <Stream>", "TwiML <Redirect>", 2024.
"""

from __future__ import annotations

import difflib
import re
from typing import Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

import structlog
from aiohttp import web

from ivr.errors import Overloaded
from ivr.server.api.placing import PLACED
from ivr.server.context import CONTEXT, Context
from ivr.server.signature import is_signed, websocket_url

_log = structlog.get_logger(__name__)

_CALL_ID = re.compile(r"[A-Za-z0-9._:@+-]{1,128}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
_MAX_FIELDS: Final = 200  # Twilio sends about 30

_BUSY = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>'

Fields = list[tuple[str, str]]


async def answer_voice(request: web.Request) -> web.Response:
    """Handle the webhook.

    Returns:
        200 with TwiML; 400 where the request is no webhook, 403 where its signature is wrong or
        missing, 404 where ``?flow=NAME`` names a flow that this server does not have or
        ``?placed=ID`` no call that it has placed, 413 where it is too large, 503 with a busy signal
        where no call can be taken (the provider then tries its fallback address, if it has one).
    """
    context = request.app[CONTEXT]
    # Without an id the token is good for any call: for trials by hand, where nothing is signed.
    call_id, refused = await _call_of(request, context)
    if refused is not None:
        return refused
    media_url = _media_url(request, context)
    if media_url is None:
        return _refuse(context, 400, "bad_host")
    fields = _parse_form(await request.read()) or []
    placed_id = request.query.get("placed")
    if placed_id is None:
        flow, caller = request.query.get("flow"), masked_caller(fields)
        return _announce(context, media_url, call_id, flow, caller)
    placed = await request.app[PLACED].get(placed_id)
    if placed is None or placed.call_id not in (None, call_id):
        return _refuse(context, 404, "unknown_call")
    called = masked_caller(fields, "To")  # it is we who called
    return _announce(context, media_url, call_id, placed.flow, called, owner=placed.owner)


def masked_caller(fields: Fields, field: str = "From") -> str | None:
    """Who is on the line, for the console: the last two digits; ``None`` without a number."""
    digits = [character for character in dict(fields).get(field, "") if character in "0123456789"]
    return f"caller …{''.join(digits[-2:])}" if len(digits) > 5 else None


async def answer_after(request: web.Request) -> web.Response:
    """Handle ``POST /voice/after``: the stream of a call is closed; whom to dial, or to hang up.

    Returns:
        200 with TwiML; 400 and 403 as `answer_voice`.
    """
    context = request.app[CONTEXT]
    call_id, refused = await _call_of(request, context)
    if refused is not None:
        return refused
    return web.Response(text=context.transfers.after(call_id or ""), content_type="text/xml")


async def _call_of(
    request: web.Request, context: Context
) -> tuple[str | None, web.Response | None]:
    """The call that a webhook is about, or why it is refused."""
    fields = _parse_form(await request.read())
    if fields is None:
        return None, _refuse(context, 400, "bad_webhook")
    if not is_signed(request, context.settings, fields):
        return None, _refuse(context, 403, "bad_signature")
    call_id = dict(fields).get("CallSid")
    if call_id is not None and _CALL_ID.fullmatch(call_id) is None:
        return None, _refuse(context, 400, "bad_webhook")
    return call_id, None


def _announce(
    context: Context,
    media_url: str,
    call_id: str | None,
    flow: str | None,
    caller: str | None,
    *,
    owner: str | None = None,
) -> web.Response:
    """Take the call, where there is such a flow and a place."""
    served = context.flows.served(flow)
    if served is None:
        return _refuse(context, 404, "unknown_flow", _cure(context, flow))
    refusal = context.refusal()
    if refusal is not None:
        return _busy(context, refusal)
    try:
        token = context.tokens.issue(call_id, flow=flow, owner=owner, caller=caller)
    except Overloaded:
        return _busy(context, "too_many_tokens")
    context.metrics.add("webhooks", "answered")
    _log.info("call_announced", call_id=call_id)
    after = _after_url(context) if context.transfers.asks_after(served.flow) else None
    return web.Response(text=_connect(media_url, token, after), content_type="text/xml")


def _parse_form(body: bytes) -> Fields | None:
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        return None


def _media_url(request: web.Request, context: Context) -> str | None:
    public_url = context.settings.server.public_url
    if public_url is not None:
        return websocket_url(public_url.rstrip("/")) + "/media"
    if _HOST.fullmatch(request.host) is None:
        return None
    forwarded = request.headers.get("X-Forwarded-Proto", "")
    scheme = "wss" if request.secure or forwarded == "https" else "ws"
    return f"{scheme}://{request.host}/media"


def _after_url(context: Context) -> str:
    """Where the provider asks what is next; relative to the webhook where no address is known."""
    return (context.settings.server.public_url or "").rstrip("/") + "/voice/after"


def _connect(media_url: str, token: str, after: str | None) -> str:
    redirect = f"<Redirect>{escape(after)}</Redirect>" if after is not None else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Response><Connect><Stream url={quoteattr(media_url)}>"
        f'<Parameter name="token" value={quoteattr(token)}/>'
        f"</Stream></Connect>{redirect}</Response>"
    )


def _cure(context: Context, flow: str | None) -> str:
    names = context.flows.names()
    near = difflib.get_close_matches(flow or "", names, n=1)
    return f"did you mean {near[0]}?" if near else f"this server has {', '.join(names)}"


def _refuse(context: Context, status: int, reason: str, cure: str = "") -> web.Response:
    context.metrics.add("refusals", reason)
    _log.warning("webhook_refused", reason=reason)
    return web.Response(status=status, text=f"{reason}: {cure}" if cure else reason)


def _busy(context: Context, reason: str) -> web.Response:
    context.metrics.add("refusals", reason)
    _log.warning("webhook_refused", reason=reason)
    headers = {"Retry-After": "5"}
    return web.Response(status=503, text=_BUSY, content_type="text/xml", headers=headers)
