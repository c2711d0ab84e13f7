"""From a stock Whisper checkpoint to a numeric one: what is kept, what is cut, and that it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from torch import Tensor

from ivr.asr.engine import Engine
from ivr.asr.tokens import EOT, OTHER, SOT, TOKEN_ID, VOCABULARY, encode
from ivr.errors import ConfigError
from ivr.train.base import MAX_TOKENS, load_base, open_base
from ivr.train.channel import ChannelSettings
from ivr.train.corpus import PackedSet, open_packed, pack
from ivr.train.export import export
from ivr.train.loader import features_of
from ivr.train.mixer import Mixer
from ivr.train.network import NumericWhisper
from ivr.train.random_base import write_random_checkpoint
from ivr.train.train import FINE_TUNING, Trainer, TrainSettings
from tests.train.speech import word_set, word_tone

SHAPE = {
    "vocab_size": 700,
    "num_mel_bins": 80,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 48,
    "max_source_positions": 1_500,
    "max_target_positions": 60,
}
QUICK = TrainSettings(steps=2, batch_s=3.0, warmup_steps=1, workers=0, from_easy=True, seed=3)
# Of log-probabilities, int8 against float32; the largest over the cuts below was 0.014.
INT8_TOLERANCE = 0.05
CUTS = {
    "whole": {},
    "pooled": {"pool": True},
    "few layers": {"decoder_layers": 1},
    "narrow, pooled": {"decoder_layers": 2, "decoder_ffn": 20, "pool": True},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny checkpoint, as transformers writes them, with a tokenizer."""
    return str(write_random_checkpoint(tmp_path_factory.mktemp("base"), SHAPE, seed=4))


@pytest.fixture(scope="module")
def plain_base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same without a tokenizer."""
    folder = tmp_path_factory.mktemp("plain")
    return str(write_random_checkpoint(folder, SHAPE, seed=4, tokenizer=False))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> PackedSet:
    """Tones that stand for digit words."""
    folder = tmp_path_factory.mktemp("words")
    pack(word_set(folder / "source"), folder / "packed")
    return open_packed(folder / "packed")


def stock_weights(base: str) -> dict[str, Tensor]:
    """The checkpoint as it is."""
    return dict(open_base(base)[0].state_dict())


def test_the_encoder_is_kept_as_it_is(base: str) -> None:
    """Every weight of it, positions included."""
    stock, cut = stock_weights(base), load_base(base).whisper.state_dict()
    names = [name for name in stock if name.startswith("model.encoder.")]
    assert names
    for name in names:
        assert torch.equal(stock[name], cut[name]), name


def test_the_uncut_decoder_says_what_the_checkpoint_says(base: str) -> None:
    """Hidden states of all layers, for the words of the vocabulary; only the words are new."""
    stock, model = open_base(base)[0].eval(), load_base(base).eval()
    features = torch.randn(1, 80, 2 * SHAPE["max_source_positions"])
    tokens = torch.tensor([[SOT, *encode("four one five")]])
    with torch.no_grad():
        states = model.encode(features)
        encoded = stock.model.encoder(features).last_hidden_state
        torch.testing.assert_close(states, encoded, atol=1e-5, rtol=1e-4)
        stock.model.decoder.embed_tokens.weight[: len(VOCABULARY)] = (
            model.whisper.model.decoder.embed_tokens.weight
        )
        hidden = stock.model.decoder(
            input_ids=tokens, encoder_hidden_states=encoded, use_cache=False
        ).last_hidden_state
        wanted = hidden @ model.whisper.proj_out.weight.T
        torch.testing.assert_close(model.decode(states, tokens), wanted, atol=1e-5, rtol=1e-4)


def test_words_begin_as_the_mean_of_their_pieces(base: str) -> None:
    """Special tokens as Whisper's own; the same table reads and writes."""
    table = stock_weights(base)["model.decoder.embed_tokens.weight"]
    _, tokenizer = open_base(base)
    assert tokenizer is not None
    model = load_base(base).whisper
    cut = model.model.decoder.embed_tokens.weight
    assert cut.shape == (len(VOCABULARY), SHAPE["d_model"])
    assert torch.equal(cut, model.proj_out.weight)
    counts = set()
    for word in ("four", "fifteen", "nought", "hundred", "operator"):
        ids = tokenizer.encode(f" {word}", add_special_tokens=False).ids
        counts.add(len(ids))
        torch.testing.assert_close(cut[TOKEN_ID[word]], table[ids].mean(dim=0))
    assert max(counts) > 1, "no word was spelt in several pieces: the test tests nothing"
    for token, piece in ((SOT, "<|startoftranscript|>"), (EOT, "<|endoftext|>")):
        torch.testing.assert_close(cut[token], table[tokenizer.token_to_id(piece)])


