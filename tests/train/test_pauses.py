"""Answers with pauses: what the manifest says of them is how they were made."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy")

from ivr.audio.wav import read_speech
from ivr.errors import ConfigError
from ivr.train.corpus import pack
from ivr.train.endpointing import read_answers
from ivr.train.pauses import cut_word, groups, make_pauses
from tests.train.speech import encode_wav, word_set, word_tone, write_set

RATE_HZ = 8_000


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Two speakers' digits as tones, and a noise."""
    pack(word_set(tmp_path / "words"), tmp_path / "packed" / "speech_commands.dev")
    hiss = np.random.default_rng(1).normal(0, 0.05, 6 * RATE_HZ).astype(np.float32)
    row = {"file": "hiss.wav", "words": "hiss"}
    pack(
        write_set(tmp_path / "hiss", [row], {"hiss.wav": encode_wav(hiss)}),
        tmp_path / "packed" / "noise",
    )
    return tmp_path / "packed"


def loud_ms(samples: np.ndarray) -> np.ndarray:
    """The 10 ms frames that are nearly as loud as the loudest, as ms from the start."""
    frames = samples[: samples.shape[0] // 80 * 80].reshape(-1, 80).astype(np.float64)
    level = np.sqrt((frames**2).mean(axis=1))
    return np.flatnonzero(level > level.max() / 4) * 10


def test_manifest_tells_where_the_last_digit_lies(packed: Path, tmp_path: Path) -> None:
    """The sound ends where the manifest says, and its long gaps are those of the manifest."""
    manifest = make_pauses(packed, tmp_path / "sets", answers_each=3)
    answers = read_answers(manifest)
    assert [answer.item.group for answer in answers] == [
        *("rhythm",) * 3,
        *("even",) * 3,
        *("noisy",) * 3,
    ]
    for answer in answers:
        assert 6 <= len(answer.item.digits) <= 12
        assert answer.item.snr_db == (15.0 if answer.item.group == "noisy" else None)
        loud = loud_ms(read_speech(answer.item.file))
        assert loud[-1] + 10 == pytest.approx(answer.speech_end_ms, abs=20)
        assert answer.speech_end_ms - answer.last_word_ms == pytest.approx(300, abs=20)
        gaps = np.diff(loud)
        long = sorted(gap - 10 for gap in gaps if gap > 210)
        expected = sorted(gap for gap in answer.pauses_ms if gap > 200)
        assert long[-len(expected) :] == pytest.approx(expected, abs=25)
        assert all(200 <= gap <= 1500 for gap in answer.pauses_ms)


def test_tuning_and_report_share_no_speaker(packed: Path, tmp_path: Path) -> None:
    """What was chosen on one is checked on others."""
    manifest = make_pauses(packed, tmp_path / "sets", answers_each=2)
    report, tuning = (
        {answer.item.speaker for answer in read_answers(path)}
        for path in (manifest, manifest.with_name("tuning.csv"))
    )
    assert report
    assert tuning
    assert not report & tuning


def test_one_seed_one_result(packed: Path, tmp_path: Path) -> None:
    """The same files and rows again; another seed makes others."""
    rows = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        manifest = make_pauses(packed, tmp_path / name, seed, answers_each=1)
        with manifest.open(newline="") as file:
            rows.append(list(csv.DictReader(file)))
    assert rows[0] == rows[1] != rows[2]
    first = [read_speech(tmp_path / name / rows[0][0]["file"]) for name in ("a", "b")]
    assert np.array_equal(*first)


def test_missing_sets_are_named(tmp_path: Path) -> None:
    """A folder that holds nothing is told as such."""
    with pytest.raises(ConfigError, match="lacks speech_commands"):
        make_pauses(tmp_path, tmp_path / "out")


def test_one_speaker_is_not_enough(packed: Path, tmp_path: Path) -> None:
    """Tuning and report need one each."""
    alone = tmp_path / "alone"
    pack(word_set(tmp_path / "ann", ["ann"]), alone / "speech_commands.dev")
    (alone / "noise").symlink_to(packed / "noise")
    with pytest.raises(ConfigError, match="two speakers"):
        make_pauses(alone, tmp_path / "out")


@given(st.integers(1, 40), st.integers(3, 4))
def test_groups_hold_every_digit(length: int, size: int) -> None:
    """None is lost, and the last one never stands alone."""
    sizes = groups(length, size)
    assert sum(sizes) == length
    assert length < 2 or sizes[-1] > 1
    assert max(sizes) <= size + 1


def test_word_is_cut_at_its_edges() -> None:
    """300 ms of tone with 30 ms on both sides, faded."""
    word, begin, end = cut_word(word_tone("four"))
    assert (begin, end - begin) == (240, 2400)
    assert word.shape[0] == 2400 + 480
    assert word[0] == word[-1] == 0
