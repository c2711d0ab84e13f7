"""Who looks at the console: sessions behind a cookie, and what a browser must show beside it.

Theory of operation: a viewer logs in with a key and gets a session, which the browser keeps as a
cookie that no script can read and no other site can send. The session lives in memory, by the
digest of its id, and ends with the server.

A cookie alone proves little, since a browser sends it for whoever makes it send. So whatever
changes something must come from a page of ours (`Origin`, `Sec-Fetch-Site`) and bear the session's
CSRF token, which only such a page can read. What the key may do is looked up with each request: a
key that is revoked takes its sessions with it, and where no key existed (`ivr.server.access` lets
this machine in then) the first one ends the sessions that had none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from ivr.config import Settings
from ivr.server.access import Principal

CSRF_HEADER: Final = "X-CSRF-Token"
_ID_BYTES: Final = 32
_LIFE_S: Final = 12 * 3600.0  # a working day; a key that is revoked is out by then at the latest
_MAX_SESSIONS: Final = 1000
_MAX_CALLS: Final = 100


@dataclass(eq=False)
class Session:
    """One viewer's browser.

    Attributes:
        principal: whose key it is, and what it may do, as of the last request.
        csrf: what a request that changes something must show.
        expires_at_s: monotonic.
        calls: ids of the calls that were placed from it.
    """

    principal: Principal
    csrf: str
    expires_at_s: float
    calls: list[str] = field(default_factory=list)

    def may(self, scope: str) -> bool:
        """Whether the key has a scope."""
        return self.principal.may(scope)

    def placed(self, call_id: str) -> None:
        """Note a call of this browser's: it may follow that one."""
        self.calls = [*self.calls[-_MAX_CALLS + 1 :], call_id]


class Sessions:
    """The sessions that are open.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[bytes, Session] = {}

    def open(self, principal: Principal) -> tuple[str, Session]:
        """A new session and its id, for the cookie; the oldest goes where there are too many."""
        now = self._clock()
        while self._open:
            digest, oldest = next(iter(self._open.items()))
            if len(self._open) < _MAX_SESSIONS and oldest.expires_at_s > now:
                break
            del self._open[digest]
        session_id = secrets.token_urlsafe(_ID_BYTES)
        session = Session(principal, secrets.token_urlsafe(_ID_BYTES), now + _LIFE_S)
        self._open[_digest(session_id)] = session
        return session_id, session

    def find(self, session_id: str | None) -> Session | None:
        """The session with this id; ``None`` where there is none, or no longer."""
        if session_id is None:
            return None
        session = self._open.get(_digest(session_id))
        return session if session is not None and session.expires_at_s > self._clock() else None

    def close(self, session_id: str | None) -> None:
        """End a session."""
        if session_id is not None:
            self._open.pop(_digest(session_id), None)


def is_https(request: web.Request, settings: Settings) -> bool:
    """Whether the browser has come by https, as far as the server can tell."""
    public = urlsplit(settings.server.public_url or "")
    by_proxy = request.headers.get("X-Forwarded-Proto", "") == "https"
    public_https = public.scheme == "https" and public.netloc == request.host
    return request.secure or by_proxy or public_https


def is_own_page(request: web.Request, settings: Settings) -> bool:
    """Whether the request says that it comes from a page of this server's."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    scheme = "https" if is_https(request, settings) else "http"
    return request.headers.get("Origin", "") == f"{scheme}://{request.host}"


def shows_token(request: web.Request, session: Session) -> bool:
    """Whether the request bears the session's CSRF token."""
    given = request.headers.get(CSRF_HEADER, "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, session.csrf.encode())


def _digest(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogateescape")).digest()
