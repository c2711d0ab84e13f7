"""A known number through a whole call, then a search: it is nowhere in clear, in no spelling.

The call is recorded and its prompts are cached: the search is over those files too, and in the
recording it is for the caller's voice and the tones of the keys.
"""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from aiohttp import web

from ivr.audio.dtmf import DtmfDetector
from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.config import LogSettings
from ivr.prompts.store import PromptStore
from ivr.prompts.voices import EspeakVoice, VoiceOptions
from ivr.records.protection import Keyring
from ivr.records.recordings import read_audio
from ivr.server.logging import configure_logging
from tests.audio import keys

# A test card of Luhn's, no more than two digits of which follow each other by chance elsewhere.
CARD = "4539578763621486"
PIN = "8264"
SPOKEN = {
    "4": "four", "5": "five", "3": "three", "9": "nine", "7": "seven", "8": "eight", "6": "six",
    "2": "two", "1": "one",
}  # fmt: skip
KEY = "k1:" + base64.b64encode(b"k" * 32).decode()

FLOW = """
flow: payment
start: card
record: true
announcement: This call is recorded.
defaults: {{no_input_timeout_s: 1.0, attempts: 3, on_failure: bye}}
steps:
  card:
    capture: card
    grammar: builtin:digits?length=16;check=luhn
    prompt: Your card number please.
    sensitive: true
    store: {store}
    next: sure
  sure:
    confirm: card
    prompt: "{{card:digits}}, is that right?"
    yes: pin
  pin:
    capture: pin
    grammar: builtin:digits?length=4
    prompt: Your PIN please.
    sensitive: true
    store: {store}
    next: done
  done: {{end: completed, say: Thank you.}}
  bye: {{end: gave_up}}
"""


def spellings(number: str) -> Iterator[str]:
    """A number as figures, spaced, grouped, and in words; whole, and its longer parts."""
    parts = {number, *(number[at : at + 6] for at in range(len(number) - 5))}
    for part in parts:
        for gap in ("", " ", "-", ", ", ",", ".", "', '", '", "', '","'):
            yield gap.join(part)
        yield " ".join(re.findall(".{1,4}", part))
        yield "-".join(re.findall(".{1,4}", part))
        words = [SPOKEN[digit] for digit in part]
        for gap in (" ", ", ", "_", "', '", '", "'):
            yield gap.join(words)


def search(haystack: str, where: str) -> None:
    """Fail if any spelling is there; the message does not repeat it."""
    lowered = haystack.lower()
    for number, name in ((CARD, "card"), (PIN, "pin")):
        for spelling in spellings(number):
            # Four digits happen in ids and times; where the PIN stands alone it was leaked.
            pattern = re.escape(spelling)
            if name == "pin" and spelling.isdigit():
                pattern = rf"(?<![0-9a-f]){pattern}(?![0-9a-f])"
            assert not re.search(pattern, lowered), f"the {name} is in {where}"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, as the server would write it, from debug on."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(LogSettings(level="debug", format="json"))
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers, root.level = handlers, level
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()


def files_in(folder: Path) -> dict[str, str]:
    """Every file below a folder, byte for byte."""
    return {
        path.name: path.read_bytes().decode("latin-1")
        for path in folder.rglob("*")
        if path.is_file()
    }


def tones(number: str) -> bytes:
    """The keys' tones as mu-law, a tenth of a second each."""
    pressed = [np.concatenate([keys.tone(key, 100), np.zeros(800)]) for key in number]
    return mulaw_encode(np.rint(np.concatenate(pressed)).astype(np.int16))


