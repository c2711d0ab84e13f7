"""`ivr transcribe`: every file is told of, and the status says whether all could be read."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ivr import transcribe
from ivr.audio.espeak import Espeak
from ivr.audio.level import level_speech
from ivr.audio.wav import write_wav
from ivr.cli import app
from ivr.errors import ConfigError, ModelError
from ivr.grammar.grammar import parse_grammar
from ivr.heard import SpokenWord, Utterance, alternatives, spoken_words
from ivr.hearing import NATURAL
from ivr.recognition import Hypothesis, Recognition, Word
from ivr.transcribe import run_transcribe
from tests.asr.stub import StubEngine
from tests.asr.tiny import make_model
from tests.audio.recordings import encode

KEYS = ["file", "digits", "words", "confidence", "n_best", "grammar", "model", "error"]


def heard(*ways: tuple[str, float], confidence: float = 0.9, timed: bool = True) -> Recognition:
    """A recognition with these hypotheses: words and probability of each."""
    hypotheses = tuple(
        Hypothesis(
            tuple(
                Word(word, 100 * at, 100 * at + 40 if timed else 100 * at, 0.8)
                for at, word in enumerate(words.split(), start=1 if timed else 0)
            ),
            math.log(probability),
        )
        for words, probability in ways
    )
    return Recognition(hypotheses, confidence, audio_ms=1000)


def utterance(recognition: Recognition, start_ms: float = 0.0) -> Utterance:
    """An utterance of a recording."""
    return Utterance(start_ms, recognition, None, 1200.0, 20.0)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings: one and two utterances, silence, a webm, and no recording."""
    folder = tmp_path_factory.mktemp("spoken")
    speech = level_speech(Espeak().render("seven"))
    pause = np.zeros(8000 * 3, np.int16)
    write_wav(folder / "one.wav", speech, 8000)
    write_wav(folder / "two.wav", np.concatenate([speech, pause, speech]), 8000)
    write_wav(folder / "silence.wav", pause, 8000)
    encode(folder / "one.webm", np.repeat(speech, 6), 48_000)
    (folder / "broken.wav").write_bytes(b"RIFF no recording at all")
    return folder


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[StubEngine]:
    """The stub in the engine's place; set its `answers` before it is used."""
    stub = type("Stub", (StubEngine,), {})
    monkeypatch.setattr(transcribe, "open_engine", stub)
    return stub


def run(files: Sequence[Path], **options: Any) -> tuple[int, str]:
    """Status and what is printed for people."""
    console = Console(file=io.StringIO(), width=100)
    settings = {"grammar": NATURAL, "folder": None, "confidence_level": None, "json_output": False}
    status = run_transcribe(files, console=console, **(settings | options))
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


def test_words_have_their_place_in_the_recording() -> None:
    """The utterance's start is added; what begins in the line before begins at 0."""
    first = utterance(heard(("four one", 1.0)), start_ms=-120.0)
    second = utterance(heard(("five", 1.0)), start_ms=3000.4)
    assert spoken_words([first, second]) == [
        SpokenWord("four", 0, 20, 0.8),
        SpokenWord("one", 80, 120, 0.8),
        SpokenWord("five", 3100, 3140, 0.8),
    ]


def test_words_without_times_say_so() -> None:
    """Not every model tells them; a zero would be a lie."""
    (word,) = spoken_words([utterance(heard(("four", 1.0), timed=False), start_ms=500.0)])
    assert (word.start_ms, word.end_ms) == (None, None)


def test_alternatives_of_one_utterance_are_its_n_best() -> None:
    """With what the grammar makes of each, "" for what it does not accept."""
    recognition = heard(
        ("four one five", 0.7), ("<other> four one", 0.2), ("yes", 0.06), ("", 0.04)
    )
    ways = alternatives([utterance(recognition)], parse_grammar("builtin:digits"))
    assert [(way.digits, way.words, way.probability) for way in ways] == [
        ("415", "four one five", 0.7),
        ("41", "<other> four one", 0.2),
        ("", "yes", 0.06),
        ("", "", 0.04),
    ]


def test_alternatives_of_several_utterances_are_combined() -> None:
    """Digits in a row, probabilities multiplied, the best five."""
    first = utterance(heard(("four", 0.8), ("five", 0.2)))
    second = utterance(heard(("one", 0.6), ("nine", 0.3), ("", 0.1)))
    ways = alternatives([first, second], parse_grammar(NATURAL))
    assert [(way.digits, way.words) for way in ways] == [
        ("41", "four one"),
        ("49", "four nine"),
        ("51", "five one"),
        ("4", "four "),
        ("59", "five nine"),
    ]
    assert ways[0].probability == pytest.approx(0.48)
    assert [way.probability for way in ways] == sorted(
        (way.probability for way in ways), reverse=True
    )


def test_alternatives_of_silence_are_none() -> None:
    """Nothing was weighed."""
    assert alternatives([], parse_grammar(NATURAL)) == []


