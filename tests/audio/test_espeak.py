"""The synthesiser's binding: what is spoken, by which voice, without the library's traps."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from ivr.audio import espeak
from ivr.audio.espeak import Espeak
from ivr.audio.level import speech_level_dbfs
from ivr.errors import ConfigError, ModelError

DIGITS = "four one five five"


def seconds(text: str = DIGITS, **options: object) -> float:
    """Length of a render."""
    return len(Espeak().render(text, **options)) / 8000  # type: ignore[arg-type]


def test_speech_is_8_khz_int16() -> None:
    """Four digits take about a second and a half and have a voice's level."""
    samples = Espeak().render(DIGITS)
    assert samples.dtype == np.int16
    assert samples.ndim == 1
    assert 1 < len(samples) / 8000 < 2.5
    assert -36 < speech_level_dbfs(samples) < -26


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050])
def test_any_rate_has_the_same_length_in_time(rate_hz: int) -> None:
    """Training takes 16 kHz, the telephone 8; speech lasts as long."""
    samples = Espeak().render(DIGITS, rate_hz=rate_hz)
    assert len(samples) / rate_hz == pytest.approx(seconds(), abs=0.03)


def test_nothing_above_the_telephone_band_folds_back() -> None:
    """An "s" has most of its energy above 4 kHz; resampled, it must get softer, not alias."""
    wide = Espeak().render("six", rate_hz=22050).astype(float)
    narrow = Espeak().render("six", rate_hz=8000).astype(float)
    assert np.square(narrow).mean() < np.square(wide).mean()


def test_settings_are_heard() -> None:
    """Speed and word gaps change the length, in the direction that they say."""
    assert seconds(rate_wpm=80) > 1.5 * seconds(rate_wpm=150) > 2 * seconds(rate_wpm=300)
    assert seconds(word_gap=20) > seconds() + 0.4


def test_pitch_is_heard() -> None:
    """A higher pitch has a shorter period, which is where the signal looks most like itself."""

    def period_samples(pitch: int) -> int:
        samples = Espeak().render("one", pitch=pitch, pitch_range=0).astype(float)[800:2400]
        alike = [float(samples[:1200] @ samples[lag : lag + 1200]) for lag in range(30, 160)]
        return 30 + int(np.argmax(alike))

    assert period_samples(0) > period_samples(99) * 1.2


def test_a_render_does_not_colour_the_next() -> None:
    """Speed, pitch, gap and voice of one render are gone in the next."""
    before = seconds()
    Espeak().render("something else", "de", variant="f3", rate_wpm=400, pitch=99, word_gap=50)
    assert seconds() == pytest.approx(before, abs=0.03)


@pytest.mark.parametrize(
    "voice", ["en-us", "en-gb", "en-gb-scotland", "en-029", "EN-US", "de", "hi"]
)
def test_voices_speak(voice: str) -> None:
    """Languages are found in any case, and ``en-gb``, which the library does not know by name."""
    assert 0.5 < seconds(voice=voice) < 4


def test_accents_differ() -> None:
    """A British "half" is not an American one."""
    american = Espeak().phonemes("half", "en-us")
    british = Espeak().phonemes("half", "en-gb")
    assert american != british


def test_a_variant_can_be_named_either_way() -> None:
    """``en-us+f3`` is the voice en-us with the variant f3; it sounds other than the plain voice."""
    one, other = Espeak().render(DIGITS, "en-us+f3"), Espeak().render(DIGITS, variant="f3")
    assert len(one) == pytest.approx(len(other), abs=80)
    plain = Espeak().render(DIGITS)
    length = min(len(one), len(plain))
    assert not np.array_equal(one[:length], plain[:length])


def test_no_variant_clips() -> None:
    """At the volume that is set even the loudest timbre keeps under full scale."""
    for variant in ("iven", "Jacky", "antonio", "paul", "klatt4"):
        samples = Espeak().render(DIGITS, variant=variant, rate_hz=22050).astype(int)
        assert np.abs(samples).max() < 32000, variant


def test_lists_name_what_render_takes() -> None:
    """Each listed voice and variant is one that can be used."""
    speech = Espeak()
    assert {"en-us", "en-gb", "de", "fr"} <= set(speech.voices())
    assert "variant" not in speech.voices()
    assert {"f1", "m3", "whisper"} <= set(speech.variants())
    assert list(speech.voices()) == sorted(speech.voices())
    for voice in speech.voices()[::15]:
        assert speech.render("1", voice).dtype == np.int16
    assert speech.version.startswith("1.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voice": "en-uss"}, 'there is no voice "en-uss"; did you mean "en-us"?'),
        ({"voice": ""}, 'there is no voice ""; try "en-us"'),
        ({"variant": "f33"}, 'there is no voice variant "f33"; did you mean "f3"?'),
        ({"voice": "en-us+nonsense"}, 'there is no voice variant "nonsense"'),
        ({"voice": "en-us+f3", "variant": "m1"}, "names a variant already"),
        ({"voice": "en-us+../../en_dict"}, "there is no voice variant"),
        ({"rate_wpm": 79}, "rate_wpm is 79; espeak takes 80 to 450"),
        ({"pitch": 100}, "pitch is 100"),
        ({"pitch_range": -1}, "pitch_range is -1"),
        ({"word_gap": 501}, "word_gap is 501"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, object], message: str) -> None:
    """A voice or number that the library would quietly replace is an error with a cure."""
    with pytest.raises(ConfigError) as caught:
        Espeak().render(DIGITS, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "  ", "\n", "\x00", "\x01\x02"])
