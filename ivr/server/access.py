"""Who asks, and what they may: API keys over HTTP.

Theory of operation: a request shows a key (``Authorization: Bearer KEY`` or ``X-Api-Key: KEY``)
and becomes a `Principal`. The keys are read from the database as a whole and kept for `_FRESH_S`:
a revocation takes so long at most. Where the database does not answer, those that were read last
stay good for `_STALE_S`, so that an outage does not lock everyone out at once. A key that is not
among them makes them be read again, a few times a second at most: a new key works at once, and
guessing costs the database little.

While no key has ever been made, requests from this machine are answered without one, as its
administrator's; nobody else is. Behind a proxy nobody is local, nor is a page of some other site in
a browser of this machine, whatever name it has given the address.

Uses are counted in memory and written every `_FLUSH_S`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from ivr.records.database import RecordsUnavailableError
from ivr.records.keys import ApiKey, KeyStore, parse_key
from ivr.records.selection import Viewer
from ivr.records.webhook import utc
from ivr.server.limits import LIMITS
from ivr.server.metrics import Metrics
from ivr.server.problems import Problem

_log = structlog.get_logger(__name__)

_FRESH_S: Final = 10.0
_STALE_S: Final = 300.0
_PATIENCE_S: Final = 2.0  # for a slow database, while older keys are at hand
_UNKNOWN_S: Final = 0.25  # between two reads because of a key that is not known
_TICK_S: Final = 0.01  # a sleep may end that much early
_FLUSH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        key_id: of the key; ``None`` for this machine, where no key exists.
        name: of the key, for logs.
        scopes: what it may do.
        owner: whom the calls placed by it belong to; ``None`` for this machine.
        own_calls_only: whether calls that came in by telephone are hidden from it.
    """

    key_id: str | None
    name: str
    scopes: frozenset[str]
    owner: str | None
    own_calls_only: bool = False

    def may(self, scope: str) -> bool:
        """Whether it has a scope; ``admin`` has all."""
        return scope in self.scopes or "admin" in self.scopes

    @property
    def viewer(self) -> Viewer:
        """Whose calls it may see."""
        return Viewer(self.owner, not self.own_calls_only, "admin" in self.scopes)


LOCAL: Final = Principal(None, "local", frozenset({"admin"}), None)
"""This machine, while there is no key."""


