"""Keys heard in the audio, for trunks that send no key events.

Theory of operation
-------------------
A key is two sines at once, one of four low and one of four high frequencies (ITU-T Q.23). Windows
of 20 ms, 10 ms apart, are weighed by one question: how much of the energy are two sines at a key's
frequencies? A bank of Goertzel filters, here one matrix product for the windows of a frame, finds
the strongest frequency of each group on a grid that is finer than a window's resolution, since a
sine between two filters would count as noise. Least squares then fits the two sines together, and
the fit tells all at once:

- purity, the share of the energy that they explain: 0.97 at the 15 dB of noise that Q.24 asks for,
  far less for voices, which have harmonics. This is what keeps speech from pressing keys;
- the level of each, and so the twist between them;
- the phase of each. From one window to the next it tells the frequency more exactly than a window
  of 20 ms could.

    window   . x x x x . . . . .        a key is pressed at the second like window in a row whose
    key        5 5 5 5                  phases agree, and released after `_RELEASE` without one
               press         release

Two windows in a row lie within any tone of 40 ms; a tone under 27 ms has no two.

`KeyFilter` puts the detector into the path of a call: keys out, audio out, the tones taken from the
audio, since a tone must not start an utterance. It holds the audio back by 40 ms, which is how long
the detector takes to know what a tone's first frame was.

Source: ITU-T Q.23 (frequencies, +-1.5 %), Q.24 (AT&T's column: -25 dBm0, twist +4 / -8 dB, 40 ms
tones and pauses, 23 ms never a key); Goertzel 1958. Checked in tests/audio/test_dtmf.py.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 8000
FRAME_SAMPLES: Final = 160  # 20 ms, the frame of telephony
KEYS: Final = ("123A", "456B", "789C", "*0#D")
LOW_HZ: Final = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ: Final = (1209.0, 1336.0, 1477.0, 1633.0)

_WINDOW: Final = 160  # samples, 20 ms: two of them, 10 ms apart, lie within any tone of 40 ms
_HOP: Final = 80
# Share of a window's energy that two sines explain. Noise at 15 dB leaves 0.97, the grid another
# 0.98; below 0.88 a quarter of the windows at 10 dB would still pass, and voices begin to.
_PURITY: Final = 0.88
# Of both sines together, against a square wave of full scale. Q.24's weakest key, two sines of
# -25 dBm0, is at -28; telephones and mu-law trunks are not much quieter.
_QUIETEST_DBFS: Final = -40.0
# The high sine over the low one. Q.24: +4 and -8 dB; 2 dB more for what noise and the line add.
_TWIST_DB: Final = (-10.0, 6.0)
# Q.23 sends within 1.5 %, Q.24 hears within 1.5 % and 2 Hz, and not beyond 3.5 %. Between the two
# is left for what noise at 15 dB does to the phase of 20 ms: 2 Hz.
_TOLERANCE: Final = 0.015
_TOLERANCE_HZ: Final = 6.0
# Windows without a key that end it. A pause of 40 ms has five, an interruption of 10 ms three at
# most, and Q.24 wants that passed over.
_RELEASE: Final = 4
# Steps of the grid around a frequency, as shares of it: at the highest one 11 Hz apart, so a sine
# between two of them loses 4 % of its energy at most.
_GRID: Final = tuple(0.007 * step for step in range(-3, 4))

_FULL_SCALE: Final = 32768.0
_QUIETEST: Final = _WINDOW * (_FULL_SCALE * 10 ** (_QUIETEST_DBFS / 20)) ** 2


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key is held.

    Attributes:
        digit: ``0``-``9``, ``*``, ``#``, ``A``-``D``.
        start_sample: where its tone begins, at most 10 ms early.
    """

    digit: str
    start_sample: int


@dataclass(frozen=True, slots=True)
class KeyReleased:
    """It is not any more.

    Attributes:
        digit: as it was pressed.
        end_sample: where its tone ends, at most 10 ms late.
    """

    digit: str
    end_sample: int


