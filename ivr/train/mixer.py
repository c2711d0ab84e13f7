"""Utterances to train on, drawn from packed sets.

Theory of operation: a `Mixer` draws what was said and by whom: words of one speaker joined into
numbers, connected speech as recorded, synthesised speech, words that are no number, and lines on
which nobody speaks. Each comes with its transcript as token ids. The telephone comes after
(`ivr.train.channel`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ivr.asr.tokens import DIGITS, TEENS, TENS, encode
from ivr.train.channel import RATE_HZ, Samples, change_speed, fit, rms
from ivr.train.corpus import Clip, PackedSet, trim_edges


@dataclass(frozen=True)
class MixSettings:
    """Shares of the kinds of utterances, by draw; they need not sum to one.

    Source: docs/explanation/training.md.
    """

    joined: float = 0.26
    single: float = 0.20
    other_word: float = 0.045
    connected: float = 0.18
    synthetic: float = 0.30
    babble: float = 0.05
    nothing: float = 0.03
    max_s: float = 14.0


# Nobody recorded "oh", as callers say for zero, but for two studio voices: it is what is left of
# these words without their first sound. (seconds to cut, from and to). At 0.1 s of "go" and 0.14 s
# of "no" a model that had learnt only synthesised ones heard most of them as "oh" between digits.
OH_SOURCES: Final = {"go": (0.08, 0.13), "no": (0.12, 0.17)}
STUDIO_SHARE: Final = 0.04  # of joined utterances are by voices that recorded numbers above nine


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
        self._studio = [name for name in self._speakers if TENS[0] in self._by_speaker[name]]
        self._ohs: dict[str, list[tuple[PackedSet, Clip]]] = defaultdict(list)
        for packed in self.words:
            for clip in packed.clips:
                if clip.words in OH_SOURCES and clip.speaker in self._by_speaker:
                    self._ohs[clip.speaker].append((packed, clip))
        self._single_names = sorted(self._singles)
        # Between "every word alike" and "every clip alike": two voices say "fifteen", 1,400 "one".
        shares = np.sqrt([len(self._singles[name]) for name in self._single_names])
        self._single_shares = shares / max(shares.sum(), 1.0)
        self._synthetic = [packed for packed in self.synthetic if packed.clips]
        # The letter "o" sounds like the digit: neither <other> nor "oh" would be the right label.
        self._connected = [
            (packed, clip)
            for packed in self.connected
            for clip in packed.clips
            if "o" not in clip.words.split()
        ]
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
        while True:
            kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
            samples, ids = getattr(self, f"_{kind}_utterance")(rng)
            if samples.shape[0] <= shares.max_s * RATE_HZ:
                return samples, ids
            # Cut, it would lack words of its transcript.

    def _word(self, rng: np.random.Generator, item: tuple[PackedSet, Clip]) -> Samples:
        packed, clip = item
        margin_s = float(rng.choice([0.0, 0.02, 0.04, 0.08]))
        word = trim_edges(packed.load(clip), margin_s)
        return word / max(rms(word), 1e-4) * 0.05

    def _oh(self, rng: np.random.Generator, speaker: str) -> Samples:
        """The "oh" of one of the speaker's words that end in it."""
        items = self._ohs[speaker]
        packed, clip = items[int(rng.integers(len(items)))]
        cut = int(rng.uniform(*OH_SOURCES[clip.words]) * RATE_HZ)
        word = trim_edges(packed.load(clip), 0.0)
        word = word[min(cut, word.shape[0] // 2) :].copy()
        fade = min(80, word.shape[0])
        word[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)
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
        studio = bool(self._studio) and rng.random() < STUDIO_SHARE
        speakers = self._studio if studio else self._speakers
        speaker = speakers[int(rng.integers(len(speakers)))]
        clips = self._by_speaker[speaker]
        names = [name for name in clips if name in (SAID_IN_A_ROW if studio else DIGITS)]
        says_oh = speaker in self._ohs and rng.random() < 0.5
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
            if says_oh and rng.random() < 0.25:
                name, word = "oh", self._oh(rng, speaker)
            else:
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
        # Each corpus alike: a thousand phrases by natural voices teach as much as many by robots.
        packed = self._synthetic[int(rng.integers(len(self._synthetic)))]
        clip = packed.clips[int(rng.integers(len(packed.clips)))]
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


SAID_IN_A_ROW: Final = (*DIGITS, *TEENS, *TENS, "oh")
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
