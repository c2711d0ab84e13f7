"""Synthesis: conditioning, refusing broken clips, corpora that resume; engines if installed."""

from __future__ import annotations

import csv
import importlib.util
import os
import random
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ivr.train import synthesize
from ivr.train.phrases import phrase_of
from ivr.train.synthesize import (
    EDGE_S,
    INSTALL,
    PEAK,
    RATE_HZ,
    Samples,
    SynthesisError,
    Voice,
    available_engines,
    build_corpus,
    build_heldout,
    check_clip,
    condition,
    espeak_variants,
    render,
    sample_voice,
    voice_names,
)

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason=INSTALL["espeak"]
)
needs_festival = pytest.mark.skipif(shutil.which("festival") is None, reason=INSTALL["festival"])


class ToneEngine:
    """Stands in for a synthesiser: a tone, a quarter of a second a word, at 16 kHz."""

    def speak(self, text: str, voice: Voice) -> tuple[Samples, int]:
        """Fails on demand, as engines do."""
        if "broken" in voice.name:
            raise SynthesisError("broken")
        seconds = 0.25 * len(text.split()) / voice.rate
        phase = 2 * np.pi * 400 * voice.pitch * np.arange(round(16000 * seconds)) / 16000
        return np.asarray(6000 * np.sin(phase), dtype=np.int16), 16000


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tone engine in the place of pico, so that no test needs a synthesiser."""
    monkeypatch.setitem(synthesize._ENGINES, "pico", ToneEngine)
    monkeypatch.setattr(synthesize, "available_engines", lambda: ["pico"])
    synthesize._engine.cache_clear()
    yield "pico"
    synthesize._engine.cache_clear()


def read_index(out: Path) -> list[dict[str, str]]:
    """Rows of a corpus."""
    with (out / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


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
def test_condition_refuses_what_holds_no_sound(samples: np.ndarray) -> None:
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


def test_corpus_is_what_its_index_says(tone: str, tmp_path: Path) -> None:
    """Clips follow one another without gaps, and fill the file."""
    build_corpus(tmp_path, 40, seed=3, engines=[tone])
    rows = read_index(tmp_path)
    assert list(rows[0]) == ["start", "samples", "words", "kind", "engine", "voice"]
    assert len(rows) == 40
    end = 0
    for row in rows:
        assert int(row["start"]) == end
        end += int(row["samples"])
    audio = np.fromfile(tmp_path / "audio.i16", "<i2")
    assert len(audio) == end
    assert abs(int(np.abs(audio).max()) - PEAK) <= 1


def test_corpus_resumes_after_an_interruption(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a row and audio that no row names are cut; the rest is as if built in one go."""
    monkeypatch.setattr(synthesize, "BATCH", 5)
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    build_corpus(whole, 30, seed=3, engines=[tone])
    build_corpus(halved, 12, seed=3, engines=[tone])
    with (halved / "audio.i16").open("ab") as file:
        file.write(b"\1\2" * 999)
    with (halved / "index.csv").open("a") as text:
        text.write("123,45")
    build_corpus(halved, 30, seed=3, engines=[tone])
    for name in ("index.csv", "audio.i16"):
        assert (whole / name).read_bytes() == (halved / name).read_bytes()


def test_index_never_runs_ahead_of_the_audio(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each batch a reader finds all the samples that the index names."""
    monkeypatch.setattr(synthesize, "BATCH", 4)
    seen: list[int] = []

    def look(done: int, count: int) -> None:
        last = read_index(tmp_path)[-1]
        end = int(last["start"]) + int(last["samples"])
        assert (tmp_path / "audio.i16").stat().st_size >= 2 * end
        assert count == 10
        seen.append(done)

    build_corpus(tmp_path, 10, seed=1, engines=[tone], progress=look)
    assert seen == [4, 8, 10]


def test_a_finished_corpus_is_left_alone(tone: str, tmp_path: Path) -> None:
    """Building it again changes nothing."""
    build_corpus(tmp_path, 6, seed=3, engines=[tone])
    before = (tmp_path / "index.csv").read_bytes()
    build_corpus(tmp_path, 6, seed=3, engines=[tone])
    assert (tmp_path / "index.csv").read_bytes() == before


def test_another_seed_is_refused(tone: str, tmp_path: Path) -> None:
    """Two corpora in one folder would be neither."""
    build_corpus(tmp_path, 4, seed=3, engines=[tone])
    with pytest.raises(ValueError, match="another corpus"):
        build_corpus(tmp_path, 8, seed=4, engines=[tone])


def test_without_an_engine_the_error_says_how_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The held-out engine alone makes no corpus unless asked for by name."""
    monkeypatch.setattr(synthesize, "available_engines", lambda: ["pico"])
    with pytest.raises(ValueError, match="pip install espeakng-loader"):
        build_corpus(tmp_path, 4, seed=1)


def test_missing_engines_are_skipped_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning names the package."""

    def missing() -> None:
        raise OSError("no such library")

    monkeypatch.setitem(synthesize._ENGINES, "flite", missing)
    synthesize._engine.cache_clear()
    assert "flite" not in available_engines()
    assert "apt install flite" in caplog.text


def test_an_engine_that_always_fails_stops_the_build(tone: str) -> None:
    """Rather than an empty row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesize, "sample_voice", lambda _rng, _engines: Voice(tone, "broken"))
        with pytest.raises(SynthesisError, match="item 7"):
            synthesize._item((1, 7, (tone,)))


