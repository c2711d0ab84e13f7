"""Calls are recorded side by side and encrypted, without what is sensitive, at no call's cost."""

from __future__ import annotations

import asyncio
import base64
import errno
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_encode
from ivr.records import sealed
from ivr.records.protection import Keyring
from ivr.records.recordings import Audio, read_audio
from ivr.server.metrics import Metrics
from ivr.server.recorder import AudioDisk, Recorder
from tests.audio import keys

KEY = "k1:" + base64.b64encode(b"k" * 32).decode()
KEYRING = Keyring.parse(KEY)


def tone(seconds: float, frequency_hz: float = 500) -> bytes:
    """A sine as mu-law."""
    time = np.arange(round(seconds * 8000)) / 8000
    return mulaw_encode(np.rint(8000 * np.sin(2 * np.pi * frequency_hz * time)).astype(np.int16))


def channels(audio: Audio) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Caller and agent."""
    with wave.open(io.BytesIO(audio.wav)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def sounds(samples: NDArray[np.int16]) -> list[tuple[float, float]]:
    """Where there is sound, in seconds to a tenth, gaps under 0.1 s left out."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 700)
    if not len(loud):
        return []
    cuts = np.flatnonzero(np.diff(loud) > 800)
    starts, ends = loud[np.r_[0, cuts + 1]], loud[np.r_[cuts, len(loud) - 1]]
    return [
        (round(start / 8000, 1), round(end / 8000, 1))
        for start, end in zip(starts, ends, strict=True)
    ]


class Booth:
    """A recorder, fed by frames of 20 ms, and what it wrote."""

    def __init__(self, folder: Path | None, keyring: Keyring = KEYRING) -> None:
        self.folder = folder
        self.metrics = Metrics()
        self.disk = AudioDisk(folder, keyring, self.metrics)
        self.recorder = Recorder(self.disk, "r1", "2025-01-01")

    def hear(self, audio: bytes, *, private: bool = False) -> None:
        """The caller's side moves time on."""
        for at in range(0, len(audio), 160):
            self.recorder.hear(audio[at : at + 160], private=private)

    def silence(self, seconds: float, *, private: bool = False) -> None:
        """A caller who says nothing."""
        self.hear(b"\xff" * round(seconds * 8000), private=private)

    async def finished(self) -> Audio:
        """The recording, read back."""
        await self.recorder.stop()
        self.disk.close()
        assert self.folder is not None
        return read_audio(self.folder / "2025-01-01" / "r1.ivra", KEYRING, "r1")


def test_both_sides_stand_where_they_were_heard(tmp_path: Path) -> None:
    """What is sent ahead is played in its turn; what a clear drops is not there."""

    async def main() -> None:
        booth = Booth(tmp_path)
        booth.recorder.say(tone(0.5), private=False)
        booth.silence(1.0)
        booth.hear(tone(0.5))
        booth.recorder.say(tone(0.5), private=False)
        booth.recorder.say(tone(3.0), private=False)  # right behind it, at 2.0 s
        booth.silence(1.0)
        booth.recorder.clear()  # at 2.5 s
        booth.silence(1.0)
        audio = await booth.finished()
        caller, agent = channels(audio)
        assert sounds(caller) == [(1.0, 1.5)]
        assert sounds(agent) == [(0.0, 0.5), (1.5, 2.5)]
        assert audio.complete
        assert audio.paused_ms == ()
        assert booth.recorder.document()["duration_ms"] == 3500

    asyncio.run(main())


def test_nothing_is_kept_while_it_is_sensitive(tmp_path: Path) -> None:
    """Neither side, nor the second after it; the rest stands where it was."""

    async def main() -> None:
        booth = Booth(tmp_path)
        booth.hear(tone(1.0))
        booth.recorder.say(tone(0.4), private=False)
        booth.hear(tone(0.6), private=True)
        booth.hear(tone(2.0))
        booth.silence(2.0)
        audio = await booth.finished()
        caller, agent = channels(audio)
        assert audio.paused_ms == ((1000, 2600),)
        assert sounds(caller) == [(0.0, 1.0), (2.6, 3.6)]
        assert sounds(agent) == []

    asyncio.run(main())


