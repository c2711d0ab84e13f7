"""Unrelated synthesisers behind one method: text and voice in, samples out.

Theory of operation: no engine but espeak is a dependency of the package; a missing one is left out
with a warning. Each runs inside the process (ctypes, an extension) but festival, which stays open
behind a pipe: starting a synthesiser for every phrase would cost more than its speech. The neural
ones are in `ivr.train.neural`. What they give is raw, at the engine's own rate and level;
`ivr.train.clips` makes a clip of it.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import logging
import os
import re
import select
import shutil
import subprocess
import tempfile
import wave
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.audio.espeak import Espeak
from ivr.errors import ConfigError, IvrError, ModelError
from ivr.train.neural import Kokoro, Piper
from ivr.train.voices import ACCENT, ENGLISH, INSTALL, SAYS_S_FOR_TH, Voice

logger = logging.getLogger(__name__)

ESPEAK_RATE_HZ: Final = 22_050  # the library's own: only `condition` resamples
PICO_RATE_HZ: Final = 16_000

RawSpeech = tuple[NDArray[np.int16], int]
"""Samples [n] int16 mono, and their rate."""


class SynthesisError(IvrError):
    """An engine failed or gave audio that cannot be the phrase."""


class SpeechEngine(Protocol):
    """What all engines have."""

    def speak(self, text: str, voice: Voice) -> RawSpeech:
        """Speak a text; `Voice.shift` is not the engine's business."""
        ...


class _Espeak:
    """espeak-ng, by the binding that the prompts use."""

    def __init__(self) -> None:
        self._espeak = Espeak()
        # The vocabulary and the carriers come again and again.
        self.phonemes = functools.lru_cache(maxsize=4096)(self._phonemes)

    def _phonemes(self, word: str, language: str) -> str:
        """One English word in espeak's phoneme letters, as a foreign speaker says it."""
        if word == "a":  # alone it would be read as the letter, which sounds like "eight"
            return "e"
        letters = []
        for phoneme in self._espeak.phonemes(word, "en-us", "_").split("_"):
            # "," is secondary stress here, a clause's end to speak().
            letter = phoneme.lstrip("',%=")
            stress = "'" if phoneme.startswith("'") else ""
            s_for_th = letter == "T" and language in SAYS_S_FOR_TH
            letters.append(stress + ("s" if s_for_th else ACCENT.get(letter, letter)))
        if word.endswith("teen"):
            # Stressed there by most who learnt English; espeak's English never does.
            unstressed = [letter.lstrip("'") for letter in letters[:-2]]
            letters = [*unstressed, "'" + letters[-2], letters[-1]]
        return "|".join(letters)

    def speak(self, text: str, voice: Voice) -> RawSpeech:
        language = voice.name.split("+")[0]
        if language not in ENGLISH:
            words = re.sub(r"[^\s,.;?!]+", lambda m: self.phonemes(m[0], language), text)
            # One block a clause: a block a word would be spoken with a pause after each.
            text = re.sub(r"([^,.;?!]*[^,.;?! ]) *([,.;?!]|$)", r"[[\1]]\2", words)
        try:
            samples = self._espeak.render(
                text,
                voice.name,
                rate_wpm=round(175 * voice.rate),
                pitch=min(99, max(0, round(50 + 60 * float(np.log2(voice.pitch))))),
                pitch_range=round(50 * voice.pitch_range),
                word_gap=voice.word_gap_ms // 10,
                phonemes=True,
                rate_hz=ESPEAK_RATE_HZ,
            )
        except (ConfigError, ModelError) as error:
            raise SynthesisError(f"espeak: {error}") from error
        return samples, ESPEAK_RATE_HZ