@dataclass(frozen=True, slots=True)
class _Tone:
    """What a window sounds like: a key, and the phases of its sines in the middle, radians."""

    row: int
    column: int
    low_phase: float
    high_phase: float

    @property
    def digit(self) -> str:
        return KEYS[self.row][self.column]

    def leads_to(self, after: _Tone) -> bool:
        """Whether the next window has the same key, both sines within tolerance."""
        if (after.row, after.column) != (self.row, self.column):
            return False
        return _is_on(LOW_HZ[self.row], after.low_phase - self.low_phase) and _is_on(
            HIGH_HZ[self.column], after.high_phase - self.high_phase
        )


def _is_on(frequency_hz: float, advance: float) -> bool:
    """Whether a sine that went on by this phase (radians) in a hop has the frequency."""
    cycles = advance / (2 * math.pi) - frequency_hz * _HOP / RATE_HZ
    off_hz = (cycles - round(cycles)) * RATE_HZ / _HOP
    return abs(off_hz) <= _TOLERANCE * frequency_hz + _TOLERANCE_HZ


# The grid of both groups [8, 7], Hz, and its filters: cosines and sines, in phase at the middle.
_GRID_HZ: Final = np.outer([*LOW_HZ, *HIGH_HZ], 1.0 + np.array(_GRID))
_ANGLES: Final = np.outer(
    np.arange(_WINDOW) - (_WINDOW - 1) / 2, _GRID_HZ.ravel() * (2 * math.pi / RATE_HZ)
)
_FILTERS: Final = np.concatenate((np.cos(_ANGLES), np.sin(_ANGLES)), axis=1).astype(np.float32)
_OFFSETS: Final = _FILTERS.mean(axis=0)  # what they give for an offset of 1 / 160
_N_GRID: Final = _GRID_HZ.size
_N_LOW: Final = _N_GRID // 2


def _gram_inverses() -> NDArray[np.float64]:
    """For each low and high point of the grid, what turns filter outputs into the fit.

    Returns:
        [28, 28, 4, 4]: the inverse of the products of cosine and sine, low and high, with one
        another.
    """
    filters = _FILTERS.astype(np.float64)
    products = filters.T @ filters
    inverses = np.empty((_N_LOW, _N_GRID - _N_LOW, 4, 4))
    for low in range(_N_LOW):
        for high in range(_N_LOW, _N_GRID):
            chosen = [low, low + _N_GRID, high, high + _N_GRID]
            inverses[low, high - _N_LOW] = np.linalg.inv(products[np.ix_(chosen, chosen)])
    return inverses


_INVERSES: Final = _gram_inverses()


class DtmfDetector:
    """Keys in a stream of audio.

    State: the samples of the next window, the last window's tone, the key that is held; all for one
    stream.
    Latency: `KeyPressed` comes with the sample 30 to 40 ms after the tone's first.
    Invariant: events do not depend on how the samples were cut.
    """

    def __init__(self) -> None:
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._position = 0  # of the rest's first sample
        self._last: _Tone | None = None
        self._held: str | None = None
        self._end = 0  # of the last window with the key that is held
        self._without = 0  # windows since

    def feed(self, samples: NDArray[np.int16]) -> list[KeyPressed | KeyReleased]:
        """Take the next samples.

        Args:
            samples: [n] int16, 8 kHz, n >= 0.

        Returns:
            The keys pressed and released in them, in order.
        """
        self._rest = np.concatenate((self._rest, samples))
        count = (self._rest.size - _WINDOW) // _HOP + 1
        if count <= 0:
            return []
        halves = self._rest[: (count + 1) * _HOP].reshape(-1, _HOP)
        windows = np.concatenate((halves[:-1], halves[1:]), axis=1, dtype=np.float32)
        events: list[KeyPressed | KeyReleased] = []
        for number, tone in enumerate(_tones(windows)):
            self._take(tone, self._position + number * _HOP, events)
        self._rest = self._rest[count * _HOP :].copy()
        self._position += count * _HOP
        return events

    def _take(self, tone: _Tone | None, start: int, events: list[KeyPressed | KeyReleased]) -> None:
        """One window, which begins at `start`."""
        steady = tone is not None and self._last is not None and self._last.leads_to(tone)
        self._last = tone
        if self._held is not None:
            if tone is not None and tone.digit == self._held:
                self._end, self._without = start + _WINDOW, 0
                return
            self._without += 1
            if self._without < _RELEASE and not steady:
                return
            events.append(KeyReleased(self._held, self._end))
            self._held = None
        if tone is not None and steady:
            self._held, self._end, self._without = tone.digit, start + _WINDOW, 0
            events.append(KeyPressed(tone.digit, max(0, start - 2 * _HOP)))