def test_prompt_that_speaks_a_sensitive_value_is_left_out(tmp_path: Path) -> None:
    """From where it is heard, though it was sent ahead, and with the caller's side."""

    async def main() -> None:
        booth = Booth(tmp_path)
        booth.recorder.say(tone(1.5), private=False)
        booth.recorder.say(tone(1.0), private=True)
        booth.hear(tone(5.0))
        audio = await booth.finished()
        caller, agent = channels(audio)
        assert audio.paused_ms == ((1500, 3500),)
        assert sounds(caller) == [(0.0, 1.5), (3.5, 5.0)]
        assert sounds(agent) == [(0.0, 1.5)]

    asyncio.run(main())


@pytest.mark.parametrize("told", [True, False])
def test_tones_of_keys_are_never_kept(tmp_path: Path, told: bool) -> None:
    """Whether the provider tells of the key or it is only in the audio."""
    pressed = mulaw_encode(np.rint(keys.tone("5", 300)).astype(np.int16))

    async def main() -> None:
        booth = Booth(tmp_path)
        booth.silence(1.7)
        booth.hear(pressed)
        if told:
            booth.recorder.key()
        booth.silence(3.0)
        caller, _ = channels(await booth.finished())
        assert np.abs(caller.astype(int)).max() < 1000

    asyncio.run(main())


@pytest.mark.parametrize(
    ("folder", "keyring", "reason"),
    [(True, Keyring(), "no_key"), (False, KEYRING, "no_folder")],
)
def test_recording_that_cannot_begin_says_why(
    tmp_path: Path, folder: bool, keyring: Keyring, reason: str
) -> None:
    """The call goes on, and nothing is written, nor kept in memory."""

    async def main() -> None:
        booth = Booth(tmp_path / "audio" if folder else None, keyring)
        booth.silence(10.0)
        await booth.recorder.stop()
        booth.disk.close()
        document = booth.recorder.document()
        assert (document["state"], document["reason"]) == ("failed", reason)
        assert booth.metrics.get("failures", "recording") == 1
        booth.silence(10.0)
        assert len(booth.recorder._caller) == 0
        assert not (tmp_path / "audio").exists()

    asyncio.run(main())


def test_full_disk_ends_the_recording_with_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pieces before can be read."""
    seal = sealed.SealedWriter._seal

    def fills_up(writer: sealed.SealedWriter, plain: bytes) -> None:
        if writer._pieces == 2:
            raise OSError(errno.ENOSPC, "no space left")
        seal(writer, plain)

    monkeypatch.setattr(sealed.SealedWriter, "_seal", fills_up)

    async def main() -> None:
        booth = Booth(tmp_path)
        for _ in range(10):
            booth.hear(tone(1.0))
            await asyncio.sleep(0)
        audio = await booth.finished()
        assert booth.recorder.document()["reason"] == "disk_full"
        assert not audio.complete
        assert len(channels(audio)[0]) == 2 * 8000 - 320  # two frames wait for their tones

    asyncio.run(main())


def test_slow_disk_ends_the_recording(tmp_path: Path) -> None:
    """What waits for it is bounded."""

    async def main() -> None:
        booth = Booth(tmp_path)
        release = asyncio.Event()
        loop = asyncio.get_running_loop()
        hung = booth.disk.thread.submit(
            lambda: asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        )
        booth.silence(60.0)
        assert booth.recorder.document()["reason"] == "disk_too_slow"
        release.set()
        await asyncio.wrap_future(hung)
        await booth.recorder.stop()
        booth.disk.close()

    asyncio.run(main())


FLOW = """
flow: payment
start: hello
record: true
announcement: This call is recorded.
defaults: {no_input_timeout_s: 20, attempts: 2, on_failure: bye}
steps:
  hello: {menu: {1: card, 2: done}, prompt: "One, or two?"}
  card:
    capture: card
    grammar: builtin:digits?length=4
    prompt: Your card please.
    sensitive: true
    next: told
  told: {say: "I have {card:digits}.", next: again}
  again: {menu: {1: done}, prompt: Press one.}
  done: {end: completed, say: Thank you.}
  bye: {end: gave_up}
