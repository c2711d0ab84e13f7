"""G.711, the telephone network's codec: one byte a sample, 8 kHz, mu-law or A-law.

Theory of operation: G.711 is a lookup, not a filter. Each byte stands for one of 256
logarithmically spaced levels, no sample depends on another, and so nothing carries over from frame
to frame: any split of a payload decodes to the same samples. mu-law spends 14 bits of range (peak
32,124), A-law 13 (peak 32,256); both keep about 38 dB of signal to quantising noise from loud
speech down to -40 dBFS.

The work is done in C by `audioop`, which left the standard library with Python 3.13; there
`audioop-lts` installs the same module.

Source: ITU-T G.711 (11/88), tables 1a to 2b; all 256 levels are checked in
tests/audio/test_g711.py.
"""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray

with warnings.catch_warnings():
    # 3.11 and 3.12 announce the removal, which audioop-lts answers; the user can do nothing about
    # it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

RATE_HZ: Final = 8000
MULAW_SILENCE: Final = 0xFF  # +0; what a provider sends while nobody speaks
ALAW_SILENCE: Final = 0xD5  # the smallest positive level, 8: A-law has no zero

_SAMPLE_BYTES: Final = 2


def mulaw_decode(payload: bytes) -> NDArray[np.int16]:
    """Decode mu-law bytes.

    Args:
        payload: any number of bytes; every byte is valid.

    Returns:
        [len(payload)] int16, 8 kHz, peak +-32,124; the array is the caller's own.
    """
    return np.frombuffer(audioop.ulaw2lin(payload, _SAMPLE_BYTES), dtype=np.int16).copy()


def mulaw_encode(samples: NDArray[np.int16]) -> bytes:
    """Encode samples as mu-law.

    Args:
        samples: [n] int16, 8 kHz; louder than +-32,124 is clipped by the code itself.

    Returns:
        n bytes.

    Raises:
        ValueError: not one-dimensional, or not int16.
    """
    return audioop.lin2ulaw(_pcm(samples), _SAMPLE_BYTES)


def alaw_decode(payload: bytes) -> NDArray[np.int16]:
    """Decode A-law bytes.

    Args:
        payload: any number of bytes; every byte is valid.

    Returns:
        [len(payload)] int16, 8 kHz, peak +-32,256; the array is the caller's own.
    """
    return np.frombuffer(audioop.alaw2lin(payload, _SAMPLE_BYTES), dtype=np.int16).copy()


def alaw_encode(samples: NDArray[np.int16]) -> bytes:
    """Encode samples as A-law.

    Args:
        samples: [n] int16, 8 kHz; louder than +-32,256 is clipped by the code itself.

    Returns:
        n bytes.

    Raises:
        ValueError: not one-dimensional, or not int16.
    """
    return audioop.lin2alaw(_pcm(samples), _SAMPLE_BYTES)


def _pcm(samples: NDArray[np.int16]) -> bytes:
    """The samples as native-endian 16-bit bytes.

    A float signal of full scale +-1.0 cast to int16 is silence without an error, so it is refused
    here.
    """
    if samples.ndim != 1 or samples.dtype != np.int16:
        raise ValueError(
            f"G.711 takes one-dimensional int16 samples, not {samples.ndim}-D {samples.dtype}"
        )
    # tobytes() copies strided views and converts big-endian int16 only if asked; dtype equality
    # with np.int16 already means native order.
    return samples.tobytes()
