"""`ivr serve --capture DIR`: every call's wire in a file of its own, to be repeated later.

Theory of operation: a `Recorder` listens to one stream (`ivr.server.tap`) and turns all of it into
lines (`ivr.capture`), on the event loop, in memory; one thread writes them, some seconds at a time.
The call comes first: nothing waits for the disk. A disk that refuses, is full or does not keep up
ends the capture of the call, which goes on; so do the limits, of a call's file and of the folder.

The files hold what callers say and key, in clear. They are readable by their owner only.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import structlog

from ivr import __version__, capture
from ivr.actions import Action, CallSettings
from ivr.call import Call
from ivr.config import CaptureSettings
from ivr.errors import ConfigError
from ivr.flow.request import Answer
from ivr.providers.events import StreamStarted
from ivr.recognition import Recognition
from ivr.server.flows import Served
from ivr.server.tap import Tap

_log = structlog.get_logger(__name__)

_FLUSHED_BYTES: Final = 65_536  # about two seconds of both sides
_WAITING_BYTES: Final = 4_194_304  # a disk that is so far behind does not come back soon
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")

WARNING: Final = (
    "CAPTURING every call to {folder}: the files hold what callers say and key, in clear. "
    "For finding faults only; delete them when you are done."
)


class CaptureFolder:
    """Where captures are written.

    Args:
        settings: ``dir`` is set; made where it is missing, readable by its owner only.

    Raises:
        ConfigError: the folder cannot be made or written to.

    Attributes:
        folder: it.
        max_call_bytes: of one call's file.
        thread: that writes.

    State: how much is in the folder; the thread that writes, until `close`.
    """

    def __init__(self, settings: CaptureSettings) -> None:
        if settings.dir is None:
            raise ConfigError("capture.dir: name a folder")
        self.folder = settings.dir
        self.max_call_bytes = settings.max_call_bytes
        self._max_bytes = settings.max_bytes
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.folder / f".{uuid.uuid4().hex}"
            probe.touch(mode=0o600)
            probe.unlink()
            self._bytes = sum(file.stat().st_size for file in self.folder.glob("*.jsonl"))
        except OSError as error:
            raise ConfigError(
                f"capture.dir: {self.folder} cannot be written to ({error.strerror}); name another"
            ) from error
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="capture")

    def make_tap(self) -> Recorder:
        """The recorder of a new stream."""
        return Recorder(self)

    def take(self, n_bytes: int) -> bool:
        """Note bytes about to be written; False where they would be too many."""
        if self._bytes + n_bytes > self._max_bytes:
            return False
        self._bytes += n_bytes
        return True

    def warn(self) -> None:
        """Say loudly what is going on."""
        text = WARNING.format(folder=self.folder)
        print(f"ivr: WARNING: {text}", file=sys.stderr, flush=True)  # noqa: T201 - not to be missed
        _log.warning("capturing", folder=str(self.folder))

    def close(self) -> None:
        """Write what waits, and stop."""
        self.thread.shutdown(wait=True)


class Recorder(Tap):
    """The capture of one stream."""

    def __init__(self, folder: CaptureFolder) -> None:
        self._folder = folder
        self._lines: list[str] = []
        self._size = self._taken = self._waiting = 0
        self._stopped = False
        self._call_id: str | None = None
        self._file = _File()
        self._turns = 0

    def received(self, clock_ms: int, message: str | bytes) -> None:
        """Note a message of the provider; a binary one, which is refused, by its length."""
        text = message if isinstance(message, str) else f"({len(message)} bytes)"
        self._add({"ms": clock_ms, "in": text})

    def started(self, started: StreamStarted, served: Served, settings: CallSettings) -> None:
        """Begin the file: what came so far follows the head."""
        now = datetime.datetime.now(datetime.UTC)
        first = capture.head(
            started.call_id,
            started.stream_id,
            settings,
            dialect="twilio",
            ivr=__version__,
            at=now.isoformat(timespec="milliseconds"),
            flow=served.name,
            flow_version=served.version,
            flow_file=None if served.file is None else str(served.file.resolve()),
        )
        self._lines.insert(0, _dump(first))
        self._call_id = started.call_id
        name = f"{now:%Y%m%dT%H%M%S}-{_UNSAFE.sub('_', started.call_id)[:64]}"
        self._file.path = self._folder.folder / f"{name}-{uuid.uuid4().hex[:8]}.jsonl"

    def sent(self, clock_ms: int, message: str) -> None:
        """Note a message to the provider."""
        self._add({"ms": clock_ms, "out": message})

    def heard(
        self, clock_ms: int, utterance_id: int, recognition: Recognition | None, took_ms: float
    ) -> None:
        """Note what the call is told."""
        item = capture.recognition_item(recognition)
        told = {"id": utterance_id, "took_ms": took_ms, "recognition": item}
        self._add({"ms": clock_ms, "heard": told})

    def looked_up(self, clock_ms: int, lookup_id: int, answer: Answer) -> None:
        """Note what the call is told."""
        told = {"id": lookup_id, **capture.answer_item(answer)}
        self._add({"ms": clock_ms, "looked_up": told})

    def transferred(self, clock_ms: int, transfer_id: int, failure: str) -> None:
        """Note what the call is told."""
        self._add({"ms": clock_ms, "transferred": {"id": transfer_id, "failure": failure}})

    def message_taken(self, clock_ms: int, message_id: int, recording_id: str | None) -> None:
        """Note what the call is told."""
        self._add({"ms": clock_ms, "message": {"id": message_id, "kept": recording_id}})

    def ticked(self, clock_ms: int, stalled_s: float) -> None:
        """Note what the call is told."""
        self._add({"ms": clock_ms, "ticked": stalled_s})

    def did(self, call: Call, actions: Sequence[Action]) -> None:
        """Note decisions and actions."""
        for turn in call.turns[self._turns :]:
            self._add({"ms": call.clock_ms, "decided": capture.turn_item(turn)})
        self._turns = len(call.turns)
        if actions:
            items = [capture.action_item(action) for action in actions]
            self._add({"ms": call.clock_ms, "did": items})

    def ended(self, document: Mapping[str, Any]) -> None:
        """Finish the file; a stream without a call leaves none."""
        if self._call_id is None:
            return
        ending = {"outcome": document.get("outcome"), **(document.get("ending") or {})}
        self._add({"ms": 0, "ended": ending})
        self._flush(last=True)

    def _add(self, line: dict[str, Any]) -> None:
        if self._stopped:
            return
        text = _dump(line)
        if self._taken + len(text) > self._folder.max_call_bytes:
            self._stop("capture.max_call_bytes is reached")
        elif not self._folder.take(len(text)):
            self._stop("capture.max_bytes is reached: the folder is full")
        else:
            self._put(text)

    def _put(self, text: str) -> None:
        self._lines.append(text)
        self._size += len(text)
        self._taken += len(text)
        if self._size >= _FLUSHED_BYTES and self._call_id is not None:
            self._flush()

    def _stop(self, why: str) -> None:
        """Write no more of this call."""
        if self._stopped:
            return
        self._put(_dump({"ms": 0, "cut": why}))
        self._stopped = True
        _log.warning("capture_cut", call_id=self._call_id, why=why)

    def _flush(self, *, last: bool = False) -> None:
        text, n_bytes = "".join(self._lines), self._size
        self._lines, self._size = [], 0
        if self._waiting + n_bytes > _WAITING_BYTES:
            self._stopped = True
            _log.error("capture_failed", call_id=self._call_id, why="the disk does not keep up")
            text = ""
        self._waiting += n_bytes
        try:
            loop = asyncio.get_running_loop()
            done = loop.run_in_executor(self._folder.thread, self._file.write, text, last)
        except RuntimeError:
            return  # the server is closing; this call outlived its capture
        done.add_done_callback(lambda _: self._written(n_bytes))

    def _written(self, n_bytes: int) -> None:
        self._waiting -= n_bytes
        if self._file.problem is not None and not self._stopped:
            self._stopped = True
            _log.error("capture_failed", call_id=self._call_id, why=self._file.problem)


class _File:
    """A file on its disk; used by the writing thread alone, once its path is set.

    Attributes:
        path: of the file, which must not exist.
        problem: what the disk said, after which nothing more is written.
    """

    def __init__(self) -> None:
        self.path = Path()
        self.problem: str | None = None
        self._handle: int | None = None

    def write(self, text: str, last: bool) -> None:
        """Append a text; after the last the file is closed."""
        try:
            if self._handle is None and self.problem is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                self._handle = os.open(self.path, flags, 0o600)
            data = memoryview(text.encode("utf-8", "backslashreplace"))
            while data and self.problem is None and self._handle is not None:
                data = data[os.write(self._handle, data) :]
        except OSError as error:
            self.problem = error.strerror or type(error).__name__
        if (last or self.problem is not None) and self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _dump(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"
