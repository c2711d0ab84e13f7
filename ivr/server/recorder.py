"""The recording of a call: what caller and agent said, side by side, but for what is sensitive.

Theory of operation: the clock is stream time, the samples that came from the caller. What the agent
sends is played from then on, or behind what was sent before it; a clear drops what is not yet
played. Both are held back by a second, and then handed in pieces of a second to a thread, which
takes the keys' tones out of the caller's voice, puts the two side by side, and writes them into a
sealed file (`ivr.records.sealed`). So the event loop appends bytes and no more.

Where a sensitive answer is being given, or a prompt speaks a sensitive value, nothing of either
side is kept, nor of the second after it, for trailing words and echoes: the file has a pause there,
as long as it lasted. Around each key event the caller is silent, a second back and half a second
on, for tones that came ahead of their question; and tones are looked for in the audio too, for
trunks that send no events.

A disk that is full or too slow, or a key that is not there, ends the recording and not the call;
the call's record says why. At most `_MOST_WAITING` pieces wait for the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ivr.audio.dtmf import FRAME_SAMPLES, KeyFilter
from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.errors import ConfigError
from ivr.records.protection import Keyring
from ivr.records.sealed import SUFFIX, SealedWriter
from ivr.server.metrics import Metrics

_log = structlog.get_logger(__name__)

RATE_HZ: Final = 8000
_PIECE: Final = RATE_HZ  # samples handed over at once
_HELD: Final = RATE_HZ  # and held back, for a key that tells of a tone before it
_TAIL: Final = RATE_HZ  # not kept after something sensitive
_AFTER_KEY: Final = RATE_HZ // 2
_MOST_WAITING: Final = 30  # pieces, half a minute
_CLOSE_S: Final = 5.0  # for the disk to take what waits, at the end of a call
_SILENCE: Final = 0xFF  # of mu-law
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

Spans = list[tuple[int, int]]
_Frame = tuple[bytes, bytes, bool]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some whole frames of both sides, mu-law, and which frames of them are not kept."""

    caller: bytes
    agent: bytes
    muted: NDArray[np.bool_]


class AudioDisk:
    """Where recordings are written: the folder, the keys, and the one thread that writes.

    Args:
        folder: None records nothing.
        keyring: its newest key seals.
        metrics: counts the failures.
    """

    def __init__(self, folder: Path | None, keyring: Keyring, metrics: Metrics) -> None:
        self.folder = folder
        self.keyring = keyring
        self.metrics = metrics
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="recordings")

    def close(self) -> None:
        """Start no more work; what waits is written."""
        self.thread.shutdown(wait=False)


