"""Packing: whatever the set looks like, transcripts belong to their sound."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("scipy")

from ivr.errors import AudioError, ConfigError
from ivr.train.corpus import (
    Clip,
    PackedSet,
    open_packed,
    pack,
    trim_edges,
)
from tests.train.speech import RATE_HZ, encode_wav, word_set, word_tone, write_set


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> PackedSet:
    """Two speakers' digits and a banana each."""
    folder = tmp_path_factory.mktemp("words")
    pack(word_set(folder / "source"), folder / "packed")
    return open_packed(folder / "packed")


def test_a_folder_is_packed(words: PackedSet) -> None:
    """All clips, one after the other, with words and speaker."""
    assert len(words.clips) == 22
    assert {clip.speaker for clip in words.clips} == {"ann", "bob"}
    assert Counter(clip.words for clip in words.clips)["seven"] == 2
    end = 0
    for clip in words.clips:
        assert clip.start == end
        end += clip.samples
    assert end == words.audio.shape[0]
    np.testing.assert_allclose(
        words.load(words.clips[3]), word_tone(words.clips[3].words), atol=2 / 32768
    )


@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_tar_packs_like_its_folder(words: PackedSet, tmp_path: Path, prefix: str) -> None:
    """Whether its names begin with "./" or not."""
    source = word_set(tmp_path / "set")
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for path in sorted(source.rglob("*")):
            tar.add(path, prefix + path.relative_to(source).as_posix(), recursive=False)
    pack(tmp_path / "set.tar", tmp_path / "packed")
    packed = open_packed(tmp_path / "packed")
    assert packed.clips == words.clips
    np.testing.assert_array_equal(packed.audio, words.audio)


def test_recordings_of_any_form_become_8_khz_mono(tmp_path: Path) -> None:
    """44.1 kHz stereo lasts as long as before."""
    stereo = np.zeros((44_100, 2), np.float32)
    rows = [{"file": "a.wav", "words": "one two", "speaker": "x", "numbers_only": "1"}]
    source = write_set(tmp_path / "set", rows, {"a.wav": encode_wav(stereo, 44_100)})
    pack(source, tmp_path / "packed")
    (clip,) = open_packed(tmp_path / "packed").clips
    assert clip == Clip(0, RATE_HZ, "one two", "numbers", "x")


def test_prompt_names_become_words(tmp_path: Path) -> None:
    """A recording called "15" says fifteen."""
    rows = [{"file": f"{name}.wav", "word": name} for name in ("15", "7", "40", "hundred")]
    recordings = {row["file"]: encode_wav(word_tone("one")) for row in rows}
    pack(write_set(tmp_path / "set", rows, recordings), tmp_path / "packed")
    spoken = [clip.words for clip in open_packed(tmp_path / "packed").clips]
    assert spoken == ["fifteen", "seven", "forty", "hundred"]


def test_what_is_packed_is_not_packed_again(tmp_path: Path) -> None:
    """A run that goes on does not need the source any more."""
    pack(word_set(tmp_path / "set"), tmp_path / "packed")
    pack(tmp_path / "gone", tmp_path / "packed")


def test_a_set_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """By folder and by tar, naming what is missing."""
    (tmp_path / "set").mkdir()
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        info = tarfile.TarInfo("a.txt")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    for source in (tmp_path / "set", tmp_path / "set.tar"):
        with pytest.raises(ConfigError, match=r"no manifest\.csv"):
            pack(source, tmp_path / "packed")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"path": "a.wav", "words": "one"}, "columns file and words"),
        ({"file": "a.wav", "text": "one"}, "columns file and words"),
        ({"file": "gone.wav", "words": "one"}, "none of the files"),
    ],
)
def test_a_manifest_that_names_nothing_is_refused(
    tmp_path: Path, row: dict[str, str], message: str
) -> None:
    """Rather than an empty set to train on; and nothing is left that looks packed."""
    source = write_set(tmp_path / "set", [row], {"a.wav": encode_wav(word_tone("one"))})
    with pytest.raises(ConfigError, match=message):
        pack(source, tmp_path / "packed")
    with pytest.raises(ConfigError, match="no packed set"):
        open_packed(tmp_path / "packed")


def test_a_broken_recording_is_named(tmp_path: Path) -> None:
    """One line with the file, not a traceback of the decoder."""
    rows = [{"file": "bad.wav", "words": "one"}]
    source = write_set(tmp_path / "set", rows, {"bad.wav": b"RIFF nonsense"})
    with pytest.raises(AudioError, match=r"bad\.wav is not a readable recording"):
        pack(source, tmp_path / "packed")


def test_an_index_ahead_of_its_audio_is_cut(tmp_path: Path) -> None:
    """A corpus may be read while it grows; its index calls the speaker a voice."""
    (tmp_path / "audio.i16").write_bytes(bytes(2 * 1000))
    (tmp_path / "index.csv").write_text(
        "start,samples,words,kind,engine,voice\n0,600,one,digit,espeak,de\n600,600,two,digit,x,y\n"
    )
    assert open_packed(tmp_path).clips == [Clip(0, 600, "one", "digit", "de")]


def test_trimming_cuts_silence_and_keeps_a_margin() -> None:
    """200 ms of silence on both sides become the 60 ms that soft edges need."""
    trimmed = trim_edges(word_tone("five", ms=300, margin_ms=200))
    assert trimmed.shape[0] == pytest.approx((300 + 2 * 60) * 8, abs=160)
    bare = trim_edges(word_tone("five"), margin_s=0.0)
    assert bare.shape[0] == pytest.approx(300 * 8, abs=160)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(400, np.float32), np.zeros(8000, np.float32), np.ones(8000, np.float32)],
)
def test_trimming_survives_what_has_no_edges(samples: NDArray[np.float32]) -> None:
    """Too short, silent, loud all through: nothing is lost but silence."""
    assert 0 < trim_edges(samples).shape[0] <= samples.shape[0]
