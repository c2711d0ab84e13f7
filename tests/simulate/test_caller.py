"""The shell on real sockets: webhook, stream, schedule, ends. Each call lasts under a second."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest

from ivr.errors import ConfigError
from ivr.providers.events import (
    DtmfReceived,
    MarkPlayed,
    MediaReceived,
    StreamConnected,
    StreamStarted,
    StreamStopped,
)
from ivr.providers.twilio_signature import sign
from ivr.simulate.caller import CallResult, place_call
from ivr.simulate.phone import Phone
from ivr.simulate.script import HangUp, Keys, Pause, Say, Script, Step, WaitPrompt
from ivr.simulate.voice import Sound
from ivr.simulate.webhook import Server, Stream
from tests.simulate.agent import Agent, AgentCall

SOUND = Sound(np.full(800, 4000, np.int16), 800, "one")


def make_script(*steps: Step) -> Script:
    """A script of those steps."""
    return Script(name="test", steps=steps, patience_s=5.0)


def call(agent: Agent, *steps: Step, direct: bool = False) -> CallResult:
    """Place one call to an agent, by webhook or straight to the socket."""

    async def go() -> CallResult:
        async with agent.running():
            script = make_script(*steps)
            sounds = dict.fromkeys(range(len(steps)), SOUND)
            if direct:
                stream = Stream(f"ws://127.0.0.1:{agent.port}/media", {"token": "mine"})
                return await place_call(script, sounds, None, stream)
            return await place_call(script, sounds, Server(agent.url))

    return asyncio.run(go())


async def greet_and_close(agent_call: AgentCall) -> None:
    """Say something, wait until it was played, hang up."""
    await agent_call.say(100, "hello")
    await agent_call.until_mark("hello")


async def listen_only(agent_call: AgentCall) -> None:
    """Never end the call."""
    await asyncio.Event().wait()


def test_a_whole_call_by_webhook() -> None:
    """Webhook, start, prompt, keys, the agent's end, the record: the way of a real call."""

    async def behave(agent_call: AgentCall) -> None:
        await agent_call.say(100, "hello")
        await agent_call.until(lambda events: DtmfReceived("2") in events)

    agent = Agent(behave, record={"outcome": "completed", "ended_at": "now"})
    result = call(agent, WaitPrompt(settle_s=0.1), Keys(keys="12", gap_s=0.04))
    assert result.failure is None
    assert result.ended_by == "agent"
    assert result.close_code == 1000
    assert result.record == {
        "call_id": result.call_id,
        "outcome": "completed",
        "ended_at": "now",
    }
    form, _ = agent.webhooks[0]
    assert form["CallSid"] == result.call_id
    events = agent.calls[0].events
    assert events[0] == StreamConnected()
    started = events[1]
    assert isinstance(started, StreamStarted)
    assert started.call_id == result.call_id
    assert started.parameters == {"token": "t0"}
    assert MarkPlayed("hello") in events
    keys = [event.digit for event in events if isinstance(event, DtmfReceived)]
    assert keys == ["1", "2"]


def test_frames_keep_their_schedule() -> None:
    """Frames of 20 ms arrive at their rate whatever single ones suffered; lateness is told."""
    result = call(agent := Agent(listen_only), Pause(pause_s=0.6), HangUp(), direct=True)
    media = [event for event in agent.calls[0].events if isinstance(event, MediaReceived)]
    assert [event.timestamp_ms for event in media] == list(range(0, 600, 20))
    assert all(event.payload == b"\xff" * 160 for event in media)
    arrivals = agent.calls[0].arrivals_s
    # A busy machine may delay any frame; the schedule must not stretch by the sum of the delays.
    assert arrivals[-1] - arrivals[0] == pytest.approx(0.58, abs=0.15)
    assert 0.0 <= result.worst_lateness_ms < 500


def test_the_caller_hangs_up() -> None:
    """hang_up sends stop and closes the socket."""
    agent = Agent(listen_only)
    result = call(agent, Say(say="one"), HangUp(), direct=True)
    assert agent.calls[0].events[-1] == StreamStopped()
    assert result.ended_by == "caller"
    assert result.failure is None
    assert result.tracks is not None
    assert result.tracks.shape == (800, 2)
    assert result.tracks[:, 0].min() > 3500
    assert result.record is None


def test_a_direct_stream_carries_its_own_token() -> None:
    """Without a webhook the parameters are the caller's own."""
    agent = Agent(greet_and_close)
    result = call(agent, WaitPrompt(settle_s=0.05), direct=True)
    started = agent.calls[0].events[1]
    assert isinstance(started, StreamStarted)
    assert started.parameters == {"token": "mine"}
    assert result.failure is None
    assert agent.webhooks == []