def test_heldout_has_every_number_once(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 to 999, then strings with their digits, and speech with none."""
    monkeypatch.setattr(synthesize, "HELD_OUT_COUNT", 5)
    monkeypatch.setattr(synthesize, "voice_names", lambda _engine: ["x"])
    monkeypatch.setattr(
        synthesize, "render", lambda text, _voice: np.full(2000 * len(text.split()), 900, np.int16)
    )
    build_heldout(tmp_path, tone)
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["digits"] for r in rows if r["group"] == "number"] == [str(n) for n in range(1, 1000)]
    assert {r["group"] for r in rows} == {"number", "oh", "multiple", "other"}
    assert all("oh" in r["words"].split() and r["digits"] for r in rows if r["group"] == "oh")
    assert all(not r["digits"] for r in rows if r["group"] == "other")
    with wave.open(str(tmp_path / rows[0]["file"])) as clip:
        assert (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) == (RATE_HZ, 1, 2)


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("oh nought zero", "000"),
        ("double seven one", "771"),
        ("four triple oh", "4000"),
        ("nine", "9"),
    ],
)
def test_digits_of_a_transcript(words: str, digits: str) -> None:
    """The words "double" and "triple" count for the digit that follows."""
    assert synthesize._digits_of(words) == digits


@needs_espeak
def test_espeak_speaks_every_language_of_the_list() -> None:
    """English and foreign voices: a plausible length for ten words, neither empty nor clipped."""
    text = "zero one two three four, five six seven eight nine."
    for name in voice_names("espeak"):
        audio = render(text, Voice("espeak", name))
        check_clip(audio, text)
        assert np.abs(audio.astype(int)).max() <= PEAK + 1
        assert 2.0 < len(audio) / RATE_HZ < 4.0, name


@needs_espeak
def test_espeak_foreign_speech_keeps_all_phonemes() -> None:
    """No word of a foreign voice shrinks to a click because its table lacks a phoneme."""
    for word in ("six", "thirteen", "thirty", "hundred", "double", "eleven", "operator", "start"):
        english = len(render(word, Voice("espeak", "en-us")))
        for name in synthesize.FOREIGN:
            assert 0.5 < len(render(word, Voice("espeak", name))) / english < 1.7, (word, name)


@needs_espeak
def test_foreign_a_is_not_the_letter() -> None:
    """Spoken "a hundred" must not become "eight hundred"; teens are stressed at their end."""
    espeak = synthesize._engine("espeak", os.getpid())
    assert espeak.phonemes("a", "hi") == "e"
    assert espeak.phonemes("fifteen", "es") == "f|i|f|t|'i|n"
    assert espeak.phonemes("fifty", "es") == "f|'i|f|t|i"
    assert espeak.phonemes("three", "fr").startswith("s|")


@needs_espeak
def test_espeak_rate_and_variants() -> None:
    """Twice the rate is clearly shorter; whispers and robots are left out."""
    slow, fast = (
        render("one two three four five", Voice("espeak", "en", rate=r)) for r in (0.7, 1.4)
    )
    assert len(fast) < 0.7 * len(slow)
    assert len(espeak_variants()) > 70
    assert not synthesize.UNFIT_VARIANTS & set(espeak_variants())


@needs_espeak
def test_unknown_espeak_voice_is_an_error() -> None:
    """Rather than the voice of the clip before."""
    with pytest.raises(SynthesisError, match="no voice"):
        render("one", Voice("espeak", "tlh"))


@needs_espeak
def test_voices_are_drawn_over_engines_and_accents() -> None:
    """Same generator, same voices; English accents outnumber foreign ones three to one."""
    drawn = [sample_voice(random.Random(i), ("espeak", "flite")) for i in range(800)]
    assert drawn == [sample_voice(random.Random(i), ("espeak", "flite")) for i in range(800)]
    espeak = [voice.name.split("+")[0] for voice in drawn if voice.engine == "espeak"]
    assert 0.65 < len(espeak) / len(drawn) < 0.82
    assert 0.18 < sum(name in synthesize.FOREIGN for name in espeak) / len(espeak) < 0.32
    assert all(0.6 <= voice.rate <= 1.5 for voice in drawn)


@needs_festival
def test_festival_speaks_twice_through_one_pipe() -> None:
    """The process stays; rate works; quotes and brackets in a text cannot reach its interpreter."""
    slow = render("one two three", Voice("festival", "kal_diphone", rate=0.8))
    fast = render('one (quit) "two" three', Voice("festival", "kal_diphone", rate=1.4))
    check_clip(slow, "one two three")
    assert len(fast) < 1.4 * len(slow)


def test_phrase_text_reaches_the_engine_unbraced() -> None:
    """Braces are marks of ours; an engine would read them aloud."""
    assert "{" not in phrase_of("{my number is} four", "carrier").text
