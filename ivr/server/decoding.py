"""Recordings that strangers send, decoded where they can do no harm.

Theory of operation: decoders are C code, and a file is whatever its sender made of it. So it is
decoded in a process of its own, which has the memory, the time and the files of `_prepare` and no
more: a file that wants more of anything ends that process, not this one, and its sender is told.
The process also puts the recording on the line and finds its utterances (`ivr.line`), which costs
seconds for a long one; what comes back is little.

The process is started by the first recording, and replaced after `_RECYCLE_AFTER` of them, so that
what a decoder leaks does not add up.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from ivr.asr.queue import Queue, Urgency
from ivr.audio.wav import decode_speech
from ivr.endpointing.endpointer import UtteranceEnded
from ivr.errors import AudioError
from ivr.line import SAMPLES_PER_MS, on_the_line, utterances
from ivr.worker import Worker

_log = structlog.get_logger(__name__)

# Over what the process has when it starts: ten minutes of speech in every form that they take on
# their way are 200 MB.
_MEMORY_BYTES: Final = 768 * 1024 * 1024
_CPU_S: Final = 30  # ten minutes of Opus take 5 s on a slow core
_WALL_S: Final = 120.0  # a busy machine included
_OPEN_FILES: Final = 64
_RECYCLE_AFTER: Final = 500
_CLOSE_S: Final = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording, decoded and cut.

    Attributes:
        duration_ms: of the recording.
        utterances: in order; positions are those of the line, see `ivr.line.LINE_BEFORE`.
    """

    duration_ms: int
    utterances: tuple[UtteranceEnded, ...]


class Decoder:
    """Decodes recordings, a few at a time.

    Args:
        workers: processes.
        queue_limit: recordings that may wait for one.

    State: the processes, from the first recording to `close`.
    """

    def __init__(self, workers: int = 1, queue_limit: int = 32) -> None:
        self._workers = [Worker(_prepare) for _ in range(workers)]
        self._queue: Queue[Worker] = Queue(workers, queue_limit)
        for worker in self._workers:
            self._queue.free(worker, None)
        self._done: dict[Worker, int] = {}

    async def decode(self, data: bytes, name: str) -> Recording:
        """Decode a recording and find its utterances.

        Args:
            data: the whole file.
            name: as its sender calls it, for messages.

        Raises:
            AudioError: it is none, is longer than may be, or wants more than a recording needs.
            Overloaded: too many wait.
        """
        worker = await self._queue.take(Urgency.ANSWER)
        try:
            return await self._work(worker, data, name)
        finally:
            self._queue.free(worker, Urgency.ANSWER)

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.close(_CLOSE_S) for worker in self._workers))

    async def _work(self, worker: Worker, data: bytes, name: str) -> Recording:
        done = self._done.get(worker, 0)
        try:
            if worker.alive and done >= _RECYCLE_AFTER:
                await worker.close(_CLOSE_S)
            if not worker.alive:
                done = 0
                await worker.load()
            recording = await worker.run(_WALL_S, _cut, data, name)
        except (BrokenProcessPool, TimeoutError, MemoryError) as error:
            worker.kill()
            _log.warning("recording_refused", cause=type(error).__name__, size=len(data))
            raise AudioError(
                f"{name}: takes more memory or time to decode than ten minutes of speech do; "
                "convert it to a plain 16-bit WAV"
            ) from None
        except asyncio.CancelledError:
            worker.kill()  # it may be at it still, and the next recording must not wait for it
            raise
        self._done[worker] = done + 1
        return recording


DECODER: Final = web.AppKey("decoder", Decoder)


def set_up_decoder(app: web.Application, workers: int) -> None:
    """Give an application its `Decoder`, closed with it."""
    app[DECODER] = Decoder(workers)
    app.cleanup_ctx.append(_closing)


async def _closing(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[DECODER].close()


def _prepare() -> None:
    """Runs in each process when it starts."""
    # Ctrl-C reaches the whole process group; the parent decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is loaded on demand is loaded now, while there is no limit.
    with suppress(ImportError):
        import av  # noqa: F401, PLC0415 - an extra
    _cut(_SILENT_WAV, "silence")
    memory = Path("/proc/self/statm")
    if memory.exists():  # Linux; elsewhere there is no limit of this kind
        used = int(memory.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, used + _MEMORY_BYTES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)


def _limit(what: int, value: int) -> None:
    _, most = resource.getrlimit(what)
    resource.setrlimit(what, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def _cut(data: bytes, name: str) -> Recording:
    """Runs in the process: decode, put on the line, cut."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    # The soft limit kills (SIGXCPU); it is moved on for each recording.
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + _CPU_S)
    speech = decode_speech(data, name)
    return Recording(
        duration_ms=round(speech.shape[0] / SAMPLES_PER_MS),
        utterances=tuple(utterances(on_the_line(speech))),
    )


def _wav(samples: bytes) -> bytes:
    """16-bit mono at 8 kHz with its header."""
    size = len(samples)
    return (
        b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
        + b"\x01\x00\x01\x00" + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little")
        + b"\x02\x00\x10\x00data" + size.to_bytes(4, "little") + samples
    )  # fmt: skip


_SILENT_WAV: Final = _wav(bytes(1600))
