"""The media pump over a real socket: calls, their records, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import aiohttp
import pytest

from ivr.errors import ModelError, Overloaded


def test_keyed_call_from_start_to_record(kit: Any) -> None:
    """A caller keys four digits during the prompt and the record says all of it."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            first = await line.mark()
            await line.keys("4155")
            last = await line.mark(2)
            assert line.clears == 1  # the first key barged in
            await line.say(line.caller.mark(first), line.caller.mark(last))
            assert await line.closed() == 1000
            record = await bench.ended()
            assert record["status"] == "ended"
            assert record["ending"] == {"by": "agent", "reason": "completed", "close_code": 1000}
            assert record["outcome"] == "completed"
            assert record["variables"] == {"account": "4155"}
            assert kit.causes(record) == ["success"]
            assert record["turns"][0]["collected"]["mode"] == "dtmf"
            assert record["turns"][0]["prompts"] == ["Your number please."]
            assert record["turns"][0]["collected"]["barged_in"] is True
            assert record["refusals"] == {}
            assert record["started_at"] < record["ended_at"]

    kit.run(scenario)


def test_prompt_is_sent_whole_before_its_mark(kit: Any) -> None:
    """Every sample of the prompt is there, in pieces, and the mark comes after."""

    async def scenario() -> None:
        async with kit.serving(prompts=kit.prompts(seconds=1.0)) as bench:
            line = await bench.call()
            await line.mark()
            assert len(line.audio) == 8000
            assert [type(m).__name__ for m in line.sent] == ["SendMedia"] * 3 + ["SendMark"]

    kit.run(scenario)


@pytest.mark.parametrize("frame_bytes", [1, 37, 160, 800, 40_000])
def test_frame_size_does_not_matter(kit: Any, frame_bytes: int) -> None:
    """Silence of any frame size runs the same noinput timer."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            await line.hear(b"\xff" * 8200, frame_bytes)
            await line.mark(2)
            assert bench.context.calls[0].document()["turns"][0]["collected"]["cause"] == (
                "no-input-timeout"
            )

    kit.run(scenario)


def test_silent_caller_is_asked_again_and_given_up(kit: Any) -> None:
    """Two silences end the call with the flow's outcome."""

    async def scenario() -> None:
        prompts = kit.prompts()
        async with kit.serving(prompts=prompts) as bench:
            line = await bench.call()
            for count in (1, 2):
                await line.say(line.caller.mark(await line.mark(count)))
                await line.silence(1.1)
            await line.say(line.caller.mark(await line.mark(3)))
            assert await line.closed() == 1000
            record = await bench.ended()
            assert record["outcome"] == "gave_up"
            assert kit.causes(record) == ["no-input-timeout"] * 2
            assert prompts.rendered == ["Your number please.", "Say it now.", "Goodbye."]

    kit.run(scenario)


def test_two_calls_in_a_row_share_nothing(kit: Any) -> None:
    """The second caller starts with no digits of the first."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            first = await bench.call("CA1")
            await first.mark()
            await first.keys("41")
            await first.hang_up()
            second = await bench.call("CA2")
            await second.mark()
            await second.keys("7")
            await second.hang_up()
            assert (await bench.ended("CA1"))["turns"][0]["collected"]["cause"] == "hangup"
            record = await bench.record("CA2")
            assert record["variables"] == {}
            assert len(record["turns"]) == 1

    kit.run(scenario)


def test_greeting_is_rendered_once_for_many_calls(kit: Any) -> None:
    """Calls that come at once share the rendering of what is the same for all."""

    async def scenario() -> None:
        prompts = kit.prompts()
        async with kit.serving(prompts=prompts) as bench:
            lines = await asyncio.gather(*(bench.call(f"CA{n}") for n in range(5)))
            await asyncio.gather(*(line.mark() for line in lines))
            assert prompts.rendered == ["Your number please."]

    kit.run(scenario)


def test_prompt_that_cannot_be_rendered_is_skipped(kit: Any) -> None:
    """A broken recording costs its prompt, not the call."""

    async def scenario() -> None:
        prompts = kit.prompts(failing=("Your number please.",))
        async with kit.serving(prompts=prompts) as bench:
            line = await bench.call()
            await line.mark()
            assert line.audio == b""
            assert bench.count("prompt", "failures") == 1
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            await line.closed()
            assert (await bench.ended())["outcome"] == "completed"

    kit.run(scenario)


# -- how a call ends -------------------------------------------------------------------------------


def test_caller_hangs_up(kit: Any) -> None:
    """A stop message is the caller's end of the call."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.hang_up()
            assert line.close_code == 1000
            record = await bench.ended()
            assert record["ending"] == {"by": "caller", "reason": "stop", "close_code": 1000}
            assert record["outcome"] == "hangup"
            assert kit.causes(record) == ["hangup"]

    kit.run(scenario)


