"""``/console``: the web application for people, its files, its logins, its headers.

Theory of operation: the application is the folder `ivr/console`, read once at the start and served
from memory; nothing in it is built, fetched from elsewhere or filled in. Every page of it is the
same document, whose script shows the view that the address names and asks ``/console/api`` for what
is in it. The policy sent with each answer lets a page load this server's own files only, so text
that got into a page could neither run nor call home. Who may ask is `ivr.server.session`.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from ivr.server.access import ACCESS, Principal
from ivr.server.context import CONTEXT
from ivr.server.problems import Problem
from ivr.server.session import Session, Sessions, is_https, is_own_page, shows_token

_FILES: Final = Path(__file__).parents[1] / "console"
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_COOKIE: Final = "ivr_console"
_HEADERS: Final = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SESSIONS: Final = web.AppKey("sessions", Sessions)

Handler = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    body: bytes
    packed: bytes
    tag: str


class ConsoleFiles:
    """The application's files, in memory."""

    def __init__(self, folder: Path = _FILES) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }

    async def page(self, request: web.Request) -> web.Response:
        """Handle every address of a page: they are one document."""
        return self._send(request, "index.html")

    async def file(self, request: web.Request) -> web.Response:
        """Handle ``/console/static/{name}``."""
        return self._send(request, request.match_info["name"])

    def _send(self, request: web.Request, name: str) -> web.Response:
        found = self._files.get(name)
        if found is None:
            raise Problem(404, "no-such-file", "the console has no file of this name")
        # Asked for again each time, answered with 304: an update of the server is seen at once.
        headers = {"Cache-Control": "no-cache", "ETag": found.tag, "Vary": "Accept-Encoding"}
        if found.tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        body = found.body
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = found.packed, "gzip"
        return web.Response(
            body=body, content_type=found.content_type, charset="utf-8", headers=headers
        )


def viewing(scope: str | None, handler: Handler) -> Callable[[web.Request], Any]:
    """A handler for those who are logged in, and whose key has a scope if one is named.

    What is not a GET must come from a page of ours and show its token.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        session = await current_session(request)
        if request.method != "GET" and not (
            is_own_page(request, request.app[CONTEXT].settings) and shows_token(request, session)
        ):
            raise foreign_page(request)
        if scope is not None:
            require(session, scope)
        return await handler(request, session)

    return handle


async def current_session(request: web.Request) -> Session:
    """The session that a request's cookie names, with what its key may do now.

    Raises:
        Problem: 401, there is none, or its key is over; 503, the keys cannot be read.
    """
    session = request.app[SESSIONS].find(request.cookies.get(_cookie_name(request)))
    if session is None:
        raise Problem(401, "not-logged-in", "log in at /console with an API key")
    session.principal = await request.app[ACCESS].renew(request, session.principal)
    return session


def require(session: Session, scope: str) -> None:
    """Refuse a viewer whose key has not a scope.

    Raises:
        Problem: 403.
    """
    if not session.may(scope):
        raise Problem(403, "missing-scope", f"this takes a key with the scope {scope}", scope=scope)


def foreign_page(request: web.Request) -> Problem:
    """The refusal of what does not come from a page of ours."""
    request.app[CONTEXT].metrics.add("refusals", "foreign_page")
    return Problem(403, "foreign-page", "this is for the console's own pages; load the page again")


async def show_session(request: web.Request) -> web.Response:
    """Handle ``GET /console/api/session``: who is logged in; without keys, this machine."""
    try:
        return _about(await current_session(request))
    except Problem:
        return _enter(request, await request.app[ACCESS].identify_stranger(request))


async def log_in(request: web.Request) -> web.Response:
    """Handle ``POST /console/api/login``: a session for a key."""
    if not is_own_page(request, request.app[CONTEXT].settings):
        raise foreign_page(request)
    key = (await read_object(request)).get("key")
    principal = await request.app[ACCESS].identify(key if isinstance(key, str) else "")
    request.app[SESSIONS].close(request.cookies.get(_cookie_name(request)))
    return _enter(request, principal)


async def log_out(request: web.Request, session: Session) -> web.Response:  # noqa: ARG001
    """Handle ``POST /console/api/logout``."""
    name = _cookie_name(request)
    request.app[SESSIONS].close(request.cookies.get(name))
    response = reply({})
    response.del_cookie(name, path="/")
    return response


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object that a page sent.

    Raises:
        Problem: 400, it is none.
    """
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Problem(400, "bad-json", "the body is not a JSON object")
    return body


def reply(body: object, status: int = 200) -> web.Response:
    """An answer in JSON that no cache keeps."""
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Send everything under ``/console`` with the policy, whatever it is; a signal of aiohttp's."""
    if request.path == "/console" or request.path.startswith("/console/"):
        response.headers.update(_HEADERS)


def new_sessions() -> Sessions:
    """The sessions of a server that starts."""
    return Sessions(time.monotonic)


def _enter(request: web.Request, principal: Principal) -> web.Response:
    session_id, session = request.app[SESSIONS].open(principal)
    response = _about(session)
    response.set_cookie(
        _cookie_name(request),
        session_id,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=is_https(request, request.app[CONTEXT].settings),
    )
    return response


def _about(session: Session) -> web.Response:
    who = session.principal
    return reply(
        {
            "name": who.name,
            "key_id": who.key_id,
            "scopes": sorted(who.scopes),
            "csrf": session.csrf,
        }
    )


def _cookie_name(request: web.Request) -> str:
    # Browsers take a name with this prefix from this very host and by https only.
    return f"__Host-{_COOKIE}" if is_https(request, request.app[CONTEXT].settings) else _COOKIE


def _read(path: Path) -> _File:
    body = path.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return _File(_TYPES[path.suffix], body, gzip.compress(body, mtime=0), tag)
