"""Engines: those installed speak, those missing are named; foreign voices keep all phonemes."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.audio.espeak import Espeak
from ivr.errors import ModelError
from ivr.train import engines
from ivr.train.clips import PEAK, RATE_HZ, check_clip, render
from ivr.train.engines import SynthesisError, available_engines
from ivr.train.voices import FOREIGN, INSTALL, Voice, voice_names

needs_festival = pytest.mark.skipif(shutil.which("festival") is None, reason=INSTALL["festival"])


def test_missing_engines_are_skipped_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names the package."""

    def missing() -> None:
        raise OSError("no such library")

    monkeypatch.setitem(engines._ENGINES, "flite", missing)
    engines._open.cache_clear()
    assert "flite" not in available_engines()
    assert "apt install flite" in caplog.text


def test_a_missing_espeak_wheel_is_a_missing_engine(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its binding raises an error of the project's own."""

    def missing() -> None:
        raise ModelError("the voice is missing")

    monkeypatch.setitem(engines._ENGINES, "espeak", missing)
    engines._open.cache_clear()
    assert "espeak" not in available_engines()
    assert "pip install espeakng-loader" in caplog.text


def test_an_engine_is_opened_once() -> None:
    """Starting one costs more than its speech; an unknown name is a mistake of ours."""
    assert engines.open_engine("espeak") is engines.open_engine("espeak")
    with pytest.raises(KeyError):
        engines.open_engine("parrot")


def test_espeak_speaks_every_language_of_the_list() -> None:
    """English and foreign voices: a plausible length for ten words, neither empty nor clipped."""
    text = "zero one two three four, five six seven eight nine."
    for name in voice_names("espeak"):
        audio = render(text, Voice("espeak", name))
        check_clip(audio, text)
        assert np.abs(audio.astype(int)).max() <= PEAK + 1
        assert 2.0 < len(audio) / RATE_HZ < 4.0, name


def test_espeak_foreign_speech_keeps_all_phonemes() -> None:
    """No word of a foreign voice shrinks to a click because its table lacks a phoneme."""
    for word in ("six", "thirteen", "thirty", "hundred", "double", "eleven", "operator", "start"):
        english = len(render(word, Voice("espeak", "en-us")))
        for name in FOREIGN:
            assert 0.5 < len(render(word, Voice("espeak", name))) / english < 1.7, (word, name)


def test_foreign_a_is_not_the_letter() -> None:
    """Spoken "a hundred" must not become "eight hundred"; teens are stressed at their end."""
    espeak = engines._Espeak()
    assert espeak.phonemes("a", "hi") == "e"
    assert espeak.phonemes("fifteen", "es") == "f|i|f|t|'i|n"
    assert espeak.phonemes("fifty", "es") == "f|'i|f|t|i"
    assert espeak.phonemes("three", "fr").startswith("s|")


def test_punctuation_of_a_foreign_phrase_stays_outside_the_phonemes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One block a clause: the marks still make pauses, and words are not read with gaps."""
    seen: list[str] = []

    def render(_self: object, text: str, *_args: object, **_named: object) -> NDArray[np.int16]:
        seen.append(text)
        return np.zeros(0, np.int16)

    monkeypatch.setattr(Espeak, "render", render)
    espeak = engines._Espeak()
    espeak.speak("one two, three.", Voice("espeak", "de"))
    espeak.speak("one two, three.", Voice("espeak", "en-us"))
    assert seen[0].count("[[") == 2
    assert re.fullmatch(r"\[\[[^],.]+\]\],\[\[[^],.]+\]\]\.", seen[0])
    assert seen[1] == "one two, three."


def test_espeak_rate() -> None:
    """Twice the rate is clearly shorter."""
    text = "one two three four five"
    slow, fast = (render(text, Voice("espeak", "en", rate=rate)) for rate in (0.7, 1.4))
    assert len(fast) < 0.7 * len(slow)


def test_extreme_draws_stay_within_what_espeak_takes() -> None:
    """The ends of what `sample_voice` draws are no error of the binding."""
    for rate, pitch, span, gap, shift in ((0.63, 0.75, 0.3, 0, 1.1), (1.5, 1.35, 1.7, 120, 0.93)):
        check_clip(render("four", Voice("espeak", "en", rate, pitch, span, gap, shift)), "four")


def test_unknown_espeak_voice_is_an_error() -> None:
    """Rather than the voice of the clip before."""
    with pytest.raises(SynthesisError, match="no voice"):
        render("one", Voice("espeak", "tlh"))


@needs_festival
def test_festival_speaks_twice_through_one_pipe() -> None:
    """The process stays; rate works; quotes and brackets in a text cannot reach its interpreter."""
    slow = render("one two three", Voice("festival", "kal_diphone", rate=0.8))
    fast = render('one (quit) "two" three', Voice("festival", "kal_diphone", rate=1.4))
    check_clip(slow, "one two three")
    assert len(fast) < 1.4 * len(slow)
