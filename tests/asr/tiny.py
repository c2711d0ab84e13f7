"""The tiny model: it hears tones as words (see data/make_tiny.py) and loads at once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.asr.model_files import ModelDescription, write_description

TINY = Path(__file__).parent / "data" / "tiny"
TONES_HZ = {"four": 600, "one": 1000, "five": 1500, "yes": 2200, "<other>": 3000}
DESCRIPTION = ModelDescription(
    name="tiny", n_mels=80, stack=2, level=False, frame_ms=40, max_columns=500, max_tokens=16
)


def make_model(folder: Path, **changes: object) -> Path:
    """A model's folder with the tiny model in it.

    Args:
        folder: is made.
        changes: of fields of the description.
    """
    folder.mkdir(parents=True)
    for path in TINY.glob("*.onnx"):
        shutil.copy(path, folder)
    write_description(folder, replace(DESCRIPTION, **changes))  # type: ignore[arg-type]
    return folder


def tones(words: str, *, word_ms: int = 200, gap_ms: int = 120) -> NDArray[np.int16]:
    """The words as the tiny model wants them: [n] int16, 8 kHz, silence around each."""
    gap = np.zeros(gap_ms * 8)
    time_s = np.arange(word_ms * 8) / 8000
    parts = [gap]
    for word in words.split():
        parts += [3000 * np.sin(2 * np.pi * TONES_HZ[word] * time_s), gap]
    return np.concatenate(parts).astype(np.int16)


def voiced(words: str, *, word_ms: int = 240, gap_ms: int = 100) -> NDArray[np.int16]:
    """The words as an endpointer takes them for speech, too: [n] int16, 8 kHz.

    Each tone is a formant of a voice of 100 Hz, of which all the tones are multiples.
    """
    time_s = np.arange(word_ms * 8) / 8000
    edges = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.02)
    parts = [np.zeros(0)]
    for word in words.split():
        harmonics = {100: 0.5, 200: 0.5, 300: 0.5}  # the voice itself, below all the tones
        harmonics |= {TONES_HZ[word] + offset: 0.5 for offset in (-100, 100)}
        harmonics[TONES_HZ[word]] = 1.0
        wave = sum(level * np.cos(2 * np.pi * hz * time_s) for hz, level in harmonics.items())
        parts += [3000 * edges * wave, np.zeros(gap_ms * 8)]
    return np.concatenate(parts[:-1]).astype(np.int16)