class Access:
    """The keys as one server knows them; used from its event loop only.

    Args:
        store: of the keys.
        metrics: counts refusals.

    State: the keys read last and when; uses not yet written; the tasks that read and write.
    """

    def __init__(self, store: KeyStore, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        self._keys: dict[str, ApiKey] | None = None
        self._read_at_s = self._tried_at_s = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._uses: dict[str, tuple[int, str]] = {}
        self._flushing: asyncio.Task[None] | None = None

    async def identify(self, text: str) -> Principal:
        """Who shows this key.

        Args:
            text: the whole key.

        Raises:
            Problem: 401, it is none, not good or over; 503, the keys cannot be read.
        """
        parsed = parse_key(text)
        if parsed is None:
            raise self._refuse("bad_api_key", "not a key of this server; it looks like ivr_..._...")
        key_id, secret = parsed
        key = (await self._known()).get(key_id)
        if key is None:
            # Made since, perhaps. A guess waits as long, which is no loss.
            wait_s = self._tried_at_s + _UNKNOWN_S - self._now_s()
            await asyncio.sleep(max(0.0, wait_s + _TICK_S))
            await self._read_again()
            key = (await self._known()).get(key_id)
        if key is None or not key.matches(secret):
            raise self._refuse("bad_api_key", "no such key; ivr keys list shows those there are")
        self._refuse_over(key)
        count, _ = self._uses.get(key_id, (0, ""))
        self._uses[key_id] = (count + 1, utc(0.0))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_later())
        return _principal(key)

    async def renew(self, request: web.Request, principal: Principal) -> Principal:
        """Someone who was identified before, as their key is now.

        Raises:
            Problem: 401, the key is gone or over, or keys exist by now; 403 and 503 as above.
        """
        if principal.key_id is None:
            return await self.identify_stranger(request)
        key = (await self._known()).get(principal.key_id)
        if key is None:
            raise self._refuse("bad_api_key", "the key is gone; ask for another")
        self._refuse_over(key)
        return _principal(key)

    async def identify_stranger(self, request: web.Request) -> Principal:
        """Who asks without a key.

        Raises:
            Problem: 401, keys exist; 403, it is not this machine; 503, the keys cannot be read.
        """
        if await self._known():
            raise self._refuse("no_api_key", "send a key: Authorization: Bearer KEY")
        if _is_local(request):
            return LOCAL
        self._metrics.add("refusals", "not_local")
        raise Problem(
            403,
            "not-local",
            "without keys only this machine is answered, and no proxy; make one: ivr keys create",
        )

    async def close(self) -> None:
        """Write the uses that were counted, and end the tasks."""
        for task in (self._flushing, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._flush()

    # -- the keys -------------------------------------------------------------------------------

    async def _known(self) -> dict[str, ApiKey]:
        if self._now_s() - self._read_at_s >= _FRESH_S:
            await self._read_again()
        if self._keys is None or self._now_s() - self._read_at_s >= _STALE_S:
            raise Problem(
                503,
                "keys-unavailable",
                "the database of the keys does not answer; try again in a moment",
                headers={"Retry-After": "5"},
            )
        return self._keys

    async def _read_again(self) -> None:
        """Read the keys; many requests wait for one read, and not long where older keys will do."""
        recently = self._now_s() - self._tried_at_s < _UNKNOWN_S
        if self._reading is None and (self._keys is None or not recently):
            self._tried_at_s = self._now_s()
            self._reading = asyncio.create_task(self._read())
        if self._reading is not None:
            patience_s = None if self._keys is None else _PATIENCE_S
            await asyncio.wait({self._reading}, timeout=patience_s)

    async def _read(self) -> None:
        try:
            keys = await self._store.all()
        except RecordsUnavailableError:
            self._metrics.add("failures", "keys")
        else:
            self._keys = {key.key_id: key for key in keys}
            self._read_at_s = self._now_s()
        finally:
            self._reading = None

    # -- their use ------------------------------------------------------------------------------

    async def _flush_later(self) -> None:
        while self._uses:
            await asyncio.sleep(_FLUSH_S)
            await self._flush()
        self._flushing = None

    async def _flush(self) -> None:
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._store.note_uses(uses)
        except RecordsUnavailableError:
            for key_id, (count, last) in uses.items():
                more, later = self._uses.get(key_id, (0, last))
                self._uses[key_id] = (count + more, later)

    # -- refusals -------------------------------------------------------------------------------

    def _refuse_over(self, key: ApiKey) -> None:
        """Refuse a key that is expired or revoked."""
        state = key.state(utc(0.0))
        if state != "active":
            raise self._refuse(f"{state}_api_key", f"the key is {state}; ask for another")

    def _refuse(self, reason: str, detail: str) -> Problem:
        self._metrics.add("refusals", reason)
        name = reason.replace("_", "-")
        return Problem(401, name, detail, headers={"WWW-Authenticate": 'Bearer realm="ivr"'})

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


ACCESS: Final = web.AppKey("access", Access)
PRINCIPAL: Final = web.RequestKey("principal", Principal)


def set_up_access(app: web.Application, store: KeyStore, metrics: Metrics) -> None:
    """Give an application its `Access`, closed with it."""
    app[ACCESS] = Access(store, metrics)
    app.cleanup_ctx.append(_closing)


async def authorize(request: web.Request, scope: str) -> Principal:
    """Who asks, if they have a scope.

    Raises:
        Problem: 401, 403, 429 or 503; it says why.
    """
    principal = request.get(PRINCIPAL)
    if principal is None:
        access = request.app[ACCESS]
        shown = _shown_key(request)
        if shown is None:
            principal = await access.identify_stranger(request)
        else:
            principal = await access.identify(shown)
        if principal.key_id is not None:
            request.app[LIMITS].take_key(request, principal.key_id)
        request[PRINCIPAL] = principal
    if not principal.may(scope):
        raise Problem(
            403,
            "missing-scope",
            f"the key has not the scope {scope}; make one that has: ivr keys create",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            scope=scope,
        )
    return principal


def _principal(key: ApiKey) -> Principal:
    return Principal(key.key_id, key.name, key.scopes, key.owner, key.own_calls_only)


def _shown_key(request: web.Request) -> str | None:
    """The key that a request shows; ``None`` where it shows none at all."""
    given = request.headers.get("Authorization")
    if given is None:
        return request.headers.get("X-Api-Key")
    scheme, _, key = given.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _is_local(request: web.Request) -> bool:
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return False
    return _is_loopback(request.remote or "") and _is_loopback(request.url.host or "")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


async def _closing(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[ACCESS].close()
