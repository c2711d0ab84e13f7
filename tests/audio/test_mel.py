"""Log-mel features: Whisper's own, within float tolerance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.audio.mel import HOP_SAMPLES, N_FFT, SAMPLE_RATE_HZ, log_mel, mel_filters, stack_frames

# Made by data/make_whisper_mel.py from transformers' WhisperFeatureExtractor.
GOLDEN = Path(__file__).parent / "data" / "whisper_mel.npz"
# 1.0 is 40 dB, so this is 0.004 dB. Two float32 FFTs differ by 6e-6 on this signal.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.generic]]:
    """Samples [8037] int16 at 16 kHz, and the reference features of them."""
    with np.load(GOLDEN) as archive:
        return dict(archive)


def tone(hz: float, seconds: float = 0.5, amplitude: float = 0.1) -> NDArray[np.float32]:
    """A sine at 16 kHz."""
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


@pytest.mark.parametrize("n_mels", [80, 128])
def test_features_are_those_of_whisper(golden: dict[str, NDArray[np.int16]], n_mels: int) -> None:
    """Whisper's weights get what they were trained on, for both sizes of the filterbank."""
    samples = golden["samples"].astype(np.float32) / np.float32(32768)
    reference = golden[f"mel_{n_mels}"]
    mel = log_mel(samples, n_mels)
    assert mel.shape == reference.shape == (n_mels, len(samples) // HOP_SAMPLES)
    assert mel.dtype == np.float32
    np.testing.assert_allclose(mel, reference, rtol=0, atol=TOLERANCE)


def test_reference_covers_the_clamp(golden: dict[str, NDArray[np.float32]]) -> None:
    """The golden signal has cells at the clamp, so the comparison above tests that too."""
    reference = golden["mel_80"]
    at_clamp = np.isclose(reference, reference.max() - 2.0, atol=TOLERANCE)
    assert 0.02 < at_clamp.mean() < 0.5


def test_nothing_is_more_than_80_db_under_the_loudest_cell() -> None:
    """Silence beside a tone is clamped: 80 dB are 2.0."""
    mel = log_mel(np.concatenate([tone(1000), np.zeros(4000, np.float32)]))
    assert mel.max() - mel.min() == pytest.approx(2.0, abs=1e-6)


def test_silence_is_flat() -> None:
    """Digital silence has one value everywhere, and no warning of log 0."""
    assert np.ptp(log_mel(np.zeros(8000, np.float32))) == 0.0


@pytest.mark.parametrize("hz", [200.0, 1000.0, 3400.0])
def test_tone_peaks_in_its_own_band(hz: float) -> None:
    """A tone is loudest in the filter around its frequency."""
    band = int(mel_filters()[round(hz * N_FFT / SAMPLE_RATE_HZ)].argmax())
    assert set(log_mel(tone(hz)).argmax(axis=0)[2:-2].tolist()) == {band}


def test_ten_times_the_amplitude_is_a_half_more() -> None:
    """20 dB are 0.5, whatever the clamp: both edges move together."""
    soft, loud = log_mel(tone(1000, amplitude=0.02)), log_mel(tone(1000, amplitude=0.2))
    np.testing.assert_allclose(loud - soft, 0.5, atol=1e-3)


@given(gain_db=st.floats(-40.0, 0.0))
@settings(max_examples=20)
def test_levelled_features_do_not_know_the_gain(gain_db: float) -> None:
    """With `level`, a quiet line and a loud one look the same, and the loudest cell is 1.0."""
    rng = np.random.default_rng(1)
    samples = (tone(700, amplitude=0.5) + 0.01 * rng.standard_normal(8000)).astype(np.float32)
    quiet = (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)
    levelled = log_mel(quiet, level=True)
    assert levelled.max() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(levelled, log_mel(samples, level=True), atol=1e-3)


def test_level_only_shifts() -> None:
    """Levelling takes one number from every cell."""
    shift = log_mel(tone(500)) - log_mel(tone(500), level=True)
    assert np.ptp(shift) < 1e-6


@given(n_samples=st.integers(N_FFT, 4000))
@settings(max_examples=30)
def test_a_column_every_ten_milliseconds(n_samples: int) -> None:
    """As many columns as whole hops, all finite, whatever the length."""
    samples = np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
    mel = log_mel(samples)
    assert mel.shape == (80, n_samples // HOP_SAMPLES)
    assert np.isfinite(mel).all()


def test_time_shift_by_a_hop_moves_the_columns() -> None:
    """Ten milliseconds later is one column later, away from the edges."""
    samples = np.random.default_rng(3).standard_normal(8000).astype(np.float32)
    early, late = log_mel(samples), log_mel(samples[HOP_SAMPLES:])
    np.testing.assert_allclose(early[:, 3:-2], late[:, 2:-2], atol=TOLERANCE)


def test_too_short_is_refused() -> None:
    """Less than a window has no spectrum: the message says how much is needed."""
    with pytest.raises(ValueError, match="at least 400 samples, not 399"):
        log_mel(np.zeros(399, np.float32))


def test_two_channels_are_refused() -> None:
    """Stereo is a mistake of the caller, not two utterances."""
    with pytest.raises(ValueError, match="1-D"):
        log_mel(np.zeros((2, 800), np.float32))


@pytest.mark.parametrize("n_mels", [80, 128])
def test_filters_are_triangles_of_equal_area(n_mels: int) -> None:
    """Every filter has one peak; Slaney's normalisation gives each the same area in Hz."""
    filters = mel_filters(n_mels)
    assert filters.shape == (N_FFT // 2 + 1, n_mels)
    assert (filters >= 0).all()
    assert (filters.max(axis=0) > 0).all()
    # Wide filters only: the narrow ones are sampled by one or two bins.
    area = filters.sum(axis=0)[-20:] * SAMPLE_RATE_HZ / N_FFT
    np.testing.assert_allclose(area, 1.0, atol=0.06)
    assert (np.diff(filters.argmax(axis=0)) >= 0).all()


def test_filters_are_made_once() -> None:
    """The bank is shared by every utterance."""
    assert mel_filters(80) is mel_filters(80)


def test_stack_puts_neighbours_into_one_column() -> None:
    """Column c holds frames 2c and 2c + 1, the earlier one above."""
    mel = np.arange(3 * 6, dtype=np.float32).reshape(3, 6)
    stacked = stack_frames(mel, 2)
    assert stacked.shape == (6, 3)
    np.testing.assert_array_equal(stacked[:3], mel[:, 0::2])
    np.testing.assert_array_equal(stacked[3:], mel[:, 1::2])


def test_stack_of_one_changes_nothing() -> None:
    """Whisper's own models take every mel frame."""
    mel = np.ones((80, 5), np.float32)
    assert stack_frames(mel, 1) is mel


@given(n_frames=st.integers(1, 40), stack=st.integers(2, 4))
def test_stack_drops_an_incomplete_column(n_frames: int, stack: int) -> None:
    """What is left over at the end is less than a column; nothing else is lost."""
    mel = np.random.default_rng(n_frames).random((4, n_frames)).astype(np.float32)
    stacked = stack_frames(mel, stack)
    assert stacked.shape == (4 * stack, n_frames // stack)
    back = stacked.reshape(stack, 4, -1).transpose(1, 2, 0).reshape(4, -1)
    np.testing.assert_array_equal(back, mel[:, : n_frames // stack * stack])
