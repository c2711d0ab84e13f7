"""Keys as a telephone sends them, with whatever a line does to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.audio.dtmf import HIGH_HZ, KEYS, LOW_HZ
from ivr.audio.g711 import mulaw_decode, mulaw_encode

SINES_HZ = {
    key: (LOW_HZ[row], HIGH_HZ[column])
    for row, keys in enumerate(KEYS)
    for column, key in enumerate(keys)
}


def tone(
    key: str,
    ms: float = 40,
    *,
    dbfs: float = -16.0,
    twist_db: float = 0.0,
    off: float = 0.0,
    phase: float = 0.0,
) -> NDArray[np.float64]:
    """One key.

    Args:
        key: what is pressed.
        ms: how long.
        dbfs: RMS of the low sine, against a square wave of full scale.
        twist_db: the high sine over the low one.
        off: how far both frequencies are off, as a share.
        phase: of both sines at the start, radians.
    """
    time_s = np.arange(int(ms * 8)) / 8000
    low_hz, high_hz = (hz * (1 + off) for hz in SINES_HZ[key])
    amplitude = 32768 * np.sqrt(2) * 10 ** (dbfs / 20)
    low, high = (np.sin(2 * np.pi * hz * time_s + phase) for hz in (low_hz, high_hz))
    return np.asarray(amplitude * (low + 10 ** (twist_db / 20) * high))


def silence(ms: float) -> NDArray[np.float64]:
    """Nothing."""
    return np.zeros(int(ms * 8))


def noise(samples: int, dbfs: float, seed: int = 1) -> NDArray[np.float64]:
    """White noise of this level."""
    return np.random.default_rng(seed).normal(0, 32768 * 10 ** (dbfs / 20), samples)


def line(*parts: NDArray[np.float64], noise_dbfs: float | None = None) -> NDArray[np.int16]:
    """The parts in a row, as they come out of mu-law."""
    samples = np.concatenate(parts)
    if noise_dbfs is not None:
        samples = samples + noise(samples.size, noise_dbfs)
    return mulaw_decode(mulaw_encode(np.clip(samples, -32768, 32767).astype(np.int16)))