def test_without_a_tokenizer_words_begin_near_the_mean(plain_base: str) -> None:
    """Each a little beside it, or the network could never tell them apart."""
    table = stock_weights(plain_base)["model.decoder.embed_tokens.weight"]
    words = load_base(plain_base).whisper.model.decoder.embed_tokens.weight.detach()
    assert float((words - table.mean(dim=0)).std()) < 0.3 * float(table.std())
    distances = torch.cdist(words, words) + torch.eye(len(words))
    assert float(distances.min()) > 0.0


def test_other_speech_has_no_piece(base: str) -> None:
    """The token for other speech begins near the mean: no piece of Whisper's means it."""
    table = stock_weights(base)["model.decoder.embed_tokens.weight"]
    other = load_base(base).whisper.model.decoder.embed_tokens.weight.detach()[OTHER]
    assert float((other - table.mean(dim=0)).abs().max()) < float(table.std())


def test_the_last_decoder_layers_are_kept(base: str) -> None:
    """In their order; the norm behind them and the first positions stay."""
    stock = stock_weights(base)
    model = load_base(base, decoder_layers=2)
    cut = model.whisper.state_dict()
    assert len(model.whisper.model.decoder.layers) == model.shape.decoder_layers == 2
    for kept, was in ((0, 1), (1, 2)):
        prefix = f"model.decoder.layers.{kept}."
        names = [name for name in cut if name.startswith(prefix)]
        assert names
        for name in names:
            before = name.replace(prefix, f"model.decoder.layers.{was}.")
            assert torch.equal(cut[name], stock[before]), name
    name = "model.decoder.layer_norm.weight"
    assert torch.equal(cut[name], stock[name])
    name = "model.decoder.embed_positions.weight"
    assert torch.equal(cut[name], stock[name][:MAX_TOKENS])


def test_the_strongest_units_are_kept(base: str) -> None:
    """Of a feed-forward layer, those with the greatest product of weights, in their order."""
    stock = stock_weights(base)
    model = load_base(base, decoder_ffn=20)
    cut = model.whisper.state_dict()
    assert model.shape.decoder_ffn == 20
    for number in range(3):
        layer = f"model.decoder.layers.{number}"
        first, second = stock[f"{layer}.fc1.weight"], stock[f"{layer}.fc2.weight"]
        strength = first.norm(dim=1) * second.norm(dim=0)
        kept = [unit for unit in range(48) if int((strength > strength[unit]).sum()) < 20]
        assert len(kept) == 20
        assert torch.equal(cut[f"{layer}.fc1.weight"], first[kept])
        assert torch.equal(cut[f"{layer}.fc1.bias"], stock[f"{layer}.fc1.bias"][kept])
        assert torch.equal(cut[f"{layer}.fc2.weight"], second[:, kept])
        assert torch.equal(cut[f"{layer}.fc2.bias"], stock[f"{layer}.fc2.bias"])


@pytest.mark.parametrize(("pool", "frame_ms", "frames"), [(False, 20, 50), (True, 40, 25)])
def test_the_encoder_takes_any_length(base: str, pool: bool, frame_ms: int, frames: int) -> None:
    """A second of speech: 50 frames, or 25 where it pools half way up."""
    model = load_base(base, pool=pool).eval()
    assert model.shape.frame_ms == frame_ms
    assert model.shape.pool_after == (1 if pool else 0)
    with torch.no_grad():
        assert model.encode(torch.zeros(1, 80, 100)).shape == (1, frames, SHAPE["d_model"])