"""


def test_call_is_recorded_but_for_its_card(kit: Any, tmp_path: Path) -> None:
    """Through a real server: announcement first, a pause over card and read-back, a row, a file."""

    async def scenario() -> None:
        prompts = kit.prompts(seconds=0.5)
        async with kit.serving(
            flow=FLOW, keys=KEY, records=tmp_path / "calls.db", audio=tmp_path, prompts=prompts
        ) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark(2)))
            assert prompts.rendered[0] == "This call is recorded."
            await line.hear(tone(2.0, 700))
            await line.keys("1")
            await line.say(line.caller.mark(await line.mark(3)))
            await line.hear(tone(1.0, 900))
            await line.keys("4155")
            await line.mark(5)  # the read-back and the next question are sent
            await line.hear(tone(3.0, 700))
            assert (await bench.record())["recordings"][0]["state"] == "recording"
            await line.say(line.caller.mark(await line.mark(5)))
            await line.keys("1")
            await line.say(line.caller.mark(await line.mark(6)))
            await line.closed()
            record = await bench.ended()
            (recording,) = record["recordings"]
            assert recording["state"] == "complete"
            assert recording["duration_ms"] == 6000
            audio = read_audio(tmp_path / recording["file"], KEYRING, record["record_id"])
            caller, agent = channels(audio)
            (pause,) = audio.paused_ms
            # From the question on, and a second after the digits that were read back.
            assert pause[0] == 2000
            assert pause[1] in range(4400, 4600)
            assert sounds(agent)[0] == (0.0, 1.0)
            spectrum = np.abs(np.fft.rfft(caller.astype(float)))
            assert spectrum[900 * len(caller) // 8000] < 0.01 * spectrum.max()

    kit.run(scenario)


VOICEBOX = """
flow: voicebox
start: leave
steps:
  leave: {record: message, prompt: Speak., silence_s: 1, next: thanks, on_failure: sorry}
  thanks: {end: left, say: Thank you.}
  sorry: {end: nothing, say: Goodbye.}
"""


def test_message_is_kept_and_named(kit: Any, tmp_path: Path, speech: bytes) -> None:
    """Its name is in the variable, its voice in a file of its own, of one side."""

    async def scenario() -> None:
        async with kit.serving(
            flow=VOICEBOX, keys=KEY, records=tmp_path / "calls.db", audio=tmp_path
        ) as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark(2)))
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(3)))
            await line.closed()
            record = await bench.ended()
            assert record["outcome"] == "left"
            (recording,) = record["recordings"]
            assert recording["kind"] == "message"
            assert record["variables"] == {"message": recording["recording_id"]}
            audio = read_audio(tmp_path / recording["file"], KEYRING, recording["recording_id"])
            assert audio.complete
            with wave.open(io.BytesIO(audio.wav)) as file:
                assert file.getnchannels() == 1
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            assert len(sounds(samples)) >= 1
            # One who says nothing, and one who hangs up over it.
            silent = await bench.call("CA2")
            await silent.say(silent.caller.mark(await silent.mark(2)))
            await silent.silence(1.5)
            await silent.say(silent.caller.mark(await silent.mark(3)))
            await silent.closed()
            record = await bench.ended("CA2")
            assert (record["outcome"], record["recordings"]) == ("nothing", [])
            gone = await bench.call("CA3")
            await gone.say(gone.caller.mark(await gone.mark(2)))
            await gone.hear(speech[:8000])
            await gone.hang_up()
            (recording,) = (await bench.ended("CA3"))["recordings"]
            assert recording["state"] == "complete"
            assert len(list(tmp_path.rglob("*.ivra"))) == 2  # noqa: ASYNC240 - the test has time

    kit.run(scenario)


def test_flow_that_does_not_record_leaves_no_file(kit: Any, tmp_path: Path) -> None:
    """Off by default."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db", audio=tmp_path / "audio") as bench:
            line = await bench.call()
            await line.mark()
            await line.silence(1)
            await line.hang_up()
            assert (await bench.ended())["recordings"] == []
        assert not (tmp_path / "audio").exists()

    kit.run(scenario)