def test_the_upgrade_is_signed_where_a_token_is_known() -> None:
    """By webhook or straight to the socket: the signature covers the socket's own address."""
    agent = Agent(greet_and_close)

    async def go() -> str:
        async with agent.running():
            script = make_script(WaitPrompt(settle_s=0.05))
            media = f"ws://127.0.0.1:{agent.port}/media"
            await place_call(script, {}, Server(agent.url, auth_token="12345"))
            await place_call(script, {}, None, Stream(media, auth_token="12345"))
            await place_call(script, {}, Server(agent.url))
            await place_call(script, {}, None, Stream(media))
            return media

    media = asyncio.run(go())
    given = [headers.get("X-Twilio-Signature") for headers in agent.upgrades]
    assert given == [sign("12345", media)] * 2 + [None] * 2


def test_a_clear_is_obeyed_on_the_wire() -> None:
    """The marks of a cleared prompt come back at once, long before it could have been played."""

    async def behave(agent_call: AgentCall) -> None:
        await agent_call.say(30_000, "long")
        await agent_call.until(lambda events: len(events) > 6)
        await agent_call.socket.send_str(agent_call.dialect.send_clear())
        await agent_call.until_mark("long")

    result = call(Agent(behave), WaitPrompt(settle_s=0.05), direct=True)
    assert result.duration_s < 3
    assert result.prompts[0].cleared


def test_the_agents_early_end_is_a_failure() -> None:
    """An agent that closes before the caller has answered fails the script."""
    result = call(Agent(greet_and_close), WaitPrompt(settle_s=2), Keys(keys="1"), direct=True)
    assert result.failure == "the agent ended the call before step 2 (keys) was done"


def test_a_close_with_an_error_code_is_a_failure() -> None:
    """Only a normal close is a good end."""

    async def behave(agent_call: AgentCall) -> None:
        await agent_call.socket.close(code=1008, message=b"bad token")

    result = call(Agent(behave), WaitPrompt(), direct=True)
    assert result.failure == "the agent closed the stream with code 1008 (bad token)"
    assert result.close_code == 1008


def test_a_lost_connection_is_a_failure() -> None:
    """A socket that dies without a close is told apart."""

    async def behave(agent_call: AgentCall) -> None:
        transport = agent_call.socket._req.transport  # type: ignore[union-attr]
        transport.abort()  # type: ignore[union-attr]

    result = call(Agent(behave), WaitPrompt(), direct=True)
    assert result.failure == "the agent closed the stream with code 1006"


@pytest.mark.parametrize("text", ["{", '{"event":"play"}', "[]"])
def test_garbage_from_the_agent_ends_the_call(text: str) -> None:
    """What the protocol forbids is named, and the caller hangs up."""

    async def behave(agent_call: AgentCall) -> None:
        await agent_call.socket.send_str(text)
        await listen_only(agent_call)

    result = call(Agent(behave), WaitPrompt(), direct=True)
    assert result.failure is not None
    assert result.failure.startswith("the agent broke the protocol: ")
    assert result.ended_by == "caller"


def test_no_server() -> None:
    """Where nobody listens the result says how to start a server."""
    script = make_script(HangUp())
    result = asyncio.run(place_call(script, {}, Server("http://127.0.0.1:9")))
    assert result.failure is not None
    assert "ivr serve" in result.failure
    assert result.ended_by == ""


def test_no_media_socket() -> None:
    """A stream address without a socket is a failure that names it."""
    script = make_script(HangUp())
    result = asyncio.run(place_call(script, {}, None, Stream("ws://127.0.0.1:9/media")))
    assert result.failure is not None
    assert "no media socket at ws://127.0.0.1:9/media" in result.failure


def test_the_webhooks_refusal_is_told() -> None:
    """A busy server's status and reason are in the result."""
    agent = Agent(listen_only, twiml="too_many_calls", voice_status=503)
    result = call(agent, HangUp())
    assert result.failure is not None
    assert result.failure.endswith("refused the call with HTTP status 503: too_many_calls")


def test_watch_sees_every_frame() -> None:
    """A progress display is called once a frame with the phone."""
    seen: list[float] = []

    def watch(phone: Phone) -> None:
        seen.append(phone.position_s)

    async def go() -> None:
        async with Agent(listen_only).running() as agent:
            stream = Stream(f"ws://127.0.0.1:{agent.port}/media")
            script = make_script(Pause(pause_s=0.1), HangUp())
            await place_call(script, {}, None, stream, watch=watch)

    asyncio.run(go())
    assert len(seen) == 5
    assert all(later > earlier for earlier, later in itertools.pairwise(seen))


def test_a_call_needs_somewhere_to_go() -> None:
    """Neither server nor stream is a mistake in the code; wrong addresses are the user's."""
    with pytest.raises(ValueError, match="server or a stream"):
        asyncio.run(place_call(make_script(HangUp()), {}, None))
    with pytest.raises(ConfigError, match="--server"):
        Server("127.0.0.1:8080")
    with pytest.raises(ConfigError, match="--url"):
        Stream("http://127.0.0.1/media")
