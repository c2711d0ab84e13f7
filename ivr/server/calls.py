"""``GET /v1/calls`` and ``GET /v1/calls/{id}``: the call records.

A record holds what a caller said, so it is not for everyone who reaches the port: with
``server.api_token`` set, a request must bear it; without, only this machine is answered, and nobody
who came through a proxy. API keys with scopes come later and replace this check.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from typing import Any, Final

from aiohttp import web

from ivr.records.store import Document, RecordsUnavailableError
from ivr.server.context import CONTEXT, Context

_MAX_LISTED: Final = 200
_DEFAULT_LISTED: Final = 50
# What a list shows of each call: no numbers.
_LISTED: Final = (
    "record_id",
    "call_id",
    "stream_id",
    "started_at",
    "ended_at",
    "duration_ms",
    "status",
    "ending",
    "outcome",
)


async def get_call(request: web.Request) -> web.Response:
    """Handle ``GET /v1/calls/{id}``: the newest record of the call with this provider's id."""
    context = request.app[CONTEXT]
    refused = _refuse_stranger(request, context)
    if refused is not None:
        return refused
    call_id = request.match_info["call_id"]
    for stream in context.calls:
        if stream.call_id == call_id:
            return _reply(stream.document())
    try:
        document = await context.store.get(call_id)
    except RecordsUnavailableError as error:
        return problem(503, "records unavailable", str(error))
    if document is None:
        return problem(404, "no such call", "no record has this call_id")
    return _reply(document)


async def list_calls(request: web.Request) -> web.Response:
    """Handle ``GET /v1/calls?limit=N``: the newest calls without what was said, live ones first."""
    context = request.app[CONTEXT]
    refused = _refuse_stranger(request, context)
    if refused is not None:
        return refused
    text = request.query.get("limit", str(_DEFAULT_LISTED))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= limit <= _MAX_LISTED:
        return problem(400, "bad limit", f"limit must be 1 to {_MAX_LISTED}")
    live = [stream.document() for stream in context.calls]
    try:
        stored = await context.store.list(limit)
    except RecordsUnavailableError as error:
        return problem(503, "records unavailable", str(error))
    known = {document["record_id"] for document in live}
    documents = live + [document for document in stored if document["record_id"] not in known]
    documents.sort(key=lambda document: document["started_at"], reverse=True)
    return _reply({"calls": [_summary(document) for document in documents[:limit]]})


def problem(status: int, title: str, detail: str) -> web.Response:
    """An error as RFC 9457 wants it."""
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/problem+json"
    )


def _reply(body: dict[str, Any]) -> web.Response:
    # Callers' numbers do not belong in a browser's or a proxy's cache.
    return web.json_response(body, headers={"Cache-Control": "no-store"})


def _summary(document: Document) -> Document:
    return {key: document.get(key) for key in _LISTED}


def _refuse_stranger(request: web.Request, context: Context) -> web.Response | None:
    api_token = context.settings.server.api_token
    if api_token is not None:
        right = b"Bearer " + api_token.get_secret_value().encode()
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if hmac.compare_digest(given, right):
            return None
        context.counters.add("refusals", "bad_api_token")
        response = problem(401, "not authorised", "send `Authorization: Bearer <server.api_token>`")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    if _is_local(request):
        return None
    context.counters.add("refusals", "no_api_token")
    return problem(403, "not authorised", "set server.api_token to read call records from afar")


def _is_local(request: web.Request) -> bool:
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
