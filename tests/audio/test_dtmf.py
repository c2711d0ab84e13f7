"""Keys in the audio, by the limits of Q.23 and Q.24, and nothing pressed by voices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.audio.dtmf import DtmfDetector, KeyFilter, KeyPressed, KeyReleased
from ivr.audio.espeak import Espeak
from ivr.audio.level import level_speech
from tests.audio.keys import SINES_HZ, line, noise, silence, tone

EVERY_KEY = "".join(SINES_HZ)
SOME_KEYS = "1590*#D"


def pressed(samples: NDArray[np.int16]) -> str:
    """The keys that are heard."""
    events = DtmfDetector().feed(samples)
    assert [type(event) for event in events] == [KeyPressed, KeyReleased] * (len(events) // 2)
    return "".join(event.digit for event in events if isinstance(event, KeyPressed))


def typed(
    keys: str,
    *,
    ms: float = 40,
    pause_ms: float = 40,
    lead_ms: float = 50,
    noise_dbfs: float | None = None,
    dbfs: float = -16.0,
    twist_db: float = 0.0,
    off: float = 0.0,
) -> NDArray[np.int16]:
    """Keys one after the other, as short as Q.24 allows, at 8 kHz."""
    parts = [silence(lead_ms)]
    for number, key in enumerate(keys):
        parts += [
            tone(key, ms, dbfs=dbfs, twist_db=twist_db, off=off, phase=0.7 * number),
            silence(pause_ms),
        ]
    return line(*parts, silence(100), noise_dbfs=noise_dbfs)


@pytest.mark.parametrize("lead_ms", [50, 51.25, 52.5, 55, 57.5, 58.875])
def test_every_key_of_40_ms_with_pauses_of_40_ms(lead_ms: float) -> None:
    """However the tones lie to the detector's windows."""
    assert pressed(typed(EVERY_KEY, lead_ms=lead_ms)) == EVERY_KEY


@pytest.mark.parametrize("off", [-0.015, 0.0, 0.015])
@pytest.mark.parametrize("dbfs", [-33.0, -6.0])
def test_off_frequency_faint_and_in_noise(dbfs: float, off: float) -> None:
    """1.5 % off, both sines together at -30 dBFS or loud, noise 15 dB below them."""
    heard = pressed(typed(EVERY_KEY, dbfs=dbfs, off=off, noise_dbfs=dbfs + 3 - 15))
    assert heard == EVERY_KEY


@pytest.mark.parametrize("twist_db", [-8.0, 4.0])
def test_one_sine_louder_than_the_other(twist_db: float) -> None:
    """As far as Q.24 has it."""
    assert pressed(typed(SOME_KEYS, twist_db=twist_db)) == SOME_KEYS


@pytest.mark.parametrize("twist_db", [-12.0, 8.0])
def test_a_sine_far_below_the_other_is_no_key(twist_db: float) -> None:
    """A whistle with an overtone is no key."""
    assert pressed(typed(SOME_KEYS, twist_db=twist_db)) == ""


@pytest.mark.parametrize("off", [-0.035, 0.035])
def test_frequencies_that_are_no_keys(off: float) -> None:
    """3.5 % off, Q.24's limit, whatever their length."""
    assert pressed(typed(SOME_KEYS, ms=200, off=off)) == ""


def test_a_tone_of_23_ms_is_no_key() -> None:
    """Q.24: a click of the line."""
    assert pressed(typed(EVERY_KEY, ms=23)) == ""


def test_a_long_tone_is_one_key() -> None:
    """However long it is held; interrupted for 10 ms, it is still the same."""
    assert pressed(typed("5", ms=3000)) == "5"
    held = [tone("5", 80), silence(10), tone("5", 80, phase=1.0), silence(10), tone("5", 80)]
    assert pressed(line(silence(50), *held, silence(100))) == "5"


def test_a_key_follows_another_without_a_pause() -> None:
    """Some machines dial like that."""
    assert pressed(line(silence(50), tone("5", 60), tone("9", 60), silence(100))) == "59"