def test_socket_closes_without_stop(kit: Any) -> None:
    """A provider that closes without a stop is told apart in the record."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            await line.socket.close(code=1001)
            record = await bench.ended()
            assert record["ending"]["by"] == "provider"
            assert record["ending"]["reason"] == "closed_without_stop"
            assert record["outcome"] == "hangup"

    kit.run(scenario)


def test_socket_dies_mid_word(kit: Any) -> None:
    """A connection that is reset inside a message ends the call cleanly."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            transport = line.socket._conn.transport
            transport.write(b"\x81\xfe\x10\x00half")  # a header that promises more
            await asyncio.sleep(0.05)
            transport.abort()
            record = await bench.ended()
            assert record["ending"]["reason"] == "connection_lost"
            assert record["ending"]["close_code"] == 1006
            assert record["outcome"] == "hangup"

    kit.run(scenario)


def test_silent_stream_is_given_up(kit: Any) -> None:
    """A stream without a message counts as dead after the configured time."""

    async def scenario() -> None:
        limits = {"start_timeout_s": 5.0, "stall_timeout_s": 0.4}
        async with kit.serving(server=limits) as bench:
            line = await bench.call()
            assert await line.closed() == 1008
            record = await bench.ended()
            assert record["ending"] == {"by": "provider", "reason": "stalled", "close_code": 1008}
            assert record["outcome"] == "stalled"

    kit.run(scenario)


def test_call_without_end_is_ended(kit: Any) -> None:
    """However lively the stream, a call has a longest duration."""

    async def scenario() -> None:
        limits = {"start_timeout_s": 5.0, "stall_timeout_s": 5.0, "max_call_s": 1.0}
        async with kit.serving(server=limits) as bench:
            line = await bench.call()
            while line.close_code is None and not line.socket.closed:
                await line.silence(0.02)
                await asyncio.sleep(0.02)
            assert (await bench.ended())["ending"]["reason"] == "max_call_s"

    kit.run(scenario)


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


# -- the recogniser --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "counter"),
    [
        (Overloaded("full"), "recognizer_overloaded"),
        (ModelError("dead"), "recognizer_failed"),
    ],
)
def test_recogniser_that_fails_makes_the_flow_ask_again(
    kit: Any, speech: bytes, error: Exception, counter: str
) -> None:
    """A refusal of the recogniser is a reprompt, and the next answer counts."""

    async def scenario() -> None:
        recognizer = kit.recognizer([error])
        async with kit.serving(recognizer=recognizer) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(2)))
            recognizer.script = [kit.heard("four one five five")]
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(3)))
            await line.closed()
            record = await bench.ended()
            assert kit.causes(record) == ["error", "success"]
            assert record["outcome"] == "completed"
            # The guess in the pause fails unnoticed, the utterance itself does not.
            assert bench.count(counter, "failures") in (1, 2)

    kit.run(scenario)


def test_recogniser_that_hangs_is_timed_out(kit: Any, speech: bytes) -> None:
    """An answer that does not come counts as none."""

    async def scenario() -> None:
        recognizer = kit.recognizer([kit.heard("four one five five")], delay_s=30.0)
        async with kit.serving(recognizer=recognizer, recognizer_timeout_s=0.2) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            await line.hear(speech)
            await line.mark(2)
            assert bench.count("recognizer_timeout", "failures") == 1
            assert recognizer.cancelled == 1

    kit.run(scenario)


