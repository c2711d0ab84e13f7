"""The browser phone in a real browser: it is heard, it hears, it stops when it is told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ivr.simulate.demo import run_server
from tests.console.conftest import PHONE
from tests.server import conftest as server

FLOW = Path(__file__).parents[2] / "config" / "flows" / "account_id.yaml"


def test_spoken_number_is_heard_and_the_prompt_stops(chromium: Any) -> None:
    """A first call: the number is said into the prompt, a key confirms it, the call is done."""

    async def scenario() -> None:
        async with run_server(FLOW) as running, chromium(running.url + "/console") as tab:
            await tab.press("Call")
            await tab.says(".phone-status", "Connected")
            await tab.says(".talk .caller", "4155 0012")
            assert "interrupted by the caller" in await tab.text(".talk .agent:nth-child(2)")
            await tab.says(".talk .agent", "Is that right?")
            await tab.press("1")
            await tab.says(".talk .event", "Outcome: completed")
            await tab.says(".phone-status", "Call ended")
            assert not tab.complaints

    server.run_scenario(scenario)


def test_marks_are_answered_when_the_prompt_was_played(chromium: Any) -> None:
    """The server learns the end of a prompt from the browser, and begins to wait only then."""

    async def scenario() -> None:
        prompts = server.FakePrompts(seconds=1.0)
        async with (
            server.serving(
                prompts=prompts, recognizer=server.FakeRecognizer([server.heard("")])
            ) as bench,
            chromium(bench.url + "/console") as tab,
        ):
            await tab.press("Call")
            await tab.says(".chips", "listening")
            (stream,) = bench.context.calls
            call = stream._call  # type: ignore[attr-defined]
            played_ms = call._collection.prompt_end_ms
            # Both clocks are audio: what the caller sends, and what the caller is played.
            assert played_ms >= 800
            await tab.page.keyboard.type("4155")
            await tab.says(".talk .caller", "4155")
            await tab.says(".phone-status", "Call ended")
            record = await bench.ended(stream.call_id)
            assert record["outcome"] == "completed"
            assert record["turns"][0]["collected"]["mode"] == "dtmf"
            assert not tab.complaints

    server.run_scenario(scenario)


def test_call_without_a_microphone_goes_by_keys(chromium: Any) -> None:
    """Where the microphone is blocked the page says so, and offers the keys."""

    async def scenario() -> None:
        async with server.serving() as bench, chromium(bench.url + "/console", allow=False) as tab:
            await tab.press("Call")
            await tab.says("[role=alert]", "The microphone is blocked")
            await tab.press("Call with the keys only")
            await tab.says(".talk .agent", "Your number please.")
            for digit in "4155":
                await tab.press(digit)
            await tab.says(".talk .event", "Outcome: completed")

    server.run_scenario(scenario)


def test_hang_up_and_mute(chromium: Any) -> None:
    """Muted, the line goes on in silence; hanging up ends it as a caller does."""

    async def scenario() -> None:
        async with server.serving() as bench, chromium(bench.url + "/console") as tab:
            await tab.press("Call")
            await tab.says(".phone-status", "Connected")
            await tab.page.keyboard.press("m")
            await tab.says("button[aria-pressed=true]", "Muted")
            await tab.says(".talk .agent", "Your number please.")
            (stream,) = bench.context.calls
            await tab.page.set_viewport_size(PHONE)
            assert await tab.page.evaluate("document.scrollingElement.scrollWidth") <= 390
            await tab.press("Hang up")
            await tab.says(".talk .event", "the caller hung up")
            record = await bench.ended(stream.call_id)
            assert record["ending"] == {"by": "caller", "reason": "stop", "close_code": 1000}
            assert record["outcome"] == "hangup"
            await tab.press("Call")
            await tab.says(".phone-status", "Connected")

    server.run_scenario(scenario)
