"""How often a key, and an address, may ask.

Theory of operation: a bucket holds as many requests as a minute allows, and fills evenly. An
address is counted before the key is looked at, so guessing keys is limited, too; a key is counted
wherever it is used from. Answers tell how much is left (``RateLimit``, draft-ietf-httpapi-
ratelimit-headers-10), refusals when to come again.

Behind a proxy that `api.trusted_proxies` names, the address is the last one in ``X-Forwarded-For``
that is no such proxy's. IPv6 addresses are counted by /64: one line has as many as it likes.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from ivr.config import ApiSettings
from ivr.server.metrics import Metrics
from ivr.server.problems import Handler, Problem

_WINDOW_S: Final = 60.0
_MAX_BUCKETS: Final = 10_000
_MAX_HOPS: Final = 20

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left for a key or an address.

    Attributes:
        policy: which bucket, ``key`` or ``address``.
        limit: requests a minute.
        left: whole requests that may be made now.
        wait_s: seconds until one may be made; 0 where this one was.
    """

    policy: str
    limit: int
    left: int
    wait_s: float

    @property
    def headers(self) -> dict[str, str]:
        """As an answer tells it."""
        per_request_s = _WINDOW_S / self.limit
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={_WINDOW_S:.0f}',
            "RateLimit": f'"{self.policy}";r={self.left};t={math.ceil(per_request_s)}',
        }


class Buckets:
    """Token buckets by name; a bucket that nobody has asked of for a minute is full, and dropped.

    Args:
        policy: for `Allowance`.
        per_minute: requests.
        clock: monotonic seconds.
    """

    def __init__(self, policy: str, per_minute: int, clock: Callable[[], float]) -> None:
        self._policy, self._limit, self._clock = policy, per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, at

    def take(self, name: str) -> Allowance:
        """One request of a name's bucket."""
        now = self._clock()
        level, at = self._buckets.pop(name, (float(self._limit), now))
        level = min(self._limit, level + (now - at) * self._limit / _WINDOW_S)
        wait_s = 0.0
        if level >= 1:
            level -= 1
        else:
            wait_s = (1 - level) * _WINDOW_S / self._limit
        self._buckets[name] = (level, now)  # at the end: the first has waited longest
        self._drop(now)
        return Allowance(self._policy, self._limit, int(level), wait_s)

    def _drop(self, now: float) -> None:
        while self._buckets:
            name, (_, at) = next(iter(self._buckets.items()))
            if now - at < _WINDOW_S and len(self._buckets) <= _MAX_BUCKETS:
                return
            del self._buckets[name]


class Limits:
    """The buckets of one server.

    Args:
        settings: how much.
        metrics: counts refusals.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: ApiSettings,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = Buckets("key", settings.requests_per_minute, clock)
        self._addresses = Buckets("address", settings.address_requests_per_minute, clock)
        self._proxies = settings.trusted_proxies
        self._metrics = metrics

    def take_address(self, request: web.Request) -> None:
        """Count a request for the address that it comes from.

        Raises:
            Problem: 429.
        """
        self._note(
            request, self._addresses.take(_bucket_of(client_address(request, self._proxies)))
        )

    def take_key(self, request: web.Request, key_id: str) -> None:
        """Count a request for the key that it shows.

        Raises:
            Problem: 429.
        """
        self._note(request, self._keys.take(key_id))

    def _note(self, request: web.Request, allowance: Allowance) -> None:
        request[_ALLOWANCE] = allowance
        if allowance.wait_s > 0:
            self._metrics.add("refusals", f"too_many_requests_of_{allowance.policy}")
            wait_s = math.ceil(allowance.wait_s)
            raise Problem(
                429,
                "too-many-requests",
                f"{allowance.limit} requests a minute are allowed for one {allowance.policy}; "
                f"the next in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            )


_ALLOWANCE: Final = web.RequestKey("allowance", Allowance)
LIMITS: Final = web.AppKey("limits", Limits)


def set_up_limits(app: web.Application, limits: Limits) -> None:
    """Limit what an application is asked under /v1."""
    app[LIMITS] = limits
    app.middlewares.append(_limit_addresses)
    app.on_response_prepare.append(_tell)


@web.middleware
async def _limit_addresses(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/v1/"):
        request.app[LIMITS].take_address(request)
    return await handler(request)


async def _tell(request: web.Request, response: web.StreamResponse) -> None:
    allowance = request.get(_ALLOWANCE)
    if allowance is not None:
        response.headers.update(allowance.headers)


def client_address(request: web.Request, proxies: Iterable[Network]) -> str:
    """Where a request comes from, seen past the proxies that are trusted."""
    address = request.remote or ""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    for hop in reversed(forwarded.split(",")[-_MAX_HOPS:]):
        if not hop.strip() or not _is_of(address, proxies):
            break
        address = hop.strip()
    return address


def _is_of(address: str, networks: Iterable[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def _bucket_of(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"  # a trusted proxy's own invention: they share one
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))