class Recorder:
    """One recording; used from the event loop.

    Args:
        disk: to write to.
        recording_id: of the recording; also its file's name.
        day: folder of its day, such as ``2026-11-25``.
        kind: ``call`` or ``message``.
        channels: 2 for caller and agent, 1 for the caller alone.

    Attributes:
        recording_id: as given.

    State: up to two seconds of audio, what is not to be kept of it, and how it stands with the
    disk.
    """

    def __init__(
        self, disk: AudioDisk, recording_id: str, day: str, kind: str = "call", channels: int = 2
    ) -> None:
        self._disk = disk
        self.recording_id = recording_id
        self._kind = kind
        self._file = f"{day}/{recording_id}{SUFFIX}" if disk.folder is not None else None
        self._state, self._reason = "recording", None if self._file else "no_folder"
        self._written = _Writing(disk, recording_id, self._file, channels)
        self._base = 0  # position of the first sample that is held
        self._caller, self._agent = bytearray(), bytearray()
        self._muted: Spans = []
        self._keyed: Spans = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._stopping = False
        if self._file is None:
            self._fail("no_folder")

    # -- what is said -----------------------------------------------------------------------------

    def hear(self, payload: bytes, *, private: bool) -> None:
        """The caller's audio, mu-law; `private` where a sensitive answer may be in it."""
        if self.failed or self._stopping:
            return
        start = self._position
        self._caller += payload
        if private:
            self._mute(start, self._position)
        if len(self._caller) >= _HELD + _PIECE:
            self._hand_over(_PIECE)

    def say(self, payload: bytes, *, private: bool) -> None:
        """The agent's audio as it is sent; `private` where it speaks a sensitive value."""
        if self.failed:
            return
        behind = self._position - self._base - len(self._agent)
        if behind > 0:
            self._agent += bytes([_SILENCE]) * behind
        start = self._base + len(self._agent)
        self._agent += payload
        if private:
            self._mute(start, start + len(payload))

    def clear(self) -> None:
        """What the agent sent and nobody heard yet is dropped."""
        del self._agent[self._position - self._base :]

    def key(self) -> None:
        """The caller pressed a key just now, or within the last second."""
        now = self._position
        self._keyed.append((now - _HELD, now + _AFTER_KEY))

    async def stop(self) -> None:
        """Write what is held, and end the file; waits for the disk, but not for long."""
        if self._state == "recording" and not self._stopping:
            self._stopping = True
            self._hand_over(len(self._caller) // FRAME_SAMPLES * FRAME_SAMPLES, last=True)
        if self._waiting:
            await asyncio.wait(set(self._waiting), timeout=_CLOSE_S)
        if self._state == "recording":
            if self._waiting and not self._waiting[-1].done():
                self._fail("disk_too_slow")
            else:
                self._state = "complete"

    @property
    def path(self) -> Path | None:
        """Its file; None without a folder."""
        folder = self._disk.folder
        return None if folder is None or self._file is None else folder / self._file

    @property
    def failed(self) -> bool:
        """Whether nothing more is recorded."""
        return self._state == "failed"

    def document(self) -> dict[str, Any]:
        """As the call's record has it."""
        return {
            "recording_id": self.recording_id,
            "kind": self._kind,
            "file": self._file,
            "duration_ms": self._base * 1000 // RATE_HZ,
            "state": self._state,
            "reason": self._reason,
        }

    # -- to the disk ------------------------------------------------------------------------------

    @property
    def _position(self) -> int:
        return self._base + len(self._caller)

    def _mute(self, start: int, end: int) -> None:
        if self._muted and self._muted[-1][0] <= start <= self._muted[-1][1]:
            first, last = self._muted[-1]
            self._muted[-1] = (first, max(last, end + _TAIL))
        else:
            self._muted.append((start, end + _TAIL))

    def _hand_over(self, n_samples: int, *, last: bool = False) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._fail("disk_too_slow")
            return
        piece = self._take(n_samples)
        work = self._written.finish if last else self._written.add
        future = asyncio.get_running_loop().run_in_executor(self._disk.thread, work, piece)
        self._waiting.append(future)
        future.add_done_callback(self._done)

    def _take(self, n_samples: int) -> _Piece:
        caller = np.frombuffer(bytes(self._caller[:n_samples]), np.uint8).copy()
        agent = np.full(n_samples, _SILENCE, np.uint8)
        said = self._agent[:n_samples]
        agent[: len(said)] = np.frombuffer(bytes(said), np.uint8)
        del self._caller[:n_samples], self._agent[:n_samples]
        start, self._base = self._base, self._base + n_samples
        for first, end in self._keyed:
            caller[max(0, first - start) : max(0, end - start)] = _SILENCE
        muted = np.zeros(n_samples // FRAME_SAMPLES, np.bool_)
        for first, end in self._muted:
            whole = -(-max(0, end - start) // FRAME_SAMPLES)  # up to the end of its last frame
            muted[max(0, first - start) // FRAME_SAMPLES : whole] = True
        self._keyed = [span for span in self._keyed if span[1] > self._base]
        self._muted = [span for span in self._muted if span[1] > self._base]
        return _Piece(caller.tobytes(), agent.tobytes(), muted)

    def _done(self, future: asyncio.Future[None]) -> None:
        if future in self._waiting:
            self._waiting.remove(future)
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._fail(_reason(error))

    def _fail(self, reason: str) -> None:
        if self._state == "failed":
            return
        self._state, self._reason = "failed", reason
        self._caller.clear()
        self._agent.clear()
        with contextlib.suppress(RuntimeError):  # the server has stopped
            self._disk.thread.submit(self._written.abandon)
        self._disk.metrics.add("failures", "recording")
        _log.error("recording_ended", recording_id=self.recording_id, reason=reason)


class _Writing:
    """The thread's side of a recording: its file, and two frames that the key filter holds."""

    def __init__(self, disk: AudioDisk, recording_id: str, file: str | None, channels: int) -> None:
        self._disk = disk
        self._recording_id = recording_id
        self._name = file
        self._channels = channels
        self._file: SealedWriter | None = None
        self._keys = KeyFilter()
        self._held: deque[tuple[NDArray[np.int16], bytes, bytes, bool]] = deque()
        self._broken = False

    def add(self, piece: _Piece) -> None:
        """Write a piece.

        Raises:
            ConfigError, OSError: see `SealedWriter`; the file ends with its last whole piece.
        """
        if self._broken:
            return
        try:
            self._write(self._frames(piece))
        except BaseException:
            self.abandon()
            raise

    def finish(self, piece: _Piece) -> None:
        """Write the last piece and end the file.

        Raises:
            ConfigError, OSError: as `add`.
        """
        self.add(piece)
        if self._broken:
            return
        try:
            self._write(self._last_frames())
            if self._file is not None:
                self._file.close()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Write no more; the file ends with its last whole piece."""
        self._broken = True
        if self._file is not None:
            self._file.abandon()

    def _frames(self, piece: _Piece) -> list[_Frame]:
        """The frames whose tones are known: caller, agent, and whether they are not kept."""
        known: list[_Frame] = []
        for number, muted in enumerate(piece.muted.tolist()):
            at = slice(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES)
            frame = mulaw_decode(piece.caller[at])
            self._held.append((frame, piece.caller[at], piece.agent[at], muted))
            _, voice = self._keys.feed(frame)
            if voice is not None:
                heard, caller, agent, quiet = self._held.popleft()
                known.append((caller if voice is heard else mulaw_encode(voice), agent, quiet))
        return known

    def _last_frames(self) -> list[_Frame]:
        """Those that the key filter still holds: silence brings them out."""
        count = len(self._held) * FRAME_SAMPLES
        silence = bytes([_SILENCE]) * count
        return self._frames(_Piece(silence, silence, np.zeros(count // FRAME_SAMPLES, np.bool_)))

    def _write(self, frames: list[_Frame]) -> None:
        if self._file is None:
            if self._disk.folder is None or self._name is None:
                raise ConfigError("records.audio_dir is null")
            path = self._disk.folder / self._name
            self._file = SealedWriter(path, self._disk.keyring, self._recording_id, self._channels)
        paused, audio = 0, bytearray()
        for caller, agent, muted in frames:
            if muted:
                self._file.audio(bytes(audio))
                audio.clear()
                paused += FRAME_SAMPLES
                continue
            if paused:
                self._file.pause(paused)
                paused = 0
            sides = (caller + agent)[: self._channels * FRAME_SAMPLES]
            audio += np.frombuffer(sides, np.uint8).reshape(-1, FRAME_SAMPLES).T.tobytes()
        self._file.audio(bytes(audio))
        if paused:
            self._file.pause(paused)


def _reason(error: BaseException) -> str:
    if isinstance(error, ConfigError):
        return "no_key"
    if isinstance(error, OSError) and error.errno in _FULL:
        return "disk_full"
    return "write_failed"
