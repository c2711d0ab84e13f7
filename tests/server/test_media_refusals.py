"""What the media socket refuses: messages, frames, streams without a token or without a place."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import aiohttp
import pytest

# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "reason", "close_code"),
    [
        (["{"], "bad_json", 1007),
        (["[" * 60_000], "bad_json", 1007),
        ([b"\x00\x01"], "binary_message", 1003),
        (['{"event":"media","media":{"payload":"/w=="}}'], "media_before_start", 1002),
        (['{"event":"stop"}'], "stop_before_start", 1002),
        (['{"event":"start"}'], "bad_start", 1002),
    ],
)
def test_peer_that_begins_wrongly_is_refused(
    kit: Any, messages: list[str | bytes], reason: str, close_code: int
) -> None:
    """Nonsense from a peer that has not started closes its socket with the right code."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.line()
            for message in messages:
                if isinstance(message, bytes):
                    await line.socket.send_bytes(message)
                else:
                    await line.say(message)
            assert await line.closed() == close_code
            assert bench.count(reason) == 1
            assert bench.count("internal", "failures") == 0

    kit.run(scenario)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "bad_json"),
        ('{"event":"video"}', "unknown_event"),
        ('{"event":"media","media":{"payload":"*"}}', "bad_base64"),
        ('{"event":"media"}', "bad_media"),
        ('{"event":"dtmf","dtmf":{"digit":"x"}}', "bad_dtmf"),
        ('{"event":"connected"}', "second_connected"),
    ],
)
def test_bad_message_costs_itself(kit: Any, message: str, reason: str) -> None:
    """A call goes on after a bad message, and its record counts it."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            await line.say(message, message)
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            assert await line.closed() == 1000
            record = await bench.ended()
            assert record["outcome"] == "completed"
            assert record["refusals"] == {reason: 2}
            assert bench.count(reason) == 2

    kit.run(scenario)


def test_too_many_bad_messages_end_the_call(kit: Any) -> None:
    """A peer that sends nothing but nonsense is not kept."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            await line.say(*["{"] * 101)
            assert await line.closed() == 1008
            record = await bench.ended()
            assert record["ending"]["reason"] == "too_many_refusals"
            assert record["refusals"] == {"bad_json": 101}

    kit.run(scenario)


def test_second_start_ends_the_call(kit: Any) -> None:
    """A stream starts once."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            await line.say(line.caller.start("CA2", "MZ2", {"token": await bench.token()}))
            assert await line.closed() == 1002
            record = await bench.ended()
            assert record["ending"] == {
                "by": "server",
                "reason": "second_start",
                "close_code": 1002,
            }
            assert record["outcome"] == "hangup"

    kit.run(scenario)


def test_binary_message_ends_the_call(kit: Any) -> None:
    """Binary where text is due is 1003, during a call too."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            await line.socket.send_bytes(b"\xff" * 160)
            assert await line.closed() == 1003
            assert (await bench.ended())["ending"]["reason"] == "binary_message"

    kit.run(scenario)


@pytest.mark.parametrize("declared_bytes", [65_536, 1 << 30, 1 << 62])
def test_huge_message_is_refused_by_its_header(kit: Any, declared_bytes: int) -> None:
    """A message of 1 GB is refused when it is announced, before any of it is stored."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            header = b"\x81\xff" + struct.pack(">Q", declared_bytes) + bytes(4)
            line.socket._conn.transport.write(header)
            assert await line.closed() == 1009
            record = await bench.ended()
            assert record["ending"]["reason"] == "message_too_big"
            assert bench.count("message_too_big") == 1

    kit.run(scenario)


def test_huge_message_in_fragments_is_refused(kit: Any) -> None:
    """Splitting the message does not get it past the limit."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            transport = line.socket._conn.transport
            piece = struct.pack(">H", 30_000) + bytes(4) + b"x" * 30_000
            transport.write(b"\x01\xfe" + piece + (b"\x00\xfe" + piece) * 3)
            assert await line.closed() == 1009
            assert (await bench.ended())["ending"]["reason"] == "message_too_big"

    kit.run(scenario)


def test_text_that_is_not_utf8_is_refused(kit: Any) -> None:
    """A text message must be text."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            line.socket._conn.transport.write(b"\x81\x82" + bytes(4) + b"\xff\xfe")
            assert await line.closed() == 1007
            assert (await bench.ended())["ending"]["reason"] == "bad_utf8"

    kit.run(scenario)


def test_broken_frame_is_refused(kit: Any) -> None:
    """Reserved bits that nobody negotiated are a protocol error of the WebSocket itself."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            line.socket._conn.transport.write(b"\xf1\x80" + bytes(4))
            assert await line.closed() == 1002
            assert (await bench.ended())["ending"]["reason"] == "bad_frame"

    kit.run(scenario)


def test_socket_that_never_starts_is_closed(kit: Any) -> None:
    """Pings do not keep a socket open on which no call begins."""

    async def scenario() -> None:
        async with kit.serving(server={"start_timeout_s": 0.3}) as bench:
            line = await bench.line()
            await line.say(line.caller.connected())
            for _ in range(4):
                await asyncio.sleep(0.05)
                await line.socket.ping()
            assert await line.closed() == 1008
            assert bench.count("no_start") == 1

    kit.run(scenario)


def test_peer_that_does_not_read_is_dropped(kit: Any) -> None:
    """A full socket holds up its own call only, and not for ever."""

    async def scenario() -> None:
        limits = {"send_ahead_s": 86_400, "send_timeout_s": 0.5}
        prompts = kit.prompts(seconds=2400.0)  # 19 MB: more than the socket buffers hold
        async with kit.serving(server=limits, prompts=prompts) as bench:
            line = await bench.line()
            line.socket._conn.transport.pause_reading()
            await line.start(await bench.token())
            await bench.until(lambda: bench.count("peer_does_not_read") == 1)
            line.socket._conn.transport.abort()
            assert (await bench.ended())["ending"]["reason"] == "peer_does_not_read"

    kit.run(scenario)


def test_plain_request_is_no_stream(kit: Any) -> None:
    """GET /media without an upgrade is a 400, not a traceback."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert (await bench.client.get(bench.url + "/media")).status == 400

    kit.run(scenario)


# -- tokens and places -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("none", "bad_token"),
        ("wrong", "bad_token"),
        ("used", "bad_token"),
        ("late", "expired_token"),
        ("other", "token_of_another_call"),
    ],
)
def test_stream_needs_a_fresh_token_of_its_call(kit: Any, how: str, reason: str) -> None:
    """Without the webhook's token, used once and in time, no call begins."""

    async def scenario() -> None:
        async with kit.serving(server={"token_ttl_s": 0.2}) as bench:
            token = await bench.token("CA9" if how == "other" else "CA1")
            if how == "used":
                first = await bench.line()
                await first.start(token)
                await first.mark()
                await first.hang_up()
            if how == "late":
                await asyncio.sleep(0.25)
            line = await bench.line()
            parameters = {"none": {}, "wrong": {"token": "x" * 32}}.get(how, {"token": token})
            await line.say(line.caller.start("CA1", "MZ1", parameters))
            assert await line.closed() == 1008
            assert bench.count(reason) == 1
            assert line.sent == []

    kit.run(scenario)


def test_calls_beyond_the_limit_are_refused(kit: Any) -> None:
    """The last place taken, webhook and socket say so; a place that is freed is given again."""

    async def scenario() -> None:
        async with kit.serving(server={"max_calls": 1}) as bench:
            early = await bench.token("CA2")
            waiting = await bench.line()
            line = await bench.call("CA1")
            await line.mark()
            response = await bench.post_voice(CallSid="CA3")
            assert response.status == 503
            assert 'Reject reason="busy"' in await response.text()
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await bench.line()
            assert caught.value.status == 503
            await waiting.start(early, "CA2")  # announced while there was a place
            assert await waiting.closed() == 1013
            assert bench.count("too_many_calls") == 3
            await line.hang_up()
            await bench.ended()
            again = await bench.call("CA4")
            await again.mark()

    kit.run(scenario)
