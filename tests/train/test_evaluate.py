"""Evaluation: counting that can be checked by hand, manifests with line numbers, one report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ivr.audio.espeak import Espeak
from ivr.audio.level import level_speech
from ivr.audio.wav import write_wav
from ivr.cli import app
from ivr.errors import ConfigError, ModelError
from ivr.hearing import NATURAL
from ivr.train import evaluate
from ivr.train.evaluate import (
    Answer,
    Item,
    Report,
    Tally,
    hear_all,
    percentiles,
    read_manifest,
)
from ivr.train.evaluation_report import run_evaluate
from tests.asr.stub import StubEngine
from tests.asr.tiny import make_model

# What the evaluation command promises with --json, and what it adds.
PROMISED = (
    *("files", "string_accuracy", "digit_error_rate", "substitutions", "insertions", "deletions"),
    *("false_accept_rate", "latency_ms", "groups", "speakers"),
)
ADDED = ("confidence_level", "compute_ms", "reliability", "rejection", "errors")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[StubEngine]:
    """The stub in the engine's place; set its `answers` before it is used."""
    stub = type("Stub", (StubEngine,), {})
    monkeypatch.setattr(evaluate, "open_engine", stub)
    return stub


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings: one and two utterances, silence, and a file that is no recording."""
    folder = tmp_path_factory.mktemp("spoken")
    speech = level_speech(Espeak().render("four one five"))
    pause = np.zeros(8000 * 2, np.int16)
    write_wav(folder / "one.wav", speech, 8000)
    write_wav(folder / "two.wav", np.concatenate([speech, pause, speech]), 8000)
    write_wav(folder / "silence.wav", pause, 8000)
    (folder / "broken.wav").write_bytes(b"RIFF no recording at all")
    return folder


def write_manifest(path: Path, *lines: str) -> Path:
    """A manifest of these lines."""
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_tally_counts() -> None:
    """Three numbers, one wrong; two files without a number, one of which gave one."""
    tally = Tally()
    for digits, heard in (("415", "415"), ("415", "45"), ("yes", "yes"), ("", ""), ("", "7")):
        tally.add(digits, heard)
    assert tally.as_dict() == {
        "files": 5,
        "string_accuracy": round(2 / 3, 5),
        "digit_error_rate": round(1 / 7, 5),  # "yes" is one symbol
        "substitutions": 0,
        "insertions": 0,
        "deletions": 1,
        "false_accept_rate": 0.5,
    }


def test_yes_heard_as_digits_is_one_symbol_wrong() -> None:
    """One substituted, the rest inserted."""
    tally = Tally()
    tally.add("yes", "41")
    tally.add("415", "no")
    assert (tally.substitutions, tally.insertions, tally.deletions) == (2, 1, 2)


def test_a_share_of_nothing_is_none() -> None:
    """Rather than 0 % or 100 % of no files."""
    figures = Tally().as_dict()
    assert figures["string_accuracy"] is figures["digit_error_rate"] is None
    assert figures["false_accept_rate"] is None


def test_percentiles_are_values_that_occurred() -> None:
    """Nearest rank."""
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
    assert percentiles([7.04]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}
    hundred = [float(value) for value in range(100, 0, -1)]
    assert percentiles(hundred) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([1.0, 2.0, 3.0])["p50"] == 2.0


def test_a_manifest_is_read(tmp_path: Path) -> None:
    """Paths are relative to it; digits may be grouped; optional columns may be missing."""
    path = write_manifest(
        tmp_path / "m.csv",
        "file,digits,words,speaker,group,snr_db",
        'a.wav,415 26-5,"four one five",ann,short,-2.5',
        "b/c.wav,YES,,,,",
        "d.wav,",
    )
    first, second, third = read_manifest(path)
    assert first == Item(tmp_path / "a.wav", "415265", "four one five", "ann", "short", -2.5)
    assert second == Item(tmp_path / "b" / "c.wav", "yes", "", "", "")
    assert third == Item(tmp_path / "d.wav", "", "", "", "")


def test_a_manifest_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """A byte order mark is no part of the first column's name."""
    path = tmp_path / "m.csv"
    path.write_bytes(b"\xef\xbb\xbffile,digits\r\na.wav,1\r\n")
    assert read_manifest(path)[0].digits == "1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file,digits,snr_db\na.wav,1,10\nb.wav,1,loud\n", "line 3: snr_db is a number"),
        (b"file,digits,snr_db\na.wav,1,nan\n", "line 2: snr_db is a number"),
        (b"", "lacks the column digits and file"),
        (b"file,words\na.wav,one\n", "lacks the column digits;"),
        (b"file,digits\n", "lists no file"),
        (b"file,digits\na.wav,1\n,2\n", "line 3: needs a file"),
        (b"file,digits\na.wav,1\nb.wav,one\n", "line 3: needs a file, and digits"),
        (b"file,digits\na.wav,1\n\n\nb.wav,one\n", "line 5"),
        (b'words,file,digits\n"one\ntwo",a.wav,12\n,b.wav,1.5\n', "line 4"),
        (b"file,digits\na.wav,\xd9\xa3\n", "line 2"),  # a digit of another script
        (b"file,digits\n\xff\xfe.wav,1\n", "not a CSV file in UTF-8"),
        (b'file,digits\n"' + b"x" * 200_000 + b'",1\n', "not a CSV file in UTF-8"),
    ],
)
def test_a_wrong_manifest_is_one_message(tmp_path: Path, content: bytes, message: str) -> None:
    """With the file and, where a row is to blame, its line in an editor."""
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)


