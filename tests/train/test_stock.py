"""A stock checkpoint exported untouched: its pieces, its own log-probabilities, its answers."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.asr.engine import Engine
from ivr.asr.loading import open_engine
from ivr.asr.piece_search import piece_search
from ivr.asr.stock import StockEngine
from ivr.asr.tokens import VOCABULARY
from ivr.cli import main
from ivr.errors import ConfigError, ModelError
from ivr.grammar.grammar import parse_grammar
from ivr.train.base import open_base
from ivr.train.random_base import train_tokenizer, write_random_checkpoint
from ivr.train.stock import export_stock, numeric_pieces

SHAPE = {
    "vocab_size": 600,
    "num_mel_bins": 80,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 48,
    "max_target_positions": 60,
}
# Of log-probabilities, int8 against float32; the largest over all pieces of a text was 0.003.
INT8_TOLERANCE = 0.05
NATURAL = "builtin:natural"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint, as transformers writes them."""
    return write_random_checkpoint(tmp_path_factory.mktemp("base"), SHAPE, seed=2)


@pytest.fixture(scope="module")
def exported(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its model folder."""
    folder = tmp_path_factory.mktemp("stock")
    export_stock(str(base), folder, "tiny-stock")
    return folder


@pytest.fixture(scope="module")
def engine(exported: Path) -> StockEngine:
    """One engine for all tests: it must not remember anything."""
    opened = open_engine(exported)
    assert isinstance(opened, StockEngine)
    return opened


def noise(seconds: float, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """White noise, int16 [n] at 8 kHz."""
    return np.random.default_rng(seed).integers(-9_000, 9_000, int(8_000 * seconds), np.int16)


def test_pieces_spell_numbers_and_nothing_else() -> None:
    """Digits, words of the vocabulary and marks are kept, other text is not."""
    tokenizer = train_tokenizer()
    texts = numeric_pieces(tokenizer, tokenizer.get_vocab_size())
    kept = set(texts.values())
    assert {" 4", "7", ",", " ", "."} <= kept
    assert not {"<|en|>", "z$", "é", "(", "%"} & kept
    for word in VOCABULARY[4:]:
        for form in (f" {word}", word.capitalize(), word.upper()):
            pieces = tokenizer.encode(form, add_special_tokens=False).ids
            assert "".join(texts[piece] for piece in pieces) == form


def test_features_are_whispers_own(engine: StockEngine) -> None:
    """Padded to 30 s; without the level that numeric models want."""
    features = engine.features(noise(1.0))
    assert features.shape == (80, 3_000)
    assert not engine.description.level
    assert float(np.ptp(features[:, 200:])) == 0.0
    assert engine.features(noise(31.0)).shape == (80, 3_000)


def test_log_probabilities_are_those_of_the_checkpoint(base: Path, engine: StockEngine) -> None:
    """Piece by piece, int8 against transformers' own float32, within the tolerance."""
    stock, tokenizer = open_base(str(base))
    assert tokenizer is not None
    texts = numeric_pieces(tokenizer, SHAPE["vocab_size"])
    features = engine.features(noise(2.0))
    names = ("<|startoftranscript|>", "<|notimestamps|>")
    fed = [*(tokenizer.token_to_id(name) for name in names)]
    fed += tokenizer.encode(" 41, two", add_special_tokens=False).ids
    with torch.no_grad():
        logits = stock(
            input_features=torch.from_numpy(features)[None], decoder_input_ids=torch.tensor([fed])
        ).logits[0]
    wanted = torch.log_softmax(logits, -1).numpy()
    decoder = engine.encode(features)
    pieces = engine.pieces
    own = [*pieces.prompt, *(pieces.texts.index(texts[number]) for number in fed[2:])]
    columns = [column for column, text in enumerate(pieces.texts) if text]
    numbers = [number for number, text in texts.items() if text and number > 5]
    for place, piece in enumerate(own):
        got = decoder.step([piece], [0])[0]
        np.testing.assert_allclose(got[columns], wanted[place, numbers], atol=INT8_TOLERANCE)


def test_rows_remember_what_they_were_fed(engine: StockEngine) -> None:
    """Two rows side by side say what each says alone, also after they changed places."""
    features, pieces = engine.features(noise(1.0)), engine.pieces
    four, comma = (pieces.texts.index(text) for text in (" 4", ","))

    def alone(*fed: int) -> list[float]:
        decoder = engine.encode(features)
        for piece in fed:
            log_probs = decoder.step([piece], [0])
        return list(log_probs[0])

    start = pieces.prompt[0]
    decoder = engine.encode(features)
    decoder.step([start], [0])
    decoder.step([four, comma], [0, 0])
    together = decoder.step([four, four], [1, 0])
    # Activations are quantised by the largest of a call, so the rows touch each other a little.
    np.testing.assert_allclose(together[0], alone(start, comma, four), atol=INT8_TOLERANCE)
    np.testing.assert_allclose(together[1], alone(start, four, four), atol=INT8_TOLERANCE)


def test_random_weights_hear_no_number(engine: StockEngine) -> None:
    """Every piece is as likely as any, so no answer is: the empty one comes first, alone or not."""
    recognition = engine.recognize(noise(2.0), "builtin:digits?length=4")
    assert recognition.best.text == ""
    assert recognition.audio_ms == 2_000
    assert set(recognition.compute_ms) == {"mel", "encode", "decode"}
    assert 0.0 <= recognition.confidence <= 1.0


@given(
    samples=st.lists(st.integers(-32768, 32767), max_size=2_000),
    uri=st.sampled_from([NATURAL, "builtin:digits?length=4", "builtin:boolean"]),
)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_samples_give_accepted_answers_or_none(
    engine: StockEngine, samples: list[int], uri: str
) -> None:
    """Whatever comes off the line."""
    recognition = engine.recognize(np.array(samples, np.int16), uri)
    grammar = parse_grammar(uri)
    for hypothesis in recognition.hypotheses:
        state = grammar.walk(word.text for word in hypothesis.words)
        assert not hypothesis.words or (state is not None and state.complete)
        assert hypothesis.score <= 0.0


def test_a_search_of_the_network_stays_inside_the_grammar(engine: StockEngine) -> None:
    """With the network's log-probabilities lifted until its noise looks like speech."""

    class Louder:
        def __init__(self) -> None:
            self._decoder = engine.encode(engine.features(noise(1.0)))

        def step(self, pieces: list[int], parents: list[int]) -> np.ndarray:  # type: ignore[type-arg]
            log_probs = self._decoder.step(pieces, parents) * 3
            return log_probs - np.log(np.exp(log_probs).sum(axis=1, keepdims=True))

    grammar = parse_grammar("builtin:digits?length=3")
    found = piece_search(Louder(), engine.pieces, grammar, beam=8, longest=20)
    assert found.answers
    for answer in found.answers:
        state = grammar.walk(answer.words)
        assert state is not None
        assert state.complete


def test_the_folder_describes_itself(exported: Path) -> None:
    """As a stock model with its pieces; an altered file is refused."""
    content = json.loads((exported / "model.json").read_text())
    assert content["name"] == "tiny-stock"
    assert content["max_columns"] == 3_000
    assert not content["level"]
    texts = content["stock"]["texts"]
    assert texts[content["stock"]["end"]] == ""
    assert open_engine(exported).describe() == {
        "name": "tiny-stock",
        "sha256": content["sha256"],
    }


def test_each_engine_refuses_the_other_kind(exported: Path, shared_numeric: Path) -> None:
    """Which one to take stands in model.json; `open_engine` reads it there."""
    with pytest.raises(ModelError, match="stock checkpoint"):
        Engine(exported)
    with pytest.raises(ModelError, match="no stock checkpoint"):
        StockEngine(shared_numeric)
    assert isinstance(open_engine(shared_numeric), Engine)
    assert isinstance(open_engine(), Engine)


@pytest.fixture(scope="module")
def shared_numeric() -> Path:
    """The folder of the embedded model."""
    return Engine().folder


def test_checkpoints_without_a_fitting_tokenizer_are_refused(base: Path, tmp_path: Path) -> None:
    """No tokenizer, or one without Whisper's special pieces: one line each."""
    plain = tmp_path / "plain"
    shutil.copytree(base, plain)
    (plain / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
        export_stock(str(plain), tmp_path / "out")
    content = (base / "tokenizer.json").read_text()
    (plain / "tokenizer.json").write_text(content.replace("<|notimestamps|>", "<|times|>"))
    with pytest.raises(ConfigError, match=r"lacks <\|notimestamps\|>"):
        export_stock(str(plain), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `ivr` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["ivr", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_the_command_exports_and_runs_once(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And says where the model is; without --stock it says what to do instead."""
    out = tmp_path / "model"
    assert run(monkeypatch, "export", str(base), str(out), "--stock") == 0
    assert f"exported to {out}" in capsys.readouterr().err
    assert isinstance(open_engine(out), StockEngine)
    assert run(monkeypatch, "export", str(base), str(tmp_path / "other")) == 2
    assert f"ivr train --base {base}" in capsys.readouterr().err
    assert run(monkeypatch, "export", str(tmp_path), str(tmp_path / "other"), "--stock") == 2
    assert "no Whisper checkpoint" in capsys.readouterr().err


def test_a_missing_extra_is_told_with_its_cure(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who installed the package alone is told what to install."""
    monkeypatch.delitem(sys.modules, "ivr.train.stock")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert run(monkeypatch, "export", str(base), str(tmp_path / "model"), "--stock") == 2
    assert "pip install 'ivr[train]'" in capsys.readouterr().err
