"""The media pump over a real socket: calls, how they end, their records."""

from __future__ import annotations

import asyncio
import json
from typing import Any

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
            # The two looks in the pause fail unnoticed, the utterance itself does not.
            assert bench.count(counter, "failures") in (1, 2, 3)

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
            assert recognizer.asked[0][1].startswith("builtin:digits?length=4|")

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
