"""What the console's views are given, and what it takes to be given it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

RECORDED = """
flow: recorded
start: ask
record: true
defaults:
  attempts: 2
  on_failure: bye
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=4
    prompt: Your number please.
    no_input: [Say it now.]
    no_match: [Once more.]
    next: bye
  bye:
    end: completed
    say: Goodbye.
"""
KEY = "k1:" + base64.b64encode(bytes(32)).decode()
VIEWS = ("/api/calls", "/api/quality", "/api/health", "/api/flows/pin/picture", "/api/live")


async def finished_call(bench: Any, call_id: str = "CA1") -> dict[str, Any]:
    """A call by telephone that keyed its number and was thanked."""
    line = await bench.call(call_id)
    await line.mark()
    await line.silence(0.5)
    await line.keys("4155")
    await line.say(line.caller.mark(await line.mark(2)))
    await line.closed()
    return dict(await bench.ended_document())


@pytest.mark.parametrize("path", VIEWS)
def test_views_are_for_those_who_are_logged_in(kit: Any, path: str) -> None:
    """Without a session there is nothing to see, on this machine either."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            assert (await browser.get(path)).status == 401

    kit.run(scenario)


@pytest.mark.parametrize("path", VIEWS)
def test_views_take_their_scope(kit: Any, path: str) -> None:
    """A key for something else opens none of them."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.log_in("transcribe")
            assert (await browser.get(path)).status == 403

    kit.run(scenario)


def test_call_is_shown_as_the_key_may_see_it(kit: Any) -> None:
    """The same record, with its number and without; the list names the flow."""

    async def scenario() -> None:
        async with (
            kit.serving() as bench,
            kit.browsing(bench) as one,
            kit.browsing(bench) as two,
        ):
            record_id = (await finished_call(bench))["record_id"]
            await one.log_in("calls:read", "numbers:read")
            await two.log_in("calls:read")
            open_record = await (await one.get(f"/api/calls/{record_id}")).json()
            masked = await (await two.get(f"/api/calls/{record_id}")).text()
            listed = await (await two.get("/api/calls?limit=5")).json()
        assert open_record["variables"] == {"account": "4155"}
        assert "4155" not in masked
        assert listed["calls"][0]["flow"] == "pin"

    kit.run(scenario)


def test_flow_is_drawn_without_a_style_of_its_own(kit: Any) -> None:
    """The page's policy takes none; each step can be found in the picture."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await browser.enter()
            drawn = await browser.get("/api/flows/pin/picture")
            assert drawn.content_type == "image/svg+xml"
            text = await drawn.text()
            assert "<style" not in text
            assert 'data-step="ask"' in text
            assert (await browser.get("/api/flows/none/picture")).status == 404
            flows = await (await browser.get("/api/flows")).json()
            assert [flow["name"] for flow in flows["flows"]] == ["pin"]

    kit.run(scenario)


def test_quality_and_health_tell_what_happened(kit: Any) -> None:
    """One call by keys: one answer, understood; the server is ready."""

    async def scenario() -> None:
        async with kit.serving() as bench, kit.browsing(bench) as browser:
            await finished_call(bench)
            await browser.enter()
            quality = await (await browser.get("/api/quality?days=1")).json()
            assert quality["total"]["calls"] == 1
            assert quality["total"]["understood"] == 1.0
            assert (await browser.get("/api/quality?days=x")).status == 400
            health = await (await browser.get("/api/health")).json()
            assert health["ready"]["status"] == "ready"
            assert health["records"]["written"] >= 1

    kit.run(scenario)


def test_recording_is_heard_by_who_may_hear_it(kit: Any, tmp_path: Path) -> None:
    """The sound in clear takes audio:read; another's call, and none, look the same."""

    async def scenario() -> None:
        audio = tmp_path / "audio"
        async with (
            kit.serving(flow=RECORDED, keys=KEY, audio=audio) as bench,
            kit.browsing(bench) as browser,
            kit.browsing(bench) as stranger,
        ):
            document = await finished_call(bench)
            recording_id = document["record_id"]
            await browser.log_in("calls:read", "audio:read")
            await stranger.log_in("calls:read")
            heard = await browser.get(f"/api/recordings/{recording_id}")
            assert heard.status == 200, await heard.text()
            assert (await heard.read())[:4] == b"RIFF"
            assert heard.headers["Cache-Control"] == "no-store"
            assert (await browser.get("/api/recordings/none")).status == 404
            assert (await stranger.get(f"/api/recordings/{recording_id}")).status == 403

    kit.run(scenario)
