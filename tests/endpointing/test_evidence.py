"""Level, noise and pitch: the witnesses beside the VAD."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.endpointing.evidence import (
    SILENCE_DBFS,
    WINDOW_SAMPLES,
    NoiseLevel,
    level_dbfs,
    periodicity,
)
from tests.endpointing import speech


def windows(samples: NDArray[np.int16]) -> list[float]:
    """Periodicity of every whole 40 ms window, 20 ms apart."""
    starts = range(0, samples.shape[0] - WINDOW_SAMPLES + 1, 160)
    return [periodicity(samples[at : at + WINDOW_SAMPLES]) for at in starts]


def test_levels_of_known_signals() -> None:
    """A full-scale square wave is 0 dBFS, a sine 3 dB less, half the amplitude 6 dB less."""
    square = np.where(np.arange(160) % 2, 32767, -32768).astype(np.int16)
    sine = np.rint(32767 * np.sin(np.arange(160) * 2 * np.pi / 8)).astype(np.int16)
    assert level_dbfs(square) == pytest.approx(0.0, abs=0.01)
    assert level_dbfs(sine) == pytest.approx(-3.01, abs=0.02)
    assert level_dbfs(square // 2) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("value", [0, 1])
def test_silence_has_a_level(value: int) -> None:
    """Digital silence is a number, not minus infinity; one step is hardly more."""
    assert SILENCE_DBFS <= level_dbfs(np.full(160, value, np.int16)) < -90


@pytest.mark.parametrize("pitch_hz", [80.0, 125.0, 210.0, 320.0])
def test_voices_are_periodic(pitch_hz: float) -> None:
    """A vowel of a low, a middle, a high and a child's voice is over every threshold."""
    found = windows(speech.line(speech.vowel(300, pitch_hz=pitch_hz)))
    assert np.median(found) > 0.6


@pytest.mark.parametrize("colour", [0.0, 0.9, -0.8])
def test_noise_is_not_periodic(colour: float) -> None:
    """White, low-pitched and hissing noise stay under the threshold in 98 of 100 windows."""
    white = speech.noise(4000, -25.0)
    coloured = white.copy()
    for i in range(1, coloured.shape[0]):
        coloured[i] += colour * coloured[i - 1]
    assert np.percentile(windows(speech.line(coloured)), 98) < 0.56


def test_a_click_is_not_periodic() -> None:
    """A single click has nothing to repeat itself with."""
    click = np.zeros(WINDOW_SAMPLES, np.int16)
    click[200] = 20_000
    assert periodicity(click) < 0.2


def test_level_does_not_change_periodicity() -> None:
    """A voice 20 dB softer is as periodic."""
    samples = speech.line(speech.vowel(40), noise_dbfs=None)
    soft = (samples // 10).astype(np.int16)
    assert periodicity(soft) == pytest.approx(periodicity(samples), abs=0.05)


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0, 1, 3000, 32767]))
def test_periodicity_is_always_a_share(seed: int, scale: int) -> None:
    """Whatever the samples, silence and full scale too: a finite number from 0 to 1."""
    samples = np.random.default_rng(seed).integers(-scale, scale + 1, WINDOW_SAMPLES)
    assert 0.0 <= periodicity(samples.astype(np.int16)) <= 1.0 + 1e-9


@pytest.mark.parametrize("value", [-32768, 0, 5, 32767])
def test_a_constant_is_not_periodic(value: int) -> None:
    """A stuck line is no voice."""
    assert periodicity(np.full(WINDOW_SAMPLES, value, np.int16)) < 0.56


def steady(dbfs: float, frames: int) -> NoiseLevel:
    """A line of one level for so many frames."""
    noise = NoiseLevel()
    for _ in range(frames):
        noise.add(dbfs, in_speech=False)
    return noise


def test_a_new_line_is_not_known() -> None:
    """For the first second the line cannot be judged and the gate is open."""
    assert not steady(-30.0, 49).known
    assert steady(-30.0, 49).gate_dbfs(4.0, 2.0) == SILENCE_DBFS
    assert steady(-30.0, 50).known


def test_steady_noise_sets_the_gate() -> None:
    """The gate lies the margin over steady noise."""
    assert steady(-40.0, 100).gate_dbfs(4.0, 2.0) == pytest.approx(-36.0)


def test_unsteady_noise_sets_it_by_its_loud_part() -> None:
    """Where the noise swings, its 90th percentile counts."""
    noise = NoiseLevel()
    for i in range(200):
        noise.add(-40.0 if i % 5 else -25.0, in_speech=False)
    assert noise.gate_dbfs(4.0, 2.0) == pytest.approx(-23.0)


def test_a_word_does_not_raise_its_own_gate() -> None:
    """Loud frames count as noise only after half a second; if speech started, never."""
    noise = steady(-60.0, 100)
    before = noise.gate_dbfs(4.0, 2.0)
    for _ in range(20):
        noise.add(-20.0, in_speech=False)
    assert noise.gate_dbfs(4.0, 2.0) == before
    for _ in range(10):
        noise.add(-20.0, in_speech=True)
    for _ in range(60):
        noise.add(-60.0, in_speech=False)
    assert noise.gate_dbfs(4.0, 2.0) == before


def test_noise_that_rises_during_speech_is_followed() -> None:
    """A steady noise that begins within an utterance raises the gate after 1.5 s."""
    noise = steady(-60.0, 100)
    for _ in range(80):
        noise.add(-30.0, in_speech=True)
    assert noise.gate_dbfs(4.0, 2.0) == pytest.approx(-26.0)


def test_reset_forgets_the_line() -> None:
    """After a reset the line is unknown."""
    noise = steady(-30.0, 100)
    noise.reset()
    assert not noise.known
