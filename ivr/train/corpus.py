"""Speech to train on: packed recordings, and the utterances that are made of them.

Theory of operation: `pack` turns a set (a tar or a folder with a `manifest.csv`) into `audio.i16`
(all samples, 8 kHz, little endian) and `index.csv` once; training maps it. `Mixer` then draws
utterances: words of one speaker joined into numbers, connected speech as recorded, synthesised
speech, words that are no number, and lines on which nobody speaks. Each comes with its transcript
as token ids.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ivr.asr.tokens import DIGITS, TEENS, TENS, encode
from ivr.errors import AudioError, ConfigError
from ivr.train.channel import RATE_HZ, Samples, change_speed, fit, rms

INDEX_FIELDS = ("start", "samples", "words", "kind", "speaker")


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a packed set."""

    start: int
    samples: int
    words: str
    kind: str
    speaker: str


@dataclass(frozen=True)
class PackedSet:
    """A packed set: its samples (memory-mapped int16, 8 kHz) and its clips."""

    audio: NDArray[np.int16]
    clips: list[Clip]

    def load(self, clip: Clip) -> Samples:
        """The clip as float32 [n], full scale +-1, 8 kHz."""
        stretch = self.audio[clip.start : clip.start + clip.samples]
        return np.asarray(stretch, dtype=np.float32) / np.float32(32768)


