"""``GET /v1/calls`` and ``GET /v1/calls/{id}``: the call records.

A record holds what a caller said: numbers are stars unless the key has ``numbers:read``, and a key
never sees the calls of another (`ivr.server.access`).
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
from typing import Any, Final

from aiohttp import web

from ivr.records.query import masked
from ivr.records.selection import Filter, Viewer
from ivr.records.store import Document
from ivr.server.access import Principal, authorize
from ivr.server.context import CONTEXT
from ivr.server.problems import Problem

_MAX_LISTED: Final = 200
_DEFAULT_LISTED: Final = 50
_MAX_TEXT: Final = 100  # of a filter's value
_MAX_CURSOR: Final = 200
# What a list shows of each call: no numbers.
_LISTED: Final = (
    "record_id",
    "call_id",
    "stream_id",
    "flow",
    "started_at",
    "ended_at",
    "duration_ms",
    "status",
    "ending",
    "outcome",
)


async def get_call(request: web.Request) -> web.Response:
    """Handle ``GET /v1/calls/{id}``: the newest record with this call_id or record_id."""
    principal = await authorize(request, "calls:read")
    name, context = request.match_info["call_id"], request.app[CONTEXT]
    for stream in context.calls:
        document = stream.document()
        if name in (stream.call_id, document.get("record_id")):
            return _show(document, principal)
    found = await context.store.get(name, principal.viewer)
    return _show(found, principal)


async def list_calls(request: web.Request) -> web.Response:
    """Handle ``GET /v1/calls``: the newest calls without what was said, page by page."""
    principal = await authorize(request, "calls:read")
    context, limit = request.app[CONTEXT], _limit(request)
    wanted = _filter(request, principal.viewer)
    live = [stream.document() for stream in context.calls]
    stored = await context.store.list(limit + 1, wanted)
    known = {document["record_id"] for document in live}
    documents = [document for document in live if wanted.takes(document)]
    documents += [document for document in stored if document["record_id"] not in known]
    documents.sort(key=_place, reverse=True)
    page = documents[:limit]
    more = len(documents) > limit
    calls = [{key: document.get(key) for key in _LISTED} for document in page]
    return _reply({"calls": calls, "next_cursor": _cursor(page[-1]) if more else None})


def _show(document: Document | None, principal: Principal) -> web.Response:
    # Another's call and none at all look the same: an id is not to be guessed from the answer.
    if document is None or not principal.viewer.sees(document.get("owner")):
        raise Problem(404, "no-such-call", "no record has this call_id or record_id")
    return _reply(document if principal.may("numbers:read") else masked(document))


def _reply(body: dict[str, Any]) -> web.Response:
    # Callers' numbers do not belong in a browser's or a proxy's cache.
    return web.json_response(body, headers={"Cache-Control": "no-store"})


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(_DEFAULT_LISTED))
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= limit <= _MAX_LISTED:
        raise Problem(400, "bad-limit", f"limit must be 1 to {_MAX_LISTED}")
    return limit


def _filter(request: web.Request, viewer: Viewer) -> Filter:
    query = request.query
    outcome, status = query.get("outcome"), query.get("status")
    if outcome is not None and (len(outcome) > _MAX_TEXT or not outcome.isprintable()):
        raise Problem(400, "bad-outcome", f"outcome must be printable, {_MAX_TEXT} characters")
    if status not in (None, "in-progress", "ended"):
        raise Problem(400, "bad-status", "status must be in-progress or ended")
    return Filter(
        since=_time(request, "since"),
        until=_time(request, "until"),
        outcome=outcome,
        status=status,
        after=_after(query["cursor"]) if "cursor" in query else None,
        viewer=viewer,
    )


def _time(request: web.Request, name: str) -> str | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        # A plus sign that was not escaped arrives as a space.
        at = datetime.datetime.fromisoformat(text.replace(" ", "+"))
        if at.tzinfo is None:
            raise ValueError
        return at.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        example = "2026-01-31T12:00:00Z"
        raise Problem(
            400, f"bad-{name}", f"{name} must be ISO 8601 with a zone, such as {example}"
        ) from None


def _place(document: Document) -> tuple[str, str]:
    return document["started_at"], document["record_id"]


def _cursor(document: Document) -> str:
    return base64.urlsafe_b64encode(json.dumps(_place(document)).encode()).decode().rstrip("=")


def _after(cursor: str) -> tuple[str, str]:
    try:
        if len(cursor) > _MAX_CURSOR:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, b"-_", validate=True))
        started_at, record_id = place
        if not (isinstance(started_at, str) and isinstance(record_id, str)):
            raise ValueError
        started_at.encode(), record_id.encode()
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise Problem(
            400, "bad-cursor", "cursor must be the next_cursor of the page before"
        ) from None
    return started_at, record_id
