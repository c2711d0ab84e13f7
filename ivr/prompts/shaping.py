"""The sound of prompts: their level, the silence around them, and joints that do not click.

Theory of operation: what is joined is first cut to its speech, with the soft beginning of an f or s
left on it, and faded over a few milliseconds, so that it begins and ends at zero; silence of a
chosen length stands between. A number that is put together from recorded words is levelled as one,
so that a soft "six" stays softer than a loud "nine", as it was spoken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.level import level_speech

RATE_HZ: Final = 8000
LEVEL_DBFS: Final = -16.0
FADE_S: Final = 0.01
# The synthesiser leaves 1 ms before and 10 to 60 ms after its speech; sentences that follow each
# other in one turn need a breath between them.
_LEAD_S: Final = 0.02
_TAIL_S: Final = 0.2
_SILENT: Final = 33  # -60 dBFS, in int16 steps: what lies under it at either end is no speech
# A studio's noise is 50 dB and more under the voice, a weak f 25 to 35 dB.
_WORD_RANGE_DB: Final = 40.0
_BEEP_HZ: Final = 1000.0  # none of a key's frequencies
_BEEP_S: Final = 0.25
_FRAME: Final = RATE_HZ // 100
_KEPT_FRAMES: Final = 2  # of what is softer, at either end


def trim(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Synthesised speech without the silence around it."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENT)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def trim_recording(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Recorded speech without the room's noise around it, [n] int16 at 8 kHz.

    Frames of 10 ms more than 40 dB under the loudest are cut off at both ends, but for two.
    """
    frames = samples[: len(samples) // _FRAME * _FRAME].astype(np.float64).reshape(-1, _FRAME)
    if not len(frames):
        return samples
    powers = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(powers > powers.max() * 10 ** (-_WORD_RANGE_DB / 10))
    if not len(loud):
        return samples[:0]
    first, last = max(0, loud[0] - _KEPT_FRAMES), loud[-1] + 1 + _KEPT_FRAMES
    return samples[first * _FRAME : last * _FRAME]


def pad(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Speech with a prompt's silence around it."""
    return np.pad(samples, (round(_LEAD_S * RATE_HZ), round(_TAIL_S * RATE_HZ)))


def fade(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Speech that begins and ends at zero."""
    faded = samples.astype(np.float64)
    length = min(round(FADE_S * RATE_HZ), len(faded) // 2)
    if length:
        ramp = np.linspace(0.0, 1.0, length, endpoint=False)
        faded[:length] *= ramp
        faded[-length:] *= ramp[::-1]
    return np.rint(faded).astype(np.int16)


def finish(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Levelled, faded in and out, and read-only."""
    return frozen(fade(level_speech(samples, LEVEL_DBFS, RATE_HZ)))


def join(parts: Sequence[tuple[float, NDArray[np.int16]]]) -> NDArray[np.int16]:
    """Parts in a row, each after a silence.

    Args:
        parts: seconds of silence before it (the first part's are left out), and [n] int16 at 8 kHz
            cut to its speech.
    """
    joined: list[NDArray[np.int16]] = []
    for pause_s, samples in parts:
        if joined:
            joined.append(np.zeros(round(pause_s * RATE_HZ), np.int16))
        joined.append(fade(samples))
    return np.concatenate(joined) if joined else np.zeros(0, np.int16)


def beep() -> NDArray[np.int16]:
    """The tone before a message."""
    time_s = np.arange(round(_BEEP_S * RATE_HZ)) / RATE_HZ
    return finish(np.rint(8000 * np.sin(2 * np.pi * _BEEP_HZ * time_s)).astype(np.int16))


def frozen(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The samples, read-only: all calls share them."""
    samples.setflags(write=False)
    return samples
