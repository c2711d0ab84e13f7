"""`ivr testsets --pauses`: answers with the pauses of somebody who reads a number in groups.

Theory of operation: digits of one speaker are joined into a number, with short gaps within a group
and long ones between groups, on a line whose noise never stops. Where each digit lies is known from
the construction, so what an endpointer decides can be held against what was said, whoever hears it.

The long gaps are drawn in two ways, each between 0.2 and 1.5 s:

* ``rhythm``: each caller has a tempo of their own, log-normal about 0.5 s, and keeps to it within a
  fifth. Campione and Véronis (Speech Prosody 2002) count the silent pauses of read speech among the
  medium ones, 200 to 1,000 ms, and find durations that are normal only after the logarithm.
* ``even``: each gap is uniform and tells nothing of the next: harder than any caller.

``noisy`` is ``rhythm`` with recorded noise at 15 dB SNR. Two manifests with different speakers are
written: `tuning.csv` to choose constants by, `manifest.csv` to report.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from ivr.asr.tokens import DIGITS
from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.train.channel import RATE_HZ, Samples, fit, rms
from ivr.train.corpus import Clip, PackedSet, open_packed

ANSWERS_EACH = 400
SHORTEST, LONGEST = 6, 12  # digits
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 1.5
USUAL_PAUSE_S = 0.5
LONGEST_GAP_S = 0.2  # within a group
FEWEST_CLIPS = 4  # of a speaker
MARGIN_S = 0.03  # kept around a word: its softest edges
LINE_BEFORE_S, LINE_AFTER_S = 2.0, 4.0  # the rules that wait longest decide within 4 s
SNR_DB = 15.0
WORD_RMS = 0.05  # -26 dBFS, as loud as a telephone makes speech
MANIFEST_FIELDS = (
    *("file", "digits", "words", "speaker", "group", "snr_db"),
    *("last_word_ms", "speech_end_ms", "pauses_ms"),
)


def make_pauses(
    packed_folder: Path, out: Path, seed: int = 1, answers_each: int = ANSWERS_EACH
) -> Path:
    """Writes the sets; returns the path of `manifest.csv`, beside which lies `tuning.csv`.

    Raises:
        ConfigError: a needed set is missing, or has too few speakers.
    """
    folders = [packed_folder / name for name in ("speech_commands.dev", "noise")]
    if not all((folder / "index.csv").is_file() for folder in folders):
        raise ConfigError(f"{packed_folder} lacks speech_commands.dev or noise")
    words, noise = (open_packed(folder) for folder in folders)
    speakers: dict[str, list[Clip]] = defaultdict(list)
    for clip in words.clips:
        if clip.words in DIGITS:
            speakers[clip.speaker].append(clip)
    names = sorted(name for name, clips in speakers.items() if len(clips) >= FEWEST_CLIPS)
    if len(names) < 2:
        raise ConfigError(f"{packed_folder}: two speakers of {FEWEST_CLIPS} digits are needed")
    maker = _Maker(words, noise, out, np.random.default_rng(seed))
    for manifest, share in (("tuning.csv", names[::2]), ("manifest.csv", names[1::2])):
        rows = [
            maker.answer(group, share[number % len(share)], speakers[share[number % len(share)]])
            for group in ("rhythm", "even", "noisy")
            for number in range(answers_each)
        ]
        with (out / manifest).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(MANIFEST_FIELDS)
            writer.writerows(rows)
    return out / "manifest.csv"


class _Maker:
    def __init__(
        self, words: PackedSet, noise: PackedSet, out: Path, rng: np.random.Generator
    ) -> None:
        self._words, self._out, self._rng = words, out, rng
        self._noises = [noise.load(clip) for clip in noise.clips]
        self._made = 0
        out.mkdir(parents=True, exist_ok=True)

    def answer(self, group: str, speaker: str, clips: list[Clip]) -> tuple[object, ...]:
        """Writes one answer; returns its row of the manifest."""
        rng = self._rng
        said = [clips[int(at)] for at in rng.integers(len(clips), size=_length(rng))]
        sizes = groups(len(said), int(rng.integers(3, 5)))
        pauses_s = _pauses(rng, len(sizes) - 1, even=group == "even")
        samples, last_word, speech_end = self._join(said, sizes, pauses_s)
        line = self._line(samples.shape[0], noisy=group == "noisy")
        name = f"{group}/{self._made:05d}.wav"
        self._made += 1
        path = self._out / name
        path.parent.mkdir(exist_ok=True)
        mixed = (np.clip(samples + line, -1, 1) * 32767).astype(np.int16)
        write_wav(path, mixed, RATE_HZ)
        digits = "".join(str(DIGITS.index(clip.words)) for clip in said)
        return (
            *(name, digits, " ".join(clip.words for clip in said), speaker, group),
            f"{SNR_DB:g}" if group == "noisy" else "",
            *(round(at * 1000 / RATE_HZ) for at in (last_word, speech_end)),
            " ".join(f"{pause_s * 1000:.0f}" for pause_s in pauses_s),
        )

    def _join(
        self, said: list[Clip], sizes: list[int], pauses_s: list[float]
    ) -> tuple[Samples, int, int]:
        """The words in a row on a silent line; where the last begins and ends, in samples."""
        ends = np.cumsum(sizes)[:-1].tolist()
        parts = [_silence(LINE_BEFORE_S)]
        first = last = 0
        for position, clip in enumerate(said):
            if position in ends:
                parts.append(_between(pauses_s[ends.index(position)]))
            elif position:
                parts.append(_between(float(self._rng.uniform(0.0, LONGEST_GAP_S))))
            word, begin, end = cut_word(self._words.load(clip))
            offset = sum(part.shape[0] for part in parts)
            first, last = offset + begin, offset + end
            parts.append(word / rms(word[begin:end]) * np.float32(WORD_RMS))
        return np.concatenate([*parts, _silence(LINE_AFTER_S)]), first, last

    def _line(self, n: int, *, noisy: bool) -> Samples:
        """The noise of the line [n]: a soft hiss, or a recorded noise."""
        rng = self._rng
        if noisy:
            noise = fit(rng, self._noises[int(rng.integers(len(self._noises)))], n)
            return np.asarray(noise / rms(noise) * WORD_RMS * 10 ** (-SNR_DB / 20), np.float32)
        level = 10 ** (rng.uniform(-70.0, -50.0) / 20)
        return np.asarray(rng.standard_normal(n) * level, np.float32)


def groups(length: int, size: int) -> list[int]:
    """How a number of `length` digits is read in groups of `size`; nobody says a last one alone."""
    sizes = [size] * (length // size)
    rest = length % size
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def cut_word(samples: Samples) -> tuple[Samples, int, int]:
    """A word with a margin of `MARGIN_S`, faded in and out, and where it begins and ends in it.

    The word is what lies less than 30 dB under its loudest 10 ms and over the recording's own
    noise, as in `ivr.train.corpus.trim_edges`: a measure of its own, so that no VAD is judged by
    itself.
    """
    hop, margin = RATE_HZ // 100, int(MARGIN_S * RATE_HZ)
    frames = samples[: samples.shape[0] // hop * hop].reshape(-1, hop)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
    threshold = max(level_db.max() - 30.0, np.percentile(level_db, 15) + 6.0)
    loud = np.flatnonzero(level_db > min(threshold, level_db.max() - 6.0))
    begin, end = int(loud[0]) * hop, int(loud[-1] + 1) * hop
    start, stop = max(0, begin - margin), min(samples.shape[0], end + margin)
    word = samples[start:stop].copy()
    fade = np.linspace(0.0, 1.0, hop, dtype=np.float32)
    word[:hop] *= fade
    word[-hop:] *= fade[::-1]
    return word, begin - start, end - start


def _length(rng: np.random.Generator) -> int:
    return int(rng.integers(SHORTEST, LONGEST + 1))


def _pauses(rng: np.random.Generator, count: int, *, even: bool) -> list[float]:
    if even:
        drawn = rng.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S, count)
    else:
        tempo_s = USUAL_PAUSE_S * np.exp(rng.normal(0.0, 0.45))
        drawn = tempo_s * np.exp(rng.normal(0.0, 0.2, count))
    return [float(s) for s in np.clip(drawn, SHORTEST_PAUSE_S, LONGEST_PAUSE_S)]


def _between(pause_s: float) -> Samples:
    """A pause between the audible edges of two words, whose margins are part of it."""
    return _silence(max(0.0, pause_s - 2 * MARGIN_S))


def _silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE_HZ), np.float32)
