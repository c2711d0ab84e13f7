"""From a prompt's words to samples that can be sent: recordings, synthesis, and the cache between.

Theory of operation: a prompt is a recording of the user's where there is one, and synthesised
speech otherwise. One that speaks values is joined where any part of it is recorded
(`ivr.prompts.recordings`), the rest of it synthesised; otherwise it is synthesised as a whole,
which sounds best. All is brought to the same level, so that one can follow the other in a turn, and
faded over 10 ms at either end, so that joints do not click. What was made is kept in memory and,
under a name that is the hash of everything that shaped it, on disk. Prompts that hold what the
caller said are made anew each time (about 20 ms with espeak-ng) and kept nowhere; the flow's own
words in them are kept as any others. The cache is an economy and never a condition: a full,
read-only or damaged one costs time and nothing else.
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

from ivr.audio.wav import read_speech, write_wav
from ivr.config import PromptSettings
from ivr.errors import AudioError
from ivr.flow.text import says_something
from ivr.flow.turn import BEEP, Piece, Prompt
from ivr.prompts.recordings import Recordings
from ivr.prompts.shaping import RATE_HZ, beep, finish, frozen, join, pad, trim, trim_recording
from ivr.prompts.voices import Synthesiser, VoiceOptions, open_voice

_KEPT: Final = 256  # prompts in memory, about 40 kB each
_RECIPE: Final = "2"  # to be changed with anything here that changes how a prompt sounds

# Between the parts of a joined prompt: what a voice does at the signs between them.
_JOINT_S: Final = 0.06
_COMMA_S: Final = 0.2
_STOP_S: Final = 0.35
_STOPS: Final = ".;:!?\u2013\u2014"  # the last two are dashes
_SIGNS: Final = _STOPS + " \t\n,\"'-"


class PromptStore:
    """Renders prompts. Safe to call from several threads.

    Args:
        voice: of what is not recorded.
        cache_dir: where synthesised prompts are kept between runs, made when first needed; None
            keeps them in memory only.
        recordings_dir: where the user's recordings are, ``<recording>.wav`` or ``.flac``, any rate.

    State: the last 256 prompts that are not personal, and the words of recorded numbers; nothing
        that a caller said.
    """

    def __init__(
        self,
        voice: Synthesiser,
        cache_dir: Path | None = None,
        recordings_dir: Path | None = None,
    ) -> None:
        self._voice = voice
        self._cache_dir = cache_dir
        self._recordings = Recordings(recordings_dir)
        self._kept: OrderedDict[Prompt, NDArray[np.int16]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: PromptSettings) -> PromptStore:
        """The store of a configuration, its synthesiser loaded.

        Raises:
            ConfigError: there is no such synthesiser or voice, or its options are wrong.
            ModelError: it cannot be loaded.
        """
        options = VoiceOptions(settings.voice, settings.rate_wpm, settings.engine_options)
        voice = open_voice(settings.engine, options)
        return cls(voice, settings.cache_dir, settings.recordings_dir)

    def render(self, prompt: Prompt) -> NDArray[np.int16]:
        """The prompt as it is sent.

        Args:
            prompt: what to say; a personal one leaves no trace.

        Returns:
            [n] int16 at 8 kHz, speech at about -16 dBFS, its ends faded to zero; read-only, for it
            is shared by all calls.

        Raises:
            AudioError: the prompt's recording cannot be decoded; the message names the file.
            ConfigError: the synthesiser does not speak the prompt's language.
            ModelError: the synthesiser failed.
        """
        if prompt.personal:
            joined = self._joined(prompt)
            return finish(self._synthesise(prompt)) if joined is None else joined
        with self._lock:
            if (kept := self._kept.get(prompt)) is not None:
                self._kept.move_to_end(prompt)
                return kept
        samples = self._make(prompt)
        with self._lock:
            self._kept[prompt] = samples
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return samples

    def warm(self, prompts: Iterable[Prompt]) -> None:
        """Render prompts ahead of the first call, so that a broken recording is told at start.

        Raises:
            AudioError, ConfigError: as `render`.
        """
        for prompt in prompts:
            self.render(prompt)

    def _make(self, prompt: Prompt) -> NDArray[np.int16]:
        recording = self._recordings.find(prompt.recording, prompt.language)
        if recording is not None:
            return finish(read_speech(recording))
        if prompt == BEEP:
            return beep()
        joined = self._joined(prompt)
        return self._cached(prompt) if joined is None else joined

    def _synthesise(self, prompt: Prompt) -> NDArray[np.int16]:
        return pad(trim(self._voice.speak(prompt.text, prompt.language)))

    # -- prompts that speak values ----------------------------------------------------------------

    def _joined(self, prompt: Prompt) -> NDArray[np.int16] | None:
        """A prompt put together from its parts; None where none of them is recorded."""
        recorded = [self._recorded(piece, prompt.language) for piece in prompt.pieces]
        if all(samples is None for samples in recorded):
            return None
        parts: list[tuple[float, NDArray[np.int16]]] = []
        signs = ""
        for piece, samples in zip(prompt.pieces, recorded, strict=True):
            words = piece.text.strip(_SIGNS)
            if not says_something(words):
                signs += piece.text
                continue
            before, _, after = piece.text.partition(words)
            spoken = (words + after).strip()
            heard = self._spoken(piece, spoken, prompt.language) if samples is None else samples
            parts.append((_pause_s(signs + before), heard))
            signs = after
        return frozen(pad(join(parts)))

    def _recorded(self, piece: Piece, language: str | None) -> NDArray[np.int16] | None:
        if piece.recording is None:
            return self._recordings.number(piece.text, language)
        path = self._recordings.find(piece.recording, language)
        return None if path is None else trim_recording(finish(read_speech(path)))

    def _spoken(self, piece: Piece, text: str, language: str | None) -> NDArray[np.int16]:
        """A part that is not recorded: the flow's own words by way of the cache, a value not."""
        prompt = Prompt(text, personal=piece.recording is None, language=language)
        return trim(self.render(prompt))

    # -- the cache --------------------------------------------------------------------------------

    def _cached(self, prompt: Prompt) -> NDArray[np.int16]:
        if self._cache_dir is None:
            return finish(self._synthesise(prompt))
        shaped_by = (_RECIPE, self._voice.identity, prompt.language or "", prompt.text)
        name = hashlib.sha256("\0".join(shaped_by).encode()).hexdigest()
        path = self._cache_dir / f"{name[:32]}.wav"
        if path.is_file():
            try:
                return frozen(read_speech(path))
            except AudioError:
                pass  # cut off or damaged: made again below, and written over
        samples = finish(self._synthesise(prompt))
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


def _pause_s(signs: str) -> float:
    """How long a voice pauses at the signs between two parts."""
    if any(sign in signs for sign in _STOPS):
        return _STOP_S
    return _COMMA_S if "," in signs else _JOINT_S