def test_nothing_to_say_is_no_samples(text: str) -> None:
    """Blank text is an empty array, not an error."""
    assert len(Espeak().render(text)) == 0


def test_control_characters_are_spaces() -> None:
    r"""A NUL does not end the text, and \x01 does not open the library's embedded commands."""
    assert seconds("one\x00two") == pytest.approx(seconds("one two"), abs=0.02)
    assert seconds("one \x0150S two") > seconds("one")


def test_markup_is_text() -> None:
    """Angle brackets are no SSML: what a value holds cannot slow the voice or insert sounds."""
    assert seconds('<break time="9s"/> one') < 6


def test_phonemes_are_spoken_only_where_asked() -> None:
    """``[[ ]]`` is a pronunciation with phonemes=True and plain text without."""
    five = seconds("[[f'aIv]]", phonemes=True)
    assert five == pytest.approx(seconds("five"), abs=0.1)
    assert seconds("[[f'aIv]]") > five


def test_phonemes_of_a_text() -> None:
    """The pronunciation comes with separators, clause by clause, and can be spoken again."""
    speech = Espeak()
    assert speech.phonemes("five") == "f_'aI_v"
    assert speech.phonemes("five, nine") == "f_'aI_v n_'aI_n"
    assert speech.phonemes("five", separator="|") == "f|'aI|v"
    assert speech.phonemes("") == ""
    assert speech.phonemes("two", separator="", ipa=True) == "t\u02c8u\u02d0"
    said = f"[[{speech.phonemes('seven').replace('_', '')}]]"
    assert seconds(said, phonemes=True) == pytest.approx(seconds("seven"), abs=0.1)


def test_unicode_is_spoken() -> None:
    """Any text goes in, whatever the voice makes of it."""
    assert seconds("drei größer", voice="de") > 0.3
    assert seconds("\U0001f600 \ud800 one") > 0.1


def test_threads_do_not_mix() -> None:
    """Two threads with different settings each get what they would get alone."""
    slow, fast = seconds(rate_wpm=90), seconds(rate_wpm=300)
    lengths: dict[int, list[float]] = {90: [], 300: []}

    def work(rate_wpm: int) -> None:
        for _ in range(5):
            lengths[rate_wpm].append(seconds(rate_wpm=rate_wpm))

    threads = [threading.Thread(target=work, args=(rate_wpm,)) for rate_wpm in lengths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths[90] == pytest.approx([slow] * 5, abs=0.02)
    assert lengths[300] == pytest.approx([fast] * 5, abs=0.02)


def test_a_fresh_process_repeats_itself() -> None:
    """The same texts in the same order give the same samples: training data can be made again."""
    script = (
        "import hashlib; from ivr.audio.espeak import Espeak; e = Espeak();"
        "print(hashlib.sha256(b''.join(e.render('five nine', variant=v).tobytes()"
        " for v in ('m1', 'whisper', None))).hexdigest())"
    )
    runs = {
        subprocess.run(  # noqa: S603 - our own interpreter, our own text
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1
    assert len(runs.pop().strip()) == 64


def test_a_deep_installation_speaks(tmp_path: Path) -> None:
    """The library's buffer of 160 bytes is no limit to where a virtual environment may lie."""
    deep = tmp_path / ("x" * 90) / ("y" * 90)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    script = (
        "import sys, espeakng_loader as e; e.get_data_path = lambda: sys.argv[1];"
        "from ivr.audio.espeak import Espeak; print(len(Espeak().render('five', 'en-gb')))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", script, str(deep / "espeak-ng-data")],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert int(done.stdout) > 1000


def test_a_missing_wheel_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without espeakng-loader there is one message with the command that mends it."""
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ModelError, match="pip install espeakng-loader"):
        espeak._locate()


def test_an_incomplete_wheel_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wheel without its data folder, or with a library that is none, is a ModelError."""

    def gone() -> str:
        raise RuntimeError("data path not exists")

    monkeypatch.setattr(espeakng_loader, "get_data_path", gone)
    with pytest.raises(ModelError, match="incomplete"):
        espeak._locate()
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(broken))
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(ModelError, match="cannot be loaded"):
        espeak._Library()


def test_a_missing_data_folder_does_not_end_the_process(tmp_path: Path) -> None:
    """The library's own answer is exit(1); here it is an error that can be caught."""
    copy = tmp_path / "library.so"
    shutil.copy(espeakng_loader.get_library_path(), copy)
    script = (
        "import sys, espeakng_loader as e; e.get_library_path = lambda: sys.argv[1];"
        "e.get_data_path = lambda: sys.argv[2];"
        "from ivr.audio.espeak import Espeak\n"
        "from ivr.errors import ModelError\n"
        "try: Espeak()\n"
        "except ModelError as error: print(error)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", script, str(copy), str(tmp_path / "nowhere")],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert "found no voices" in done.stdout
