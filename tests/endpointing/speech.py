"""Synthetic speech for the endpointer's tests: vowels, fricatives, clicks, noise, from seeds.

Everything is float64 at 8 kHz until `line` puts it on the wire. Levels are RMS in dBFS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_decode, mulaw_encode

RATE_HZ = 8000
Signal = NDArray[np.float64]


def silence(ms: int) -> Signal:
    """Digital silence."""
    return np.zeros(ms * 8)


def leveled(signal: Signal, dbfs: float) -> Signal:
    """The signal at an RMS level."""
    return signal / np.sqrt(np.mean(signal**2)) * 32768 * 10 ** (dbfs / 20)


def noise(ms: int, dbfs: float, seed: int = 1) -> Signal:
    """White noise."""
    return leveled(np.random.default_rng(seed).standard_normal(ms * 8), dbfs)


def fricative(ms: int, dbfs: float = -40.0, seed: int = 2) -> Signal:
    """A soft "s": noise above 2 kHz."""
    hiss = np.random.default_rng(seed).standard_normal(ms * 8 + 2)
    return leveled(hiss[2:] - 1.6 * hiss[1:-1] + 0.8 * hiss[:-2], dbfs)


def vowel(ms: int, dbfs: float = -20.0, pitch_hz: float = 125.0) -> Signal:
    """A pulse train through resonances at 700, 1,200 and 2,600 Hz, with 5 ms edges."""
    n = ms * 8
    source = np.zeros(n)
    source[
        (np.arange(0, n * pitch_hz / RATE_HZ) * RATE_HZ / pitch_hz).astype(int).clip(0, n - 1)
    ] = 1.0
    out = source
    for hz, width_hz in ((700, 90), (1200, 110), (2600, 160)):
        radius = np.exp(-np.pi * width_hz / RATE_HZ)
        a1, a2 = -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2
        response = np.zeros(200)
        for i in range(200):
            response[i] = (i == 0) - a1 * response[i - 1] * (i > 0) - a2 * response[i - 2] * (i > 1)
        out = np.convolve(out, response)[:n]
    ramp = np.minimum(1.0, np.minimum(np.arange(n), np.arange(n)[::-1]) / 40)
    return leveled(out * ramp, dbfs)


def digit(dbfs: float = -20.0) -> Signal:
    """A word like "six": soft hiss, vowel, closure, hiss; 460 ms."""
    return np.concatenate([fricative(120), vowel(180, dbfs), silence(60), fricative(100)])


def line(*parts: Signal, noise_dbfs: float | None = -62.0) -> NDArray[np.int16]:
    """The parts one after the other, on a line with noise, through mu-law."""
    signal = np.concatenate(parts)
    if noise_dbfs is not None:
        signal = signal + noise(signal.shape[0] // 8 + 1, noise_dbfs, seed=9)[: signal.shape[0]]
    samples = np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
    return mulaw_decode(mulaw_encode(samples))
