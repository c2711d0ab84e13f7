"""Lookups by HTTP: JSON from hosts that the configuration names, and from no others.

Theory of operation: a flow is data, and a value in it may be a caller's; so what can be reached is
for the server's owner to say, in ``lookups.allowed_hosts``. It is compared with the host of each
request. Where the host is a name, the addresses that it has at that moment are looked at as well,
at the one place where they are used to connect, so that no answer of a name server can lead inside:
an address that is not public is refused, unless ``lookups.private_addresses`` allows those; one
that is link-local (where clouds answer with their secrets) always. An address in the list stands
for itself. Redirects are not followed: they would be requests that nobody wrote down.

An answer is JSON of at most ``lookups.max_response_bytes``, not compressed. Not found (404, 410),
no content, null and an empty list are "missing"; any other status is a failure.

GET is asked again once by default where the connection, the time or the server failed; other
methods only where the flow gives ``retries``, and then with one ``Idempotency-Key`` for all of
them.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import aiohttp
from yarl import URL

from ivr.config import LookupSettings
from ivr.flow.lookup import HttpSource, Source
from ivr.flow.request import MISSING, Answer, HttpRequest
from ivr.guarded import address_of, guarded_session

# What may be over in a moment. The statuses: too many requests, and those of a proxy whose server
# is away.
_PASSING: Final = frozenset(
    {"timeout", "unreachable", "broken", "status_429", "status_502", "status_503", "status_504"}
)
_FIRST_WAIT_S: Final = 0.1
_MISSING: Final = (204, 404, 410)


class PrivateAddressError(OSError):
    """A name that stands for addresses which are not public."""


class HttpLookups:
    """Asks APIs.

    Args:
        settings: which hosts, and how long an answer may be.

    State: the connections that are kept open.
    """

    def __init__(self, settings: LookupSettings) -> None:
        self._settings = settings
        self._allowed = frozenset(host.lower() for host in settings.allowed_hosts)
        self._session: aiohttp.ClientSession | None = None

    def problem(self, source: Source) -> str | None:
        """Why this source cannot be asked, with the cure; None if it can."""
        if not isinstance(source, HttpSource):
            return None
        url = URL(source.http.partition("{")[0].partition("?")[0], encoded=True)
        if self._allows(url):
            return None
        return f"asks {url.host}; add it to lookups.allowed_hosts"

    async def look_up(self, request: HttpRequest) -> Answer:
        """Ask, and ask again where that may help."""
        headers = dict(request.headers)
        if request.method != "GET":
            headers.setdefault("Idempotency-Key", uuid.uuid4().hex)
        answer = await self._ask(request, headers)
        for attempt in range(1, request.attempts):
            if answer.reason not in _PASSING:
                break
            # By lot: a thousand calls that failed together shall not come back together.
            await asyncio.sleep(_FIRST_WAIT_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))
            answer = await self._ask(request, headers)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _allows(self, url: URL) -> bool:
        host = (url.host or "").lower()
        named = f"[{host}]" if ":" in host else host
        return not self._allowed.isdisjoint({host, named, f"{named}:{url.port}"})

    async def _ask(self, request: HttpRequest, headers: dict[str, str]) -> Answer:
        url = URL(request.url, encoded=True)
        if not self._allows(url):
            return Answer.failed("host_not_allowed")
        bearer = self._settings.tokens.get(url.host or "")
        if bearer is not None:
            headers.setdefault("Authorization", f"Bearer {bearer.get_secret_value()}")
        data = None
        if request.body is not None:
            data = json.dumps(request.body).encode()
            headers.setdefault("Content-Type", "application/json")
        headers.setdefault("Accept", "application/json")
        headers["Accept-Encoding"] = "identity"
        try:
            async with (
                asyncio.timeout(request.timeout_s),
                self._open().request(
                    request.method, url, headers=headers, data=data, allow_redirects=False
                ) as response,
            ):
                return await self._read(response)
        except TimeoutError:
            return Answer.failed("timeout")
        except aiohttp.ClientSSLError:
            return Answer.failed("bad_certificate")
        except aiohttp.ClientConnectorError as error:
            private = isinstance(error.os_error, PrivateAddressError)
            return Answer.failed("private_address" if private else "unreachable")
        except (aiohttp.ClientError, OSError, ValueError):
            return Answer.failed("broken")

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        if response.status in _MISSING:
            return MISSING
        if refusal := _refusal(response):
            return Answer.failed(refusal)
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._settings.max_response_bytes:
                return Answer.failed("too_long")
        if not body:
            return MISSING
        try:
            return Answer.found(await asyncio.to_thread(parse_json, bytes(body)))
        except (ValueError, RecursionError):
            return Answer.failed("not_json")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = guarded_session(self._check)
        return self._session

    def _check(self, host: str, addresses: Sequence[str]) -> None:
        """Refuse a name that stands for an address which is not public.

        Raises:
            PrivateAddressError: it does.
        """
        private = self._settings.private_addresses
        if host != "localhost" and not _may_reach(addresses, private):
            raise PrivateAddressError("the name stands for an address that is not public")


def _refusal(response: aiohttp.ClientResponse) -> str | None:
    """Why an answer is not read."""
    if 300 <= response.status < 400:
        return "redirect"
    if not 200 <= response.status < 300:
        return f"status_{response.status}"
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return "compressed"
    kind = response.content_type
    is_json = kind == "application/json" or kind.endswith("+json")
    return None if is_json else "not_json"


def parse_json(body: bytes) -> Any:
    """What JSON says; a fraction is a Decimal, for it may be money.

    Raises:
        ValueError: no JSON.
        RecursionError: nested too deeply.
    """
    return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _may_reach(addresses: Iterable[str], private: bool) -> bool:
    """Whether all of these addresses may be connected to."""
    for text in addresses:
        address = address_of(text)
        if address is None or address.is_link_local or not (address.is_global or private):
            return False
    return True
