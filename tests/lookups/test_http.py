"""Lookups by HTTP against an API on a real port: answers, failures, attempts, refusals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from ivr.config import Settings
from ivr.errors import ConfigError
from ivr.flow.request import MISSING, Answer, HttpRequest
from ivr.flow.schema import parse_flow
from ivr.lookups.http import _may_reach, parse_json
from ivr.lookups.service import Lookups

SECRET = "4155001234567890"
Reply = web.Response | Exception | Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Api:
    """An API that answers from a script; the last reply repeats.

    Attributes:
        asked: method, path as sent, headers and body of each request.
    """

    replies: list[Reply]
    url: str = ""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The next reply."""
        body = await request.read()
        self.asked.append((request.method, request.raw_path, dict(request.headers), body))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            assert request.transport is not None
            request.transport.abort()
            raise reply
        if isinstance(reply, web.Response):
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        return await reply(request)


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Api]:
    """An API on a free port."""
    api = Api(list(replies))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


def request(api: Api, path: str = "/accounts/1", **changes: Any) -> HttpRequest:
    """A request to the API."""
    given = {"method": "GET", "headers": {}, "body": None, "timeout_s": 5.0, "attempts": 1}
    return HttpRequest(url=api.url + path, **{**given, **changes})


def ask(
    *replies: Reply, lookups: dict[str, Any] | None = None, **changes: Any
) -> tuple[Answer, Api]:
    """What one lookup comes to."""

    async def main() -> tuple[Answer, Api]:
        async with serving(*replies) as api:
            allowed = {"allowed_hosts": ["127.0.0.1"], **(lookups or {})}
            asker = Lookups(Settings.model_validate({"lookups": allowed}).lookups)
            try:
                return await asker.look_up(request(api, **changes)), api
            finally:
                await asker.close()

    return asyncio.run(main())


def json(text: str, status: int = 200, **headers: str) -> web.Response:
    """A reply in JSON."""
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


def test_an_answer_is_found() -> None:
    """JSON becomes data, fractions exactly."""
    answer, api = ask(json('{"name": "Jane", "balance": 12.10}'), path="/a%2Fb/1?x=%26")
    assert answer == Answer.found({"name": "Jane", "balance": Decimal("12.10")})
    method, path, headers, body = api.asked[0]
    assert (method, path, body) == ("GET", "/a%2Fb/1?x=%26", b"")
    assert headers["Accept"] == "application/json"
    assert "Idempotency-Key" not in headers


def test_a_body_is_sent_as_json() -> None:
    """With its length and type, and one key that names the request."""
    body = {"to": "4155", "list": [1, True]}
    answer, api = ask(json("{}"), method="POST", body=body, headers={"X-Bank": "b"})
    assert answer == Answer.found({})
    method, _, headers, sent = api.asked[0]
    assert method == "POST"
    assert parse_json(sent) == body
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Bank"] == "b"
    assert len(headers["Idempotency-Key"]) == 32


def test_a_token_is_sent_to_its_host_alone() -> None:
    """It comes from the configuration, not from the flow."""
    _, api = ask(json("{}"), lookups={"tokens": {"127.0.0.1": "secret", "other": "no"}})
    assert api.asked[0][2]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "reply",
    [web.Response(status=404), web.Response(status=204), json("null"), json("[]"), json("", 410)],
)
def test_there_is_no_such_thing(reply: web.Response) -> None:
    """Not found, no content, null and an empty list."""
    assert ask(reply)[0] == MISSING


