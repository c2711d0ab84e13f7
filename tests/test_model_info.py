"""`ivr model info`: what model.json says and the files prove, and the card where there is one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ivr.asr.model_files import EMBEDDED, FORMAT, sha256_of
from ivr.asr.tokens import VOCABULARY
from ivr.cli import app
from ivr.errors import ModelError
from ivr.model_info import describe, find_card, run_model_info
from tests.asr.tiny import make_model

CARD = "# Model card: tiny\n\nIt hears *tones*.\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a tiny model with notes."""
    return make_model(tmp_path / "models" / "tiny", notes={"step": 12, "base": "none"})


def printed(folder: Path) -> str:
    """What people read."""
    console = Console(file=io.StringIO(), width=120)
    assert run_model_info(folder, json_output=False, console=console) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_tells_what_the_model_is(model: Path) -> None:
    """Name, format, sizes and digests of the files, vocabulary, times, constants, notes."""
    content = describe(model)
    assert (content["name"], content["kind"], content["format"]) == ("tiny", "numeric", FORMAT)
    encoder = model / "encoder.onnx"
    assert content["files"]["encoder.onnx"] == {
        "bytes": encoder.stat().st_size,
        "sha256": sha256_of(encoder),
    }
    assert set(content["files"]) == {"encoder.onnx", "decoder.onnx"}
    assert (content["vocabulary"], content["frame_ms"]) == (len(VOCABULARY), 40)
    assert content["longest_s"] == 10.0  # 500 columns of 2 mel frames of 10 ms
    assert content["decoding"]["beam"] == 8
    assert content["notes"] == {"step": 12, "base": "none"}


def test_people_read_the_same_and_the_card(model: Path) -> None:
    """The digests whole, and the card as a page rather than as Markdown."""
    (model / "README.md").write_text(CARD)
    output = printed(model)
    for text in ("tiny", "verified", sha256_of(model / "decoder.onnx"), "beam 8", "step 12"):
        assert text in output
    assert "It hears tones." in output


def test_the_card_lies_beside_the_model_or_above_it(model: Path) -> None:
    """The nearer one counts; a README about something else is none."""
    assert find_card(model) is None
    assert "no model card" in printed(model)
    (model.parent / "README.md").write_text("# My experiments\n")
    assert find_card(model) is None
    (model.parent / "README.md").write_text(CARD)
    assert find_card(model) == model.parent / "README.md"
    (model / "README.md").write_bytes(b"\xff\xfe")
    assert find_card(model) == model.parent / "README.md"
    (model / "README.md").write_text(CARD)
    assert find_card(model) == model / "README.md"


def test_the_embedded_model_has_a_card() -> None:
    """It is shipped with the package, above the weights."""
    card = find_card(EMBEDDED)
    assert card == EMBEDDED.parent / "README.md"


def test_the_command_prints_json(model: Path) -> None:
    """One object with the card as text."""
    (model / "README.md").write_text(CARD)
    done = CliRunner().invoke(app, ["model", "info", "--model", str(model), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.output) == describe(model)
    assert json.loads(done.output)["card"] == CARD


@pytest.mark.parametrize("broken", ["missing", "altered"])
def test_a_broken_model_is_one_line(model: Path, broken: str) -> None:
    """On standard error, with the cure, and status 1."""
    if broken == "missing":
        (model / "decoder.onnx").unlink()
    else:
        (model / "decoder.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError):
        describe(model)
    command = [sys.executable, "-m", "ivr", "model", "info", "--model", str(model)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own interpreter
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "decoder.onnx" in done.stderr
