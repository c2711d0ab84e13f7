"""Speech that depends on its text and voice alone, whatever was spoken before it.

Theory of operation: espeak's oscillators run on from render to render (`ivr.audio.espeak`), so the
same words come out some samples longer or shorter after others. A test must come out the same
whether it runs alone or among fifty at once. So each text is spoken by a process that has spoken
nothing before: a helper that has everything imported forks for each, which takes milliseconds. What
was spoken is kept, for prompts and answers come again.

The helper reads one JSON line a request, and answers with one JSON line and the samples.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from ivr.audio.espeak import Espeak
from ivr.errors import ConfigError, ModelError

_COMMAND: Final = (sys.executable, "-c", "from ivr.testing.voices import serve; serve()")
_ERRORS: Final = {"ConfigError": ConfigError, "ModelError": ModelError}
_DIED: Final = "the synthesiser died while it spoke"


class FreshVoice(Espeak):
    """espeak, by a process of its own for each text; safe to use from several threads.

    A context: its helper process ends with it.

    State: what was spoken so far, by its words and voice.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._spoken: dict[str, NDArray[np.int16]] = {}
        self._helper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the helper."""
        with self._lock:
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.communicate()

    def render(
        self,
        text: str,
        voice: str = "en-us",
        *,
        variant: str | None = None,
        rate_wpm: int = 150,
        pitch: int = 50,
        pitch_range: int = 50,
        word_gap: int = 0,
        phonemes: bool = False,
        rate_hz: int = 8000,
    ) -> NDArray[np.int16]:
        """As `ivr.audio.espeak.Espeak.render`."""
        options = {
            "voice": voice,
            "variant": variant,
            "rate_wpm": rate_wpm,
            "pitch": pitch,
            "pitch_range": pitch_range,
            "word_gap": word_gap,
            "phonemes": phonemes,
            "rate_hz": rate_hz,
        }
        request = json.dumps({"text": text, **options})
        with self._lock:
            if request not in self._spoken:
                self._spoken[request] = self._ask(request)
            return self._spoken[request].copy()

    def _ask(self, request: str) -> NDArray[np.int16]:
        if self._helper is None:
            pipe = subprocess.PIPE
            self._helper = subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe)  # noqa: S603 - ours
        stdin, stdout = self._helper.stdin, self._helper.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018, S101 - they were asked for
        try:
            stdin.write(request.encode() + b"\n")
            stdin.flush()
        except OSError as error:
            raise ModelError(_DIED) from error
        head = stdout.readline()
        if not head:
            raise ModelError(_DIED)
        answer = json.loads(head)
        if "error" in answer:
            raise _ERRORS.get(answer["kind"], ModelError)(answer["error"])
        return np.frombuffer(stdout.read(answer["samples"] * 2), np.int16)


def serve() -> None:
    """The helper: speak what is asked for on standard input, until that ends."""
    espeak = Espeak()  # loaded once, and never spoken with here
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            _speak(espeak, json.loads(line), sys.stdout.buffer)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            _refuse("ModelError", _DIED, sys.stdout.buffer)


def _speak(espeak: Espeak, request: dict[str, Any], out: IO[bytes]) -> None:
    """Answer one request, in a process of its own."""
    try:
        samples = espeak.render(request.pop("text"), **request)
    except (ConfigError, ModelError) as error:
        _refuse(type(error).__name__, str(error), out)
        return
    out.write(json.dumps({"samples": len(samples)}).encode() + b"\n" + samples.tobytes())
    out.flush()


def _refuse(kind: str, text: str, out: IO[bytes]) -> None:
    out.write(json.dumps({"kind": kind, "error": text}).encode() + b"\n")
    out.flush()