def test_each_file_is_a_json_line(
    engine: type[StubEngine], spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the promised keys, a broken file among them, and status 1."""
    engine.answers = [heard(("four one", 0.9), ("four nine", 0.1)), "yes"]
    files = [spoken / name for name in ("one.wav", "broken.wav", "silence.wav", "one.webm")]
    status, _ = run(files, json_output=True)
    out, err = capsys.readouterr()
    one, broken, silence, webm = (json.loads(line) for line in out.splitlines())
    assert status == 1
    assert all(list(line) == KEYS for line in (one, broken, silence, webm))
    assert one["file"] == str(files[0])
    assert (one["digits"], one["confidence"], one["error"]) == ("41", 0.9, None)
    assert [word["word"] for word in one["words"]] == ["four", "one"]
    assert set(one["words"][0]) == {"word", "start_ms", "end_ms", "confidence"}
    assert one["n_best"][1] == {"digits": "49", "words": "four nine", "probability": 0.1}
    assert (one["grammar"], one["model"]["name"]) == (NATURAL, "stub")
    assert (broken["digits"], broken["words"], broken["n_best"]) == ("", [], [])
    assert "not a readable recording" in broken["error"]
    assert (silence["digits"], silence["error"]) == ("", None)
    assert webm["digits"] == "yes"
    assert err.count("error:") == err.count("\n") == 1


def test_people_read_digits_words_and_alternatives(engine: type[StubEngine], spoken: Path) -> None:
    """In a box with the file's name, brackets in it or not."""
    engine.answers = [heard(("four one", 0.9), ("", 0.1)), "<other>"]
    odd = spoken / "odd [red] name.wav"
    odd.write_bytes((spoken / "one.wav").read_bytes())
    status, output = run([odd, spoken / "one.wav", spoken / "silence.wav"])
    assert status == 0
    for text in ("odd [red] name.wav", "41, confidence 0.90", "four", "90.0 %", "(nothing)"):
        assert text in output
    assert "no number was heard, nor yes or no" in output
    assert "no speech was heard" in output


def test_an_unsure_answer_is_none(
    engine: type[StubEngine], spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a call; people are told what it would have been, and N-best keeps it."""
    engine.answers, engine.confidence = ["four one"] * 2, 0.6
    _, output = run([spoken / "one.wav"], confidence_level=0.7)
    assert "not sure enough: 41, confidence 0.60, below 0.7" in output
    run([spoken / "one.wav"], confidence_level=0.7, json_output=True)
    line = json.loads(capsys.readouterr().out)
    assert (line["digits"], line["confidence"], line["n_best"][0]["digits"]) == ("", 0.6, "41")


def test_two_utterances_are_one_answer(engine: type[StubEngine], spoken: Path) -> None:
    """Joined as evaluation joins them."""
    engine.answers = ["four one", "five"]
    _, output = run([spoken / "two.wav"])
    assert "415, confidence 0.90" in output


def test_a_name_that_is_no_text_is_shown_with_escapes(
    engine: type[StubEngine], spoken: Path
) -> None:
    """Rather than failing on the terminal."""
    name = spoken / "caf\udce9.wav"
    name.write_bytes((spoken / "silence.wav").read_bytes())
    _, output = run([name])
    assert r"caf\udce9.wav" in output


def test_a_wrong_grammar_or_model_is_one_error(spoken: Path, tmp_path: Path) -> None:
    """Before any file is heard."""
    with pytest.raises(ConfigError, match="poetry"):
        run([spoken / "one.wav"], grammar="builtin:poetry")
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        run([spoken / "one.wav"], folder=tmp_path)


def test_the_command_with_a_small_model(spoken: Path, tmp_path: Path) -> None:
    """From the command line through a real engine, whatever this model makes of speech."""
    model = make_model(tmp_path / "model")
    files = [str(spoken / name) for name in ("one.webm", "two.wav")]
    done = CliRunner().invoke(app, ["transcribe", "--model", str(model), "--json", *files])
    assert done.exit_code == 0, done.output
    one, two = (json.loads(line) for line in done.output.splitlines())
    assert one["model"]["name"] == "tiny"
    for line in (one, two):
        assert sum(way["probability"] for way in line["n_best"]) <= 1.001
        assert all(0 <= word["confidence"] <= 1 for word in line["words"])
    assert CliRunner().invoke(app, ["transcribe", str(spoken / "gone.wav")]).exit_code == 1


def test_a_clear_digit_is_heard_by_the_embedded_model(spoken: Path) -> None:
    """The one thing that is asked of its hearing here."""
    done = CliRunner().invoke(app, ["transcribe", "--json", str(spoken / "one.webm")])
    line = json.loads(done.output)
    assert any(way["digits"] == "7" for way in line["n_best"])


def test_a_list_of_the_command_line_decides(
    engine: type[StubEngine],
    spoken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second likeliest number is an account, and the grammar is shown as it was given."""
    (tmp_path / "accounts.txt").write_text("45\n")
    engine.answers = [heard(("four one", 0.6), ("four five", 0.4))]
    run(
        [spoken / "one.wav"],
        grammar="builtin:digits?list=accounts",
        lists=[f"accounts={tmp_path / 'accounts.txt'}"],
        confidence_level=0.1,
        json_output=True,
    )
    line = json.loads(capsys.readouterr().out)
    assert (line["digits"], line["grammar"]) == ("45", "builtin:digits?list=accounts")
    with pytest.raises(ConfigError, match="name its file, under lists in the flow or with --list"):
        run([spoken / "one.wav"], grammar="builtin:digits?list=accounts")
