"""Numbers put together from recorded words: complete or not at all, levelled, without clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ivr.audio.level import speech_level_dbfs
from ivr.flow.machine import Dialogue
from ivr.flow.schema import parse_flow
from ivr.flow.turn import Piece, Prompt
from ivr.prompts.recordings import Recordings
from ivr.prompts.shaping import RATE_HZ
from ivr.prompts.store import PromptStore
from ivr.recognition import Collected, CompletionCause, InputMode


def word(frequency_hz: float, amplitude: float = 0.2) -> NDArray[np.float64]:
    """A word of its own pitch, 0.2 s, with a studio's noise of a third of a second around it."""
    rate_hz = 16_000
    spoken = amplitude * np.cos(2 * np.pi * frequency_hz * np.arange(rate_hz // 5) / rate_hz)
    noise = np.random.default_rng(1).normal(0, 2e-4, rate_hz)
    noise[rate_hz // 3 : rate_hz // 3 + spoken.size] += spoken
    return noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of the digits 0 to 5, each with its own pitch."""
    (tmp_path / "digits").mkdir()
    for digit in range(6):
        soundfile.write(tmp_path / "digits" / f"{digit}.wav", word(400 + 100 * digit), 16_000)
    return tmp_path


def pitches(samples: NDArray[np.int16]) -> list[int]:
    """The pitches in a signal, and 0 for each silence of more than 0.2 s between them."""
    loud = np.abs(samples.astype(int)) > 300
    found, at = [], 0
    edges = np.flatnonzero(np.diff(loud.astype(int), prepend=0, append=0))
    spans: list[list[int]] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if spans and start - spans[-1][1] < 0.02 * RATE_HZ:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    for start, end in spans:
        if found and start - at > 0.2 * RATE_HZ:
            found.append(0)
        spectrum = np.abs(np.fft.rfft(samples[start:end], RATE_HZ))
        found.append(round(int(spectrum.argmax()), -1))
        at = end
    return found


def test_digits_are_joined_in_groups(folder: Path) -> None:
    """Words in their order, a pause where the comma is."""
    number = Recordings(folder).number("four one, zero")
    assert number is not None
    assert pitches(number) == [800, 500, 0, 400]


def test_joints_do_not_click(folder: Path) -> None:
    """Every word begins and ends at zero, and the whole has a prompt's level."""
    number = Recordings(folder).number("four four four, one")
    assert number is not None
    assert speech_level_dbfs(number) == pytest.approx(-16, abs=0.5)
    quiet = np.convolve(number == 0, np.ones(100), "valid") == 100  # silence from here on
    starts = np.flatnonzero(np.diff(quiet.astype(int)) == -1) + 100
    assert len(starts) == 3
    for start in starts:
        # A tone that is cut would begin with its amplitude, 5000 and more.
        assert np.abs(np.diff(number[start - 2 : start + 8].astype(int))).max() < 800
    assert number[0] == number[-1] == 0


def test_half_a_number_is_not_joined(folder: Path) -> None:
    """One word that is missing leaves the number to the synthesiser."""
    assert Recordings(folder).number("four nine") is None
    assert Recordings(folder).number("something") is None
    assert Recordings(None).number("four") is None
    assert Recordings(folder).number("--") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("12 dollars and 50 cents", ["12", "dollars", "and", "50", "cents"]),
        ("1 dollar", ["1", "dollar"]),
        ("41215 dollars", ["40", "1", "thousand", "2", "hundred", "15", "dollars"]),
        ("June 23, 1969", ["june", "20", "3", "19", "60", "9"]),
        ("May 5, 2005", ["may", "5", "2", "thousand", "5"]),
    ],
)
def test_figures_are_words_too(tmp_path: Path, text: str, words: list[str]) -> None:
    """Amounts and days are spoken in figures; each has recordings that it is made of."""
    (tmp_path / "digits").mkdir()
    for number, name in enumerate(sorted(set(words))):
        soundfile.write(tmp_path / "digits" / f"{name}.wav", word(400 + 100 * number), 16_000)
    spoken = Recordings(tmp_path).number(text)
    assert spoken is not None
    heard = [pitch for pitch in pitches(spoken) if pitch]
    assert heard == [400 + 100 * sorted(set(words)).index(name) for name in words]


def test_variants_are_taken_where_they_belong(folder: Path) -> None:
    """A falling word only at the end, a medial one before it; one without serves everywhere."""
    soundfile.write(folder / "digits" / "4.falling.wav", word(1500), 16_000)
    soundfile.write(folder / "digits" / "1.medial.flac", word(1700), 16_000)
    number = Recordings(folder).number("four one, four")
    assert number is not None
    assert pitches(number) == [800, 1700, 0, 1500]


def test_words_of_another_language_have_their_folder(folder: Path) -> None:
    """A language takes its own recordings and no others."""
    (folder / "es" / "digits").mkdir(parents=True)
    soundfile.write(folder / "es" / "digits" / "cuatro.wav", word(1200), 16_000)
    number = Recordings(folder).number("cuatro", "es")
    assert number is not None
    assert pitches(number) == [1200]
    assert Recordings(folder).number("four", "es") is None


FLOW = """
flow: pin
start: ask
defaults: {on_failure: bye}
steps:
  ask: {capture: pin, grammar: "builtin:digits?length=4", prompt: Your number., next: done}
  done: {end: ok, say: "I have {pin:digits 2}, thank you."}
  bye: {end: bye}
"""


def say(value: str) -> Prompt:
    """What the flow says of a number."""
    dialogue = Dialogue(parse_flow(FLOW))
    dialogue.start()
    turn = dialogue.collected(Collected(CompletionCause.SUCCESS, value=value, mode=InputMode.DTMF))
    (prompt,) = turn.prompts
    return prompt


class Hum:
    """A synthesiser that hums one pitch, and notes what it was asked."""

    identity = "hum"

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None]] = []

    def speak(self, text: str, language: str | None) -> NDArray[np.int16]:
        """A third of a second."""
        self.said.append((text, language))
        return np.rint(3000 * np.sin(2 * np.pi * 300 * np.arange(2400) / RATE_HZ)).astype(np.int16)


