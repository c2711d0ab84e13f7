"""Averaging runs: the middle of their weights, exported and kept to begin from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from ivr.asr.engine import Engine
from ivr.asr.tokens import VOCABULARY
from ivr.errors import ConfigError
from ivr.train.average import average
from ivr.train.network import NumericWhisper, Shape
from ivr.train.train import trained_model

TINY = Shape(d_model=32, encoder_layers=1, decoder_layers=1, heads=2)


def run_of(folder: Path, shape: Shape, seed: int) -> Path:
    """A run's folder with untrained weights."""
    torch.manual_seed(seed)
    folder.mkdir()
    torch.save(
        {
            "step": 10 * seed,
            "shape": shape.as_dict(),
            "vocabulary": list(VOCABULARY),
            "settings": {},
            "average": NumericWhisper(shape).state_dict(),
        },
        folder / "checkpoint.pt",
    )
    return folder


def test_the_mean_lies_in_the_middle(tmp_path: Path) -> None:
    """Of every weight, to half precision; a run can begin from it and an engine runs it."""
    runs = [run_of(tmp_path / name, TINY, seed) for seed, name in enumerate("ab", start=1)]
    average(runs, tmp_path / "out")
    first, second, mean = (trained_model(folder) for folder in (*runs, tmp_path / "out"))
    assert first is not None
    assert second is not None
    assert mean is not None
    for a, b, middle in zip(
        first.parameters(), second.parameters(), mean.parameters(), strict=True
    ):
        torch.testing.assert_close(middle, (a + b) / 2, atol=1e-3, rtol=1e-3)
    engine = Engine(tmp_path / "out" / "model")
    assert engine.description.notes == {"mean_of_steps": [10, 20]}


def test_runs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Another shape, or no run at all."""
    run = run_of(tmp_path / "a", TINY, 1)
    other = run_of(tmp_path / "b", Shape(d_model=64, encoder_layers=1, heads=2), 1)
    with pytest.raises(ConfigError, match="another shape"):
        average([run, other], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no checkpoint\.pt"):
        average([run, tmp_path], tmp_path / "out")