async def endless(request: web.Request) -> web.StreamResponse:
    """A reply that never ends."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b"[" * 65536)


async def never(request: web.Request) -> web.StreamResponse:
    """A reply that never comes."""
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (json("{}", 500), "status_500"),
        (json("{}", 401), "status_401"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "redirect"),
        (web.Response(text="<html>", content_type="text/html"), "not_json"),
        (json("{"), "not_json"),
        (json("NaN"), "not_json"),
        (json("[" * 50_000), "not_json"),
        (json('"' + "x" * 2000 + '"'), "too_long"),
        (json("{}", **{"Content-Encoding": "gzip"}), "compressed"),
        (RuntimeError("gone"), "broken"),
        (endless, "too_long"),
    ],
)
def test_what_is_no_answer_has_a_reason(reply: Reply, reason: str) -> None:
    """A stable name, for counters and the record."""
    limit = 200_000 if reason == "not_json" else 1024
    answer, api = ask(reply, lookups={"max_response_bytes": limit}, method="POST")
    assert answer == Answer.failed(reason)
    assert len(api.asked) == 1


def test_a_late_answer_is_none() -> None:
    """The caller waits as long as the flow says, and no longer."""
    assert ask(never, timeout_s=0.05)[0] == Answer.failed("timeout")


def test_nobody_there() -> None:
    """A port that nobody listens on."""

    async def main() -> Answer:
        async with serving(json("{}")) as api:
            pass
        asker = Lookups(
            Settings.model_validate({"lookups": {"allowed_hosts": ["127.0.0.1"]}}).lookups
        )
        try:
            return await asker.look_up(request(api))
        finally:
            await asker.close()

    assert asyncio.run(main()) == Answer.failed("unreachable")


def test_what_may_pass_is_asked_again() -> None:
    """With the same key, as often as the request says."""
    replies = (json("", 503), RuntimeError("gone"), json('{"a": 1}'))
    answer, api = ask(*replies, attempts=3, method="POST")
    assert answer == Answer.found({"a": 1})
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in api.asked}) == 1
    assert ask(*replies, attempts=2, method="POST")[0] == Answer.failed("broken")


def test_a_refusal_is_not_asked_again() -> None:
    """It would be the same."""
    answer, api = ask(json("{}", 400), attempts=3)
    assert answer == Answer.failed("status_400")
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    "hosts", [[], ["example.com"], ["127.0.0.1:1"], ["127.0.0.2"], ["localhost"]]
)
def test_a_host_that_is_not_allowed_is_not_asked(hosts: list[str]) -> None:
    """No connection is made."""
    answer, api = ask(json("{}"), lookups={"allowed_hosts": hosts})
    assert answer == Answer.failed("host_not_allowed")
    assert api.asked == []


def test_a_name_in_the_own_network_needs_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the name stands for is looked at when it is used; addresses in the list need none."""

    async def resolve(*_: object) -> list[dict[str, Any]]:
        address = {"hostname": "inside", "host": "127.0.0.1", "port": 0}
        return [{**address, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)

    async def main(private: bool) -> Answer:
        async with serving(json("{}")) as api:
            port = api.url.rpartition(":")[2]
            api.url = f"http://inside.example:{port}"
            lookups = {"allowed_hosts": ["inside.example"], "private_addresses": private}
            asker = Lookups(Settings.model_validate({"lookups": lookups}).lookups)
            try:
                answer = await asker.look_up(request(api))
            finally:
                await asker.close()
            return answer

    assert asyncio.run(main(False)) == Answer.failed("private_address")
    # A port is looked up as 0 above, so that nobody is there; but the connection was tried.
    assert asyncio.run(main(True)) == Answer.failed("unreachable")


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("10.0.0.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, True),
    ],
)
def test_which_addresses_may_be_reached(address: str, public: bool, private: bool) -> None:
    """Public ones; private ones by leave; link-local ones, where clouds keep secrets, never."""
    assert _may_reach([address], private=False) is public
    assert _may_reach([address], private=True) is private


def test_a_flow_that_asks_elsewhere_is_refused_at_the_start() -> None:
    """Not at the first call."""
    flow = parse_flow(
        "{flow: x, start: a, steps: {a: {lookup: {http: 'https://api.example/{b}'}, found: b, "
        "failed: b}, b: {end: over}}, variables: {b: ''}}"
    )

    def check(*hosts: str) -> None:
        Lookups(Settings.model_validate({"lookups": {"allowed_hosts": hosts}}).lookups).check(flow)

    check("api.example")
    check("API.example:443")
    with pytest.raises(
        ConfigError, match=r"steps\.a\.lookup: asks api\.example; add it to lookups"
    ):
        check("api.example:80")


def test_nothing_that_was_asked_shows(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a log nor in an answer's text, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    for reply in (json("{", 200), json("{}", 500), RuntimeError("gone"), json("{}")):
        path = f"/accounts/{SECRET}"
        answer, api = ask(reply, path=path, method="POST", body={"pin": SECRET})
        assert SECRET in api.asked[0][1]
        assert SECRET not in repr(answer)
        assert SECRET not in repr(request(api, path))
    assert SECRET not in caplog.text
