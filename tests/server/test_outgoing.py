"""Fetching from others: what is allowed, and the ways around it that are closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ivr.errors import ConfigError
from ivr.server.outgoing import (
    AllowedHosts,
    FetchError,
    NotAllowedError,
    Outgoing,
    TooLargeError,
)


class Names(AbstractResolver):
    """A resolver that knows what the test says; a list is gone through, an address a question."""

    def __init__(self, **names: list[str]) -> None:
        self._names = {name.replace("_", "."): found for name, found in names.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The next address."""
        found = self._names[host]
        address = found.pop(0) if len(found) > 1 else found[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def other_side() -> AsyncIterator[tuple[int, list[dict[str, str]]]]:
    """A server that is not ours: its port, and the headers that it was sent."""
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        if request.path == "/redirect":
            raise web.HTTPFound(request.query["to"])
        if request.path == "/gzip":
            return web.Response(body=b"x", headers={"Content-Encoding": "gzip"})
        if request.path == "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(bytes(65_536))
        if request.path == "/slow":
            await asyncio.sleep(60)
        return web.Response(text=request.method)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


def with_client(
    work: Callable[[Outgoing, int, list[dict[str, str]]], Awaitable[None]],
    *hosts: str,
    **names: list[str],
) -> None:
    """Do something with a client and another side; ``PORT`` in a host is the other side's."""

    async def main() -> None:
        async with other_side() as (port, seen):
            allowed = AllowedHosts.parse([host.replace("PORT", str(port)) for host in hosts])
            client = Outgoing(allowed, Names(**names))
            try:
                await work(client, port, seen)
            finally:
                await client.close()

    asyncio.run(main())


async def fetch(client: Outgoing, url: str, **options: Any) -> Any:
    """Fetch with limits that do for a test."""
    return await client.fetch("GET", url, **{"max_bytes": 1000, "timeout_s": 20.0, **options})


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.example.com/x", True),
        ("http://A.EXAMPLE.COM./x", True),
        ("https://a.example.com:8443/x", False),
        ("https://b.example.com/x", False),
        ("https://a.example.com.evil.org/x", False),
        ("https://x.sub.example.org/", True),
        ("https://x.y.sub.example.org/", True),
        ("https://sub.example.org/", False),
        ("https://evilsub.example.org/", False),
        ("https://port.example.com:9000/", True),
        ("https://port.example.com/", False),
        ("http://10.1.2.3/", True),
        ("http://10.2.2.3/", False),
        ("http://127.0.0.1/", False),
        ("http://[::1]/", False),
        ("http://[::ffff:10.1.2.3]/", True),
        ("http://[::ffff:127.0.0.1]/", False),
        ("http://2130706433/", False),
        ("http://user@a.example.com/", False),
        ("ftp://a.example.com/", False),
        ("file:///etc/passwd", False),
    ],
)
def test_list_is_read_as_it_is_meant(url: str, allowed: bool) -> None:
    """A name is not its neighbour, and an address not its disguise."""
    hosts = AllowedHosts.parse(
        ["a.example.com", "*.sub.example.org", "port.example.com:9000", "10.1.0.0/16"]
    )
    if allowed:
        hosts.check(URL(url))
    else:
        with pytest.raises(NotAllowedError):
            hosts.check(URL(url))


@pytest.mark.parametrize("entry", ["", "https://a.example.com", "a/b", "*", "a:b", "a b", "*.*.a"])
def test_entry_that_is_no_host_is_refused(entry: str) -> None:
    """At the start, with how to write it."""
    with pytest.raises(ConfigError, match="is no host"):
        AllowedHosts.parse([entry])


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("224.0.0.1", "255.255.255.255", "nonsense"),
    ],
)
def test_name_that_stands_for_a_hidden_address_is_refused(address: str) -> None:
    """Whatever family it wears."""
    with pytest.raises(NotAllowedError):
        AllowedHosts.parse(["a.example.com"]).check_address(address)


def test_allowed_host_is_fetched() -> None:
    """On a network that is allowed as well."""

    async def work(client: Outgoing, port: int, seen: list[dict[str, str]]) -> None:
        fetched = await fetch(client, f"http://a.example.com:{port}/")
        assert (fetched.status, fetched.content_type, fetched.body) == (200, "text/plain", b"GET")
        assert seen[0]["Accept-Encoding"] == "identity"
        assert "GET" not in repr(fetched)

    with_client(work, "a.example.com:PORT", "127.0.0.1", a_example_com=["127.0.0.1"])


def test_rebound_name_is_not_connected_to() -> None:
    """The address that is checked is the one that is connected to, each time anew."""

    async def work(client: Outgoing, port: int, seen: list[dict[str, str]]) -> None:
        with pytest.raises(NotAllowedError, match="not public"):
            await fetch(client, f"http://a.example.com:{port}/")
        assert not seen

    with_client(work, "a.example.com:PORT", a_example_com=["127.0.0.1"])


@pytest.mark.parametrize(
    "target",
    [
        "http://b.example.com:PORT/",
        "http://127.0.0.1:PORT/",
        "http://inside.example.com:PORT/",
        "file:///etc/passwd",
        "//b.example.com/",
    ],
)
def test_redirect_is_looked_at_like_the_first_address(target: str) -> None:
    """It is the way around a list that everybody tries first."""

    async def work(client: Outgoing, port: int, seen: list[dict[str, str]]) -> None:
        to = target.replace("PORT", str(port))
        with pytest.raises(NotAllowedError):
            await client.fetch(
                "GET",
                str(URL(f"http://a.example.com:{port}/redirect").with_query(to=to)),
                max_bytes=10,
                timeout_s=20.0,
            )
        assert len(seen) == 1

    with_client(
        work,
        "a.example.com:PORT",
        "inside.example.com:PORT",
        "127.0.0.8/30",  # what `a` stands for is allowed, what `inside` and the literal are is not
        a_example_com=["127.0.0.9"],
        inside_example_com=["127.0.0.1"],
    )


def test_answer_is_bounded() -> None:
    """In size, in time, in redirects, and by not being unpacked."""

    async def work(client: Outgoing, port: int, seen: list[dict[str, str]]) -> None:
        base = f"http://a.example.com:{port}"
        with pytest.raises(TooLargeError):
            await fetch(client, base + "/endless")
        with pytest.raises(FetchError, match="no answer within"):
            await fetch(client, base + "/slow", timeout_s=0.1)
        with pytest.raises(FetchError, match="compressed"):
            await fetch(client, base + "/gzip")
        loop = URL(base + "/")
        for _ in range(5):
            loop = URL(base + "/redirect").with_query(to=str(loop))
        with pytest.raises(FetchError, match="redirects"):
            await fetch(client, str(loop))
        with pytest.raises(FetchError, match="no answer"):
            await fetch(client, "http://a.example.com:1/")

    with_client(
        work, "a.example.com:PORT", "a.example.com:1", "127.0.0.1", a_example_com=["127.0.0.1"]
    )


def test_secrets_are_not_carried_to_another_host() -> None:
    """Headers stay with the host that they were meant for."""

    async def work(client: Outgoing, port: int, seen: list[dict[str, str]]) -> None:
        url = URL(f"http://a.example.com:{port}/redirect")
        target = url.with_query(to=f"http://b.example.com:{port}/")
        await fetch(client, str(target), headers={"Authorization": "secret"})
        assert [headers.get("Authorization") for headers in seen] == ["secret", None]

    with_client(
        work,
        "a.example.com:PORT",
        "b.example.com:PORT",
        "127.0.0.1",
        a_example_com=["127.0.0.1"],
        b_example_com=["127.0.0.1"],
    )
