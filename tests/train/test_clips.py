"""Clips: resampled, trimmed, at one peak; what cannot be the phrase is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.train.clips import EDGE_S, PEAK, RATE_HZ, check_clip, condition, render
from ivr.train.engines import SynthesisError
from ivr.train.voices import Voice


def test_condition_resamples_and_sets_the_peak() -> None:
    """One second at 16 kHz is one second at 8 kHz, peak -3 dBFS."""
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    audio = condition(tone, 16000)
    assert audio.dtype == np.int16
    assert abs(len(audio) - RATE_HZ) <= 2 * EDGE_S * RATE_HZ
    assert abs(int(np.abs(audio).max()) - PEAK) <= 1
    assert pytest.approx(-3.0, abs=0.01) == 20 * np.log10(PEAK / 32767)


def test_condition_trims_silence_to_the_edges() -> None:
    """A second of silence on either side leaves at most 50 ms of it."""
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    audio = condition(np.concatenate([np.zeros(8000), tone, np.zeros(8000)]), 8000)
    assert 8000 <= len(audio) <= 8000 + 2 * EDGE_S * RATE_HZ + 160


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(4000), np.ones(20)])
def test_condition_refuses_what_holds_no_sound(samples: NDArray[np.float64]) -> None:
    """Empty, silent, or shorter than a frame."""
    with pytest.raises(SynthesisError):
        condition(samples, 8000)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "seven"), (0.5, "one two three four five"), (9.0, "nine")]
)
def test_clips_that_cannot_be_their_text_are_refused(seconds: float, text: str) -> None:
    """Too short or too long for the words."""
    with pytest.raises(SynthesisError, match="words"):
        check_clip(np.full(round(seconds * RATE_HZ), 5000, np.int16), text)


def test_a_click_is_no_speech() -> None:
    """One loud sample in half a second has a fine peak and no energy."""
    audio = np.zeros(4000, np.int16)
    audio[2000] = PEAK
    with pytest.raises(SynthesisError, match="clicks"):
        check_clip(audio, "seven")


def test_shift_keeps_the_duration_and_moves_the_spectrum(tone: str) -> None:
    """Formants and pitch move together, speech stays as fast."""
    plain, shifted = (render("one two three four", Voice(tone, "x", shift=s)) for s in (1.0, 1.2))
    assert abs(len(plain) - len(shifted)) < 0.02 * len(plain)
    peaks = [int(np.abs(np.fft.rfft(x)).argmax()) * RATE_HZ / len(x) for x in (plain, shifted)]
    assert peaks == [pytest.approx(400, abs=2), pytest.approx(480, abs=2)]
