"""Speech level: measured over the speech, brought to a target without clipping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.audio.level import level_speech, speech_level_dbfs


def sine(amplitude: float, seconds: float = 1.0, rate_hz: int = 8000) -> NDArray[np.int16]:
    """A 500 Hz sine; its level is 3 dB under its amplitude."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.rint(amplitude * 32768 * np.sin(2 * np.pi * 500 * time)).astype(np.int16)


@pytest.mark.parametrize("amplitude", [0.9, 0.1, 0.01])
def test_a_sine_has_its_level(amplitude: float) -> None:
    """RMS in dBFS of full scale 32768."""
    expected = 20 * np.log10(amplitude / np.sqrt(2))
    assert speech_level_dbfs(sine(amplitude)) == pytest.approx(expected, abs=0.05)


def test_pauses_do_not_count() -> None:
    """Half a second of sine in ten seconds of silence is as loud as the sine alone."""
    silence = np.zeros(40000, np.int16)
    padded = np.concatenate([silence, sine(0.1, 0.5), silence])
    assert speech_level_dbfs(padded) == pytest.approx(speech_level_dbfs(sine(0.1)), abs=0.1)


def test_silence_has_no_level_and_stays() -> None:
    """Digital silence and no samples at all are -inf and come back as they are."""
    for silence in (np.zeros(800, np.int16), np.zeros(0, np.int16)):
        assert speech_level_dbfs(silence) == float("-inf")
        assert np.array_equal(level_speech(silence), silence)


@pytest.mark.parametrize("amplitude", [0.9, 0.1, 0.005])
@pytest.mark.parametrize("target", [-16.0, -26.0])
def test_speech_comes_to_the_target(amplitude: float, target: float) -> None:
    """Loud and soft signals end at the same level."""
    levelled = level_speech(sine(amplitude), target)
    assert speech_level_dbfs(levelled) == pytest.approx(target, abs=0.1)


def test_almost_silence_is_not_lifted_to_a_roar() -> None:
    """The gain ends at 40 dB."""
    faint = np.zeros(8000, np.int16)
    faint[::2] = 1
    assert np.abs(level_speech(faint)).max() <= 100


def test_peaks_are_bent_not_cut() -> None:
    """A rare peak 20 dB over the rest stays under full scale and above everything else."""
    samples = sine(0.05)
    samples[4000:4004] = [8000, 20000, 16000, 6000]
    levelled = level_speech(samples, -16.0).astype(int)
    assert levelled.max() < 32767 * 0.99
    assert levelled[4001] > levelled[4002] > levelled[:3900].max()


def test_the_input_is_not_changed() -> None:
    """A new array comes back, int16."""
    samples = sine(0.1)
    before = samples.copy()
    assert level_speech(samples).dtype == np.int16
    assert np.array_equal(samples, before)


@settings(deadline=None)
@given(st.lists(st.integers(-32768, 32767), max_size=400), st.floats(-40, 0))
def test_order_and_sign_survive(values: list[int], target: float) -> None:
    """Louder stays louder, signs stay, nothing wraps around, whatever goes in."""
    samples = np.array(values, dtype=np.int16)
    levelled = level_speech(samples, target).astype(int)
    assert len(levelled) == len(samples)
    assert np.all(levelled * samples.astype(int) >= 0)
    order = np.argsort(samples, kind="stable")
    assert np.all(np.diff(levelled[order]) >= 0)
