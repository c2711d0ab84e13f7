"""Packing and mixing: whatever the set looks like, transcripts belong to their sound."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("scipy")

from ivr.asr.tokens import decode
from ivr.errors import AudioError, ConfigError
from ivr.train.channel import Samples, rms
from ivr.train.corpus import (
    Clip,
    Mixer,
    MixSettings,
    PackedSet,
    open_packed,
    pack,
    trim_edges,
)
from tests.train.speech import RATE_HZ, WORDS, encode_wav, word_set, word_tone, write_set


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> PackedSet:
    """Two speakers' digits and a banana each."""
    folder = tmp_path_factory.mktemp("words")
    pack(word_set(folder / "source"), folder / "packed")
    return open_packed(folder / "packed")


def only(kind: str, **more: float) -> MixSettings:
    """A mixture of one kind."""
    kinds = ("joined", "single", "other_word", "connected", "synthetic", "babble", "nothing")
    return MixSettings(**{name: float(name == kind) for name in kinds}, **more)


def mixer_of(words: PackedSet, kind: str, **sets: list[PackedSet]) -> Mixer:
    """A mixer that draws one kind."""
    return Mixer(
        words=[words],
        connected=sets.get("connected", []),
        synthetic=sets.get("synthetic", []),
        noises=[np.full(2000, 0.01, np.float32)],
        babble=[word_tone("banana", 4000, 0)],
        settings=only(kind),
    )


def hear(samples: Samples) -> list[str]:
    """The word of each 100 ms with a tone in it, by frequency; the inverse of `word_tone`.

    It holds for utterances whose speed nobody changed.
    """
    found: list[str] = []
    for start in range(0, samples.shape[0] - 800, 800):
        frame = samples[start : start + 800]
        if rms(frame) < 0.01:
            continue
        hz = int(np.abs(np.fft.rfft(frame * np.hanning(800))).argmax()) * RATE_HZ / 800
        place = round((hz - 300) / 150)
        found.append((*WORDS, "banana")[min(max(place, 0), 10)])
    return found


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


def test_joined_utterances_have_the_transcript_of_their_words(words: PackedSet) -> None:
    """The tones in the sound are those of the words, in order, where nobody changed the speed."""
    mixer, rng, told = mixer_of(words, "joined"), np.random.default_rng(5), 0
    mixer._others = []
    for _ in range(100):
        samples, ids = mixer.draw(rng)
        spoken = decode(ids).split()
        assert 1 <= len(spoken) <= 16
        heard = hear(samples)
        collapsed = [w for i, w in enumerate(heard) if i == 0 or w != heard[i - 1]]
        wanted = [w for i, w in enumerate(spoken) if i == 0 or w != spoken[i - 1]]
        told += collapsed == wanted
    # 40 % keep their speed; at another one the tones are those of other words.
    assert told > 0.3 * 100


def test_true_repeats_occur(words: PackedSet) -> None:
    """Oftener than chance, for decoders like to swallow them."""
    mixer, rng = mixer_of(words, "joined"), np.random.default_rng(6)
    pairs = repeats = 0
    for _ in range(400):
        spoken = decode(mixer.draw(rng)[1]).split()
        pairs += len(spoken) - 1
        repeats += sum(a == b for a, b in pairwise(spoken))
    assert 0.13 < repeats / pairs < 0.23  # 0.1 by chance, 0.08 more on purpose


def test_other_speech_stands_before_or_after_a_number(words: PackedSet) -> None:
    """Its transcript is <other>, at either end and nowhere else."""
    mixer, rng = mixer_of(words, "joined"), np.random.default_rng(7)
    first = last = 0
    for _ in range(300):
        spoken = decode(mixer.draw(rng)[1]).split()
        first += spoken[0] == "<other>"
        last += spoken[-1] == "<other>"
        assert "<other>" not in spoken[1:-1]
    assert first > 2
    assert last > 2


@pytest.mark.parametrize(
    ("kind", "transcript"),
    [("other_word", {"<other>"}), ("nothing", {""}), ("babble", {"", "<other>"})],
)
def test_lines_without_a_number_have_none(
    words: PackedSet, kind: str, transcript: set[str]
) -> None:
    """A banana, a tone, talk in the background."""
    mixer, rng = mixer_of(words, kind), np.random.default_rng(8)
    for _ in range(60):
        samples, ids = mixer.draw(rng)
        assert decode(ids) in transcript
        assert samples.dtype == np.float32
        assert samples.ndim == 1
        assert samples.shape[0] > 0


def test_single_words_are_all_drawn(words: PackedSet) -> None:
    """Each digit with its own sound."""
    mixer, rng = mixer_of(words, "single"), np.random.default_rng(9)
    seen = set()
    for _ in range(200):
        samples, ids = mixer.draw(rng)
        (word,) = decode(ids).split()
        assert Counter(hear(samples)).most_common(1)[0][0] == word
        seen.add(word)
    assert seen == set(WORDS)


def test_connected_and_synthetic_speech_keep_their_transcript(
    words: PackedSet, tmp_path: Path
) -> None:
    """As recorded, or two of one speaker's numbers in a row."""
    rows = [
        {"file": f"{i}.wav", "words": said, "speaker": "x", "numbers_only": numbers}
        for i, (said, numbers) in enumerate([("one two", "1"), ("go home now", "0")])
    ]
    recordings = {row["file"]: encode_wav(word_tone("one")) for row in rows}
    pack(write_set(tmp_path / "set", rows, recordings), tmp_path / "packed")
    packed = open_packed(tmp_path / "packed")
    rng = np.random.default_rng(10)
    mixer = mixer_of(words, "connected", connected=[packed])
    drawn = Counter(decode(mixer.draw(rng)[1]) for _ in range(200))
    assert set(drawn) == {"one two", "one two one two", "<other>"}
    # Connected numbers are the rarest recordings, and come four times as often.
    assert drawn["<other>"] / 200 == pytest.approx(0.2, abs=0.1)
    mixer = mixer_of(words, "synthetic", synthetic=[packed])
    assert {decode(mixer.draw(rng)[1]) for _ in range(50)} == {"one two", "<other>"}


def test_the_same_generator_draws_the_same(words: PackedSet) -> None:
    """Nothing else decides."""
    mixer = Mixer([words], [], [], [], [])
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    for _ in range(40):
        (samples, ids), (again, ids_again) = mixer.draw(first), mixer.draw(second)
        assert ids == ids_again
        np.testing.assert_array_equal(samples, again)


def test_kinds_without_a_source_are_not_drawn(words: PackedSet) -> None:
    """A user's own data may have no noise, no babble, no synthesised speech."""
    mixer, rng = Mixer([words], [], [], [], []), np.random.default_rng(2)
    assert all(mixer.draw(rng)[0].shape[0] for _ in range(100))
    assert Mixer([], [], [], [], []).draw(rng)[1] == []


def test_utterances_are_cut_at_the_longest(words: PackedSet) -> None:
    """What would not fit the model's context never reaches it."""
    mixer = Mixer([words], [], [], [], [], only("joined", max_s=1.0))
    rng = np.random.default_rng(3)
    assert max(mixer.draw(rng)[0].shape[0] for _ in range(30)) == RATE_HZ
