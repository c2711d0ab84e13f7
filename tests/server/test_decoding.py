"""Recordings of strangers: what cannot be decoded is refused, and costs nothing that stays."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ivr.audio.espeak import Espeak
from ivr.errors import AudioError
from ivr.server.decoding import Decoder, _wav


def file_of(samples: np.ndarray, kind: str, subtype: str | None = None, rate: int = 8000) -> bytes:
    """A recording as a file in memory."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def broken() -> dict[str, bytes]:
    """Files that are no recordings, or more than one."""
    word = Espeak().render("five").tobytes()
    honest = _wav(word)
    return {
        "empty": b"",
        "text": b"not audio at all" * 100,
        "header alone": honest[:44],
        "half a header": honest[:20],
        "no samples a second": honest[:24] + bytes(4) + honest[28:],
        "24 h of silence": file_of(np.zeros(8000 * 60 * 11, np.int16), "FLAC"),
        "no numbers": file_of(np.full(8000, np.nan, np.float32), "WAV", "FLOAT"),
        "broken webm": b"\x1a\x45\xdf\xa3" + os.urandom(4096),
        "broken mp4": b"\x00\x00\x00\x20ftypM4A " + os.urandom(4096),
        "broken flac": file_of(np.zeros(8000, np.int16), "FLAC")[:60] + os.urandom(4096),
    }


def test_files_that_are_none_are_refused_and_the_next_is_heard() -> None:
    """One process takes them all, one after the other."""

    async def scenario() -> None:
        decoder = Decoder()
        try:
            for name, data in broken().items():
                with pytest.raises(AudioError, match=name):
                    await decoder.decode(data, name)
            # A header that says more than there is gives what there is.
            word = Espeak().render("five")
            lying = bytearray(_wav(word.tobytes()))
            lying[4:8] = lying[40:44] = b"\xff\xff\xff\x7f"
            heard = await decoder.decode(bytes(lying), "lying")
            assert heard.duration_ms == round(word.shape[0] / 8)
            assert len(heard.utterances) == 1
        finally:
            await decoder.close()

    asyncio.run(scenario())


def test_greedy_file_ends_its_process_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed by a limit or stuck: the sender is told, and the next recording is decoded."""

    async def scenario() -> None:
        decoder = Decoder()
        word = _wav(Espeak().render("five").tobytes())
        try:
            assert len((await decoder.decode(word, "a")).utterances) == 1
            (worker,) = decoder._workers
            for stop in (signal.SIGXCPU, signal.SIGSTOP):
                (process,) = worker._executor._processes.values()  # type: ignore[union-attr]
                os.kill(process.pid, stop)
                if stop is signal.SIGSTOP:
                    monkeypatch.setattr("ivr.server.decoding._WALL_S", 0.2)
                with pytest.raises(AudioError, match="more memory or time"):
                    await decoder.decode(word, "b")
                monkeypatch.setattr("ivr.server.decoding._WALL_S", 120.0)
                assert len((await decoder.decode(word, "c")).utterances) == 1
        finally:
            await decoder.close()

    asyncio.run(scenario())


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="limits are read from /proc")
def test_process_has_limits() -> None:
    """Of memory, time, files and what it may write."""

    async def scenario() -> None:
        decoder = Decoder()
        try:
            await decoder.decode(_wav(bytes(1600)), "a")
            (worker,) = decoder._workers
            (process,) = worker._executor._processes.values()  # type: ignore[union-attr]
            limits = await asyncio.to_thread(Path(f"/proc/{process.pid}/limits").read_text)
            for name in ("cpu time", "address space", "file size", "open files"):
                (line,) = (row for row in limits.splitlines() if f"Max {name}" in row)
                assert line.removeprefix(f"Max {name}").split()[0] != "unlimited"
        finally:
            await decoder.close()

    asyncio.run(scenario())
