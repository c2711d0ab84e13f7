"""The evaluation sets: what each file holds is what its row says, and one seed repeats them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from ivr.audio.wav import read_speech
from ivr.errors import ConfigError
from ivr.train import testsets
from ivr.train.corpus import pack
from ivr.train.evaluate import read_manifest
from tests.train.speech import encode_wav, word_set, word_tone, write_set

RATE_HZ = 8_000


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two speakers' digits as tones, a noise, and an utterance of several words."""
    monkeypatch.setattr(testsets, "STRINGS_EACH", 4)
    monkeypatch.setattr(testsets, "LONG_EACH", 4)
    pack(word_set(tmp_path / "words"), tmp_path / "packed" / "speech_commands.dev")
    hiss = np.random.default_rng(1).normal(0, 0.05, 6 * RATE_HZ).astype(np.float32)
    row = {"file": "hiss.wav", "words": "hiss"}
    pack(
        write_set(tmp_path / "hiss", [row], {"hiss.wav": encode_wav(hiss)}),
        tmp_path / "packed" / "noise",
    )
    spoken = np.concatenate([word_tone("four"), word_tone("one")])
    rows = [{"file": "a.wav", "words": "four one", "numbers_only": "1", "speaker": "cat"}]
    pack(
        write_set(tmp_path / "spoken", rows, {"a.wav": encode_wav(spoken)}),
        tmp_path / "packed" / "an4.dev",
    )
    return tmp_path / "packed"


def test_every_group_holds_what_its_rows_say(packed: Path, tmp_path: Path) -> None:
    """Digits where numbers are spoken, none elsewhere; strings of the length in their name."""
    items = read_manifest(testsets.make_testsets(packed, tmp_path / "sets"))
    groups = {item.group for item in items}
    assert groups == {
        *("digit", "digit_10dB", "other_word", "string_4", "string_8", "string_10", "string_16"),
        *("connected_number", "line", "talk", "long_string"),
    }
    for item in items:
        assert item.file.is_file()
        if item.group.startswith("string_"):
            assert len(item.digits) == int(item.group.removeprefix("string_"))
        assert item.snr_db == (10.0 if item.group == "digit_10dB" else None)
        if item.group in ("other_word", "line", "talk"):
            assert item.digits == ""
    assert [i.digits for i in items if i.group == "connected_number"] == ["41"]


def test_long_strings_pause_between_their_groups(packed: Path, tmp_path: Path) -> None:
    """16 and 19 digits, longer than the same words without the pauses."""
    items = read_manifest(testsets.make_testsets(packed, tmp_path / "sets"))
    longs = [item for item in items if item.group == "long_string"]
    assert {len(item.digits) for item in longs} == {16, 19}
    for item in longs:
        samples = read_speech(item.file).astype(float)
        frames = samples[: samples.shape[0] // 160 * 160].reshape(-1, 160)
        silent = (np.abs(frames).max(axis=1) < 50).astype(int)
        runs = "".join(map(str, silent)).split("0")
        assert max(map(len, runs)) * 20 >= 500  # ms


def test_a_seed_repeats_the_sets(packed: Path, tmp_path: Path) -> None:
    """Two measurements compare only if the files are the same."""
    first, second = (
        read_manifest(testsets.make_testsets(packed, tmp_path / name, seed=3)) for name in "ab"
    )
    assert [item.digits for item in first] == [item.digits for item in second]
    for one, other in zip(first[::7], second[::7], strict=True):
        assert one.file.read_bytes() == other.file.read_bytes()


def test_noisy_words_have_the_noise_that_they_claim(packed: Path, tmp_path: Path) -> None:
    """10 dB between the word and the noise around it."""
    items = read_manifest(testsets.make_testsets(packed, tmp_path / "sets"))
    clean = next(item for item in items if item.group == "digit")
    noisy = next(item for item in items if item.group == "digit_10dB")
    word = read_speech(clean.file).astype(float)
    line = read_speech(noisy.file).astype(float)
    around = np.concatenate([line[: RATE_HZ // 2], line[-RATE_HZ // 2 :]])
    loud = word[np.abs(word) > np.abs(word).max() / 10]
    snr_db = 20 * np.log10(np.sqrt(np.mean(loud**2)) / np.sqrt(np.mean(around**2)))
    assert snr_db == pytest.approx(10.0, abs=1.5)


def test_missing_sets_are_named(tmp_path: Path) -> None:
    """The user learns what to pack first."""
    with pytest.raises(ConfigError, match=r"speech_commands\.dev or noise"):
        testsets.make_testsets(tmp_path, tmp_path / "sets")
