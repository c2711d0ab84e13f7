"""From a prompt's words to samples that can be sent: recordings, synthesis, and the cache between.

This module is at the edge of `ivr.flow`: unlike its neighbours it reads and writes files and
imports `ivr.audio`. The core never imports it; the server's media pump calls `PromptStore.render`
off the event loop.

Theory of operation: a prompt is a recording of the user's where there is one, and synthesised
speech otherwise. Either is brought to the same level, so that the two can follow each other in one
turn, and its first and last 10 ms are faded, so that joints do not click. What was made is kept in
memory and, under a name that is the hash of everything that shaped it, on disk. Prompts that hold
what the caller said are made anew each time (about 20 ms) and kept nowhere. The cache is an economy
and never a condition: a full, read-only or damaged one costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.espeak import Espeak
from ivr.audio.level import level_speech
from ivr.audio.wav import read_speech, write_wav
from ivr.errors import AudioError
from ivr.flow.machine import Prompt

RATE_HZ: Final = 8000
LEVEL_DBFS: Final = -16.0
FADE_S: Final = 0.01
# The synthesiser leaves 1 ms before and 10 to 60 ms after its speech; sentences that follow each
# other in one turn need a breath between them.
_LEAD_S: Final = 0.02
_TAIL_S: Final = 0.2
_SILENT: Final = 33  # -60 dBFS, in int16 steps: what lies under it at either end is no speech
_SUFFIXES: Final = (".wav", ".flac")
_KEPT: Final = 256  # prompts in memory, about 40 kB each
_RECIPE: Final = "1"  # to be changed with anything here that changes how a prompt sounds


class PromptStore:
    """Renders prompts. Safe to call from several threads.

    Args:
        cache_dir: where synthesised prompts are kept between runs, made when first needed; None
            keeps them in memory only.
        recordings_dir: where the user's recordings are, ``<recording>.wav`` or ``.flac``, any rate.
        voice: as for `ivr.audio.espeak.Espeak.render`.
        rate_wpm: speed of the synthesised speech; about 150 is easy to follow over the telephone.

    Raises:
        ModelError: the synthesiser is missing.
        ConfigError: it has no such voice, or cannot speak so slowly or fast.

    State: the last 256 prompts that are not personal; nothing that a caller said.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        recordings_dir: Path | None = None,
        voice: str = "en-us",
        rate_wpm: int = 150,
    ) -> None:
        self._cache_dir = cache_dir
        self._recordings_dir = recordings_dir
        self._voice = voice
        self._rate_wpm = rate_wpm
        self._espeak = Espeak()
        self._espeak.render("a", voice, rate_wpm=rate_wpm)  # a wrong voice is told at start
        self._kept: OrderedDict[Prompt, NDArray[np.int16]] = OrderedDict()
        self._lock = threading.Lock()

    def render(self, prompt: Prompt) -> NDArray[np.int16]:
        """The prompt as it is sent.

        Args:
            prompt: what to say; a personal one leaves no trace.

        Returns:
            [n] int16 at 8 kHz, speech at about -16 dBFS, its ends faded to zero; read-only, for it
            is shared by all calls.

        Raises:
            AudioError: the prompt's recording cannot be decoded; the message names the file.
            ModelError: the synthesiser failed.
        """
        if prompt.personal:
            return _finish(self._synthesise(prompt.text))
        with self._lock:
            if (kept := self._kept.get(prompt)) is not None:
                self._kept.move_to_end(prompt)
                return kept
        recording = self._recording(prompt.recording)
        samples = _finish(read_speech(recording)) if recording else self._cached(prompt.text)
        with self._lock:
            self._kept[prompt] = samples
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return samples

    def warm(self, prompts: Iterable[Prompt]) -> None:
        """Render prompts ahead of the first call, so that a broken recording is told at start.

        Raises:
            AudioError: as `render`.
        """
        for prompt in prompts:
            self.render(prompt)

    def _recording(self, name: str | None) -> Path | None:
        if name is None or self._recordings_dir is None:
            return None
        for suffix in _SUFFIXES:
            path = self._recordings_dir / (name + suffix)
            if path.is_file():
                return path
        return None

    def _synthesise(self, text: str) -> NDArray[np.int16]:
        spoken = self._espeak.render(text, self._voice, rate_wpm=self._rate_wpm)
        return _pad(_trim(spoken))

    def _cached(self, text: str) -> NDArray[np.int16]:
        if self._cache_dir is None:
            return _finish(self._synthesise(text))
        shaped_by = (_RECIPE, self._espeak.version, self._voice, str(self._rate_wpm), text)
        name = hashlib.sha256("\0".join(shaped_by).encode()).hexdigest()
        path = self._cache_dir / f"{name[:32]}.wav"
        if path.is_file():
            try:
                return _frozen(read_speech(path))
            except AudioError:
                pass  # cut off or damaged: made again below, and written over
        samples = _finish(self._synthesise(text))
        self._keep_on_disk(path, samples)
        return samples

    def _keep_on_disk(self, path: Path, samples: NDArray[np.int16]) -> None:
        """Write under another name and move into place: a reader never sees half a file."""
        unfinished = path.with_suffix(f".{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(unfinished, samples, RATE_HZ)
            unfinished.replace(path)
        except (AudioError, OSError):
            # No space or no right to write: the prompt is made anew after the next start.
            try:
                unfinished.unlink(missing_ok=True)
            except OSError:
                return


def _trim(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Speech without the silence around it."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENT)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def _pad(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.pad(samples, (round(_LEAD_S * RATE_HZ), round(_TAIL_S * RATE_HZ)))


def _finish(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Levelled, faded in and out, and read-only."""
    faded = level_speech(samples, LEVEL_DBFS, RATE_HZ).astype(np.float64)
    length = min(round(FADE_S * RATE_HZ), len(faded) // 2)
    if length:
        ramp = np.linspace(0.0, 1.0, length, endpoint=False)
        faded[:length] *= ramp
        faded[-length:] *= ramp[::-1]
    return _frozen(np.rint(faded).astype(np.int16))


def _frozen(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    samples.setflags(write=False)
    return samples
