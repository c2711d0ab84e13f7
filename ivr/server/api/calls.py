"""``GET /v1/calls`` and ``GET /v1/calls/{id}``: the call records.

A record holds what a caller said: numbers are stars unless the key has ``numbers:read``, and a key
never sees the calls of another (`ivr.server.access`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Final

from aiohttp import web

from ivr.records.query import masked
from ivr.records.selection import Filter
from ivr.records.store import Document
from ivr.server.access import Principal, authorize
from ivr.server.api.bodies import no_query, query, reply
from ivr.server.api.models import CallPage, CallsQuery, CallSummary
from ivr.server.api.placing import PLACED, shown
from ivr.server.context import CONTEXT
from ivr.server.problems import Problem

_NAME: Final = re.compile(r"[!-~]{1,128}")  # what no id has is not looked for


async def get_call(request: web.Request) -> web.Response:
    """Handle ``GET /v1/calls/{id}``: the newest record with this call_id or record_id."""
    principal = await authorize(request, "calls:read")
    no_query(request)
    name, context = request.match_info["call_id"], request.app[CONTEXT]
    for stream in context.calls:
        document = stream.document()
        if name in (stream.call_id, document.get("record_id")):
            return _show(document, principal)
    found = await context.store.get(name, principal.viewer) if _NAME.fullmatch(name) else None
    if found is None and _NAME.fullmatch(name):
        placed = await request.app[PLACED].find(name, principal.viewer)
        if placed is not None:
            return reply(shown(placed))
    return _show(found, principal)


async def list_calls(request: web.Request) -> web.Response:
    """Handle ``GET /v1/calls``: the newest calls without what was said, page by page."""
    principal = await authorize(request, "calls:read")
    context, asked = request.app[CONTEXT], query(CallsQuery, request)
    limit = asked.limit
    wanted = Filter(
        since=asked.since,
        until=asked.until,
        outcome=asked.outcome,
        status=asked.status,
        after=None if asked.cursor is None else _after(asked.cursor),
        viewer=principal.viewer,
    )
    live = [stream.document() for stream in context.calls]
    stored = await context.store.list(limit + 1, wanted)
    known = {document["record_id"] for document in live}
    documents = [document for document in live if wanted.takes(document)]
    documents += [document for document in stored if document["record_id"] not in known]
    documents.sort(key=_place, reverse=True)
    page = documents[:limit]
    more = len(documents) > limit
    calls = [
        CallSummary.model_validate({key: document.get(key) for key in CallSummary.model_fields})
        for document in page
    ]
    return reply(CallPage(calls=calls, next_cursor=_cursor(page[-1]) if more else None))


def _show(document: Document | None, principal: Principal) -> web.Response:
    # Another's call and none at all look the same: an id is not to be guessed from the answer.
    if document is None or not principal.viewer.sees(document.get("owner")):
        raise Problem(404, "no-such-call", "no record has this call_id or record_id")
    # Callers' numbers do not belong in a browser's or a proxy's cache.
    return web.json_response(
        document if principal.may("numbers:read") else masked(document),
        headers={"Cache-Control": "no-store"},
    )


def _place(document: Document) -> tuple[str, str]:
    return document["started_at"], document["record_id"]


def _cursor(document: Document) -> str:
    return base64.urlsafe_b64encode(json.dumps(_place(document)).encode()).decode().rstrip("=")


def _after(cursor: str) -> tuple[str, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, b"-_", validate=True))
        started_at, record_id = place
        if not (isinstance(started_at, str) and isinstance(record_id, str)):
            raise ValueError
        if not (started_at + record_id).isprintable():
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise Problem(
            400, "bad-cursor", "cursor must be the next_cursor of the page before"
        ) from None
    return started_at, record_id
