"""``POST /v1/calls``: against a Twilio REST API of the test's own, over a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import web

from ivr.providers.twilio_signature import SIGNATURE_HEADER, sign

ACCOUNT, TOKEN = "AC" + "0" * 32, "hush-hush"
PUBLIC = "https://ivr.example.com"
TWILIO = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": "+15550199"}
TO = "+15550100123"


@dataclass
class FakeTwilio:
    """What Twilio's REST API does: places calls, refuses some, dawdles over others."""

    url: str = ""
    forms: list[list[tuple[str, str]]] = field(default_factory=list)
    status: int = 201
    body: dict[str, Any] | str = field(default_factory=lambda: {"status": "queued"})
    hold: asyncio.Event | None = None
    authorization: str = ""

    async def place(self, request: web.Request) -> web.Response:
        """Answer ``POST /2010-04-01/Accounts/{AC}/Calls.json``."""
        form = await request.post()
        self.forms.append([(name, str(value)) for name, value in form.items()])
        self.authorization = request.headers["Authorization"]
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body)
        return web.json_response({"sid": f"CA{len(self.forms)}", **self.body}, status=self.status)


@asynccontextmanager
async def twilio() -> AsyncIterator[FakeTwilio]:
    """The API, on a free port."""
    fake = FakeTwilio()
    app = web.Application()
    app.router.add_post(f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", fake.place)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(kit: Any) -> AsyncIterator[tuple[Any, FakeTwilio]]:
    """Our server, configured to place calls."""
    async with (
        twilio() as fake,
        kit.serving(server={"public_url": PUBLIC}, twilio={**TWILIO, "api_url": fake.url}) as bench,
    ):
        yield bench, fake


async def place(bench: Any, headers: dict[str, str], **asked: Any) -> tuple[int, Any]:
    """Ask for a call; returns status and answer."""
    async with bench.client.post(
        bench.url + "/v1/calls", json={"to": TO, **asked}, headers=headers
    ) as response:
        return response.status, await response.json(content_type=None)


async def called_back(bench: Any, address: str, **fields: str) -> Any:
    """What the provider does: post a signed form to one of the addresses that it was given."""
    signature = sign(TOKEN, address, fields.items())
    return await bench.client.post(
        bench.url + address.removeprefix(PUBLIC),
        data=fields,
        headers={SIGNATURE_HEADER: signature},
    )


def test_call_is_placed_answered_and_owned(kit: Any) -> None:
    """From the request to the record: placed, ringing, answered by its flow, seen by its key."""

    async def scenario() -> None:
        async with serving(kit) as (bench, fake):
            key = await bench.key("calls:write", "calls:read")
            other = await bench.key("calls:read")
            status, placed = await place(bench, key, ring_s=20)
            assert (status, placed["status"], placed["call_id"]) == (201, "queued", "CA1")
            form = dict(fake.forms[0])
            assert (form["To"], form["From"], form["Timeout"]) == (TO, "+15550199", "20")
            events = [value for name, value in fake.forms[0] if name == "StatusCallbackEvent"]
            assert events == ["initiated", "ringing", "answered", "completed"]
            assert base64.b64decode(fake.authorization[6:]) == f"{ACCOUNT}:{TOKEN}".encode()
            # How far it has come, as the provider tells it, in whatever order.
            for told, known in (("ringing", "ringing"), ("initiated", "ringing")):
                told_to = await called_back(
                    bench, form["StatusCallback"], CallSid="CA1", CallStatus=told
                )
                assert told_to.status == 204
                shown = await bench.client.get(bench.url + "/v1/calls/CA1", headers=key)
                assert (await shown.json())["status"] == known
            hidden = await bench.client.get(bench.url + "/v1/calls/CA1", headers=other)
            assert hidden.status == 404
            # It is answered: the webhook's token carries flow and owner into the record.
            answered = await called_back(bench, form["Url"], CallSid="CA1")
            twiml = ElementTree.fromstring(await answered.text())  # noqa: S314 - our own server's
            token = twiml.find(".//Parameter").attrib["value"]  # type: ignore[union-attr]
            url = f"{PUBLIC.replace('https', 'wss')}/media"
            line = await bench.line(headers={SIGNATURE_HEADER: sign(TOKEN, url)})
            await line.start(token, "CA1", "MZ1")
            await line.mark()
            await line.hang_up()
            record = await bench.client.get(bench.url + "/v1/calls/CA1", headers=key)
            found = await record.json()
            assert (found["status"], found["outcome"]) == ("ended", "hangup")
            assert found["owner"] == key["Authorization"][7:23]
            assert (
                await bench.client.get(bench.url + "/v1/calls/CA1", headers=other)
            ).status == 404
            listed = await bench.client.get(bench.url + "/v1/calls", headers=other)
            assert (await listed.json())["calls"] == []

    kit.run(scenario)


def test_repeated_request_places_one_call(kit: Any) -> None:
    """With an Idempotency-Key; another request with the same key is a mistake that is told."""

    async def scenario() -> None:
        async with serving(kit) as (bench, fake):
            key = await bench.key("calls:write")
            twice = {**key, "Idempotency-Key": "once"}
            fake.hold = asyncio.Event()
            first = asyncio.create_task(place(bench, twice))
            await bench.until(lambda: bool(fake.forms))
            status, problem = await place(bench, twice)
            assert (status, problem["type"]) == (409, "urn:ivr:problem:being-placed")
            fake.hold.set()
            assert (await first)[0] == 201
            assert await place(bench, twice) == await first
            assert len(fake.forms) == 1
            status, problem = await place(bench, twice, ring_s=10)
            assert (status, problem["type"]) == (422, "urn:ivr:problem:idempotency-key-reused")
            # Another key's owner has names of his own.
            others = {**await bench.key("calls:write"), "Idempotency-Key": "once"}
            assert (await place(bench, others))[0] == 201
            assert len(fake.forms) == 2

    kit.run(scenario)


@pytest.mark.parametrize(
    ("status", "body", "answer", "name"),
    [
        (400, {"code": 21211, "message": f"The number {TO} is not valid"}, 502, "provider-refused"),
        (401, {"code": 20003}, 502, "provider-refused"),
        (201, "no json", 504, "provider-timeout"),
        (201, {"status": "odd"}, 504, "provider-timeout"),
        (500, "oops", 504, "provider-timeout"),
    ],
)
def test_provider_that_refuses_is_told(  # noqa: PLR0917
    kit: Any, status: int, body: Any, answer: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By its own code, never by a text that repeats the number."""

    async def scenario() -> None:
        async with serving(kit) as (bench, fake):
            fake.status, fake.body = status, body
            answered, problem = await place(bench, {})
            assert (answered, problem["type"]) == (answer, f"urn:ivr:problem:{name}")
            assert TO not in str(problem)
            assert TO not in caplog.text
            if "placed_id" in problem:
                shown = await bench.client.get(f"{bench.url}/v1/calls/{problem['placed_id']}")
                assert (await shown.json())["status"] == "unknown"

    kit.run(scenario)


def test_provider_that_is_not_there_has_placed_nothing(kit: Any) -> None:
    """The same Idempotency-Key may be tried again."""

    async def scenario() -> None:
        settings = {**TWILIO, "api_url": "http://127.0.0.1:1"}
        async with kit.serving(server={"public_url": PUBLIC}, twilio=settings) as bench:
            for _ in range(2):
                status, problem = await place(bench, {"Idempotency-Key": "a"})
                assert (status, problem["type"]) == (502, "urn:ivr:problem:provider-unreachable")

    kit.run(scenario)


@pytest.mark.parametrize(
    ("asked", "status", "name"),
    [
        ({"to": "5550100"}, 400, "bad-parameter"),
        ({"to": TO, "flow": "none"}, 404, "no-such-flow"),
        ({"to": TO, "from": TO}, 400, "bad-parameter"),
        ({"to": TO, "ring_s": 1}, 400, "bad-parameter"),
        ([], 400, "bad-parameter"),
    ],
)
def test_bad_requests_are_problems(kit: Any, asked: Any, status: int, name: str) -> None:
    """And the provider hears nothing of them."""

    async def scenario() -> None:
        async with serving(kit) as (bench, fake):
            response = await bench.client.post(bench.url + "/v1/calls", json=asked)
            problem = await response.json(content_type=None)
            assert (response.status, problem["type"]) == (status, f"urn:ivr:problem:{name}")
            assert not fake.forms
            for text in ("x" * 256, "ä"):
                headers = {"Idempotency-Key": text}
                response = await bench.client.post(
                    bench.url + "/v1/calls", json={"to": TO}, headers=headers
                )
                assert response.status == 400

    kit.run(scenario)


def test_server_without_an_account_says_what_is_missing(kit: Any) -> None:
    """By the names of the settings."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            status, problem = await place(bench, {})
            assert (status, problem["type"]) == (501, "urn:ivr:problem:not-configured")
            assert "twilio.account_sid" in problem["detail"]

    kit.run(scenario)


def test_provider_is_believed_only_with_its_signature(kit: Any) -> None:
    """And a call that we did not place is not ours."""

    async def scenario() -> None:
        async with serving(kit) as (bench, _):
            path = "/voice/status?placed=x"
            fields = {"CallSid": "CA1", "CallStatus": "ringing"}
            unsigned = await bench.client.post(bench.url + path, data=fields)
            assert unsigned.status == 403
            odd = await called_back(bench, PUBLIC + path, CallSid="CA1", CallStatus="odd")
            assert odd.status == 400
            strange = await called_back(bench, PUBLIC + "/voice?placed=x", CallSid="CA1")
            assert strange.status == 404

    kit.run(scenario)
