"""The level of speech, measured where there is speech, and brought to what a telephone expects.

Theory of operation: a plain RMS over a recording says more about its pauses than about its voice.
So the level is taken over the 20 ms frames that hold speech: those at most 25 dB under the loudest
(ITU-T P.56 gates at 15.9 dB under the *mean*, which comes to about the same for speech without its
envelope follower). One gain brings that level to the target; the few peaks that this lifts over the
knee are bent rather than cut, because a clipped vowel rings through G.711.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_FULL_SCALE: Final = 32768.0
_FRAME_S: Final = 0.02
_ACTIVE_RANGE_DB: Final = 25.0
_KNEE: Final = 0.7  # -3 dBFS: speech at -16 dBFS passes it in under 1 % of its samples
_CEILING: Final = 0.98
_MAX_GAIN_DB: Final = 40.0  # a recording of silence is not lifted to a roar


def speech_level_dbfs(samples: NDArray[np.int16], rate_hz: int = 8000) -> float:
    """Level of the speech in a signal, its pauses left out.

    Args:
        samples: [n] int16 at `rate_hz`.
        rate_hz: their rate.

    Returns:
        RMS over the active frames in dBFS, full scale being a square wave of +-32768; -inf for
        digital silence and for no samples.
    """
    if not samples.any():
        return float("-inf")
    width = max(1, round(_FRAME_S * rate_hz))
    padded = np.pad(samples, (0, -len(samples) % width)).astype(np.float64) / _FULL_SCALE
    powers = np.square(padded.reshape(-1, width)).mean(axis=1)
    active = powers[powers >= powers.max() * 10 ** (-_ACTIVE_RANGE_DB / 10)]
    return float(10 * np.log10(active.mean()))


def level_speech(
    samples: NDArray[np.int16], level_dbfs: float = -16.0, rate_hz: int = 8000
) -> NDArray[np.int16]:
    """Bring speech to a level, peaks bent under full scale.

    Args:
        samples: [n] int16 at `rate_hz`.
        level_dbfs: the level wanted; -16 is the usual one for prompts, callers are about -26.
        rate_hz: their rate.

    Returns:
        [n] int16, a new array; silence stays silence, and nothing is lifted by more than 40 dB.
    """
    measured = speech_level_dbfs(samples, rate_hz)
    if measured == float("-inf"):
        return samples.copy()
    gain = 10 ** (min(level_dbfs - measured, _MAX_GAIN_DB) / 20)
    scaled = samples.astype(np.float64) * (gain / _FULL_SCALE)
    over = np.maximum(np.abs(scaled) - _KNEE, 0.0)
    room = _CEILING - _KNEE
    bent = np.minimum(np.abs(scaled), _KNEE) + room * np.tanh(over / room)
    return np.rint(np.copysign(bent, scaled) * _FULL_SCALE).astype(np.int16)
