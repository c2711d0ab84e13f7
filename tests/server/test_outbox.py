"""The sending side alone: order, pace, and a clear that takes effect at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ivr.flow.machine import Prompt
from ivr.server.outbox import CHUNK_MS, Outbox

HELLO, NUMBER, BYE = Prompt("hello"), Prompt("number"), Prompt("bye")


class Plain:
    """A dialect that can be read."""

    def send_media(self, payload: bytes) -> str:
        """The first byte and the length."""
        return f"media {payload[:1].decode()}*{len(payload)}"

    def send_mark(self, name: str) -> str:
        """The name."""
        return f"mark {name}"

    def send_clear(self) -> str:
        """The word."""
        return "clear"


async def letter(prompt: Prompt) -> bytes:
    """Two chunks of the prompt's first letter."""
    return prompt.text[:1].encode() * (2 * CHUNK_MS * 8)


class Wire:
    """What was sent, and a gate that holds the sender."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, message: str) -> None:
        """Take a message once the gate is open."""
        self.sent.append(message)
        await self.open.wait()

    async def until(self, count: int) -> None:
        """Wait for the n-th message."""
        async with asyncio.timeout(5):
            while len(self.sent) < count:  # noqa: ASYNC110 - each message would need its event
                await asyncio.sleep(0)


Scenario = Callable[[Outbox, Wire], Awaitable[None]]


def run(
    scenario: Scenario,
    *,
    render: Callable[[Prompt], Awaitable[bytes]] = letter,
    send_ahead_s: float = 60.0,
) -> None:
    """Run a scenario beside a sending outbox."""

    async def main() -> None:
        wire = Wire()
        outbox = Outbox(Plain(), wire.send, render, send_ahead_s)
        sending = asyncio.ensure_future(outbox.run())
        try:
            await scenario(outbox, wire)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_prompts_go_out_in_order_each_with_its_mark() -> None:
    """Audio in chunks, its mark after it, the next prompt after that."""

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        outbox.play(HELLO, "m1")
        outbox.play(NUMBER, "m2")
        await wire.until(6)
        assert wire.sent == [
            *("media h*3200", "media h*3200", "mark m1"),
            *("media n*3200", "media n*3200", "mark m2"),
        ]

    run(scenario)


def test_last_chunk_may_be_short_and_a_prompt_empty() -> None:
    """Every byte is sent; a prompt without audio still has its mark."""

    async def render(prompt: Prompt) -> bytes:
        return b"x" * (3201 if prompt is HELLO else 0)

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        outbox.play(HELLO, "m1")
        outbox.play(BYE, "m2")
        await wire.until(4)
        assert wire.sent == ["media x*3200", "media x*1", "mark m1", "mark m2"]

    run(scenario, render=render)


def test_clear_stops_a_prompt_between_two_chunks() -> None:
    """After a clear nothing of the old prompts is sent, marks included."""

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        wire.open.clear()
        outbox.play(HELLO, "m1")
        outbox.play(NUMBER, "m2")
        await wire.until(1)
        outbox.clear()
        outbox.play(BYE, "m3")
        wire.open.set()
        await wire.until(5)
        assert wire.sent == ["media h*3200", "clear", "media b*3200", "media b*3200", "mark m3"]

    run(scenario)


def test_clear_interrupts_the_wait_for_the_pace() -> None:
    """A sender that is ahead of time does not sleep through a barge-in."""

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        outbox.play(HELLO, "m1")
        await wire.until(1)
        began = asyncio.get_running_loop().time()
        outbox.clear()
        await wire.until(2)
        assert wire.sent == ["media h*3200", "clear"]
        assert asyncio.get_running_loop().time() - began < 0.3

    run(scenario, send_ahead_s=0.0)


def test_clear_gives_up_a_prompt_that_is_being_rendered() -> None:
    """Rendering that nobody will hear is cancelled."""
    cancelled = []

    async def render(prompt: Prompt) -> bytes:
        if prompt is BYE:
            return b"b"
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(prompt)
            raise
        return b""

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        outbox.play(HELLO, "m1")
        outbox.play(NUMBER, "m2")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        outbox.clear()
        outbox.play(BYE, "m3")
        await wire.until(3)
        assert wire.sent == ["clear", "media b*1", "mark m3"]
        assert set(cancelled) == {HELLO, NUMBER}

    run(scenario, render=render)


def test_clear_with_nothing_to_say_is_sent() -> None:
    """What was sent earlier may still be playing at the provider."""

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        outbox.clear()
        outbox.clear()  # one message does for both
        outbox.play(BYE, "m1")
        await wire.until(2)
        assert wire.sent[:2] == ["clear", "media b*3200"]

    run(scenario)


def test_next_prompt_is_rendered_while_one_is_sent() -> None:
    """Rendering starts when a prompt is queued, not when its turn comes."""
    rendered = []

    async def render(prompt: Prompt) -> bytes:
        rendered.append(prompt)
        return b"x"

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        wire.open.clear()
        outbox.play(HELLO, "m1")
        outbox.play(NUMBER, "m2")
        await wire.until(1)
        assert rendered == [HELLO, NUMBER]
        wire.open.set()

    run(scenario, render=render)


def test_audio_is_sent_no_further_ahead_than_allowed() -> None:
    """With 0.8 s of head start, 1.6 s of audio takes at least 0.4 s to send."""

    async def scenario(outbox: Outbox, wire: Wire) -> None:
        began = asyncio.get_running_loop().time()
        outbox.play(HELLO, "m1")
        outbox.play(NUMBER, "m2")
        await wire.until(3)
        assert asyncio.get_running_loop().time() - began < 0.3
        await wire.until(6)
        assert asyncio.get_running_loop().time() - began >= 0.39

    run(scenario, send_ahead_s=0.8)


def test_hangup_comes_after_what_was_queued() -> None:
    """A goodbye is said before the call ends."""

    async def main() -> None:
        wire = Wire()
        outbox = Outbox(Plain(), wire.send, letter, 60.0)
        outbox.play(BYE, "m1")
        outbox.hangup("completed")
        assert await outbox.run() == "completed"
        assert wire.sent[-1] == "mark m1"

    asyncio.run(main())


def test_clear_does_not_undo_a_hangup() -> None:
    """A clear drops what was to be said, not that the call is over."""

    async def main() -> None:
        wire = Wire()
        outbox = Outbox(Plain(), wire.send, letter, 60.0)
        outbox.play(BYE, "m1")
        outbox.hangup("gave_up")
        outbox.clear()
        assert await outbox.run() == "gave_up"
        assert wire.sent == ["clear"]

    asyncio.run(main())


def test_socket_that_fails_ends_the_sender() -> None:
    """An error of the socket comes out of `run`, whoever was being said."""

    async def broken(message: str) -> None:
        raise ConnectionResetError

    async def main() -> None:
        outbox = Outbox(Plain(), broken, letter, 60.0)
        outbox.play(BYE, "m1")
        with pytest.raises(ConnectionResetError):
            await outbox.run()

    asyncio.run(main())