def test_spoken_call(kit: Any, speech: bytes) -> None:
    """Speech is endpointed, recognised off the loop, and taken as the answer."""

    async def scenario() -> None:
        recognizer = kit.recognizer([kit.heard("four one five five")], delay_s=0.05)
        async with kit.serving(recognizer=recognizer) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(2)))
            assert await line.closed() == 1000
            record = await bench.ended()
            assert record["variables"] == {"account": "4155"}
            collected = record["turns"][0]["collected"]
            assert collected["mode"] == "speech"
            assert collected["latency_ms"] >= 50
            assert recognizer.asked[0][1] == "builtin:digits?length=4"

    kit.run(scenario)


def test_hang_up_drops_the_recognition(kit: Any, speech: bytes) -> None:
    """A caller who is gone keeps no worker busy."""

    async def scenario() -> None:
        recognizer = kit.recognizer([kit.heard("four")], delay_s=30.0)
        async with kit.serving(recognizer=recognizer) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            await line.hear(speech)
            await bench.until(lambda: len(recognizer.asked) > 0)
            await line.hang_up()
            assert kit.causes(await bench.ended()) == ["hangup"]
            assert recognizer.cancelled >= 1

    kit.run(scenario)


# -- many at once ----------------------------------------------------------------------------------


def test_ten_calls_at_once_do_not_slow_each_other(kit: Any) -> None:
    """While ten calls stream, talk and recognise, another request is answered promptly."""

    async def scenario() -> None:
        async with kit.serving(prompts=kit.prompts(seconds=1.0)) as bench:
            lines = await asyncio.gather(*(bench.call(f"CA{n}") for n in range(10)))

            async def talk(number: int) -> None:
                line = lines[number]
                first = await line.mark()
                await line.silence(0.5)
                await line.say(line.caller.mark(first))
                await line.keys(f"{number:04}")
                await line.say(line.caller.mark(await line.mark(2)))
                assert await line.closed() == 1000

            talking = asyncio.gather(*(talk(number) for number in range(10)))
            loop, waits = asyncio.get_running_loop(), []
            while not talking.done():
                began = loop.time()
                await bench.client.get(bench.url + "/livez")
                waits.append(loop.time() - began)
            await talking
            assert sorted(waits)[len(waits) // 2] < 0.2
            for number in range(10):
                record = await bench.ended(f"CA{number}")
                assert record["variables"] == {"account": f"{number:04}"}

    kit.run(scenario)


def test_flood_of_one_peer_leaves_the_others_their_turn(kit: Any) -> None:
    """A peer that sends as fast as it can does not stop another call's progress."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            loud, quiet = await bench.call("CA1"), await bench.call("CA2")
            await quiet.mark()
            message = loud.caller.media(b"\xff" * 160)

            async def flood() -> None:
                while True:
                    await loud.say(*[message] * 20)

            flooding = asyncio.ensure_future(flood())
            await quiet.keys("4155")
            await quiet.say(quiet.caller.mark(await quiet.mark(2)))
            assert await quiet.closed() == 1000
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)

    kit.run(scenario)


# -- our own mistakes ------------------------------------------------------------------------------


def test_bug_ends_its_own_call_only(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of ours is 1011 for the call it struck, counted and recorded."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line, other = await bench.call("CA1"), await bench.call("CA2")
            await line.mark()
            await other.mark()
            (struck,) = [s for s in bench.context.calls if s.call_id == "CA1"]

            def broken(*_: object) -> None:
                raise KeyError("41550012")

            monkeypatch.setattr(struck._call, "_key", broken)
            await line.keys("4")
            assert await line.closed() == 1011
            assert bench.count("internal", "failures") == 1
            await other.keys("4155")
            await other.say(other.caller.mark(await other.mark(2)))
            assert await other.closed() == 1000
            record = await bench.ended("CA1")
            assert record["ending"]["reason"] == "internal_error"
            assert "41550012" not in json.dumps(record)

    kit.run(scenario)