def _tones(windows: NDArray[np.float32]) -> list[_Tone | None]:
    """What each of the windows [n, 160] float32, full scale +-32768, sounds like."""
    sums = windows.sum(axis=1)
    energies = np.einsum("ij,ij->i", windows, windows) - sums * sums / _WINDOW
    if energies.max() <= _QUIETEST:
        return [None] * len(windows)
    # A line's offset is no sound.
    outputs = (windows @ _FILTERS - np.outer(sums, _OFFSETS)).astype(np.float64)
    return [
        _fit(output, energy) if energy > _QUIETEST else None
        for output, energy in zip(outputs, energies.tolist(), strict=True)
    ]


def _fit(output: NDArray[np.float64], energy: float) -> _Tone | None:
    """The key of a window, from its filters' outputs [2 * 56] and its energy."""
    powers = output[:_N_GRID] ** 2 + output[_N_GRID:] ** 2
    low = int(powers[:_N_LOW].argmax())
    high = int(powers[_N_LOW:].argmax())
    at = high + _N_LOW
    found = output[[low, low + _N_GRID, at, at + _N_GRID]]
    fitted = _INVERSES[low, high] @ found
    if found @ fitted < _PURITY * energy:
        return None
    low_cos, low_sin, high_cos, high_sin = fitted.tolist()
    twist = (high_cos**2 + high_sin**2) / (low_cos**2 + low_sin**2 + 1e-9)
    if not _TWIST[0] <= twist <= _TWIST[1]:
        return None
    return _Tone(
        low // len(_GRID),
        high // len(_GRID),
        math.atan2(-low_sin, low_cos),
        math.atan2(-high_sin, high_cos),
    )


_TWIST: Final = tuple(10 ** (decibels / 10) for decibels in _TWIST_DB)


class KeyFilter:
    """Takes the keys' tones out of a call's audio.

    Where a tone was, the quietest frame of the second before is repeated: silence would teach the
    endpointer a line without noise.

    State: the detector's, two frames of audio, and the quietest frames of the last second.
    Latency: audio comes out 40 ms later; the first two frames give none.
    """

    _DELAY: Final = 2  # frames: a key is known 30 to 40 ms after its tone began
    _MEMORY: Final = 50  # frames, 1 s

    def __init__(self) -> None:
        self._detector = DtmfDetector()
        self._waiting: deque[NDArray[np.int16]] = deque()
        self._start = 0  # position of the first frame that waits
        self._quiet: deque[tuple[float, NDArray[np.int16]]] = deque(maxlen=self._MEMORY)
        # Where there are tones; the last has no end yet while its key is held.
        self._tones: deque[tuple[int, float]] = deque()

    def feed(self, frame: NDArray[np.int16]) -> tuple[list[str], NDArray[np.int16] | None]:
        """Take the next frame.

        Args:
            frame: [160] int16, 8 kHz.

        Returns:
            The keys pressed, and the frame of 40 ms before, [160] int16; ``None`` at the start.
        """
        keys = []
        for event in self._detector.feed(frame):
            if isinstance(event, KeyPressed):
                keys.append(event.digit)
                self._tones.append((event.start_sample, math.inf))
            else:
                start, _ = self._tones.pop()
                self._tones.append((start, event.end_sample + _HOP))
        self._waiting.append(frame)
        if len(self._waiting) <= self._DELAY:
            return keys, None
        return keys, self._without_tone(self._waiting.popleft())

    def _without_tone(self, frame: NDArray[np.int16]) -> NDArray[np.int16]:
        start, end = self._start, self._start + frame.size
        self._start = end
        while self._tones and self._tones[0][1] <= start:
            self._tones.popleft()
        if self._tones and self._tones[0][0] < end:
            quietest = min(self._quiet, key=lambda heard: heard[0], default=None)
            return np.zeros_like(frame) if quietest is None else quietest[1]
        floats = frame.astype(np.float32)
        self._quiet.append((float(floats @ floats), frame))
        return frame
