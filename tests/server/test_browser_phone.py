"""A browser's call as the server sees it: announced, let in by its session, followed live."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

SECRET = """
flow: secret
start: ask
defaults:
  attempts: 2
  on_failure: bye
steps:
  ask:
    capture: pin
    grammar: builtin:digits?length=4
    sensitive: true
    prompt: Your PIN please.
    no_input: [Say it now.]
    no_match: [Once more.]
    next: read
  read:
    say: "It is {pin:digits}."
    next: bye
  bye:
    end: completed
    say: Goodbye.
"""


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream, one by one."""
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


async def call_by_keys(
    bench: Any, browser: Any, digits: str = "4155", marks: int = 2
) -> list[dict[str, Any]]:
    """Place a call as the phone does, key a number, and follow it to the end of its prompts."""
    call = await (await browser.post("/api/phone", {})).json()
    followed: list[dict[str, Any]] = []
    watching = await browser.get(f"/api/live?call={call['call_id']}")
    assert watching.status == 200, await watching.text()
    socket = await browser.client.ws_connect(
        bench.url + call["media"], headers={"Origin": bench.url}
    )
    line = type(await bench.line())(socket)
    await line.start(call["token"], call["call_id"], call["stream_id"])
    await line.mark()
    await line.silence(0.2)
    await line.keys(digits)
    await line.mark(marks)
    await line.say(*(line.caller.mark(name) for name in line.marks))
    await line.closed()
    async for event in events(watching):
        followed.append(event)
        if event["kind"] == "ended":
            break
    watching.close()
    await line.finish()
    return followed


def test_call_is_followed_to_its_end(kit: Any) -> None:
    """What was said and heard, level, turns and outcome come in order, numbers in clear."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.enter()
            followed = await call_by_keys(bench, browser)
        kinds = [event["kind"] for event in followed]
        assert kinds[0] == "started"
        assert "level" in kinds
        keys = [event["key"] for event in followed if event["kind"] == "key"]
        assert keys == list("4155")
        turn = next(event["turn"] for event in followed if event["kind"] == "turn")
        assert turn["step"] == "ask"
        assert turn["collected"]["value"] == "4155"
        said = [event for event in followed if event["kind"] == "said"]
        assert said[0]["texts"] == ["Your number please."]
        assert "four one five five" in said[-1]["texts"][0]
        assert followed[-1]["outcome"] == "completed"
        assert followed[-1]["ending"]["by"] == "agent"

    kit.run(scenario)


def test_numbers_are_masked_for_who_may_not_see_them(kit: Any) -> None:
    """Without numbers:read neither keys, nor values, nor prompts that repeat them are sent."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.log_in("calls:write", "calls:read")
            followed = await call_by_keys(bench, browser)
        text = json.dumps(followed)
        assert "4155" not in text
        assert "four" not in text
        turn = next(event["turn"] for event in followed if event["kind"] == "turn")
        assert turn["collected"]["value"] == "****"
        assert "(repeats the caller's number)" in text

    kit.run(scenario)


def test_what_the_flow_keeps_secret_is_shown_to_nobody(kit: Any) -> None:
    """A sensitive answer is stars for every viewer."""

    async def scenario() -> None:
        async with kit.serving(flow=SECRET) as bench, kit.browsing(bench) as browser:
            await browser.enter()
            followed = await call_by_keys(bench, browser, "9876", marks=3)
        text = json.dumps(followed)
        assert "9876" not in text
        assert "eight" not in text
        assert {event["key"] for event in followed if event["kind"] == "key"} == {"*"}

    kit.run(scenario)


def test_phone_follows_only_its_own_calls_without_calls_read(kit: Any) -> None:
    """A key that may place calls but not read them sees the calls it placed."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.log_in("calls:write")
            assert (await browser.get("/api/live")).status == 403
            assert (await browser.get("/api/live?call=CA1")).status == 403
            followed = await call_by_keys(bench, browser)
            assert followed[-1]["outcome"] == "completed"

    kit.run(scenario)


def test_phone_says_why_no_call_can_be_had(kit: Any) -> None:
    """An unknown flow, and a server without room, each have their own answer."""

    async def scenario() -> None:
        async with (
            kit.serving(recognizer=kit.recognizer([kit.heard("one")], ready=False)) as bench,
            kit.browsing(bench) as browser,
        ):
            await browser.enter()
            assert (await browser.post("/api/phone", {"flow": "other"})).status == 404
            busy = await browser.post("/api/phone", {"flow": "pin"})
            assert busy.status == 503
            assert "recognizer_not_ready" in (await busy.json())["detail"]

    kit.run(scenario)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example.com"}],
    ids=["no origin", "another site"],
)
def test_media_socket_opens_for_our_page_only(kit: Any, headers: dict[str, str]) -> None:
    """A cookie is sent along by any page: the upgrade must come from ours."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.enter()
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await browser.client.ws_connect(bench.url + "/console/media", headers=headers)
            assert refused.value.status == 403
            assert bench.count("foreign_page") == 1

    kit.run(scenario)


def test_media_socket_wants_a_session(kit: Any) -> None:
    """Who is not logged in gets no socket, whatever its origin."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await browser.client.ws_connect(
                    bench.url + "/console/media", headers={"Origin": bench.url}
                )
            assert refused.value.status == 401

    kit.run(scenario)


def test_keys_follow_no_calls_of_each_other(kit: Any) -> None:
    """What one key placed another does not see, unless it may administer; the record says whose."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as one, kit.browsing(bench) as two:
            await one.log_in("calls:write", "calls:read")
            await two.log_in("calls:read", "numbers:read")
            watching = await two.get("/api/live")
            followed = await call_by_keys(bench, one)
            call_id = followed[0]["call_id"]
            record = await bench.ended_document()
            assert record["owner"]
            line = await bench.call("CA2")
            first = await anext(events(watching))
            assert first["call_id"] == "CA2" != call_id
            watching.close()
            await line.hang_up()

    kit.run(scenario)


def test_browser_calls_where_the_provider_must_sign(kit: Any) -> None:
    """With an auth token the provider's socket wants a signature, the browser's its session."""

    async def scenario() -> None:
        twilio = {"auth_token": "0123456789abcdef"}
        server = {"public_url": "https://ivr.example.com"}
        async with (
            kit.serving(twilio=twilio, server=server) as bench,
            kit.browsing(bench) as browser,
        ):
            await browser.enter()
            call = await (await browser.post("/api/phone", {})).json()
            socket = await browser.client.ws_connect(
                bench.url + call["media"], headers={"Origin": bench.url}
            )
            await socket.close()

    kit.run(scenario)
