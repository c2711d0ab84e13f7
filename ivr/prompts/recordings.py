"""The user's recordings: prompts by name, and numbers put together from recorded words.

Theory of operation: a folder holds a file a prompt, ``greet.say.wav``, and in ``digits/`` a file a
word: ``0`` to ``19``, ``20``, ``30`` .. ``90``, and any other word of a spoken number by its own
name, ``hundred``, ``and``, ``dollars``. Recordings of another language lie in a folder of its name,
``es/greet.say.wav``. A word may have variants: ``4.medial`` is spoken where the number goes on,
``4.falling`` where it ends; a word that has none is the same everywhere. A number is joined only if
every word of it is there: half a number in another voice is worse than none.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.level import level_speech
from ivr.audio.wav import read_speech
from ivr.prompts.shaping import LEVEL_DBFS, RATE_HZ, join, trim_recording

SUFFIXES: Final = (".wav", ".flac")
DIGITS: Final = "digits"
MEDIAL: Final = ".medial"
FALLING: Final = ".falling"
NUMERALS: Final = {
    word: str(number)
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen"),
        )
    )
} | {
    word: str(10 * number)
    for number, word in enumerate(
        ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2
    )
}
"""The files of English number words; every other word is its own file's name."""

_SCALES: Final = ((1_000_000, "million"), (1000, "thousand"), (100, "hundred"))
_LONGEST: Final = 9  # figures of a number that is read as one
_YEAR: Final = re.compile(r"1[1-9]\d\d|20[1-9]\d")

# Of speech at an easy pace: digits in a group touch, groups are told apart.
_WORD_PAUSE_S: Final = 0.04
_GROUP_PAUSE_S: Final = 0.3
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


class Recordings:
    """A folder of recordings.

    Args:
        folder: None for none.

    State: the words that were read, for as long as it lives; a file that changes is read at the
    next start.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._words: dict[Path, NDArray[np.int16]] = {}
        self._lock = threading.Lock()

    def find(self, name: str | None, language: str | None = None) -> Path | None:
        """The file of a recording; None if there is none."""
        if name is None or self.folder is None:
            return None
        folder = self.folder / language if language is not None else self.folder
        for suffix in SUFFIXES:
            path = folder / (name + suffix)
            if path.is_file():
                return path
        return None

    def number(self, text: str, language: str | None = None) -> NDArray[np.int16] | None:
        """A spoken number from its words, such as ``four one five five, zero zero``.

        Args:
            text: words, with a comma between groups; in English figures are words as well.
            language: whose folder.

        Returns:
            [n] int16 at 8 kHz, levelled, no silence around it; None where a word is not recorded.

        Raises:
            AudioError: a file cannot be decoded.
        """
        groups = [_WORD.findall(group) for group in text.lower().split(",")]
        english = language is None or language.partition("-")[0].lower() == "en"
        groups = [_figures_as_words(group) if english else group for group in groups if group]
        parts: list[tuple[float, NDArray[np.int16]]] = []
        for number, group in enumerate(groups):
            for place, word in enumerate(group):
                last = place == len(group) - 1
                ends = last and number == len(groups) - 1
                path = self._word(word, FALLING if ends else MEDIAL, language)
                if path is None:
                    return None
                pause_s = _WORD_PAUSE_S if place else _GROUP_PAUSE_S
                parts.append((pause_s, self._read(path)))
        if not parts:
            return None
        return level_speech(join(parts), LEVEL_DBFS, RATE_HZ)

    def _word(self, word: str, variant: str, language: str | None) -> Path | None:
        name = f"{DIGITS}/{NUMERALS.get(word, word)}"
        return self.find(name + variant, language) or self.find(name, language)

    def _read(self, path: Path) -> NDArray[np.int16]:
        with self._lock:
            if path not in self._words:
                self._words[path] = trim_recording(read_speech(path, RATE_HZ))
            return self._words[path]


def _figures_as_words(group: list[str]) -> list[str]:
    """A group whose figures are the names of words; four figures that stand alone are a year."""
    if len(group) == 1 and _YEAR.fullmatch(group[0]):
        century, rest = divmod(int(group[0]), 100)
        if century % 10 and rest >= 10:
            return [*_spoken(century), *_spoken(rest)]
    words: list[str] = []
    for word in group:
        figures = word.isascii() and word.isdecimal() and len(word) <= _LONGEST
        words += _spoken(int(word)) if figures else [word]
    return words


def _spoken(number: int) -> list[str]:
    """A number as the words of its recordings: 1215 is 1, thousand, 2, hundred, 15."""
    for size, name in _SCALES:
        if number >= size:
            count, rest = divmod(number, size)
            return [*_spoken(count), name, *(_spoken(rest) if rest else ())]
    if number < 20 or number % 10 == 0:
        return [str(number)]
    return [str(number - number % 10), str(number % 10)]
