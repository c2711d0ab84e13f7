"""The race of `ivr bench --compare`, on a checkpoint so small that it is over at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from ivr.asr.engine import Engine
from ivr.asr.model_files import open_model
from ivr.bench import GRAMMAR, spoken_answer
from ivr.errors import ModelError
from ivr.train import contenders
from ivr.train.contenders import CUT, EMBEDDED, STOCK, Contest, Field
from ivr.train.export import export
from ivr.train.network import NumericWhisper, Shape

SHAPE = {
    "vocab_size": 600,
    "num_mel_bins": 80,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 48,
}
ANSWER = spoken_answer(1.0)
BY_TORCH = "given model's shape, torch float32"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that tells its shape."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("given")
    shape = Shape(d_model=32, encoder_layers=1, decoder_layers=1, heads=2)
    export(NumericWhisper(shape), folder, "tiny", {})
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything is built once for all tests."""
    return tmp_path_factory.mktemp("cache")


def contest(given: Path | None, cache: Path, report: list[str] | None = None) -> Field:
    """Everybody who can race."""
    said = report if report is not None else []
    return Contest(given, ANSWER, GRAMMAR, cache, said.append, SHAPE).field()


def names(racers: Field) -> list[str]:
    """In the order of the table."""
    return [entry.name for entry in racers.entries]


def has_ctranslate2() -> bool:
    """Whether the bench extra is there."""
    try:
        import ctranslate2  # noqa: F401, PLC0415
    except ModuleNotFoundError:
        return False
    return True


def test_everybody_races(given: Path, cache: Path) -> None:
    """Each recognises the answer and tells its stages; only a missing package is left out."""
    racers = contest(given, cache)
    assert names(racers)[:3] == [EMBEDDED, BY_TORCH, CUT]
    assert len(racers.left_out) == (0 if has_ctranslate2() else 1)
    for entry in racers.entries:
        stages = entry.load()()
        assert {"mel", "encode"} <= set(stages), entry.name
        assert {"rescore", "decode"} & set(stages), entry.name
        assert set(entry.against) <= set(names(racers))


def test_what_was_built_is_used_again(given: Path, cache: Path) -> None:
    """And what was interrupted is built anew."""
    contest(given, cache)
    said: list[str] = []
    contest(given, cache, said)
    assert said == []
    (cache / "stock").rename(cache / "stock.partial")
    contest(given, cache, said)
    assert said == ["building stock"]
    assert (cache / "stock" / "model.json").is_file()
    assert not (cache / "stock.partial").exists()


def test_the_cut_network_is_cut_and_the_stock_one_is_not(given: Path, cache: Path) -> None:
    """Vocabulary, layers and context are those that the names promise."""
    contest(given, cache)
    _, cut = open_model(cache / "numeric")
    _, few = open_model(cache / "numeric-few")
    _, stock = open_model(cache / "stock")
    assert cut.shape["decoder_layers"] == 3
    assert few.shape["decoder_layers"] == 2
    assert stock.stock is not None
    assert stock.max_columns == 3_000


def test_random_networks_search_in_what_the_given_model_heard(given: Path, cache: Path) -> None:
    """At their own frame rate, or their search would be over nonsense."""
    contest(given, cache)
    heard = Engine(given).encode(Engine(given).features(ANSWER))[1]
    engine = contenders._Numeric(cache / "numeric", heard)
    states, log_probs = engine.encode(engine.features(ANSWER))
    assert states.shape[1] == log_probs.shape[0] == 50
    np.testing.assert_array_equal(log_probs[::2], heard)
    np.testing.assert_array_equal(log_probs[1::2], heard)


def test_torch_says_what_the_exported_network_says(given: Path) -> None:
    """The reference of the table does the same work."""
    engine = Engine(given)
    _, heard = engine.encode(engine.features(ANSWER))
    torch.manual_seed(1)
    network = NumericWhisper(Shape(**engine.description.shape))
    by_torch = contenders._Torch(network, engine, heard)
    wanted, got = (e.recognize(ANSWER, GRAMMAR) for e in (engine, by_torch))
    assert got.best.text == wanted.best.text
    assert got.best.score == pytest.approx(wanted.best.score, abs=0.05)


def test_a_model_that_does_not_tell_its_shape_is_not_rebuilt(given: Path, cache: Path) -> None:
    """It races by ONNX Runtime alone, and the reason is told."""
    path = given / "model.json"
    content = path.read_text()
    path.write_text(json.dumps(json.loads(content) | {"shape": {}}))
    try:
        racers = contest(given, cache)
    finally:
        path.write_text(content)
    assert BY_TORCH not in names(racers)
    assert any("does not tell its shape" in reason for reason in racers.left_out)


def test_without_ctranslate2_the_others_race(
    given: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what to install."""
    monkeypatch.delitem(sys.modules, "ivr.train.ctranslate2_contender", raising=False)
    monkeypatch.delattr("ivr.train.ctranslate2_contender", raising=False)
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    racers = contest(given, cache)
    assert names(racers)[-1] == STOCK
    (reason,) = racers.left_out
    assert "pip install 'ivr[bench]'" in reason


def test_a_stock_checkpoint_is_no_model_to_compare_with(given: Path, cache: Path) -> None:
    """The race is against a numeric model."""
    contest(given, cache)
    with pytest.raises(ModelError, match="stock checkpoint"):
        contest(cache / "stock", cache)


def test_ctranslate2_writes_as_many_pieces_as_the_others(given: Path, cache: Path) -> None:
    """A text of nine pieces, over a short context and over the whole."""
    pytest.importorskip("ctranslate2")
    from ivr.train.ctranslate2_contender import Writer  # noqa: PLC0415 - needs the bench extra

    contest(given, cache)
    for name in ("ctranslate2-cut", "ctranslate2-stock"):
        for columns in (100, 3_000):
            writer = Writer(cache / name)
            states = writer.encode(np.zeros((80, columns), np.float32))
            assert len(writer.write(states, beam=5, n_pieces=9)) == 9
