"""Neural engines: what their voices are asked for, and speech where they are installed."""

from __future__ import annotations

import random

import pytest

from ivr.errors import ModelError
from ivr.train.accents import ACCENTS
from ivr.train.clips import check_clip, render
from ivr.train.engines import open_engine
from ivr.train.neural import KOKORO_VOICES, Kokoro, Piper
from ivr.train.voices import (
    INSTALL,
    KOKORO_ENGLISH,
    KOKORO_FOREIGN,
    Voice,
    sample_voice,
    voice_names,
)


def installed(engine: str) -> bool:
    """Whether it can be opened here."""
    try:
        open_engine(engine)
    except (ImportError, OSError, ModelError):
        return False
    return True


needs_kokoro = pytest.mark.skipif(not installed("kokoro"), reason=INSTALL["kokoro"])
needs_piper = pytest.mark.skipif(not installed("piper"), reason=INSTALL["piper"])


def test_neural_voices_are_drawn_with_and_without_accents() -> None:
    """Styles, means of two, foreign styles; names that the engines can take apart."""
    drawn = [sample_voice(random.Random(i), ("kokoro", "piper")) for i in range(900)]
    assert drawn == [sample_voice(random.Random(i), ("kokoro", "piper")) for i in range(900)]
    mixed = foreign = accented = 0
    for voice in drawn:
        styles, _, accent = voice.name.partition("+")
        assert {*styles.split("~")} <= {*voice_names(voice.engine)}
        assert accent in ("", *(ACCENTS if voice.engine == "kokoro" else ()))
        mixed += "~" in styles
        foreign += styles in KOKORO_FOREIGN
        accented += bool(accent)
        assert 0.75 <= voice.rate <= 1.4
    assert 100 < mixed < 300
    assert 100 < foreign < 300
    assert 100 < accented < 350


def test_every_foreign_style_has_an_accent() -> None:
    """Of those that can be spelled."""
    assert {*KOKORO_FOREIGN.values()} <= {*ACCENTS}
    assert not {*KOKORO_ENGLISH} & {*KOKORO_FOREIGN}


@needs_kokoro
def test_kokoro_without_its_voices_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found when it is opened, not at the first phrase."""
    monkeypatch.setenv(KOKORO_VOICES, "/nowhere")
    with pytest.raises(FileNotFoundError, match=r"af_heart\.bin"):
        Kokoro()


@needs_kokoro
def test_kokoro_knows_every_letter_of_every_accent() -> None:
    """None is dropped in silence, and every voice has its table."""
    kokoro = Kokoro()
    words = "zero oh one two three four five six seven eight nine eleven thirteen hundred measure"
    for accent in ("", *ACCENTS):
        for style in ("af_heart", "bf_emma"):
            name = f"{style}+{accent}" if accent else style
            plain = len(kokoro.symbols(words, "bf_emma"))
            assert len(kokoro.symbols(words, name)) > 0.8 * plain
    for name in voice_names("kokoro"):
        assert kokoro.style(name).shape == (510, 256)


@needs_kokoro
def test_kokoro_speaks() -> None:
    """In the mean of two voices, with an accent."""
    voice = Voice("kokoro", "hm_omega~bf_emma+hi", rate=1.4)
    check_clip(render("seven", voice), "seven")
    samples, rate_hz = open_engine("kokoro").speak("seven", voice)
    assert rate_hz == 24_000
    assert len(samples) > 0.5 * rate_hz
    assert not len(open_engine("kokoro").speak("", voice)[0])


@needs_piper
def test_piper_speaks() -> None:
    """Faster where asked."""
    name = "en_US-joe-medium"
    slow, fast = (render("one two three", Voice("piper", name, rate=r)) for r in (0.75, 1.4))
    check_clip(slow, "one two three")
    assert len(fast) < 0.75 * len(slow)


@needs_piper
def test_piper_reads_blanks_between_symbols() -> None:
    """The first is the start, the last the end, every second the blank."""
    symbols = Piper().symbols("one", "en_US-joe-medium")
    assert (symbols[0], symbols[-1]) == (1, 2)
    assert set(symbols[1:-1:2]) == {0}