class _FliteVoice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class _FliteWave(ctypes.Structure):
    _fields_ = (
        *(("type", ctypes.c_char_p), ("rate_hz", ctypes.c_int), ("count", ctypes.c_int)),
        *(("channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short))),
    )


class _Flite:
    """CMU flite through its shared libraries."""

    def __init__(self) -> None:
        for part in ("flite", "flite_usenglish", "flite_cmulex"):
            ctypes.CDLL(f"lib{part}.so.1", mode=ctypes.RTLD_GLOBAL)
        self.lib = ctypes.CDLL("libflite.so.1")
        self.lib.flite_init()
        self.lib.flite_text_to_wave.restype = ctypes.POINTER(_FliteWave)
        self.lib.feat_set_float.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)

    @functools.cache  # noqa: B019 - one instance a process
    def voice(self, name: str) -> Any:
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        register.restype = ctypes.POINTER(_FliteVoice)
        return register(None)

    def speak(self, text: str, voice: Voice) -> RawSpeech:
        handle = self.voice(voice.name)
        features = {b"duration_stretch": 1 / voice.rate}
        if voice.name.startswith("kal"):  # 95 and 11 Hz are the voice's own
            features |= {
                b"int_f0_target_mean": 95 * voice.pitch,
                b"int_f0_target_stddev": 11 * voice.pitch_range,
            }
        for key, value in features.items():
            self.lib.feat_set_float(handle.contents.features, key, value)
        result = self.lib.flite_text_to_wave(text.encode("ascii", "ignore"), handle)
        audio = np.ctypeslib.as_array(result.contents.samples, (result.contents.count,)).copy()
        rate_hz: int = result.contents.rate_hz
        self.lib.delete_wave(result)
        return audio, rate_hz


class _Festival:
    """Festival, kept running behind a pipe."""

    TIMEOUT_S = 30.0  # the slowest phrase takes under two

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="festival-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["festival", "--pipe"],  # noqa: S607 - wherever the system's package put it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        weakref.finalize(self, _stop, process)
        return process

    def speak(self, text: str, voice: Voice) -> RawSpeech:
        path = self.folder / "speech.wav"
        path.unlink(missing_ok=True)
        spoken = re.sub(r"[^a-zA-Z0-9,.;?!' ]", "", text)
        lines = [f"(voice_{voice.name})", f"(Parameter.set 'Duration_Stretch {1 / voice.rate:.3f})"]
        if voice.name.endswith("diphone"):  # 105 and 14 Hz are these voices' own
            mean, deviation = 105 * voice.pitch, 14 * voice.pitch_range
            lines.append(
                f"(set! int_lr_params '((target_f0_mean {mean:.0f}) (target_f0_std {deviation:.0f})"
                " (model_f0_mean 170) (model_f0_std 34)))"
            )
        lines += [
            f'(utt.save.wave (SynthText "{spoken}") "{path}" \'riff)',
            '(format t "done\\n")',
            "(fflush nil)",
        ]
        if self.process.poll() is not None:  # it ends at the first error
            self.process = self._start()
        if not self._ask("\n".join(lines) + "\n") or not path.exists():
            self.process.kill()
            self.process.wait()
            raise SynthesisError("festival gave no audio")
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()

    def _ask(self, commands: str) -> bool:
        """Whether festival answers within the time."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            return False
        try:
            stdin.write(commands.encode())
            stdin.flush()
        except BrokenPipeError:
            return False
        ready, _, _ = select.select([stdout], [], [], self.TIMEOUT_S)
        return bool(ready) and bool(stdout.readline())


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


class _Pico:
    """SVOX pico."""

    def __init__(self) -> None:
        self._module: Any = importlib.import_module("ttspico")

    @functools.cache  # noqa: B019 - one instance a process
    def voice(self, name: str) -> Any:
        return self._module.TtsEngine(name)

    def speak(self, text: str, voice: Voice) -> RawSpeech:
        engine = self.voice(voice.name)
        engine.rate, engine.pitch = round(100 * voice.rate), round(100 * voice.pitch)
        return np.frombuffer(engine.speak(text) or b"", np.int16), PICO_RATE_HZ


_ENGINES: dict[str, Callable[[], SpeechEngine]] = {
    "espeak": _Espeak,
    "flite": _Flite,
    "festival": _Festival,
    "pico": _Pico,
    "kokoro": Kokoro,
    "piper": Piper,
}


@functools.cache
def _open(name: str, _process_id: int) -> SpeechEngine:
    return _ENGINES[name]()


def open_engine(name: str) -> SpeechEngine:
    """The engine of this process; a forked child must not use its parent's pipe.

    Raises:
        KeyError: a name that is not in `INSTALL`.
        ImportError, OSError, ModelError: it is not installed.
    """
    return _open(name, os.getpid())


def available_engines() -> list[str]:
    """The engines that can be used here; warns of the others, saying how to install them."""
    found = []
    for name, how in INSTALL.items():
        try:
            open_engine(name)
        except (ImportError, OSError, ModelError):
            logger.warning("speech synthesiser %s is missing: %s", name, how)
        else:
            found.append(name)
    return found