def search_recordings(folder: Path, speech: bytes) -> None:
    """Fail if a recording has the caller's answer, a key's tone, or a number that was read back."""
    recordings = sorted(folder.rglob("*.ivra"))
    assert len(recordings) == 2
    said = mulaw_decode(speech).astype(float)
    for path in recordings:
        audio = read_audio(path, Keyring.parse(KEY), path.stem)
        assert audio.complete
        with wave.open(io.BytesIO(audio.wav)) as file:
            both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        caller, agent = both[:, 0], both[:, 1]
        for side in (caller, agent):
            detector = DtmfDetector()
            frames = side[: len(side) // 160 * 160].reshape(-1, 160)
            assert not [event for frame in frames for event in detector.feed(frame)]
        assert np.abs(caller.astype(int)).max(initial=0) < 200
        assert np.abs(said).max() > 1000
        for start, end in audio.paused_ms:
            assert not both[start * 8 : end * 8].any()


@contextlib.asynccontextmanager
async def receiving(bodies: list[str]) -> Any:
    """A receiver of results that notes all of them, headers too."""

    async def take(request: web.Request) -> web.Response:
        bodies.append(f"{dict(request.headers)} {await request.text()}")
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("store", ["masked", "hash", "encrypted"])
def test_number_is_nowhere_in_clear(
    kit: Any, tmp_path: Path, speech: bytes, logged: io.StringIO, store: str
) -> None:
    """Spoken, refused, spoken again, keyed: log, files, API, metrics and webhook stay clean."""
    words = " ".join(SPOKEN[digit] for digit in CARD)
    recognizer = kit.recognizer([kit.heard(words, 0.3), kit.heard(words)])
    texts: dict[str, str] = {}

    async def scenario() -> None:
        bodies: list[str] = []
        async with (
            receiving(bodies) as url,
            kit.serving(
                flow=FLOW.format(store=store),
                keys=KEY,
                records=tmp_path / "calls.db",
                audio=tmp_path / "audio",
                prompts=PromptStore(EspeakVoice(VoiceOptions()), tmp_path / "prompts"),
                recognizer=recognizer,
                webhook={"url": url, "secret": "a secret of the test"},
            ) as bench,
        ):
            line = await bench.call()
            await line.mark(2)
            await line.hear(speech)  # not sure enough
            await line.say(line.caller.mark(await line.mark(3)))
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(4)))
            await line.keys("1")
            await line.say(line.caller.mark(await line.mark(5)))
            texts["the live record"] = str(await bench.record())
            await line.hear(tones(PIN))  # the provider tells of a key behind its tone
            await line.keys(PIN)
            await line.hear(tones(PIN))  # again, for it seemed slow
            await line.say(line.caller.mark(await line.mark(6)))
            await line.closed()
            record = await bench.ended()
            assert record["outcome"] == "completed"
            assert set(record["variables"]) == {"card", "pin"}
            # One more, whose caller keys half of it and goes.
            half = await bench.call("CA2")
            await half.mark(2)
            await half.keys(CARD[:9])
            await half.hang_up()
            texts["the record"] = str(record)
            for path in ("/v1/calls", "/v1/calls/CA2", "/metrics", "/readyz"):
                texts[path] = await (await bench.client.get(bench.url + path)).text()
            await bench.until(lambda: bench.context.store.counts["delivered"] == 2)
            texts["a webhook"] = "\n".join(bodies)
            # As a crash would leave them, log of the database and all.
            texts.update(files_in(tmp_path))
            kept = len(list((tmp_path / "prompts").iterdir()))
            assert kept == 4  # announcement, card, PIN, thanks; not the number that was read back
            search_recordings(tmp_path / "audio", speech)

    kit.run(scenario)
    texts["the log"] = logged.getvalue()
    assert "call_ended" in texts["the log"]
    assert "calls.db-wal" in texts
    for where, text in texts.items():
        search(text, where)


def test_search_finds_what_it_looks_for() -> None:
    """A canary that cannot sing proves nothing."""
    words = [SPOKEN[digit] for digit in CARD]
    for leak in (
        f'"value": "{CARD}"',
        " ".join(CARD),
        "4539 5787 6362 1486",
        " ".join(words).upper(),
        str(words[3:12]),
        str(list(CARD)),
        f"pin={PIN}.",
        CARD[:9],
    ):
        with pytest.raises(AssertionError, match="is in"):
            search(leak, "a test")