def test_where_the_tone_lay() -> None:
    """Start and end within 10 ms, on the safe side."""
    samples = line(silence(123), tone("7", 90), silence(200))
    begun, ended = DtmfDetector().feed(samples)
    assert isinstance(begun, KeyPressed)
    assert isinstance(ended, KeyReleased)
    assert 0 <= 123 * 8 - begun.start_sample <= 80
    assert -24 <= ended.end_sample - (123 + 90) * 8 <= 80


def test_an_offset_of_the_line_is_no_sound() -> None:
    """A gateway that adds a constant."""
    assert pressed(typed("159", dbfs=-26) + np.int16(1500)) == "159"


@pytest.mark.parametrize("dbfs", [-10.0, -30.0])
def test_noise_presses_nothing(dbfs: float) -> None:
    """A minute of it."""
    assert pressed(line(noise(8000 * 60, dbfs))) == ""


def test_speech_presses_nothing() -> None:
    """A synthetic voice; hours of people were measured when the limits were set."""
    words = "one two three four five six seven eight nine zero hundred thousand yes no please"
    for wpm in (110, 150, 220):
        speech = level_speech(Espeak().render(words, rate_wpm=wpm))
        assert pressed(line(speech.astype(np.float64))) == ""


@given(st.lists(st.integers(0, 700), max_size=40), st.integers(0, 159))
@settings(max_examples=30, deadline=None)
def test_events_do_not_depend_on_the_chunks(cuts: list[int], lead: int) -> None:
    """Sample by sample, in frames or at once."""
    samples = np.concatenate(
        (np.zeros(lead, np.int16), typed("159", noise_dbfs=-40), typed("0#", ms=90))
    )
    whole, pieces = DtmfDetector(), DtmfDetector()
    events, at = [], 0
    for cut in cuts:
        events += pieces.feed(samples[at : at + cut])
        at += cut
    events += pieces.feed(samples[at:])
    assert events == whole.feed(samples)


# -- the filter ------------------------------------------------------------------------------------


def filtered(samples: NDArray[np.int16]) -> tuple[str, NDArray[np.int16]]:
    """Keys, and the audio that is left, at its place; the last 40 ms have not come out yet."""
    filter_, keys, frames = KeyFilter(), "", []
    for at in range(0, samples.size // 160 * 160, 160):
        heard, frame = filter_.feed(samples[at : at + 160])
        keys += "".join(heard)
        if frame is not None:
            frames.append(frame)
    return keys, np.concatenate(frames)


def level(samples: NDArray[np.int16]) -> float:
    """RMS in dBFS."""
    return float(10 * np.log10(np.square(samples / 32768).mean() + 1e-12))


def test_the_audio_without_keys_comes_out_as_it_went_in() -> None:
    """40 ms later, not a sample changed."""
    samples = line(noise(8000, -30.0))
    keys, left = filtered(samples)
    assert keys == ""
    assert (left == samples[: left.size]).all()
    assert left.size == 8000 - 320


@pytest.mark.parametrize("lead_ms", [500, 503, 507, 511, 517])
def test_the_tones_are_taken_out_and_the_noise_goes_on(lead_ms: int) -> None:
    """From their first sample to their last, short or long."""
    samples = line(
        silence(lead_ms), tone("5", 40), silence(300), tone("8", 400), silence(300), noise_dbfs=-55
    )
    keys, left = filtered(samples)
    assert keys == "58"
    frames = left[: left.size // 80 * 80].reshape(-1, 80)
    assert max(level(frame) for frame in frames) < -48
    assert min(level(frame) for frame in frames) > -62


def test_speech_around_keys_is_kept() -> None:
    """Words before and after; a key takes 40 ms beside itself at most."""
    speech = level_speech(Espeak().render("four one five")).astype(np.float64)
    samples = line(silence(300), speech, silence(60), tone("9", 100), silence(60), speech)
    keys, left = filtered(samples)
    assert keys == "9"
    gone = np.flatnonzero(left != samples[: left.size])
    begun = 300 * 8 + speech.size + 60 * 8
    assert begun - 320 <= gone[0] <= begun + 8
    assert gone[-1] <= begun + 800 + 320
