"""HTTP to others: only to hosts that the configuration allows, and never to an address that hides.

Theory of operation: what is asked for is an address from outside (a client's, a flow's), so it is
looked at three times: its host must be on the list; the addresses that the host's name stands for
are checked where they are connected to, so that a name that changes its mind meanwhile (DNS
rebinding) gains nothing; and each redirect is looked at like the first address. An address of
a private network, of this machine or of a link is refused unless the list has its network.

The list holds ``api.example.com``, ``*.example.com`` (its subdomains), either with ``:PORT`` where
it is neither 80 nor 443, and networks such as ``10.1.0.0/16`` or ``127.0.0.1``, which make
addresses in them good. Answers are read up to a size, and not unpacked: a compressed answer is
refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from ivr.errors import ConfigError, IvrError
from ivr.guarded import address_of, guarded_session

_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_USUAL_PORTS: Final = (80, 443)
_PIECE_BYTES: Final = 65_536
_CONNECT_S: Final = 5.0
# Networks that carry the addresses of another family within them.
_WRAPPING: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NotAllowedError(IvrError):
    """The address is not on the list, or stands for one that hides."""


class FetchError(IvrError):
    """The other side did not answer, or not as it should."""


class TooLargeError(FetchError):
    """The answer is larger than it may be."""


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The list.

    Attributes:
        hosts: names as they are written, in small letters; ``*.`` before those of subdomains.
        ports: of each name, where it has one of its own.
        networks: whose addresses are good although they are private.
    """

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> AllowedHosts:
        """The list as the configuration has it.

        Raises:
            ConfigError: an entry is none.
        """
        hosts: set[tuple[str, int | None]] = set()
        networks: list[Network] = []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]")))
                continue
            except ValueError:
                pass
            name, colon, port = entry.strip().lower().rpartition(":")
            name, port = (name, port) if colon else (port, "")
            plain = name.removeprefix("*.").rstrip(".")
            if (
                not plain
                or not all(part.isascii() and part for part in plain.split("."))
                or (port and not port.isdigit())
                or set(plain) & set("/*@ ")
            ):
                raise ConfigError(
                    f"{entry!r} is no host: write api.example.com, *.example.com, either with "
                    ":PORT, or a network such as 10.1.0.0/16"
                )
            hosts.add((name.rstrip("."), int(port) if port else None))
        return cls(frozenset(hosts), tuple(networks))

    def check(self, url: URL) -> None:
        """Refuse an address that is not on the list.

        Raises:
            NotAllowedError: it is not.
        """
        host, port = (url.host or "").lower().rstrip("."), url.port
        if url.scheme not in ("http", "https") or not host or url.user or url.password:
            raise NotAllowedError("only plain http:// and https:// addresses are fetched")
        literal = address_of(host)
        if literal is not None:
            if not any(literal in network for network in self.networks):
                raise NotAllowedError("the address's network is not allowed")
            return
        names = {host, *self._parents(host)}
        usual = None if port in _USUAL_PORTS else port
        if not any((name, usual) in self.hosts or (name, port) in self.hosts for name in names):
            with_port = "" if usual is None else f" with port {port}"
            raise NotAllowedError(f"the host {host} is not allowed{with_port}")

    def check_address(self, text: str) -> None:
        """Refuse an address that a name stands for, where it hides.

        Raises:
            NotAllowedError: it does.
        """
        address = address_of(text)
        if address is None:
            raise NotAllowedError("the host's name stands for no address")
        if any(address in network for network in self.networks):
            return
        wrapped = any(address in network for network in _WRAPPING)
        if wrapped or not address.is_global or address.is_multicast:
            raise NotAllowedError("the host's name stands for an address that is not public")

    def check_found(self, _: str, addresses: Sequence[str]) -> None:
        """Refuse a name by the addresses that it stands for.

        Raises:
            NotAllowedError: one of them hides.
        """
        for address in addresses:
            self.check_address(address)

    @staticmethod
    def _parents(host: str) -> list[str]:
        parts = host.split(".")
        return ["*." + ".".join(parts[n:]) for n in range(1, len(parts))]


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer.

    Attributes:
        status: of HTTP; redirects have been followed.
        content_type: without parameters.
        body: the whole of it.
    """

    status: int
    content_type: str
    body: bytes = field(repr=False)


class Outgoing:
    """A client for addresses that come from outside.

    Args:
        allowed: the list.
        resolver: of names; ``None`` for the system's.

    State: a session, from the first request to `close`.
    """

    def __init__(self, allowed: AllowedHosts, resolver: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Fetched:
        """Ask, and read the whole answer.

        Args:
            method: of HTTP.
            url: of a host on the list.
            max_bytes: the longest answer.
            timeout_s: for all of it, redirects too.
            headers: of the request; they are not sent on to another host.
            json: its body; ``None`` for none.

        Raises:
            NotAllowedError: this address, or one that it leads to, may not be asked.
            TooLargeError: the answer is longer.
            FetchError: there was no answer in time, or none that could be read.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(method, URL(url), max_bytes, dict(headers or {}), json)
        except TimeoutError:
            raise FetchError(f"no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            hidden = _not_allowed(error)
            if hidden is not None:
                raise hidden from None
            raise FetchError(f"no answer that could be read ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(
        self, method: str, url: URL, max_bytes: int, headers: dict[str, str], json: Any
    ) -> Fetched:
        for _ in range(_MAX_REDIRECTS + 1):
            self._allowed.check(url)
            async with self._opened().request(
                method, url, headers=headers, json=json, allow_redirects=False
            ) as response:
                if response.status not in _REDIRECTS:
                    return await _read(response, max_bytes)
                target = url.join(URL(response.headers.get("Location", "")))
                self._allowed.check(target)
            if url.scheme == "https" and target.scheme != "https":
                raise NotAllowedError("a redirect leads from https:// to an open address")
            if target.origin() != url.origin():
                headers = {}
            if response.status in (301, 302, 303) and method != "HEAD":
                method, json = "GET", None
            url = target
        raise FetchError(f"more than {_MAX_REDIRECTS} redirects")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = guarded_session(
                self._allowed.check_found,
                resolver=self._resolver,
                headers={"Accept-Encoding": "identity", "User-Agent": "ivr"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                remember_names=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> Fetched:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchError("the answer is compressed, which was not asked for")
    too_large = TooLargeError(f"the answer is longer than {max_bytes} bytes")
    if (response.content_length or 0) > max_bytes:
        raise too_large
    body = bytearray()
    async for piece in response.content.iter_chunked(_PIECE_BYTES):
        body += piece
        if len(body) > max_bytes:
            raise too_large
    return Fetched(response.status, response.content_type, bytes(body))


def _not_allowed(error: BaseException | None) -> NotAllowedError | None:
    """The refusal of the resolver, which aiohttp wraps."""
    while error is not None:
        if isinstance(error, NotAllowedError):
            return error
        error = error.__cause__ or error.__context__
    return None
