"""Training from end to end in small: it learns, resumes, exports what the engine runs."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from ivr.asr.engine import Engine
from ivr.asr.tokens import BLANK, EOT, SOT, TOKEN_ID, encode
from ivr.errors import ConfigError, ModelError
from ivr.train import train
from ivr.train.channel import ChannelSettings
from ivr.train.corpus import PackedSet, open_packed, pack
from ivr.train.export import export
from ivr.train.loader import BASKET_STEP, IGNORE, Utterances, collate, features_of
from ivr.train.mixer import Mixer
from ivr.train.network import NumericWhisper, Shape, spec_augment
from ivr.train.train import Trainer, TrainSettings, check, greedy, learning_rate, loss_of
from tests.train.speech import RATE_HZ, word_set, word_tone

TINY = Shape(d_model=32, encoder_layers=1, decoder_layers=1, heads=2)
QUICK = TrainSettings(
    steps=3, batch_s=4.0, warmup_steps=2, workers=0, save_every=2, check_every=3, seed=3
)
# Of log-probabilities, int8 against float32; the largest over three untrained networks was 0.013.
INT8_TOLERANCE = 0.05


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> PackedSet:
    """Tones that stand for digit words."""
    folder = tmp_path_factory.mktemp("words")
    pack(word_set(folder / "source"), folder / "packed")
    return open_packed(folder / "packed")


def trainer(out: Path, words: PackedSet, settings: TrainSettings = QUICK) -> Trainer:
    """A run on tones."""
    mixer = Mixer([words], [], [], [], [])
    return Trainer(out, settings, TINY, mixer, ChannelSettings(), {"words": words})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, words: PackedSet) -> Path:
    """The folder of a run of three steps."""
    out = tmp_path_factory.mktemp("run")
    trainer(out, words).run(lambda _row: None)
    return out


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[NumericWhisper, Path]:
    """A tiny network and its exported files."""
    torch.manual_seed(5)
    model = NumericWhisper(TINY).eval()
    folder = tmp_path_factory.mktemp("model")
    export(model, folder, "tiny", {"step": 0})
    return model, folder


def test_a_run_leaves_a_checkpoint_at_its_step(trained: Path, words: PackedSet) -> None:
    """And a second start with more steps goes on from there."""
    rows: list[dict[str, Any]] = []
    resumed = trainer(trained, words, replace(QUICK, steps=5))
    assert resumed.step == 3
    before = {name: value.clone() for name, value in resumed.average.items()}
    resumed.run(rows.append)
    assert resumed.step == 5
    assert any(not torch.equal(before[name], value) for name, value in resumed.average.items())
    assert trainer(trained, words).step == 5


def test_a_finished_run_does_nothing(tmp_path: Path, words: PackedSet) -> None:
    """Called again it trains no further."""
    done = trainer(tmp_path, words, replace(QUICK, steps=0))
    weights = {name: value.clone() for name, value in done.model.state_dict().items()}
    done.run(lambda _row: None)
    assert all(torch.equal(weights[name], v) for name, v in done.model.state_dict().items())


def test_a_seed_repeats_a_run(tmp_path: Path, words: PackedSet) -> None:
    """The same utterances, the same draws, the same weights."""
    short = replace(QUICK, steps=2, batch_s=2.0)
    first, second = (trainer(tmp_path / name, words, short) for name in "ab")
    for run in (first, second):
        run.run(lambda _row: None)
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_training_reports_and_logs(
    tmp_path: Path, words: PackedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row each 50 steps, the last with the share of right words; the log holds the same."""
    run = trainer(tmp_path, words, replace(QUICK, steps=50))
    batch = next(iter(run._utterances()))
    monkeypatch.setattr(train, "open_loader", lambda *_: repeat(batch))
    monkeypatch.setattr(run, "_train_on", lambda _batch, _generator: 1.5)
    rows: list[dict[str, Any]] = []
    run.run(rows.append)
    (row,) = rows
    assert row["step"] == 50
    assert row["loss"] == 1.5
    assert row["eta_s"] == 0
    assert 0.0 <= row["words"] <= 1.0
    log = (tmp_path / "log.jsonl").read_text()
    assert [json.loads(line) for line in log.splitlines()] == rows


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 half a file"])
def test_a_broken_checkpoint_is_one_message(
    tmp_path: Path, words: PackedSet, content: bytes
) -> None:
    """It names the file and the cure."""
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"checkpoint\.pt is broken .* remove it"):
        trainer(tmp_path, words)


