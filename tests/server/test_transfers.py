"""Calls that are handed on: over a REST API on a real port, or by what the webhook says next."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
from aiohttp import web

from ivr.providers.twilio_signature import sign
from ivr.server.transfers import dial

ACCOUNT, TOKEN = "AC" + "0" * 32, "token-of-the-account"
FLOW = """
flow: handing
start: desk
defaults: {on_failure: sorry}
steps:
  desk: {transfer: "+15550100", say: One moment., failed: sorry}
  sorry: {end: nobody_there, say: Sorry.}
"""
PUBLIC, MEDIA = "https://ivr.example.com", "wss://ivr.example.com/media"


class Provider:
    """The provider's REST API: answers with these statuses, the last one again and again."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, str]] = []
        self.url = ""
        self.let = asyncio.Event()
        self.let.set()
        self.came = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        """An update of a call."""
        form = await request.post()
        scheme, _, credentials = request.headers["Authorization"].partition(" ")
        assert scheme == "Basic"
        who = base64.b64decode(credentials).decode()
        self.asked.append((request.path, who, str(form["Twiml"])))
        self.came.set()
        await self.let.wait()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.json_response({}, status=status)

    async def start(self) -> web.AppRunner:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/{tail:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    @property
    def twilio(self) -> dict[str, str]:
        """The settings that lead here."""
        return {"account_sid": ACCOUNT, "auth_token": TOKEN, "api_url": self.url}


async def handed_on(bench: Any) -> Any:
    """A call whose caller has heard that it is handed on."""
    token = bench.context.tokens.issue("CA1")
    line = await bench.line(headers={"X-Twilio-Signature": sign(TOKEN, MEDIA)})
    await line.start(token)
    await line.say(line.caller.mark(await line.mark(1)))
    return line


@pytest.mark.parametrize(
    ("statuses", "result", "attempts"),
    [
        ((200,), "transferred", 1),
        ((503, 200), "transferred", 2),
        ((404,), "failed: call_gone", 1),
        ((401,), "failed: status_401", 1),
        ((429,), "failed: status_429", 2),
    ],
)
def test_a_call_is_handed_on_by_the_api(
    kit: Any, statuses: tuple[int, ...], result: str, attempts: int
) -> None:
    """The provider is told to dial; what it answers is in the record, and a failure goes on."""

    async def scenario() -> None:
        provider = Provider(*statuses)
        runner = await provider.start()
        server = {"public_url": PUBLIC}
        async with kit.serving(flow=FLOW, twilio=provider.twilio, server=server) as bench:
            line = await handed_on(bench)
            if result != "transferred":
                await line.say(line.caller.mark(await line.mark(2)))
            assert await line.closed() == 1000
            record = await bench.ended()
            name = result.removeprefix("failed: ")
            assert bench.count(name, "transfers") == 1
        await runner.cleanup()
        path, who, twiml = provider.asked[0]
        assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/CA1.json"
        assert who == f"{ACCOUNT}:{TOKEN}"
        assert twiml == dial("+15550100")
        assert len(provider.asked) == attempts
        done = result == "transferred"
        assert record["outcome"] == ("transferred" if done else "nobody_there")
        assert record["turns"][0]["result"] == result
        if done:
            assert record["ending"] == {"by": "agent", "reason": "transferred", "close_code": 1000}

    kit.run(scenario)


def test_a_stream_that_ends_before_the_api_answers_is_a_transfer(kit: Any) -> None:
    """A provider ends the stream as soon as it dials, which may be before we hear that it does."""

    async def scenario() -> None:
        provider = Provider(200)
        provider.let.clear()
        runner = await provider.start()
        server = {"public_url": PUBLIC}
        async with kit.serving(flow=FLOW, twilio=provider.twilio, server=server) as bench:
            line = await handed_on(bench)
            async with asyncio.timeout(10):
                await provider.came.wait()
            await line.say(line.caller.stop())
            await line.silence(0.1)
            provider.let.set()
            await line.closed()
            record = await bench.ended()
        await runner.cleanup()
        assert record["outcome"] == "transferred"
        assert record["ending"]["by"] == "agent"

    kit.run(scenario)


async def after(bench: Any, call_id: str = "CA1") -> str:
    """What the provider is told once the stream is closed."""
    response: aiohttp.ClientResponse
    async with bench.client.post(bench.url + "/voice/after", data={"CallSid": call_id}) as response:
        assert response.status == 200
        assert response.content_type == "text/xml"
        return await response.text()


def test_a_call_is_handed_on_by_what_the_webhook_says_next(kit: Any) -> None:
    """Where no API is configured: the stream is closed, and the provider asks whom to dial."""

    async def scenario() -> None:
        async with kit.serving(flow=FLOW) as bench:
            response = await bench.post_voice(CallSid="CA1")
            twiml = ElementTree.fromstring(await response.text())  # noqa: S314 - our own server's
            assert [child.tag for child in twiml] == ["Connect", "Redirect"]
            assert twiml[1].text == "/voice/after"
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark(1)))
            assert await line.closed() == 1000
            record = await bench.ended()
            assert record["outcome"] == "transferred"
            assert await after(bench) == dial("+15550100")
            assert "<Hangup/>" in await after(bench), "it is told once"
            assert "<Hangup/>" in await after(bench, "CA2")
            async with bench.client.post(bench.url + "/voice/after", data=b"\xff") as response:
                assert response.status == 400

    kit.run(scenario)


def test_a_flow_that_hands_nobody_on_is_not_asked_after(kit: Any) -> None:
    """Its calls are over with the stream, as ever."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert "Redirect" not in await (await bench.post_voice()).text()

    kit.run(scenario)


def test_a_caller_who_hangs_up_first_is_handed_on_to_nobody(kit: Any) -> None:
    """Nor is anything left behind."""

    async def scenario() -> None:
        async with kit.serving(flow=FLOW) as bench:
            line = await bench.call()
            await line.mark(1)
            await line.hang_up()
            record = await bench.ended()
            assert record["outcome"] == "hangup"
            assert "<Hangup/>" in await after(bench)

    kit.run(scenario)


def test_addresses_are_dialled_as_what_they_are() -> None:
    """Numbers, and SIP addresses."""
    assert "<Number>+15550100</Number>" in dial("+15550100")
    assert "<Sip>sip:desk@example.com</Sip>" in dial("sip:desk@example.com")