def test_prompt_with_a_value_has_its_parts() -> None:
    """The flow's own words have names to be recorded by; the value has none."""
    prompt = say("4105")
    assert prompt.personal
    assert prompt.pieces == (
        Piece("I have ", "done.say-1"),
        Piece("four one, zero five"),
        Piece(", thank you.", "done.say-2"),
    )


def test_prompt_without_recordings_is_spoken_as_a_whole(tmp_path: Path) -> None:
    """Nothing to join: the synthesiser knows best how it goes."""
    hum = Hum()
    PromptStore(hum, None, tmp_path).render(say("4105"))
    assert hum.said == [("I have four one, zero five, thank you.", None)]


def test_recorded_digits_stand_among_synthesised_words(folder: Path, tmp_path: Path) -> None:
    """Only what is not recorded is spoken; the flow's words are kept, the number is not."""
    hum = Hum()
    prompts = PromptStore(hum, tmp_path / "cache", folder)
    spoken = prompts.render(say("4105"))
    assert [text for text, _ in hum.said] == ["I have", "thank you."]
    assert pitches(spoken) == [300, 800, 500, 0, 400, 900, 0, 300]
    prompts.render(say("0000"))
    assert len(hum.said) == 2
    assert len(list((tmp_path / "cache").glob("*"))) == 2


def test_recorded_words_stand_around_a_synthesised_number(folder: Path) -> None:
    """A number that has a word without recording is synthesised, never kept."""
    soundfile.write(folder / "done.say-1.wav", word(1300), 16_000)
    hum = Hum()
    prompts = PromptStore(hum, None, folder)
    assert pitches(prompts.render(say("9999")))[0] == 1300
    assert [text for text, _ in hum.said] == ["nine nine, nine nine", "thank you."]
    prompts.render(say("9999"))
    assert [text for text, _ in hum.said][2:] == ["nine nine, nine nine"]
    assert all("nine" not in prompt.text for prompt in prompts._kept)
