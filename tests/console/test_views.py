"""The console's views in a real browser: what they show, to whom, and that anyone can use them."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.console.conftest import DESKTOP, PHONE
from tests.server import conftest as server

pytest.importorskip("axe_playwright_python", reason="axe-core comes with axe-playwright-python")

KEY = "k1:" + base64.b64encode(bytes(32)).decode()
LOOKS = (
    ("light", DESKTOP, ("phone", "live", "calls", "quality", "flows", "health")),
    ("dark", PHONE, ("phone", "live", "quality")),
)


@asynccontextmanager
async def calling(bench: Any, call_id: str, keys: str) -> AsyncIterator[Any]:
    """A call by telephone that is at its first question, some keys pressed."""
    line = await bench.call(call_id)
    await line.mark()
    await line.silence(0.5)
    await line.keys(keys)
    yield line
    await line.finish()


async def finished_call(bench: Any) -> str:
    """A call that keyed its number and was thanked; its record_id."""
    async with calling(bench, "CA1", "4155") as line:
        await line.say(line.caller.mark(await line.mark(2)))
        await line.closed()
    return str((await bench.ended_document())["record_id"])


async def faults(page: Any) -> list[str]:
    """What axe-core finds wrong with a page, by rule and element."""
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - it may be missing

    found = (await Axe().run(page)).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def test_every_view_is_accessible_and_fits(chromium: Any, tmp_path: Path) -> None:
    """axe-core finds nothing, in light on a desk and dark on a phone; nothing sticks out."""

    async def scenario() -> None:
        recorded = server.FLOW.replace("start: ask", "start: ask\nrecord: true")
        async with (
            server.serving(flow=recorded, keys=KEY, audio=tmp_path / "audio") as bench,
            chromium(bench.url + "/console") as tab,
        ):
            record_id = await finished_call(bench)
            page = tab.page
            async with calling(bench, "CA2", "41"):
                for scheme, viewport, views in LOOKS:
                    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                    await page.set_viewport_size(viewport)
                    for view in (*views, f"calls/{record_id}"):
                        await page.goto(f"{bench.url}/console/{view}")
                        await page.locator("h1").wait_for()
                        if view.startswith("calls/"):
                            await page.locator(".heard .line-sound").wait_for()
                            await page.locator(".player audio").wait_for()
                        assert not await faults(page), (view, scheme)
                        wide = await page.evaluate("document.scrollingElement.scrollWidth")
                        assert wide <= viewport["width"], (view, scheme)
            assert not tab.complaints

    server.run_scenario(scenario)


def test_live_call_is_followed_with_its_number_masked(chromium: Any) -> None:
    """Logged in with a key that may read calls but no numbers: everything is there but those."""

    async def scenario() -> None:
        async with server.serving() as bench:
            key = (await bench.key("calls:read", "flows:read"))["Authorization"][7:]
            async with chromium(bench.url + "/console/live") as tab:
                await tab.page.fill("#key", "ivr_wrong")
                await tab.press("Log in")
                await tab.says("[role=alert]", "Bad api key")
                assert not await faults(tab.page)
                await tab.page.fill("#key", key)
                await tab.press("Log in")
                await tab.says(".empty", "Nobody is on the line")
                names = await tab.text("nav")
                assert "Live" in names
                assert "Phone" not in names
                assert "Health" not in names
                async with calling(bench, "CA7", "415") as line:
                    await tab.says("[data-fact=step]", "ask")
                    await tab.says(".talk .caller", "***")
                    await tab.page.locator(".flow-picture .here").wait_for()
                    await line.keys("5")
                    await tab.says(".talk .caller .value", "****")
                    await line.say(line.caller.mark(await line.mark(2)))
                    await tab.says("[data-fact=state]", "completed")
                    whole = await tab.text("body")
                assert "4155" not in whole.replace(" ", "")
                assert "caller …00" in whole or "unknown caller" in whole
                await tab.page.click("text=Open its record")
                await tab.says(".turn-heard", "****")
                with contextlib.suppress(ValueError):  # the wrong key was refused, as it should be
                    tab.complaints.remove(next(c for c in tab.complaints if "401" in c))

    server.run_scenario(scenario)


def test_keyboard_alone_is_enough(chromium: Any) -> None:
    """From the address bar to a call: skip link, navigation, flow, call button, keys."""

    async def scenario() -> None:
        async with server.serving() as bench, chromium(bench.url + "/console") as tab:
            await tab.says(".phone-status", "Ready")
            keyboard = tab.page.keyboard
            await keyboard.press("Tab")
            assert await tab.page.evaluate("document.activeElement.className") == "skip"
            for _ in range(40):
                await keyboard.press("Tab")
                if await tab.page.evaluate("document.activeElement.className") == "call":
                    break
            await keyboard.press("Enter")
            await tab.says(".phone-status", "Connected")
            # Where the hand was there is now the way to end the call.
            focused = "document.activeElement.textContent"
            assert await tab.page.evaluate(focused) == "Hang up"
            await keyboard.type("4155")
            await tab.says(".talk .event", "Outcome: completed")

    server.run_scenario(scenario)
