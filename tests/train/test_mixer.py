"""Mixing: transcripts belong to their sound."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from ivr.asr.tokens import decode
from ivr.train.channel import Samples, rms
from ivr.train.corpus import PackedSet, open_packed, pack, trim_edges
from ivr.train.mixer import Mixer, MixSettings
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


def test_what_is_too_long_is_drawn_again(words: PackedSet) -> None:
    """Cut, it would lack words of its transcript."""
    mixer = Mixer([words], [], [], [], [], only("joined", max_s=1.0))
    rng = np.random.default_rng(3)
    assert max(mixer.draw(rng)[0].shape[0] for _ in range(30)) <= RATE_HZ


def spoken_by(words: PackedSet, folder: Path, *more: str) -> PackedSet:
    """Two speakers' digits, and these words by both."""
    rows = [
        {"file": f"{speaker}_{word}.wav", "words": word, "speaker": speaker}
        for speaker in ("ann", "bob")
        for word in (*WORDS, *more)
    ]
    recordings = {row["file"]: encode_wav(word_tone(row["words"], 400)) for row in rows}
    pack(write_set(folder / "source", rows, recordings), folder / "packed")
    return open_packed(folder / "packed")


def test_an_oh_is_cut_out_of_go(words: PackedSet, tmp_path: Path) -> None:
    """Speakers who said "go" say "oh" in their numbers too: the word without its beginning."""
    mixer = mixer_of(spoken_by(words, tmp_path, "go"), "joined")
    rng = np.random.default_rng(11)
    spoken = Counter(word for _ in range(200) for word in decode(mixer.draw(rng)[1]).split())
    assert 0.03 < spoken["oh"] / spoken.total() < 0.25
    whole = trim_edges(word_tone("go", 400), 0.0)
    assert 0.05 * RATE_HZ < whole.shape[0] - mixer._oh(rng, "ann").shape[0] < 0.15 * RATE_HZ


def test_studio_voices_join_numbers_above_nine(words: PackedSet, tmp_path: Path) -> None:
    """Who recorded tens and teens says them in a row."""
    mixer = mixer_of(spoken_by(words, tmp_path, "twenty", "fifteen"), "joined")
    rng = np.random.default_rng(12)
    spoken = {word for _ in range(300) for word in decode(mixer.draw(rng)[1]).split()}
    assert {"twenty", "fifteen"} <= spoken


def test_a_spelled_o_is_left_out(words: PackedSet, tmp_path: Path) -> None:
    """It sounds like the digit and is none."""
    rows = [{"file": f"{i}.wav", "words": said} for i, said in enumerate(["p o t", "p a t"])]
    recordings = {row["file"]: encode_wav(word_tone("one")) for row in rows}
    pack(write_set(tmp_path / "set", rows, recordings), tmp_path / "packed")
    mixer = mixer_of(words, "connected", connected=[open_packed(tmp_path / "packed")])
    rng = np.random.default_rng(13)
    assert {decode(mixer.draw(rng)[1]) for _ in range(40)} == {"<other> a <other>"}
