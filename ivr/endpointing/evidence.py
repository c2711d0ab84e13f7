"""What one frame says about speech besides the VAD: its level, the line's noise, its pitch.

Theory of operation: webrtcvad alone cannot guard a call. On this project's noise recordings
(dishes, tap, rain, wind, white and pink noise) it calls 15 to 100 % of the frames speech, at every
aggressiveness. Two more witnesses mend that:

* **Level over the line's noise.** `NoiseLevel` remembers two seconds of frame levels from between
  the utterances. Its median and 90th percentile say how loud this line is when nobody speaks, and a
  frame that stays within them is not speech, whatever the VAD says. Percentiles, since a minimum
  underrates unsteady noise and a mean is pulled up by a click.
* **Pitch.** Every syllable has a voiced nucleus, and a voiced frame repeats itself every 2.5 to 17
  ms; clicks, coughs, water and hiss do not. `periodicity` measures that on the frame whitened by
  its own linear prediction and low-passed at 1.5 kHz. Whitening takes away the spectral colour,
  which alone makes low-pitched noise resemble itself at short lags; the low-pass takes away the
  upper band, where whitening would raise the noise over the voice. With the threshold at which
  noise crosses it 1.5 times a minute for 60 ms of a 200 ms window, these shares of 150 dev words
  have 60 ms of nuclei (clean, 10 dB, 5 dB SNR): low-pass at 1.5 kHz 99, 91, 80 %; at 1.2 kHz 99,
  89, 75; at 1.0 kHz 99, 87, 72. A 60 ms window was worse, orders 6 and 10 no better.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.endpointing.vad import FRAME_SAMPLES, RATE_HZ

SILENCE_DBFS: Final = -96.0  # digital silence, and every frame quieter than one int16 step

_FULL_SCALE: Final = 32768.0

_HISTORY_FRAMES: Final = 100  # 2 s: longer than a word, shorter than the wait for a lorry to pass
_KNOWN_FRAMES: Final = 25  # 0.5 s of line before its percentiles mean something
_PENDING_FRAMES: Final = (
    25  # 0.5 s until a frame counts as noise: a word must not raise its own gate
)
_RECENT_FRAMES: Final = 75  # 1.5 s: fluent speech dips near the noise within that, noise does not
_SMOOTH_FRAMES: Final = 3  # one frame's minimum is chance

WINDOW_SAMPLES: Final = 2 * FRAME_SAMPLES

_MIN_LAG: Final = 20  # 400 Hz, a child or a raised voice
_MAX_LAG: Final = 133  # 60 Hz, a creaky low voice
_LPC_ORDER: Final = 8  # the usual order for 8 kHz: the rate in kHz
_VOICE_BAND_HZ: Final = 1500.0  # 1,000 and 1,200 Hz were worse, see the theory of operation
_LOWPASS_TAPS: Final = 33


def level_dbfs(frame: NDArray[np.int16]) -> float:
    """RMS level of a frame.

    Args:
        frame: [n] int16, n >= 1.

    Returns:
        dBFS, where a full-scale square wave is 0; never under `SILENCE_DBFS`.
    """
    floats = frame.astype(np.float64)
    power = float(np.dot(floats, floats)) / frame.shape[0]
    if power < 1.0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10.0 * float(np.log10(power)) - 20.0 * float(np.log10(_FULL_SCALE)))


class NoiseLevel:
    """How loud the line is while nobody speaks.

    State: the levels of the last two seconds outside utterances and of the last 1.5 s anywhere;
    `reset` forgets both.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the line."""
        self._between: deque[float] = deque(maxlen=_HISTORY_FRAMES)
        self._pending: deque[float] = deque()
        self._last: deque[float] = deque(maxlen=_SMOOTH_FRAMES)
        self._recent: deque[float] = deque(maxlen=_RECENT_FRAMES)

    def add(self, frame_dbfs: float, in_speech: bool) -> None:
        """Take the next frame's level.

        Args:
            frame_dbfs: its level.
            in_speech: it belongs to an utterance (pauses included), so it does not count as noise.
        """
        self._last.append(frame_dbfs)
        self._recent.append(sum(self._last) / len(self._last))
        if in_speech:
            # What came just before the start was its beginning, not noise.
            self._pending.clear()
            return
        self._pending.append(frame_dbfs)
        if len(self._pending) > _PENDING_FRAMES:
            self._between.append(self._pending.popleft())

    @property
    def known(self) -> bool:
        """Whether enough of the line was heard to judge its noise."""
        return len(self._between) >= _KNOWN_FRAMES

    def gate_dbfs(self, over_median_db: float, over_loud_db: float) -> float:
        """The level that a frame must exceed to be more than noise.

        Args:
            over_median_db: margin over the median: what steady noise needs.
            over_loud_db: margin over the 90th percentile: what unsteady noise needs.

        Returns:
            The higher of the two, and of the quietest recent moment plus `over_median_db`, which
            follows a noise that rises during an utterance. `SILENCE_DBFS` while the line is not
            known.
        """
        if not self.known:
            return SILENCE_DBFS
        ranked = sorted(self._between)
        median, loud = ranked[len(ranked) // 2], ranked[len(ranked) * 9 // 10]
        gate = max(median + over_median_db, loud + over_loud_db)
        if len(self._recent) == _RECENT_FRAMES:
            gate = max(gate, min(self._recent) + over_median_db)
        return gate


def periodicity(window: NDArray[np.int16]) -> float:
    """How nearly the sound repeats itself at some pitch of a human voice.

    Args:
        window: [320] int16, 8 kHz: 40 ms, which hold two periods of the lowest voice.

    Returns:
        0..1: the highest peak of the normalised cross-correlation of the whitened, low-passed
        window with itself, 2.5 to 16.6 ms (400 to 60 Hz) later; 0 where there is no peak. White
        noise lies at 0.26 (median) to 0.41 (99th percentile), clear vowels over 0.6.

    Source: Markel 1972 (SIFT: pitch from the inverse-filtered, low-passed signal); Talkin 1995
        (RAPT) for the normalisation.
    """
    residual = _voice_band(window.astype(np.float64))
    # The last stretch against each earlier stretch of its own length, so that all lags weigh alike.
    stretch = residual[_MAX_LAG:]
    products = np.correlate(residual, stretch, "valid")
    energy = np.concatenate(([0.0], np.cumsum(residual * residual)))
    energies = energy[stretch.shape[0] :] - energy[: products.shape[0]]
    scale = np.sqrt(energies * energies[_MAX_LAG])
    likeness = np.divide(products, scale, out=np.zeros_like(products), where=scale > 1.0)
    by_lag = likeness[::-1][_MIN_LAG - 1 :]
    # A peak, not an edge: what merely falls off from lag 0 is colour that the whitening left.
    peaks = (by_lag[1:-1] >= by_lag[:-2]) & (by_lag[1:-1] >= by_lag[2:])
    return float(np.max(by_lag[1:-1], initial=0.0, where=peaks))


def _voice_band(window: NDArray[np.float64]) -> NDArray[np.float64]:
    """The window whitened by its own linear prediction, then low-passed.

    The prediction is by the autocorrelation method.
    """
    tapered = window * _TAPER
    # Nine dot products: a full correlation would compute 311 lags for nothing.
    lags = range(_LPC_ORDER + 1)
    r = np.array([np.dot(tapered[: WINDOW_SAMPLES - lag], tapered[lag:]) for lag in lags])
    r[0] = r[0] * 1.001 + 1.0  # a white floor 30 dB down keeps silence and pure tones solvable
    weights = np.linalg.solve(r[_TOEPLITZ], r[1:])
    kernel = np.convolve(np.concatenate(([1.0], -weights)), _LOWPASS)
    delay = _LOWPASS_TAPS // 2
    return np.convolve(window, kernel)[delay : delay + WINDOW_SAMPLES]


def _lowpass() -> NDArray[np.float64]:
    """Hamming-windowed sinc."""
    n = np.arange(_LOWPASS_TAPS) - _LOWPASS_TAPS // 2
    taps = np.sinc(2.0 * _VOICE_BAND_HZ / RATE_HZ * n) * np.hamming(_LOWPASS_TAPS)
    return np.asarray(taps / taps.sum())


_TAPER: Final = np.hanning(WINDOW_SAMPLES)
_TOEPLITZ: Final = np.abs(np.subtract.outer(np.arange(_LPC_ORDER), np.arange(_LPC_ORDER)))
_LOWPASS: Final = _lowpass()