@pytest.mark.parametrize("cut", [{"decoder_layers": 4}, {"decoder_ffn": 49}])
def test_more_than_there_is_cannot_be_kept(base: str, cut: dict[str, int]) -> None:
    """One line that says how much there is."""
    with pytest.raises(ConfigError, match=r"has 3 decoder layers of 48 units") as caught:
        load_base(base, **cut)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what was given and what would be right; so does a folder without a checkpoint."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for base in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigError, match="no Whisper checkpoint") as caught:
            load_base(str(base))
        assert str(base) in str(caught.value)
        assert "openai/whisper-small" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [{}, {"pool": True, "decoder_layers": 1, "decoder_ffn": 20}])
def test_from_the_checkpoint_to_an_answer(
    base: str, words: PackedSet, tmp_path: Path, cut: dict[str, int]
) -> None:
    """Load, cut, train two steps, export, recognise."""
    start = load_base(base, **cut)  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in start.state_dict().items()}
    mixer = Mixer([words], [], [], [], [])
    run = Trainer(tmp_path, QUICK, start, mixer, ChannelSettings(), {})
    run.run(lambda _row: None)
    assert run.step == 2
    moved = [n for n, v in run.model.state_dict().items() if not torch.equal(v, before[n])]
    for part in ("ctc_head.", "whisper.model.encoder.layers.", "whisper.model.decoder."):
        assert any(name.startswith(part) for name in moved), part
    export(run.averaged(), tmp_path / "model", "tiny", {"step": run.step})
    engine = Engine(tmp_path / "model")
    assert engine.description.shape == start.shape.as_dict()
    pcm = (word_tone("four") * 32767).astype(np.int16)
    recognition = engine.recognize(pcm, "builtin:digits?length=1")
    assert recognition.hypotheses
    assert recognition.audio_ms == pcm.shape[0] // 8


def test_new_weights_learn_faster(base: str, words: PackedSet, tmp_path: Path) -> None:
    """What the checkpoint brought along is changed with care."""
    mixer = Mixer([words], [], [], [], [])
    run = Trainer(tmp_path, FINE_TUNING, load_base(base), mixer, ChannelSettings(), {})
    factors = {group["factor"] for group in run.optimizer.param_groups}
    assert factors == {1.0, FINE_TUNING.new_rate_factor}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_the_exported_model_says_what_torch_says(
    base: str, tmp_path: Path, cut: dict[str, int]
) -> None:
    """CTC and decoder log-probabilities of int8 agree with float32 within the tolerance."""
    model = load_base(base, **cut).eval()  # type: ignore[arg-type]
    export(model, tmp_path, "tiny", {})
    engine = Engine(tmp_path)
    features = features_of(np.concatenate([word_tone("four"), word_tone("one")]), 80, 1)
    states, log_probs = engine.encode(features)
    candidates = [tuple(encode("four one")), tuple(encode("nine")), ()]
    scores = engine.rescore(states, candidates)
    with torch.no_grad():
        whole = model.encode(torch.from_numpy(features)[None])
        np.testing.assert_allclose(log_probs, model.ctc(whole)[0].numpy(), atol=INT8_TOLERANCE)
        for row, ids in enumerate(candidates):
            wanted = score(model, whole, ids)
            np.testing.assert_allclose(scores[row, : len(ids) + 1], wanted, atol=INT8_TOLERANCE)
            assert not scores[row, len(ids) + 1 :].any()


def score(model: NumericWhisper, states: Tensor, ids: tuple[int, ...]) -> list[float]:
    """Log-probability of each token and of the end, by torch."""
    log_probs = torch.log_softmax(model.decode(states, torch.tensor([[SOT, *ids]])), -1)[0]
    return [float(log_probs[place, token]) for place, token in enumerate((*ids, EOT))]
