"""HTTP to where somebody else may have said: each address is looked at where it is connected to.

Theory of operation: a name that is allowed may stand for an address that is not, and may change its
mind between being looked at and being used (DNS rebinding). So names are resolved here, by the
connector itself, and whoever asks gives a check of what they stand for. Which addresses are good is
the asker's to say (`ivr.lookups.http`, `ivr.server.outgoing`). Cookies are not kept, and answers
are not unpacked: a compressed one may be a bomb.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Given a name and the addresses that it stands for now: raises where one may not be connected to.
Check = Callable[[str, Sequence[str]], None]


def address_of(text: str) -> Address | None:
    """The address that is written, an IPv4 one where it is one in IPv6; None where it is none."""
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class _CheckingResolver(AbstractResolver):
    """Resolves names as another does, and has what is found checked."""

    def __init__(self, check: Check, resolver: AbstractResolver) -> None:
        self._check, self._resolver = check, resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to; raises what the check does."""
        found = await self._resolver.resolve(host, port, family)
        self._check(host, [one["host"] for one in found])
        return found

    async def close(self) -> None:
        """Close the other."""
        await self._resolver.close()


def guarded_session(
    check: Check,
    *,
    resolver: AbstractResolver | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: aiohttp.ClientTimeout | None = None,
    remember_names: bool = True,
) -> aiohttp.ClientSession:
    """A session that connects to no address which the check refuses.

    Args:
        check: of what names stand for.
        resolver: of names; ``None`` for the system's.
        headers: of each request.
        timeout: of each request; ``None`` for aiohttp's.
        remember_names: for some seconds, with the addresses that were checked.
    """
    connector = aiohttp.TCPConnector(
        resolver=_CheckingResolver(check, resolver or aiohttp.ThreadedResolver()),
        use_dns_cache=remember_names,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=headers,
        timeout=timeout or aiohttp.ClientTimeout(total=300.0, sock_connect=30.0),
    )
