"""What is heard beside the caller, and what the network does to both.

Theory of operation: everything that needs the whole signal (noise of a colour, the band that
passes) is made before the call is placed; what happens packet by packet (`Losses`) is decided while
it runs, by lots of the script's seed. The same script gives the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.simulate.script import CallerVoice, LineQuality, Noise, NoiseKind

RATE_HZ: Final = 8000
LOOP_S: Final = 20.0  # of background, repeated; longer than any answer, so nothing learns it
FRAME_SAMPLES: Final = 160
_SLOPES: Final = {NoiseKind.WHITE: 0.0, NoiseKind.PINK: 0.5, NoiseKind.BROWN: 1.0}  # of amplitude
_LOWEST_HZ: Final = 20.0
_MAINS_HZ: Final = 50.0
_EDGE: Final = 8  # order of the band's edges: 48 dB an octave, as a telephone's filter
_CONCEALED: Final = 0.5  # each further packet of a gap is so much softer

Samples = NDArray[np.int16]
Signal = NDArray[np.float64]

BABBLE: Final = (
    ("en-us+m3", "we were going to meet them at the station but the train was late again"),
    ("en-gb+f2", "and then she said that nobody had told her about the new opening hours at all"),
    ("en-us+f4", "could you pass me that folder please, no, the other one over there"),
    ("en-gb-scotland+m5", "I have never seen it rain like that in all the years that I lived here"),
    ("en-us+m7", "he asked for two coffees and something to eat, but they had nothing left"),
)
"""Voices that talk at once, and what they say."""


def noise_of(caller: CallerVoice) -> Noise | None:
    """The noise of a script, however it is written."""
    if caller.noise_dbfs is not None:
        return Noise(level_dbfs=caller.noise_dbfs)
    return caller.noise


def background(caller: CallerVoice, line: LineQuality, talk: Sequence[Samples]) -> Signal | None:
    """What is heard behind the caller, to be repeated.

    Args:
        caller: whose noise it is, and how loud the speech is that it is measured by.
        line: whose band it passes.
        talk: what is said by others, for babble.

    Returns:
        [LOOP_S x 8000] float64 in int16 steps; ``None`` for silence.
    """
    noise = noise_of(caller)
    if noise is None:
        return None
    lots = np.random.default_rng(caller.seed)
    level_dbfs = noise.level_dbfs
    if level_dbfs is None:
        assert noise.snr_db is not None  # noqa: S101 - one of the two is there
        level_dbfs = caller.level_dbfs - noise.snr_db
    made = _passed(_make(noise.kind, lots, talk), line)
    rms = float(np.sqrt(np.mean(np.square(made))))
    return np.asarray(made * (32768.0 * 10 ** (level_dbfs / 20) / max(rms, 1e-9)))


def through_line(samples: Samples, line: LineQuality) -> Samples:
    """Speech as it leaves a line that loses nothing: [n] int16."""
    if line.band_hz is None and line.gain_db == 0.0:
        return samples
    passed = _passed(samples.astype(np.float64), line) * 10 ** (line.gain_db / 20)
    return np.clip(np.rint(passed), -32768, 32767).astype(np.int16)


class Losses:
    """Which packets of a line arrive, by lots: Gilbert's model of bursts.

    Args:
        line: how many are lost, and how many in a row.
        seed: of the lots.
    """

    def __init__(self, line: LineQuality, seed: int) -> None:
        self._lots = np.random.default_rng((seed, 1))  # other lots than the noise's
        self._ends = 1.0 / line.loss_burst
        # So that the share of lost ones comes out as asked for.
        self._begins = min(1.0, self._ends * line.loss / (1.0 - line.loss))
        self._conceal = line.conceal
        self._losing = False
        self._last = np.zeros(FRAME_SAMPLES)

    def pass_on(self, frame: Signal) -> Signal:
        """A packet of [160], or what is heard instead."""
        if self._begins == 0.0:
            return frame
        changes = self._lots.random() < (self._ends if self._losing else self._begins)
        self._losing = self._losing != changes
        if not self._losing:
            self._last = frame
        else:
            self._last = self._last * (_CONCEALED if self._conceal else 0.0)
        return self._last


def _passed(signal: Signal, line: LineQuality) -> Signal:
    """A signal through the line's band."""
    if line.band_hz is None or not signal.size:
        return signal
    low_hz, high_hz = line.band_hz
    # Twice the length: what rings on at the end must not come out at the beginning.
    hz = np.maximum(np.fft.rfftfreq(2 * signal.size, 1 / RATE_HZ), 1e-3)
    gain = 1 / np.sqrt((1 + (low_hz / hz) ** (2 * _EDGE)) * (1 + (hz / high_hz) ** (2 * _EDGE)))
    passed = np.fft.irfft(np.fft.rfft(signal, 2 * signal.size) * gain, 2 * signal.size)
    return np.asarray(passed[: signal.size])


def _make(kind: NoiseKind, lots: np.random.Generator, talk: Sequence[Samples]) -> Signal:
    """Noise of a kind, of any level."""
    n = round(LOOP_S * RATE_HZ)
    if kind is NoiseKind.BABBLE:
        return _babble(lots, talk, n)
    if kind is NoiseKind.HUM:
        time_s = np.arange(n) / RATE_HZ
        overtones = [np.sin(2 * np.pi * _MAINS_HZ * k * time_s) / k for k in range(1, 12)]
        return np.asarray(np.sum(overtones, axis=0) + 0.02 * lots.standard_normal(n))
    hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), _LOWEST_HZ)
    coloured = np.fft.rfft(lots.standard_normal(n)) * hz ** -_SLOPES[kind]
    return np.asarray(np.fft.irfft(coloured, n))


def _babble(lots: np.random.Generator, talk: Sequence[Samples], n: int) -> Signal:
    """Everybody talks, each from a moment of his own."""
    mixed = np.zeros(n)
    for voice in talk:
        loud = voice.astype(np.float64)
        loud /= max(float(np.sqrt(np.mean(np.square(loud)))), 1e-9)
        repeated = np.tile(loud, n // loud.size + 1)[:n]
        mixed += np.roll(repeated, int(lots.integers(n))) * lots.uniform(0.5, 1.0)
    return mixed
