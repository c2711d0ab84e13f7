"""An evaluation set by an engine that no corpus holds: WAV files with a manifest.

Every number from 1 to 999 once, in varied form (group ``number``); of them those that are easily
taken for one another a second time (``contrast``: 13 and 30, 105 and 15); digit strings with "oh"
(``oh``) and with "double" (``multiple``); speech without a number, digits empty (``other``).
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ivr.asr.tokens import DIGITS, ZEROS
from ivr.audio.wav import write_wav
from ivr.train.clips import RATE_HZ, check_clip, render
from ivr.train.phrases import Phrase, phrase_of, sample_phrase, spell_number, spell_pair
from ivr.train.voices import HELD_OUT_ENGINE, Voice, voice_names

GROUP_SIZE: Final = 200  # clips of each group but the numbers, of which there are 999


def number_forms(number: int) -> list[str]:
    """The ways to say a number from 1 to 999, as marked text."""
    forms = [spell_number(number), spell_number(number, british=True)]
    if 100 <= number < 200:
        forms.append(spell_number(number, british=True, a_hundred=True))
    if number > 100 and number % 100:
        forms.append(f"{spell_number(number // 100)} {spell_pair(number % 100)}")
    return forms


def is_contrast(number: int) -> bool:
    """Whether a number differs from another by a teen for a ten, or by "oh five" for "fifteen"."""
    rest = number % 100
    return 13 <= rest <= 19 or (rest >= 30 and rest % 10 == 0) or rest == 5


def digits_of(words: str) -> str:
    """Digits of a transcript of single digits, "double" and "triple"."""
    digits, times = "", 1
    for word in words.split():
        if word in ("double", "triple"):
            times = 2 if word == "double" else 3
            continue
        digit = 0 if word in ("zero", *ZEROS) else DIGITS.index(word)
        digits, times = digits + times * str(digit), 1
    return digits


def heldout_phrases(rng: random.Random) -> Iterator[tuple[str, str, Phrase]]:
    """(group, digits, phrase) of the set, in order."""
    for number in range(1, 1000):
        yield "number", str(number), phrase_of(rng.choice(number_forms(number)) + ".", "number")
    groups = {"oh": ("string", "oh"), "multiple": ("multiple", "double"), "other": ("other", "")}
    for group, (kind, needed) in groups.items():
        found = 0
        while found < GROUP_SIZE:
            phrase = sample_phrase(rng, {kind: 1.0})
            if needed in phrase.words.split() or not needed:
                found += 1
                yield group, "" if group == "other" else digits_of(phrase.words), phrase


def build_heldout(out: Path, engine: str = HELD_OUT_ENGINE, seed: int = 1) -> None:
    """Renders the set: WAV files and manifest.csv (file, digits, words, speaker, group).

    Args:
        out: folder, made if it is missing.
        engine: who speaks; one that no corpus holds.
        seed: draws forms, strings and voices.

    Raises:
        SynthesisError: the engine gave no speech for a phrase.
    """
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"heldout/{seed}")
    with (out / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "digits", "words", "speaker", "group"))
        for count, (group, digits, phrase) in enumerate(heldout_phrases(rng)):
            name = rng.choice(voice_names(engine))
            voice = Voice(engine, name, rng.uniform(0.85, 1.3), rng.uniform(0.8, 1.3))
            audio = render(phrase.text, voice)
            check_clip(audio, phrase.text)
            path = out / f"{group}_{count:04d}.wav"
            write_wav(path, audio, RATE_HZ)
            rows.writerow((path.name, digits, phrase.words, f"{engine}-{name}", group))
            if group == "number" and is_contrast(int(digits)):
                rows.writerow((path.name, digits, phrase.words, f"{engine}-{name}", "contrast"))
