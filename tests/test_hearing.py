"""The live path over a file: utterances are found where they are, and joined to one answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ivr.audio.espeak import Espeak
from ivr.audio.level import level_speech
from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.heard import Answer, joined
from ivr.hearing import NATURAL, Listener, call_audio
from ivr.line import LINE_AFTER, LINE_BEFORE
from tests.asr.stub import StubEngine

PAUSE_S = 3


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings: one and two utterances, silence."""
    folder = tmp_path_factory.mktemp("spoken")
    speech = level_speech(Espeak().render("four one five"))
    pause = np.zeros(8000 * PAUSE_S, np.int16)
    write_wav(folder / "one.wav", speech, 8000)
    write_wav(folder / "two.wav", np.concatenate([speech, pause, speech]), 8000)
    write_wav(folder / "silence.wav", pause, 8000)
    return folder


def hear(file: Path, *answers: str, confidence: float = 0.9, grammar: str = NATURAL) -> Answer:
    """What comes of a file where the recogniser says this."""
    stub = type("Stub", (StubEngine,), {"answers": answers, "confidence": confidence})
    return Listener(stub(), grammar).hear(file)


def test_a_recording_is_put_on_a_line(spoken: Path) -> None:
    """Two seconds before and after, and mu-law's steps between."""
    line = call_audio(spoken / "silence.wav")
    assert line.shape == (LINE_BEFORE + 8000 * PAUSE_S + LINE_AFTER,)
    assert not line.any()
    assert np.unique(call_audio(spoken / "one.wav")).size <= 255


def test_a_recording_is_heard_as_a_call_would(spoken: Path) -> None:
    """One utterance, its value, and a latency that holds the silence waited for."""
    answer = hear(spoken / "one.wav", "four one five")
    assert (answer.value, answer.words, answer.error) == ("415", "four one five", "")
    assert answer.confidence == pytest.approx(0.9)
    assert answer.latency_ms is not None
    assert answer.compute_ms is not None
    assert 2_200 <= answer.latency_ms - answer.compute_ms < 3_000


@pytest.mark.parametrize(
    ("answers", "value"),
    [
        (("four one", "five"), "415"),
        (("four one", "yes"), "41"),
        (("yes", "no"), "no"),
        (("<other>", "five"), "5"),
        (("", ""), ""),
    ],
)
def test_utterances_of_a_file_are_joined(
    spoken: Path, answers: tuple[str, ...], value: str
) -> None:
    """A caller who pauses too long still said one number; "yes" beside a number is none."""
    answer = hear(spoken / "two.wav", *answers)
    assert answer.value == value
    assert bool(answer.confidence) == bool(value)
    assert len(answer.utterances) == 2


def test_utterances_know_where_they_are(spoken: Path) -> None:
    """In milliseconds of the recording, not of the line that it was put on."""
    first, second = hear(spoken / "two.wav", "four", "one").utterances
    speech_ms = (call_audio(spoken / "one.wav").shape[0] - LINE_BEFORE - LINE_AFTER) / 8
    assert -500 < first.start_ms < 200
    assert second.start_ms - first.start_ms == pytest.approx(speech_ms + PAUSE_S * 1000, abs=300)
    assert [utterance.recognition.best.text for utterance in (first, second)] == ["four", "one"]


def test_silence_is_no_utterance(spoken: Path) -> None:
    """The recogniser is not even asked."""
    assert hear(spoken / "silence.wav") == Answer()


def test_a_grammar_refuses_what_it_does_not_accept(spoken: Path) -> None:
    """Three digits are no answer to a question for eight; what was heard is still told."""
    answer = hear(spoken / "one.wav", "four one five", grammar="builtin:digits?length=8")
    assert (answer.value, answer.words, answer.confidence) == ("", "four one five", 0.0)
    assert answer.utterances[0].answer is None
    with pytest.raises(ConfigError):
        Listener(StubEngine(), "builtin:poetry")


def test_a_broken_file_is_an_answer_with_an_error(tmp_path: Path) -> None:
    """So that the next one is heard all the same."""
    (tmp_path / "broken.wav").write_bytes(b"RIFF no recording at all")
    answer = hear(tmp_path / "broken.wav")
    assert "broken.wav: not a readable recording" in answer.error
    assert answer.value == ""


def test_values_are_joined() -> None:
    """Digits in a row, yes and no only among themselves, nothing of nothing."""
    assert joined(["41", "5"]) == "415"
    assert joined(["yes", "41"]) == "41"
    assert joined(["yes", "no"]) == "no"
    assert joined([]) == ""