def open_packed(folder: Path) -> PackedSet:
    """Opens a packed set; an index longer than the audio (still being written) is cut.

    Raises:
        ConfigError: the folder holds no packed set.
    """
    if not (folder / "index.csv").is_file():
        raise ConfigError(f"{folder} holds no packed set; run `ivr train` with --data first")
    audio = np.memmap(folder / "audio.i16", dtype="<i2", mode="r")
    clips = []
    with (folder / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            start, samples = int(row["start"]), int(row["samples"])
            if start + samples <= audio.shape[0]:
                speaker = row.get("speaker") or row.get("voice", "")
                clips.append(Clip(start, samples, row["words"], row["kind"], speaker))
    return PackedSet(audio, clips)


def trim_edges(samples: Samples, margin_s: float = 0.06) -> Samples:
    """Cuts silence before and after a word, soft edges kept by a margin.

    Args:
        samples: [n] float32, 8 kHz.
        margin_s: kept on both sides of what is louder than the threshold.
    """
    hop = 80
    n_frames = samples.shape[0] // hop
    if n_frames < 10:
        return samples
    frames = samples[: n_frames * hop].reshape(n_frames, hop)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
    # 30 dB under the peak, but over the clip's own noise: fricatives of "six" lie about 25 dB down.
    threshold = max(level_db.max() - 30.0, np.percentile(level_db, 15) + 6.0)
    loud = np.flatnonzero(level_db > min(threshold, level_db.max() - 6.0))
    margin = int(margin_s * RATE_HZ)
    start = max(0, int(loud[0]) * hop - margin)
    return samples[start : min(samples.shape[0], int(loud[-1] + 1) * hop + margin)]


def _recordings(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield path.relative_to(source).as_posix(), path.read_bytes()
        return
    with tarfile.open(source) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield member.name.removeprefix("./"), file.read()


def _spoken(words: str) -> str:
    """Spells a bare number of a prompt manifest ("15") as its spoken word."""
    names = {str(number): word for number, word in enumerate((*DIGITS, *TEENS))}
    names |= {str(10 * ten): word for ten, word in enumerate(TENS, start=2)}
    return names.get(words, words)


def _decode(recording: bytes, name: str) -> NDArray[np.int16]:
    """A recording as mono int16 [n], 8 kHz, little endian.

    Raises:
        AudioError: it is none; the message begins with `name`.
    """
    try:
        samples, rate_hz = soundfile.read(io.BytesIO(recording), dtype="float32")
    except (soundfile.SoundFileError, TypeError) as error:
        raise AudioError(f"{name} is not a readable recording ({error})") from error
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if rate_hz != RATE_HZ:
        samples = soxr.resample(samples, rate_hz, RATE_HZ)
    return np.asarray((np.clip(samples, -1, 32767 / 32768) * 32768).astype("<i2"))


def pack(source: Path, out: Path) -> None:
    """Packs a tar or folder with a `manifest.csv` into `out`; what is packed already stays.

    Args:
        source: recordings of any rate with a manifest: file, words (or word), optionally speaker
            and numbers_only ("1" for connected numbers). Rows whose file is not there are left out.
        out: folder for audio.i16 and index.csv.

    Raises:
        ConfigError: no manifest, one without the columns, or one of whose files none is there.
        AudioError: a file is no recording.
    """
    if (out / "index.csv").is_file():
        return
    files = dict(_recordings(source))
    if "manifest.csv" not in files:
        raise ConfigError(f"{source} holds no manifest.csv (columns file, words, speaker)")
    out.mkdir(parents=True, exist_ok=True)
    position = 0
    rows: list[tuple[int, int, str, str, str]] = []
    manifest = csv.DictReader(io.StringIO(files["manifest.csv"].decode("utf-8-sig")))
    columns = set(manifest.fieldnames or ())
    if "file" not in columns or not {"words", "word"} & columns:
        raise ConfigError(f"{source}: manifest.csv needs the columns file and words")
    with (out / "audio.i16").open("wb") as sink:
        for row in manifest:
            words = row.get("words") or row.get("word")
            if words is None or row["file"] not in files:
                continue
            pcm = _decode(files[row["file"]], f"{source}: {row['file']}")
            sink.write(pcm.tobytes())
            kind = "numbers" if row.get("numbers_only") == "1" else "speech"
            rows.append((position, pcm.shape[0], _spoken(words), kind, row.get("speaker", "")))
            position += pcm.shape[0]
    if position == 0:
        raise ConfigError(f"{source}: none of the files in its manifest.csv is there")
    partial = out / "index.partial"
    with partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(INDEX_FIELDS)
        writer.writerows(rows)
    partial.rename(out / "index.csv")


@dataclass(frozen=True)
class MixSettings:
    """Shares of the kinds of utterances, by draw; they need not sum to one.

    Source: docs/explanation/training.md.
    """

    joined: float = 0.26
    single: float = 0.14
    other_word: float = 0.06
    connected: float = 0.18
    synthetic: float = 0.28
    babble: float = 0.04
    nothing: float = 0.04
    max_s: float = 14.0


@dataclass
class Mixer:
    """Draws training utterances from packed sets.

    Args:
        words: single-word clips of human speakers (Speech Commands, prompt voices).
        connected: whole utterances of human speakers (AN4, a user's own recordings).
        synthetic: synthesised phrases.
        noises: recordings without speech.
        babble: speech without numbers.
        settings: the mixture.
    """

    words: list[PackedSet]
    connected: list[PackedSet]
    synthetic: list[PackedSet]
    noises: list[Samples]
    babble: list[Samples]
    settings: MixSettings = field(default_factory=MixSettings)

    def __post_init__(self) -> None:
        self._by_speaker: dict[str, dict[str, list[tuple[PackedSet, Clip]]]] = {}
        grouped: dict[str, dict[str, list[tuple[PackedSet, Clip]]]]
        grouped = defaultdict(lambda: defaultdict(list))
        self._others: list[tuple[PackedSet, Clip]] = []
        self._singles: dict[str, list[tuple[PackedSet, Clip]]] = defaultdict(list)
        for packed in self.words:
            for clip in packed.clips:
                known = encode(clip.words) != encode("unknownword")
                if known and clip.samples > 1200:
                    grouped[clip.speaker][clip.words].append((packed, clip))
                    self._singles[clip.words].append((packed, clip))
                elif not known:
                    self._others.append((packed, clip))
        self._by_speaker = {
            speaker: dict(words)
            for speaker, words in grouped.items()
            if any(word in DIGITS for word in words)
        }
        self._speakers = sorted(self._by_speaker)
        self._single_names = sorted(self._singles)
        # Between "every word alike" and "every clip alike": two voices say "fifteen", 1,400 "one".
        shares = np.sqrt([len(self._singles[name]) for name in self._single_names])
        self._single_shares = shares / max(shares.sum(), 1.0)
        self._synthetic = [(packed, clip) for packed in self.synthetic for clip in packed.clips]
        self._connected = [(packed, clip) for packed in self.connected for clip in packed.clips]
        # Connected numbers are the rarest and dearest recordings: four times as often.
        numbers = [(packed, clip) for packed, clip in self._connected if clip.kind == "numbers"]
        self._connected += numbers * 3
        self._numbers_by_speaker: dict[str, list[tuple[PackedSet, Clip]]] = defaultdict(list)
        for packed, clip in numbers:
            self._numbers_by_speaker[clip.speaker].append((packed, clip))

    def draw(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        """One clean utterance: float32 [n] at 8 kHz, and its token ids."""
        shares = self.settings
        kinds = ["joined", "single", "other_word", "connected", "synthetic", "babble", "nothing"]
        available = {
            "joined": self._speakers,
            "single": self._singles,
            "other_word": self._others,
            "connected": self._connected,
            "synthetic": self._synthetic,
            "babble": self.babble,
            "nothing": True,
        }
        weights = np.array([getattr(shares, k) if available[k] else 0.0 for k in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        samples, ids = getattr(self, f"_{kind}_utterance")(rng)
        return samples[: int(shares.max_s * RATE_HZ)], ids

    def _word(self, rng: np.random.Generator, item: tuple[PackedSet, Clip]) -> Samples:
        packed, clip = item
        margin_s = float(rng.choice([0.0, 0.02, 0.04, 0.08]))
        word = trim_edges(packed.load(clip), margin_s)
        return word / max(rms(word), 1e-4) * 0.05

    def _single_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        name = self._single_names[int(rng.choice(len(self._single_names), p=self._single_shares))]
        items = self._singles[name]
        packed, clip = items[int(rng.integers(len(items)))]
        samples = packed.load(clip)
        # Half as recorded, half trimmed: a live utterance has a pre-roll of either sort.
        return (trim_edges(samples) if rng.random() < 0.5 else samples), encode(clip.words)

    def _other_word_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        packed, clip = self._others[int(rng.integers(len(self._others)))]
        samples = packed.load(clip)
        return (trim_edges(samples) if rng.random() < 0.5 else samples), encode(clip.words)

    def _joined_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        """Words of one speaker in a row, with the gaps and groups of somebody reading a number."""
        speaker = self._speakers[int(rng.integers(len(self._speakers)))]
        clips = self._by_speaker[speaker]
        names = [name for name in clips if name in DIGITS]
        count = int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16], p=_LENGTHS))
        tight = rng.random() < 0.45  # joined speech of a quick talker has no gaps at all
        group = int(rng.integers(2, 6)) if rng.random() < 0.5 else 99
        factor = rng.uniform(0.85, 1.25) if rng.random() < 0.6 else 1.0
        parts: list[Samples] = []
        words: list[str] = []
        for position in range(count):
            name = names[int(rng.integers(len(names)))]
            if words and rng.random() < 0.08 and words[-1] in clips:
                name = words[-1]  # true repeats must survive
            items = clips[name]
            word = self._word(rng, items[int(rng.integers(len(items)))])
            word = word * 10 ** (rng.uniform(-3, 3) / 20)
            if parts:
                gap_s = rng.uniform(-0.05, 0.03) if tight else rng.uniform(0.0, 0.25)
                if position % group == 0:
                    gap_s = rng.uniform(0.15, 0.9)
                _append(parts, word, int(gap_s * RATE_HZ))
            else:
                parts.append(word)
            words.append(name)
        if rng.random() < 0.08 and self._others:
            self._add_other(rng, parts, words)
        samples = np.concatenate(parts)
        if factor != 1.0:
            samples = change_speed(samples, factor)
        return samples, encode(" ".join(words))

    def _add_other(self, rng: np.random.Generator, parts: list[Samples], words: list[str]) -> None:
        """Puts a word that is no number before or after ("go four one five")."""
        other = self._word(rng, self._others[int(rng.integers(len(self._others)))])
        gap = np.zeros(int(rng.uniform(0, 0.4) * RATE_HZ), np.float32)
        if rng.random() < 0.5:
            parts[:0] = [other, gap]
            words.insert(0, "<other>")
        else:
            parts += [gap, other]
            words.append("<other>")

    def _connected_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        packed, clip = self._connected[int(rng.integers(len(self._connected)))]
        samples, words = packed.load(clip), clip.words
        same = self._numbers_by_speaker.get(clip.speaker)
        if clip.kind == "numbers" and same and rng.random() < 0.3:
            packed, second = same[int(rng.integers(len(same)))]
            gap = np.zeros(int(rng.uniform(0, 0.6) * RATE_HZ), np.float32)
            tail = trim_edges(packed.load(second), 0.1)
            samples = np.concatenate([trim_edges(samples, 0.1), gap, tail])
            words = f"{words} {second.words}"
        return self._at_speed(rng, samples), encode(words)

    def _synthetic_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        packed, clip = self._synthetic[int(rng.integers(len(self._synthetic)))]
        return self._at_speed(rng, packed.load(clip)), encode(clip.words)

    def _babble_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        """Somebody talks of other things."""
        source = self.babble[int(rng.integers(len(self.babble)))]
        talk = fit(rng, source, int(rng.uniform(0.35, 4.0) * RATE_HZ))
        if rms(talk) < 0.5 * rms(source):  # a pause between words: nobody's word to refuse
            return talk, []
        return self._at_speed(rng, talk), encode("<other>")

    def _nothing_utterance(self, rng: np.random.Generator) -> tuple[Samples, list[int]]:
        """Nobody speaks: silence, noise, a click, tones."""
        n = int(rng.uniform(0.4, 4.0) * RATE_HZ)
        kind = rng.random()
        time_s = np.arange(n, dtype=np.float32) / RATE_HZ
        if kind < 0.35 and self.noises:
            return fit(rng, self.noises[int(rng.integers(len(self.noises)))], n), []
        if kind < 0.6:  # tones: DTMF, ringing, busy, modem
            pair = rng.uniform(300, 1700, 2)
            if rng.random() < 0.6:
                pair = np.array([rng.choice([697, 770, 852, 941]), rng.choice([1209, 1336, 1477])])
            tone = np.sin(2 * np.pi * pair[0] * time_s) + np.sin(2 * np.pi * pair[1] * time_s)
            on_s = rng.uniform(0.05, 2.0)
            gate = (np.mod(time_s, on_s + rng.uniform(0.04, 1.0)) < on_s).astype(np.float32)
            return (0.05 * tone * gate).astype(np.float32), []
        if kind < 0.8:  # clicks, bumps, breath-like bursts
            burst = np.zeros(n, np.float32)
            for _ in range(int(rng.integers(1, 5))):
                length = int(rng.uniform(0.005, 0.25) * RATE_HZ)
                start = int(rng.integers(0, max(1, n - length)))
                shape = np.hanning(length).astype(np.float32)
                stretch = burst[start : start + length]
                stretch += (shape * rng.standard_normal(length) * 0.05)[: stretch.shape[0]]
            return burst, []
        return np.zeros(n, np.float32), []

    def _at_speed(self, rng: np.random.Generator, samples: Samples) -> Samples:
        if rng.random() < 0.6:
            return change_speed(samples, rng.uniform(0.87, 1.18))
        return samples


_LENGTHS = np.array([6, 8, 10, 18, 10, 10, 8, 13, 9, 4, 3], dtype=np.float64)
_LENGTHS /= _LENGTHS.sum()


def _append(parts: list[Samples], word: Samples, gap: int) -> None:
    """Appends a word after `gap` samples; a negative gap overlaps the two with a crossfade."""
    if gap >= 0:
        parts += [np.zeros(gap, np.float32), word]
        return
    overlap = min(-gap, parts[-1].shape[0] // 3, word.shape[0] // 3)
    if overlap < 1:
        parts.append(word)
        return
    fade = np.linspace(0.0, 1.0, overlap, dtype=np.float32)
    mixed = parts[-1][-overlap:] * (1 - fade) + word[:overlap] * fade
    parts[-1] = parts[-1][:-overlap]
    parts += [mixed, word[overlap:]]
