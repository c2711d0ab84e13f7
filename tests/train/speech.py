"""Small sets of made-up speech, packed as training wants them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def word_tone(word: str, ms: int = 300, margin_ms: int = 200) -> NDArray[np.float32]:
    """A tone of its own for each digit word, between silences.

    Returns:
        [n] float32, 8 kHz.
    """
    place = WORDS.index(word) if word in WORDS else len(WORDS)
    time_s = np.arange(ms * 8) / RATE_HZ
    tone = 0.2 * np.sin(2 * np.pi * (300 + 150 * place) * time_s)
    margin = np.zeros(margin_ms * 8)
    return np.concatenate([margin, tone, margin]).astype(np.float32)


def encode_wav(samples: NDArray[np.float32], rate_hz: int = RATE_HZ) -> bytes:
    """A 16-bit WAV in memory."""
    sink = io.BytesIO()
    soundfile.write(sink, samples, rate_hz, subtype="PCM_16", format="WAV")
    return sink.getvalue()


def write_set(
    folder: Path, rows: Sequence[Mapping[str, str]], recordings: Mapping[str, bytes]
) -> Path:
    """A folder with a manifest.csv of these rows and these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in recordings.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def word_set(folder: Path, speakers: Sequence[str] = ("ann", "bob")) -> Path:
    """Every digit by every speaker once, and a word that is no number."""
    rows, recordings = [], {}
    for speaker in speakers:
        for word in (*WORDS, "banana"):
            name = f"{speaker}/{word}.wav"
            rows.append({"file": name, "word": word, "speaker": speaker})
            recordings[name] = encode_wav(word_tone(word))
    return write_set(folder, rows, recordings)
