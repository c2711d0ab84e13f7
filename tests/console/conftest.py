"""Real Chromium in front of a real server, with a recording for a microphone.

The browser is the system's: `make browser` installs it where it can. Where there is none these
tests skip themselves.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.audio.espeak import Espeak
from ivr.audio.wav import write_wav

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP = {"width": 1280, "height": 820}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 60_000  # a busy machine is slow, not wrong


@dataclass
class Tab:
    """A tab of the browser.

    Attributes:
        page: Playwright's.
        complaints: what the browser found wrong: errors of scripts, breaches of the policy.
    """

    page: Any
    complaints: list[str]

    async def text(self, selector: str) -> str:
        """The text of an element, once it is there."""
        return str(await self.page.inner_text(selector))

    async def press(self, name: str) -> None:
        """Press the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def says(self, selector: str, text: str) -> None:
        """Wait until an element says something."""
        await self.page.locator(selector).filter(has_text=text).first.wait_for()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's browser."""
    pytest.importorskip("playwright", reason="playwright is not installed: it drives the browser")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine: `make browser` installs it")
    return found


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser hears: silence for a moment, then an account number, once."""
    number = Espeak().render("four one five five, zero zero one two")
    path = tmp_path_factory.mktemp("microphone") / "number.wav"
    silence = np.zeros(8000, np.int16)
    write_wav(path, np.concatenate([silence, silence, number, *[silence] * 60]), 8000)
    return path


@pytest.fixture
def chromium(chromium_path: str, microphone: Path) -> Any:
    """What opens tabs, for an ``async with``."""

    @asynccontextmanager
    async def open_tab(
        url: str, *, allow: bool = True, viewport: dict[str, int] | None = None, **options: Any
    ) -> AsyncIterator[Tab]:
        from playwright.async_api import async_playwright  # noqa: PLC0415 - it may be missing

        switches = [
            "--no-sandbox",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
            *(["--use-fake-ui-for-media-stream"] if allow else ["--deny-permission-prompts"]),
        ]
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path, args=switches)
            context = await browser.new_context(viewport=viewport or DESKTOP, **options)
            context.set_default_timeout(PATIENCE_MS)
            page = await context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console",
                lambda said: complaints.append(said.text) if said.type == "error" else None,
            )
            await page.goto(url)
            yield Tab(page, complaints)
            await browser.close()

    return open_tab