def test_a_manifest_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_manifest(path)


def test_a_grammar_refuses_what_it_does_not_accept(engine: type[StubEngine], spoken: Path) -> None:
    """Three digits are no answer to a question for eight."""
    engine.answers = ["four one five"]
    items = [Item(spoken / "one.wav", "415", "", "", "")]
    (answer,) = hear_all(items, None, "builtin:digits?length=8")
    assert (answer.value, answer.words) == ("", "four one five")
    with pytest.raises(ConfigError):
        list(hear_all(items, None, "builtin:poetry"))


def test_a_missing_model_shows_before_any_worker_starts(tmp_path: Path) -> None:
    """One clear error, not a broken pool."""
    items = [Item(tmp_path / "a.wav", "1", "", "", "")]
    for workers in (1, 2):
        with pytest.raises(ModelError, match=r"model\.json is missing"):
            list(hear_all(items, tmp_path, workers=workers))


def test_the_report_holds_the_promised_keys() -> None:
    """Those that the command documents, first and in its order; groups and speakers the same."""
    report = Report(confidence_level=0.5)
    report.add(Item(Path("a.wav"), "415", "", "ann", "short"), Answer("415", "", 0.9, 900.0, 20.0))
    report.add(Item(Path("b.wav"), "", "", "bob", ""), Answer("7", "", 0.8, 1000.0, 30.0))
    figures = report.as_dict()
    assert [key for key in figures if key not in ADDED] == list(PROMISED)
    assert set(figures) == {*PROMISED, *ADDED}
    assert set(figures["latency_ms"]) == {"p50", "p95", "p99"}
    assert set(figures["groups"]) == {"short"}
    assert set(figures["speakers"]) == {"ann", "bob"}
    assert set(figures["speakers"]["bob"]) == set(PROMISED[:7])
    assert figures["speakers"]["bob"]["false_accept_rate"] == 1.0
    assert json.loads(json.dumps(figures)) == figures


def test_an_answer_below_the_confidence_level_is_none() -> None:
    """A live call would have asked again: a number is lost, and a false one is not taken."""
    report = Report(confidence_level=0.5)
    report.add(Item(Path("a.wav"), "41", "", "", ""), Answer("41", "", 0.49, 900.0, 20.0))
    report.add(Item(Path("b.wav"), "", "", "", ""), Answer("41", "", 0.49, 900.0, 20.0))
    report.add(Item(Path("c.wav"), "41", "", "", ""), Answer("41", "", 0.5, 900.0, 20.0))
    figures = report.as_dict()
    assert figures["string_accuracy"] == 0.5
    assert figures["deletions"] == 2
    assert figures["false_accept_rate"] == 0.0
    assert [row["heard"] for row in report.results] == ["41", "41", "41"]


def test_a_broken_file_is_reported_and_the_rest_goes_on(
    engine: type[StubEngine],
    spoken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One JSON object on standard output, exit status 1, a line for each broken file."""
    engine.answers = ["four one five", "four one nine"]
    manifest = write_manifest(
        tmp_path / "m.csv",
        "file,digits,group",
        *(f"{spoken / name},415,{name[:3]}" for name in ("one.wav", "broken.wav", "gone.wav")),
        f"{spoken / 'one.wav'},415,one",
    )
    status = run_evaluate(
        manifest,
        grammar=NATURAL,
        folder=None,
        confidence_level=None,
        workers=1,
        results=tmp_path / "results.jsonl",
        json_output=True,
    )
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert status == 1
    assert (figures["files"], figures["string_accuracy"]) == (2, 0.5)
    assert figures["substitutions"] == 1
    assert figures["groups"]["one"]["files"] == 2
    assert len(figures["errors"]) == 2
    assert "broken.wav" in figures["errors"][0]
    assert err.count("error:") == 2
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["heard"] for row in rows] == ["415", "419"]


def test_tables_for_people(
    engine: type[StubEngine],
    spoken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without --json: shares in percent, and a dash where there is nothing to share."""
    engine.answers = ["four one five"]
    manifest = write_manifest(
        tmp_path / "m.csv", "file,digits,speaker", f"{spoken / 'one.wav'},415,ann"
    )
    status = run_evaluate(
        manifest,
        grammar=NATURAL,
        folder=None,
        confidence_level=0.5,
        workers=1,
        results=None,
        json_output=False,
    )
    out = capsys.readouterr().out
    assert status == 0
    assert "100.00 %" in out
    assert "p95" in out


def test_a_list_of_the_command_line_reaches_every_worker(spoken: Path, tmp_path: Path) -> None:
    """Two processes with a small model; the grammar is one that only the list makes."""
    (tmp_path / "codes.txt").write_text("415\n")
    manifest = write_manifest(tmp_path / "m.csv", "file,digits", *[f"{spoken / 'one.wav'},415"] * 2)
    done = CliRunner().invoke(
        app,
        [
            *("evaluate", str(manifest), "--model", str(make_model(tmp_path / "model"))),
            *("--grammar", "builtin:digits?list=codes", "--list", f"codes={tmp_path}/codes.txt"),
            *("--workers", "2", "--json"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["files"] == 2


def test_evaluation_needs_nothing_of_training() -> None:
    """It is part of the installed package, whose dependencies have no torch and no scipy."""
    code = (
        "import sys, ivr.train.evaluation_report; "
        "extras = {'torch', 'scipy', 'transformers', 'onnx', 'librosa', 'matplotlib', 'av'}; "
        "sys.exit(bool(extras & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, timeout=60)  # noqa: S603 - our own interpreter
    assert done.returncode == 0
