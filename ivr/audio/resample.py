"""Sample-rate conversion for streams and for whole recordings, by soxr.

Theory of operation: a band-limited resampler needs samples on both sides of the one it computes, so
a stream that is resampled frame by frame must carry its filter history from one frame to the next;
resampling every frame on its own puts a click at each seam. `Resampler` carries that history,
`resample` is the same filter over one whole signal, and both give bit for bit the same output
however the input was cut.

That last promise needs care: given int16, soxr dithers its output with a new random seed for each
stream, so that the same call replayed would differ by up to two steps. Samples are therefore
resampled as float32 and rounded here. The rounding noise, 98 dB under full scale, is far under that
of G.711 (38 dB under the signal).
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from ivr.errors import StateError

Sample = TypeVar("Sample", np.int16, np.float32)

QUALITY: Final = "HQ"  # soxr's default, for 16-bit audio


class Resampler:
    """A stream of samples brought from one rate to another.

    Args:
        from_hz: rate of the samples that go in.
        to_hz: rate of the samples that come out.

    Raises:
        ValueError: a rate is not positive.

    State: the filter's history and the samples it has not given out yet; `reset` clears both.

    Latency: soxr works in blocks, so output comes in bursts: from 8 to 16 kHz the first 1,660
    samples come with the input's 960th (120 ms). What is left comes with ``last=True``. Fit for
    utterances and recordings; not for echoing live audio frame by frame.

    Invariant: the concatenated output does not depend on how the input was cut into chunks.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"sample rates must be positive, not {from_hz} and {to_hz} Hz")
        self.from_hz = from_hz
        self.to_hz = to_hz
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next samples begin a new stream, of either dtype."""
        self._dtype: np.dtype[Any] | None = None
        self._ended = False
        self._stream: Any = None
        if self.from_hz != self.to_hz:
            self._stream = soxr.ResampleStream(
                self.from_hz, self.to_hz, 1, dtype="float32", quality=QUALITY
            )

    def process(self, samples: NDArray[Sample], last: bool = False) -> NDArray[Sample]:
        """Take the next samples, give the output that is ready.

        Args:
            samples: [n] int16 or float32 at `from_hz`, n >= 0; the same dtype throughout a stream.
            last: these are the stream's last samples: give out everything that is left.

        Returns:
            [m] at `to_hz`, in the dtype that came in; all outputs together have
            ``round(total * to_hz / from_hz)`` samples, give or take one.

        Raises:
            ValueError: not one-dimensional, neither int16 nor float32, or a dtype other than
            before. StateError: called after ``last=True`` without `reset`.
        """
        if self._ended:
            raise StateError("the stream has ended: call reset() before the next one")
        _check(samples)
        if self._dtype not in (None, samples.dtype):
            raise ValueError(f"the stream is {self._dtype}, these samples are {samples.dtype}")
        self._dtype = samples.dtype
        self._ended = last
        if self._stream is None:
            return samples.copy()
        # A strided view is a valid array but not a valid soxr buffer; float32 input is used as it
        # is.
        chunk = np.ascontiguousarray(samples, dtype=np.float32)
        return _as_dtype(self._stream.resample_chunk(chunk, last=last), samples)


def resample(samples: NDArray[Sample], from_hz: int, to_hz: int) -> NDArray[Sample]:
    """Bring a whole signal from one rate to another.

    Args:
        samples: [n] int16 or float32 at `from_hz`.
        from_hz: its rate.
        to_hz: the rate wanted.

    Returns:
        [about n * to_hz / from_hz] in the dtype that came in; always a new array.

    Raises:
        ValueError: not one-dimensional, neither int16 nor float32, or a rate that is not positive.
    """
    return Resampler(from_hz, to_hz).process(samples, last=True)


def _check(samples: NDArray[Any]) -> None:
    if samples.ndim != 1 or samples.dtype not in (np.int16, np.float32):
        raise ValueError(
            "the resampler takes one-dimensional int16 or float32, "
            f"not {samples.ndim}-D {samples.dtype}"
        )


def _as_dtype(output: NDArray[np.float32], like: NDArray[Sample]) -> NDArray[Sample]:
    """Float output in the input's dtype; int16 is rounded, and clipped where the filter overshoots.

    soxr itself would clip int16, but its dither is random.
    """
    if like.dtype == np.float32:
        return output.astype(like.dtype, copy=False)
    return np.clip(np.rint(output), -32768, 32767).astype(like.dtype)
