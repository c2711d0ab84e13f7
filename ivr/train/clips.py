"""One phrase as a clip: 8 kHz, trimmed, at one peak, and long enough to be what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from ivr.train.engines import SynthesisError, open_engine
from ivr.train.voices import Voice

RATE_HZ: Final = 8_000
PEAK: Final = round(32767 * 10 ** (-3 / 20))  # -3 dBFS: headroom for the channel's filters
EDGE_S: Final = 0.05  # silence left at either end
# Relative to the loudest 10 ms; engines have digital silence and breathless onsets.
SILENCE_DB: Final = -40.0

ClipSamples = NDArray[np.int16]
"""[n] int16, mono, 8 kHz."""


def condition(samples: NDArray[Any], rate_hz: float) -> ClipSamples:
    """Resamples, trims silence and sets the peak.

    Args:
        samples: [n] mono, any scale, at rate_hz.
        rate_hz: source rate; it may lie, which shifts formants and pitch (see `Voice.shift`).

    Returns:
        [m] int16 at 8,000 Hz, peak -3 dBFS, at most 50 ms of silence at either end.

    Raises:
        SynthesisError: no sound in it.
    """
    if not len(samples) or not np.any(samples):
        raise SynthesisError("silence")
    audio = soxr.resample(samples.astype(np.float32), rate_hz, RATE_HZ, "HQ")
    hop = RATE_HZ // 100
    frames = audio[: len(audio) // hop * hop].reshape(-1, hop)
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (SILENCE_DB / 10))
    if not len(loud):
        raise SynthesisError("shorter than 10 ms")
    edge = round(EDGE_S * RATE_HZ)
    audio = audio[max(0, loud[0] * hop - edge) : (loud[-1] + 1) * hop + edge]
    return np.asarray(np.round(audio * (PEAK / np.abs(audio).max())), dtype=np.int16)


def render(text: str, voice: Voice) -> ClipSamples:
    """Speaks a text.

    Returns:
        [n] int16, mono, 8,000 Hz, conditioned.

    Raises:
        SynthesisError: the engine failed.
    """
    paced = replace(voice, rate=voice.rate / voice.shift)
    samples, rate_hz = open_engine(voice.engine).speak(text, paced)
    return condition(samples, rate_hz * voice.shift)


def check_clip(audio: ClipSamples, text: str) -> None:
    """Refuses a clip whose length cannot be that of its text.

    Raises:
        SynthesisError: under 0.14 s or over 1.5 s a word, or hardly any energy.
    """
    words, seconds = len(text.split()), len(audio) / RATE_HZ
    if not 0.14 * words + 0.08 <= seconds <= 1.5 * words + 0.6:
        raise SynthesisError(f"{seconds:.2f} s for {words} words")
    # -37 dBFS against a peak of -3; speech has over -33.
    if np.square(audio / 32768).mean() < 2e-4:
        raise SynthesisError("clicks only")
