"""The resampler: same output however the stream is cut, right pitch, right length, right errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.audio.resample import Resampler, resample
from ivr.errors import StateError

RATES = [(8000, 16000), (16000, 8000), (22050, 8000), (44100, 8000), (8000, 8000)]


def noise(n: int, dtype: type = np.int16, seed: int = 1) -> NDArray:
    """Reproducible noise of about -20 dBFS."""
    samples = np.random.default_rng(seed).standard_normal(n) * 3000
    return samples.astype(np.int16) if dtype is np.int16 else (samples / 32768).astype(np.float32)


def tone(hz: float, rate_hz: int, seconds: float) -> NDArray[np.int16]:
    """A sine of a third of full scale."""
    n = np.arange(int(rate_hz * seconds))
    return np.rint(10922 * np.sin(2 * np.pi * hz / rate_hz * n)).astype(np.int16)


def in_chunks(resampler: Resampler, samples: NDArray, sizes: list[int]) -> NDArray:
    """Feed the samples in chunks of these sizes, again and again."""
    out, at, turn = [], 0, 0
    while at < samples.shape[0]:
        size = sizes[turn % len(sizes)]
        out.append(resampler.process(samples[at : at + size]))
        at, turn = at + size, turn + 1
    out.append(resampler.process(samples[:0], last=True))
    return np.concatenate(out)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_chunks_do_not_matter(from_hz: int, to_hz: int, dtype: type) -> None:
    """Frames of 20 ms, odd sizes and the whole at once give the same samples bit for bit."""
    samples = noise(4000, dtype)
    whole = resample(samples, from_hz, to_hz)
    assert np.array_equal(in_chunks(Resampler(from_hz, to_hz), samples, [160]), whole)
    assert np.array_equal(in_chunks(Resampler(from_hz, to_hz), samples, [1, 333, 7]), whole)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=8))
def test_no_cut_changes_the_output(sizes: list[int]) -> None:
    """Whatever chunk sizes: the same samples."""
    samples = noise(1500)
    assert np.array_equal(
        in_chunks(Resampler(8000, 16000), samples, sizes), resample(samples, 8000, 16000)
    )


def test_int16_output_is_repeatable() -> None:
    """Two runs agree bit for bit: soxr's random dither for int16 is kept out."""
    samples = noise(3000)
    assert np.array_equal(resample(samples, 8000, 16000), resample(samples, 8000, 16000))


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_dtype_and_length(from_hz: int, to_hz: int, dtype: type) -> None:
    """The dtype stays and the duration too, within a sample."""
    out = resample(noise(8001, dtype), from_hz, to_hz)
    assert out.dtype == dtype
    assert abs(out.shape[0] - 8001 * to_hz / from_hz) <= 1


def test_a_tone_keeps_its_pitch_and_level() -> None:
    """1 kHz at 8 kHz is the 1 kHz sine at 16 kHz, away from the edges, within 0.1 %."""
    out = resample(tone(1000, 8000, 0.5), 8000, 16000).astype(np.float64)
    wanted = tone(1000, 16000, 0.5).astype(np.float64)
    assert np.max(np.abs(out[1000:-1000] - wanted[1000:-1000])) < 11


def test_what_does_not_fit_the_lower_rate_is_gone() -> None:
    """A 6 kHz tone leaves no alias at 8 kHz: at least 60 dB down."""
    out = resample(tone(6000, 16000, 0.5), 16000, 8000).astype(np.float64)
    assert np.sqrt(np.mean(out[500:-500] ** 2)) < 7722 / 1000


def test_overshoot_is_clipped() -> None:
    """A full-scale square wave rings over full scale; it is clipped, not wrapped round."""
    square = np.where(np.arange(2000) // 20 % 2, 32767, -32768).astype(np.int16)
    out = resample(square, 8000, 16000)
    middle = out[200:-200].reshape(-1, 40).astype(np.int64)
    assert out.max() == 32767
    assert out.min() == -32768
    # Within each half wave the sign stays (the edges of 3 samples are the transition).
    assert np.all(np.abs(np.sign(middle[:, 4:-4]).sum(axis=1)) == 32)


def test_equal_rates_pass_through() -> None:
    """Without a change of rate the samples pass as they are, as a copy."""
    samples = noise(100)
    out = resample(samples, 8000, 8000)
    assert np.array_equal(out, samples)
    assert not np.shares_memory(out, samples)


def test_empty_input_gives_empty_output() -> None:
    """Nothing in, nothing out, in the right dtype."""
    assert resample(np.zeros(0, np.int16), 8000, 16000).shape == (0,)
    assert resample(np.zeros(0, np.float32), 8000, 8000).dtype == np.float32


def test_strided_input_is_taken_in_its_order() -> None:
    """A view with a stride is the same signal as its copy."""
    stereo = noise(2000).reshape(1000, 2)
    left = resample(stereo[:, 0], 8000, 16000)
    assert np.array_equal(left, resample(stereo[:, 0].copy(), 8000, 16000))


def test_reset_forgets_everything() -> None:
    """After a reset the stream starts anew, of another dtype even."""
    resampler = Resampler(8000, 16000)
    resampler.process(noise(777))
    resampler.reset()
    samples = noise(1000, np.float32)
    assert np.array_equal(in_chunks(resampler, samples, [160]), resample(samples, 8000, 16000))


def test_a_stream_ends_once() -> None:
    """Samples after the last ones are a bug, until reset."""
    resampler = Resampler(8000, 16000)
    resampler.process(noise(10), last=True)
    with pytest.raises(StateError, match="reset"):
        resampler.process(noise(10))
    resampler.reset()
    resampler.process(noise(10), last=True)


def test_a_stream_has_one_dtype() -> None:
    """Float after int16 in one stream is a bug in the caller."""
    resampler = Resampler(8000, 16000)
    resampler.process(noise(10))
    with pytest.raises(ValueError, match="int16"):
        resampler.process(noise(10, np.float32))


@pytest.mark.parametrize("wrong", [np.zeros((5, 2), np.int16), np.zeros(5), np.zeros(5, np.int32)])
def test_other_arrays_are_refused(wrong: NDArray) -> None:
    """Two channels, float64 and int32 are refused by name."""
    with pytest.raises(ValueError, match="one-dimensional int16 or float32"):
        resample(wrong, 8000, 16000)


@pytest.mark.parametrize("rates", [(0, 8000), (8000, -1)])
def test_rates_are_positive(rates: tuple[int, int]) -> None:
    """A rate of zero or less is refused."""
    with pytest.raises(ValueError, match="positive"):
        Resampler(*rates)