def test_a_cut_checkpoint_is_one_message(trained: Path, tmp_path: Path, words: PackedSet) -> None:
    """As a full disk leaves it; or a file of somebody else's."""
    whole = (trained / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="is broken"):
        trainer(tmp_path, words)
    torch.save({"epoch": 3}, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match="is broken"):
        trainer(tmp_path, words)


def test_another_vocabulary_is_refused(trained: Path, tmp_path: Path, words: PackedSet) -> None:
    """The order of the words is part of the weights."""
    saved = torch.load(trained / "checkpoint.pt", weights_only=True)
    saved["vocabulary"] = saved["vocabulary"][::-1]
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="another vocabulary"):
        trainer(tmp_path, words)


def test_the_loss_falls_on_a_batch_seen_again(tmp_path: Path, words: PackedSet) -> None:
    """Twenty steps on one batch: gradients reach both heads."""
    run = trainer(tmp_path, words, replace(QUICK, warmup_steps=1, steps=1000))
    batch = next(iter(run._utterances()))
    with torch.no_grad():
        before = float(loss_of(run.model, batch, run.settings))
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        run._train_on(replace(batch, features=batch.features.clone()), generator)
        run.step += 1
    with torch.no_grad():
        assert float(loss_of(run.model, batch, run.settings)) < 0.8 * before


