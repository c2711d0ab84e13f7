"""`ivr train` from start to end in small: packs, trains, exports, goes on, says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from ivr.asr.model_files import open_model
from ivr.errors import ConfigError
from ivr.train.command import Start, find_sets, run_train
from ivr.train.network import NumericWhisper
from ivr.train.train import FINE_TUNING, read_checkpoint, saved_settings
from tests.train.speech import word_set


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Whisper checkpoint of random weights, as transformers writes it."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(2)
    config = WhisperConfig(
        vocab_size=300,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as tones, to train on and to look at."""
    folder = tmp_path_factory.mktemp("data")
    word_set(folder / "speech_commands.train")
    word_set(folder / "speech_commands.dev", speakers=("cat",))
    return folder


def train(
    out: Path,
    start: Start,
    data: Path | None,
    steps: int | None,
    *,
    export_only: bool = False,
) -> int:
    """The command without synthesis."""
    return run_train(
        out,
        start,
        data=data,
        cache=None,
        steps=steps,
        synthesize=0,
        seed=4,
        export_only=export_only,
        json_output=True,
    )


def test_a_run_begins_from_a_base_and_goes_on(base: str, data: Path, tmp_path: Path) -> None:
    """One command trains and exports; a second takes no base and no data to go further."""
    out = tmp_path / "run"
    start = Start(base, decoder_layers=1, decoder_ffn=48, pool=True)
    assert train(out, start, data, 1) == 0
    saved = read_checkpoint(out)
    assert saved is not None
    assert saved["step"] == 1
    assert saved["shape"]["decoder_layers"] == 1
    assert saved["shape"]["pool_after"] == 1
    settings = saved_settings(out)
    assert settings is not None
    assert settings.peak_rate == FINE_TUNING.peak_rate
    assert (settings.steps, settings.seed) == (1, 4)
    assert train(out, Start(), None, 2) == 0
    _, description = open_model(out / "model")
    assert description.notes["step"] == 2
    assert set(description.notes["clips"]) == {"speech_commands.train"}  # not what is only checked
    assert description.frame_ms == 40
    again = saved_settings(out)
    assert again is not None
    assert again.peak_rate == FINE_TUNING.peak_rate  # not that of a network from nothing
    # A third run begins from the weights of the first, with steps of its own.
    weights = Start(str(out)).weights()
    assert isinstance(weights, NumericWhisper)
    saved = read_checkpoint(out)
    assert saved is not None
    for name, value in weights.state_dict().items():
        assert torch.equal(value, saved["average"][name]), name


def test_sets_are_found_by_name(data: Path, tmp_path: Path) -> None:
    """Folders and tar files; a folder without any is named."""
    (tmp_path / "calls.tar").touch()
    assert set(find_sets(data)) == {"speech_commands.train", "speech_commands.dev"}
    assert set(find_sets(tmp_path)) == {"calls"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty holds no NAME\.tar"):
        find_sets(tmp_path / "empty")
    with pytest.raises(ConfigError, match="is not a folder"):
        find_sets(tmp_path / "nowhere")


def test_a_base_that_is_none_is_one_message(data: Path, tmp_path: Path) -> None:
    """It names the folder and what is taken."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ConfigError, match="no Whisper checkpoint there"):
        train(tmp_path / "run", Start(str(tmp_path / "base")), data, 1)


def test_export_only_needs_a_checkpoint(tmp_path: Path) -> None:
    """Rather than exporting random weights."""
    with pytest.raises(ConfigError, match=r"holds no checkpoint\.pt"):
        train(tmp_path, Start(), None, None, export_only=True)
