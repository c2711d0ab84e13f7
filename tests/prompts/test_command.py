"""`ivr prompts`: files and a script for a studio, and what is wrong with what came back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ivr.cli import app

FLOW = """
flow: pin
start: ask
defaults: {on_failure: bye}
steps:
  ask:
    capture: pin
    grammar: builtin:digits?length=4
    prompt: Your number.
    no_input: [Say it now.]
    next: done
  done: {end: ok, say: "I have {pin:digits}, thank you."}
  bye: {end: bye, say: {text: Goodbye., recording: goodbye}}
"""
FIXED = ["ask.no_input.1.wav", "ask.prompt.wav", "goodbye.wav"]


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A flow of three fixed texts and one with a value."""
    path = tmp_path / "flow.yaml"
    path.write_text(FLOW)
    return path


def run(*arguments: object, status: int = 0) -> str:
    """The command's output; its exit status must be as given."""
    result = CliRunner().invoke(app, ["prompts", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.output


def checked(flow: Path, folder: Path, *options: str, status: int = 0) -> dict[str, Any]:
    """The JSON of a check."""
    report = run("check", flow, "--recordings", folder, "--json", *options, status=status)
    parsed: dict[str, Any] = json.loads(report)
    return parsed


def faults(report: dict[str, Any], file: str) -> list[str]:
    """Of one recording."""
    (row,) = [row for row in report["prompts"] if row["file"] == file]
    return [*row["faults"], *row["remarks"]]


def test_rendered_files_are_a_complete_set_of_recordings(flow: Path, tmp_path: Path) -> None:
    """What is rendered is named as the server looks for it, and passes the check."""
    out = tmp_path / "studio"
    assert "script.csv" in run("render", flow, "--out", out)
    names = {str(path.relative_to(out)) for path in out.rglob("*.wav")}
    assert {*FIXED, "done.say-1.wav", "done.say-2.wav", "digits/0.wav", "digits/90.wav"} <= names
    rows = list(csv.DictReader((out / "script.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["file"] for row in rows} == names
    assert {row["file"]: row["say"] for row in rows}["done.say-1.wav"] == "I have"
    report = checked(flow, out, "--complete")
    assert report["ok"] is True
    assert all(row["found"] for row in report["prompts"])


def test_each_language_has_its_folder(tmp_path: Path) -> None:
    """Texts, parts and words of values, in every language of the flow."""
    path = tmp_path / "flow.yaml"
    path.write_text(
        "flow: pin\nlanguages: [en, es]\nstart: ask\nsteps:\n"
        "  ask: {capture: pin, grammar: 'builtin:digits?length=4', next: done, on_failure: bye,\n"
        "        prompt: {en: Your number., es: Su numero.}}\n"
        "  done: {end: ok, say: {en: 'I have {pin:digits}.', es: 'Tengo {pin:digits}.'}}\n"
        "  bye: {end: bye}\n"
    )
    files = json.loads(run("render", path, "--out", tmp_path / "out", "--json"))["files"]
    wanted = {"en/ask.prompt.wav", "es/ask.prompt.wav", "en/digits/4.wav", "es/digits/cuatro.wav"}
    assert wanted <= set(files)
    assert checked(path, tmp_path / "out", "--complete")["ok"] is True


def test_missing_recordings_are_listed(flow: Path, tmp_path: Path) -> None:
    """They are synthesised, so they are wrong only where the user says so."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    report = checked(flow, folder)
    assert [row["file"] for row in report["prompts"] if "/" not in row["file"]] == [
        *("ask.prompt.wav", "ask.no_input.1.wav", "goodbye.wav"),
        *("done.say-1.wav", "done.say-2.wav"),
    ]
    assert checked(flow, folder, "--complete", status=1)["ok"] is False
    assert "missing: synthesised" in run("check", flow, "--recordings", folder)


def test_bad_recordings_are_told(flow: Path, tmp_path: Path) -> None:
    """Clipped, faint, of too low a rate, undecodable, misnamed, padded with silence."""
    time = np.arange(8000) / 8000
    sine = np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "ask.prompt.wav", np.clip(3 * sine, -1, 1), 8000)
    soundfile.write(tmp_path / "ask.no_input.1.wav", 0.001 * sine, 8000)
    soundfile.write(tmp_path / "goodbye.wav", 0.2 * sine, 6000)
    (tmp_path / "done.say-1.wav").write_bytes(b"RIFF....nonsense")
    soundfile.write(tmp_path / "done.say2.wav", 0.2 * sine, 8000)
    (tmp_path / "digits").mkdir()
    soundfile.write(tmp_path / "digits" / "4.wav", 0.2 * sine, 8000)
    report = checked(flow, tmp_path, status=1)
    assert "clipped" in faults(report, "ask.prompt.wav")[0]
    assert "faint" in faults(report, "ask.no_input.1.wav")[0]
    assert "6000 Hz" in faults(report, "goodbye.wav")[0]
    assert "not a readable recording" in faults(report, "done.say-1.wav")[0]
    assert report["unknown"] == ["done.say2.wav"]
    assert report["digits_incomplete"] is True
    told = run("check", flow, "--recordings", tmp_path, status=1)
    assert "no prompt of this flow has this name" in told
    padded = np.concatenate([np.zeros(8000), 0.2 * sine])
    soundfile.write(tmp_path / "ask.prompt.wav", padded, 8000)
    assert (
        "silent for 1.0 s before" in faults(checked(flow, tmp_path, status=1), "ask.prompt.wav")[0]
    )


def test_a_folder_that_is_not_there_is_told(flow: Path, tmp_path: Path) -> None:
    """Rather than that everything is missing."""
    result = CliRunner().invoke(
        app, ["prompts", "check", str(flow), "--recordings", str(tmp_path / "none")]
    )
    assert result.exception is not None
    assert "no folder of recordings" in str(result.exception)