def test_the_rate_warms_up_stays_and_falls() -> None:
    """To nothing over the last third."""
    settings = TrainSettings(steps=1000, warmup_steps=100, peak_rate=1e-3, decay_share=0.35)
    rates = [learning_rate(settings, step) for step in range(1001)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[100:650] == pytest.approx([1e-3] * 550, rel=0.01)
    assert rates[650:] == sorted(rates[650:], reverse=True)
    assert rates[1000] < 1e-5


def test_a_missing_gpu_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """And without the wish for one it is no matter."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train.find_device().type == "cpu"
    with pytest.raises(ConfigError, match="no GPU"):
        train.find_device("cuda")
    with pytest.raises(ConfigError, match="auto, cpu and cuda"):
        train.find_device("tpu")


def test_a_bfloat16_copy_learns_like_the_whole(
    tmp_path: Path, words: PackedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The originals take its gradients; the losses of a few steps agree within its precision."""
    losses = {}
    for fast in (False, True):
        monkeypatch.setattr(train, "has_fast_bfloat16", lambda _device, fast=fast: fast)
        run = trainer(tmp_path / str(fast), words)
        assert (run.computing is run.model) is not fast
        batch = next(iter(run._utterances()))
        generator = torch.Generator().manual_seed(1)
        losses[fast] = [
            run._train_on(replace(batch, features=batch.features.clone()), generator)
            for _ in range(4)
        ]
    assert losses[True] == pytest.approx(losses[False], rel=0.05)


def test_greedy_takes_out_repeats_and_blanks() -> None:
    """A blank between two of a kind makes them two."""
    path = [BLANK, 5, 5, BLANK, 5, 7, 7, BLANK]
    assert greedy(torch.nn.functional.one_hot(torch.tensor(path), 60).float()) == [5, 5, 7]


def test_check_counts_whole_transcripts(words: PackedSet) -> None:
    """A network that hears nothing is right of no word."""
    model = NumericWhisper(TINY)
    with torch.no_grad():
        model.ctc_head.weight.zero_()
        model.ctc_head.bias.zero_()
        model.ctc_head.bias[BLANK] = 10.0
    assert check(model, {"words": words}) == {"words": 0.0}
    with torch.no_grad():
        model.ctc_head.bias[TOKEN_ID["two"]] = 20.0
    assert check(model, {"words": words})["words"] == pytest.approx(2 / 22)


def test_batches_are_of_one_length_and_of_the_size_asked(words: PackedSet) -> None:
    """So that none needs padding; the first are short, single words."""
    mixer = Mixer([words], [], [], [], [])
    stream = Utterances(mixer, ChannelSettings(), seed=1, batch_s=3.0, n_mels=80, stack=2)
    batches = iter(stream)
    for _ in range(4):
        batch = next(batches)
        n, height, columns = batch.features.shape
        assert height == 160
        assert columns % (BASKET_STEP // 160) == 0
        assert n * columns * 160 >= 3.0 * RATE_HZ
        assert batch.ctc_lengths.shape == (n,)
        assert int(batch.ctc_lengths.sum()) == batch.ctc_targets.shape[0]
        assert columns * 160 / RATE_HZ < 1.3 + 1.0  # the longest word, and the line around it
    again = next(iter(stream))
    assert torch.equal(again.features, next(iter(stream)).features)


def test_transcripts_are_padded_for_the_decoder() -> None:
    """SOT in front of the input, EOT behind the target, nothing to learn after it."""
    features = [np.zeros((4, 3), np.float32)] * 2
    batch = collate(features, [encode("one two"), []])
    one, two = encode("one two")
    assert batch.decoder_input.tolist() == [[SOT, one, two], [SOT, EOT, EOT]]
    assert batch.decoder_target.tolist() == [[one, two, EOT], [EOT, IGNORE, IGNORE]]
    assert batch.ctc_targets.tolist() == [one, two]
    assert batch.ctc_lengths.tolist() == [2, 0]


def test_masks_hide_but_do_not_wipe_out() -> None:
    """Bands and moments are set to the floor; the same generator masks the same."""
    features = torch.rand(4, 160, 100)
    first, second = (
        spec_augment(features.clone(), 80, torch.Generator().manual_seed(2)) for _ in range(2)
    )
    assert torch.equal(first, second)
    hidden = (first != features).float().mean()
    assert 0.0 < hidden < 0.6
    # Both frames of a column lose the same band.
    bands = first.view(4, 2, 80, 100) != features.view(4, 2, 80, 100)
    assert torch.equal(bands[:, 0], bands[:, 1])


def test_the_exported_model_says_what_torch_says(exported: tuple[NumericWhisper, Path]) -> None:
    """CTC and decoder log-probabilities of int8 agree with float32 within the tolerance."""
    model, folder = exported
    engine = Engine(folder)
    samples = np.concatenate([word_tone("four"), word_tone("one")])
    features = features_of(samples, TINY.n_mels, TINY.stack)
    states, log_probs = engine.encode(features)
    candidates = [tuple(encode("four one")), tuple(encode("nine")), ()]
    scores = engine.rescore(states, candidates)
    with torch.no_grad():
        whole = model.encode(torch.from_numpy(features)[None])
        np.testing.assert_allclose(log_probs, model.ctc(whole)[0].numpy(), atol=INT8_TOLERANCE)
        for row, ids in enumerate(candidates):
            logits = model.decode(whole, torch.tensor([[SOT, *ids]]))
            wanted = torch.log_softmax(logits, -1)[0].gather(1, torch.tensor([[*ids, EOT]]).T)
            got = scores[row, : len(ids) + 1]
            np.testing.assert_allclose(got, wanted[:, 0].numpy(), atol=INT8_TOLERANCE)
            assert not scores[row, len(ids) + 1 :].any()


def test_the_exported_model_takes_any_length(exported: tuple[NumericWhisper, Path]) -> None:
    """From a click to the longest; a call must not end because somebody talks on."""
    engine = Engine(exported[1])
    for n in (0, 100, 8_000, 31 * 8_000):
        recognition = engine.recognize(np.zeros(n, np.int16), "builtin:natural")
        assert recognition.hypotheses
        assert 0.0 <= recognition.confidence <= 1.0


def test_the_export_describes_itself(exported: tuple[NumericWhisper, Path]) -> None:
    """Name, notes and digests; an altered file is refused."""
    folder = exported[1]
    content = json.loads((folder / "model.json").read_text())
    assert content["name"] == "tiny"
    assert content["notes"] == {"step": 0}
    assert set(content["sha256"]) == {"encoder.onnx", "decoder.onnx"}
    assert content["max_columns"] == 2 * TINY.max_frames


def test_features_are_those_of_the_engine(exported: tuple[NumericWhisper, Path]) -> None:
    """One front end for training and serving; the engine's samples are 16-bit."""
    samples = word_tone("six")
    pcm = np.round(samples * 32767).astype(np.int16)
    served = Engine(exported[1]).features(pcm)
    drawn = features_of((pcm / np.float32(32768)).astype(np.float32), TINY.n_mels, TINY.stack)
    np.testing.assert_allclose(served, drawn, atol=1e-3)
