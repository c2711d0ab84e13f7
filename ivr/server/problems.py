"""Errors as RFC 9457 has them: every answer that is not what was asked for is a problem document.

    {"type": "urn:ivr:problem:no-such-call", "title": "No such call", "status": 404,
     "detail": "no record has this call_id", "request_id": "5f0c..."}

Handlers raise `Problem`; `answer_problems`, the outermost middleware, writes it, together with
whatever aiohttp or a bug raises. The voice webhook and the media socket keep the short texts that a
telephony provider's console shows.
"""

from __future__ import annotations

import json
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import web

from ivr.errors import Overloaded
from ivr.records.store import RecordsUnavailableError

_log = structlog.get_logger(__name__)

REQUEST_ID: Final = web.RequestKey("request_id", str)
_STARTED: Final = web.RequestKey("started", bool)
CONTENT_TYPE: Final = "application/problem+json"
_RETRY_AFTER_S: Final = 5

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """What a client is told instead of what it asked for.

    Args:
        status: of HTTP.
        name: stable and short, such as ``no-such-call``; the end of the problem's ``type``.
        detail: one sentence: the cause and the cure. Nothing that a caller said.
        headers: to be sent with it.
        members: further members of the document.
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(name)
        self.status, self.name, self.detail = status, name, detail
        self.headers, self.members = dict(headers or {}), members

    def document(self, request_id: str) -> dict[str, Any]:
        """The problem as JSON has it."""
        return {
            "type": f"urn:ivr:problem:{self.name}",
            "title": self.name.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            **self.members,
        }

    def response(self, request_id: str) -> web.Response:
        """The problem as an answer."""
        return web.Response(
            status=self.status,
            text=json.dumps(self.document(request_id)),
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store", **self.headers},
        )


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and turn whatever goes wrong into a problem."""
    request_id = uuid.uuid4().hex
    request[REQUEST_ID] = request_id
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = _of_http(error).response(request_id)
    except Exception as error:
        if request.get(_STARTED):
            raise  # the peer has the beginning of another answer: aiohttp cuts it off
        response = _of_error(error).response(request_id)
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
    return response


def set_up_problems(app: web.Application) -> None:
    """Let an application answer with problems; before any other middleware is added."""
    app.middlewares.append(answer_problems)
    app.on_response_prepare.append(_note_started)


async def _note_started(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001
    request[_STARTED] = True


def _of_http(error: web.HTTPException) -> Problem:
    """A problem of what aiohttp refuses: no such route, a method, a body that is too large."""
    status = HTTPStatus(error.status)
    kept = {name: error.headers[name] for name in ("Allow", "Location") if name in error.headers}
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        detail = "the body is larger than this address takes"
    else:
        detail = status.description or status.phrase
    return Problem(status, status.phrase.lower().replace(" ", "-"), detail, headers=kept)


def _of_error(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RecordsUnavailableError):
        return Problem(503, "records-unavailable", str(error), headers=_retry())
    if isinstance(error, Overloaded):
        return Problem(503, "overloaded", f"{error}; try again in a moment", headers=_retry())
    # Not the error's text: it may hold what a caller said.
    places = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    _log.error("request_failed", cause=type(error).__name__, places=places[-6:])
    return Problem(500, "internal-error", "a bug in ivr; its log has the place")


def _retry() -> dict[str, str]:
    return {"Retry-After": str(_RETRY_AFTER_S)}
