"""`ivr testsets`: evaluation sets from recordings of speakers that training never hears.

Theory of operation: single words are taken as they are; strings join words of one speaker, edges
trimmed, with the gaps and groups of somebody reading a number aloud; noisy copies mix recorded
noise or babble at a stated SNR; connected speech keeps its transcript, read by the natural reading.
One seed, one result. The folder gets WAV files and a `manifest.csv` for `ivr evaluate`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from ivr.asr.tokens import DIGITS
from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.grammar.words import natural_reading
from ivr.train.channel import RATE_HZ, Samples, fit, rms
from ivr.train.corpus import Clip, PackedSet, open_packed, trim_edges

STRING_LENGTHS = (4, 8, 10, 16)
STRINGS_EACH = 200
# Cards and long references, read with the pauses of somebody who looks down at them: over 12 s.
LONG_LENGTHS = (16, 19)
LONG_EACH = 50
NOISY_SNR_DB = 10.0
VALUES = {word: str(value) for value, word in enumerate(DIGITS)} | {"yes": "yes", "no": "no"}


class TestSets:
    """Writes the sets of one seed into a folder.

    Args:
        out: folder for the WAV files and the manifest.
        seed: repeats the sets exactly.
    """

    __test__ = False  # not pytest's

    def __init__(self, out: Path, seed: int) -> None:
        self._out = out
        self._rng = np.random.default_rng(seed)
        self._rows: list[tuple[str, str, str, str, str, str]] = []
        out.mkdir(parents=True, exist_ok=True)

    def _add(
        self,
        group: str,
        samples: Samples,
        digits: str,
        words: str,
        speaker: str,
        *,
        snr_db: float | None = None,
    ) -> None:
        name = f"{group}/{len(self._rows):05d}.wav"
        path = self._out / name
        path.parent.mkdir(exist_ok=True)
        write_wav(path, (np.clip(samples, -1, 1) * 32767).astype(np.int16), RATE_HZ)
        snr = "" if snr_db is None else f"{snr_db:g}"
        self._rows.append((name, digits, words, speaker, group, snr))

    def add_words(self, packed: PackedSet, noises: list[Samples], babble: list[Samples]) -> None:
        """Single digits (clean and noisy), yes and no, and words that are no number."""
        for clip in packed.clips:
            samples = packed.load(clip)
            digits = VALUES.get(clip.words, "")
            if clip.words in DIGITS:
                self._add("digit", samples, digits, clip.words, clip.speaker)
                noise = (noises, babble)[int(self._rng.integers(2))]
                noisy = self._mixed(samples, noise)
                self._add(
                    "digit_10dB", noisy, digits, clip.words, clip.speaker, snr_db=NOISY_SNR_DB
                )
            else:
                group = "yes_no" if digits else "other_word"
                self._add(group, samples, digits, clip.words, clip.speaker)

    def _mixed(self, samples: Samples, sources: list[Samples]) -> Samples:
        """The word in noise: SNR over the trimmed word, a second of noise on both sides."""
        quiet = np.zeros(RATE_HZ // 2, np.float32)
        line = np.concatenate([quiet, samples, quiet])
        noise = fit(self._rng, sources[int(self._rng.integers(len(sources)))], line.shape[0])
        gain = rms(trim_edges(samples, 0.0)) / rms(noise) * 10 ** (-NOISY_SNR_DB / 20)
        return np.asarray(line + noise * np.float32(gain), dtype=np.float32)

    def add_strings(self, packed: PackedSet) -> None:
        """Strings of one speaker's digits, for each length."""
        for length in STRING_LENGTHS:
            self._add_strings_of(packed, length, STRINGS_EACH, f"string_{length}", (0.2, 0.6))

    def add_long_strings(self, packed: PackedSet) -> None:
        """Strings of 16 and 19 digits in groups, with pauses of up to 1.5 s between them."""
        for length in LONG_LENGTHS:
            self._add_strings_of(packed, length, LONG_EACH, "long_string", (0.5, 1.5))

    def _add_strings_of(
        self,
        packed: PackedSet,
        length: int,
        count: int,
        group: str,
        pause_s: tuple[float, float],
    ) -> None:
        speakers: dict[str, list[Clip]] = defaultdict(list)
        for clip in packed.clips:
            if clip.words in DIGITS:
                speakers[clip.speaker].append(clip)
        names = sorted(name for name, clips in speakers.items() if len(clips) >= 4)
        for number in range(count):
            speaker = names[number % len(names)]
            clips = speakers[speaker]
            samples, words = self._string(packed, clips, length, pause_s)
            digits = "".join(VALUES[word] for word in words)
            self._add(group, samples, digits, " ".join(words), speaker)

    def _string(
        self, packed: PackedSet, clips: list[Clip], length: int, pause_s: tuple[float, float]
    ) -> tuple[Samples, list[str]]:
        """Words of one speaker in a row, `pause_s` apart after each third or fourth."""
        rng = self._rng
        group = int(rng.integers(3, 5))
        parts: list[Samples] = []
        words = []
        for position in range(length):
            clip = clips[int(rng.integers(len(clips)))]
            word = trim_edges(packed.load(clip), 0.03)
            if parts:
                longer = position % group == 0
                gap_s = rng.uniform(*pause_s) if longer else rng.uniform(0.0, 0.2)
                parts.append(np.zeros(int(gap_s * RATE_HZ), np.float32))
            parts.append(word / rms(word) * np.float32(0.05))
            words.append(clip.words)
        return np.concatenate(parts), words

    def add_connected(self, packed: PackedSet) -> None:
        """Whole utterances: numbers, sentences with numbers in them, and speech without."""
        for clip in packed.clips:
            digits = natural_reading(clip.words)
            if digits in ("yes", "no") or clip.kind == "numbers":
                group = "connected_number" if digits.isdigit() else "yes_no"
            else:
                group = "connected_mixed" if digits else "connected_other"
            self._add(group, packed.load(clip), digits, clip.words, clip.speaker)

    def add_lines(self, noises: list[Samples], count: int = 100) -> None:
        """Lines on which nobody speaks: noise, tones, silence."""
        for number in range(count):
            seconds = float(self._rng.uniform(1.0, 5.0))
            n = int(seconds * RATE_HZ)
            time_s = np.arange(n, dtype=np.float32) / RATE_HZ
            level = np.float32(10 ** (self._rng.uniform(-45, -20) / 20))
            if number % 3 == 0:
                line = np.sin(2 * np.pi * self._rng.uniform(300, 1500) * time_s)
            elif number % 3 == 1:
                line = self._rng.standard_normal(n)
            else:
                line = fit(self._rng, noises[int(self._rng.integers(len(noises)))], n)
            sound = np.asarray(line, dtype=np.float32)
            self._add("line", sound / np.float32(rms(sound)) * level, "", "", "")

    def add_babble(self, babble: list[Samples]) -> None:
        """Stretches of talk about other things."""
        for talk in babble[::2]:
            stretch = fit(self._rng, talk, int(self._rng.uniform(0.6, 2.5) * RATE_HZ))
            self._add("talk", stretch, "", "<other>", "")

    def finish(self) -> Path:
        """Writes the manifest; returns its path."""
        path = self._out / "manifest.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "digits", "words", "speaker", "group", "snr_db"))
            writer.writerows(self._rows)
        return path


def make_testsets(packed_folder: Path, out: Path, seed: int = 1) -> Path:
    """Writes the evaluation sets of packed recordings; returns the manifest's path.

    Raises:
        ConfigError: a needed set is missing.
    """
    sets = {
        name: open_packed(packed_folder / name)
        for name in ("speech_commands.dev", "an4.dev", "noise", "babble")
        if (packed_folder / name / "index.csv").is_file()
    }
    if "speech_commands.dev" not in sets or "noise" not in sets:
        raise ConfigError(f"{packed_folder} lacks speech_commands.dev or noise")
    noises = [sets["noise"].load(clip) for clip in sets["noise"].clips]
    babble = [sets["babble"].load(c) for c in sets["babble"].clips] if "babble" in sets else noises
    made = TestSets(out, seed)
    made.add_words(sets["speech_commands.dev"], noises, babble)
    made.add_strings(sets["speech_commands.dev"])
    if "an4.dev" in sets:
        made.add_connected(sets["an4.dev"])
    made.add_lines(noises)
    made.add_babble(babble)
    made.add_long_strings(sets["speech_commands.dev"])
    return made.finish()
