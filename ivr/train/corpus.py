"""Speech to train on: packed recordings.

Theory of operation: `pack` turns a set (a tar or a folder with a `manifest.csv`) into `audio.i16`
(all samples, 8 kHz, little endian) and `index.csv` once; training maps it, and
`ivr.train.mixer` draws utterances from it.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ivr.asr.tokens import DIGITS, TEENS, TENS
from ivr.errors import AudioError, ConfigError
from ivr.train.channel import RATE_HZ, Samples

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
