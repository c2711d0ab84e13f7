"""English in IPA, as its speakers and as speakers of other languages say it.

Theory of operation: espeak-ng spells a clause in IPA; an accent then replaces phonemes that its
language lacks by the nearest that it has, in one pass, longest first. Neural voices take such
spellings, so that a French voice says "sri" and an American one can be lent a Hindi accent.
"""

# ruff: noqa: RUF001, RUF002 - the letters of IPA

from __future__ import annotations

import functools
import re
from typing import Final

from ivr.audio.espeak import Espeak

# What most who learnt English as adults do; a language's own entries come over these.
_COMMON: Final = {
    "oʊ": "o", "əʊ": "o", "eɪ": "e", "aɪ": "ai", "aʊ": "au", "ɔɪ": "oi", "iə": "ia", "ʊə": "ua",
    "iː": "i", "uː": "u", "ɔː": "o", "ɑː": "a", "ɜː": "eɾ", "ɚ": "eɾ", "ɪ": "i", "ᵻ": "i",
    "ʊ": "u", "ʌ": "a", "ɐ": "a", "æ": "a", "ɛ": "e", "ɒ": "o", "ɔ": "o", "ə": "e", "θ": "t",
    "ð": "d", "ɹ": "ɾ",
}  # fmt: skip
_OWN: Final[dict[str, dict[str, str]]] = {
    "de": {"w": "v", "θ": "s", "ð": "z", "ɹ": "ʁ", "ɜː": "œʁ", "ɚ": "ɐ", "æ": "ɛ", "ə": "ə"},
    "el": {"θ": "θ", "ð": "ð", "h": "x", "ʃ": "s", "tʃ": "ts", "dʒ": "dz"},
    "es": {"z": "s", "v": "b", "h": "x", "ʃ": "tʃ", "ð": "d"},
    "fr": {"θ": "s", "ð": "z", "ɹ": "ʁ", "h": "", "ɜː": "œʁ", "ɚ": "œʁ", "ʌ": "œ", "ə": "ø"},
    "hi": {
        "t": "ʈ", "d": "ɖ", "tʃ": "tʃ", "dʒ": "dʒ", "θ": "tʰ", "w": "ʋ", "v": "ʋ", "oʊ": "oː",
        "əʊ": "oː", "eɪ": "eː", "iː": "iː", "uː": "uː", "ɔː": "ɔː", "ɑː": "aː", "ɪ": "ɪ",
        "ʊ": "ʊ", "ʌ": "ə", "ɐ": "ə", "æ": "ɛ", "ɛ": "ɛ", "ɒ": "ɔ", "ə": "ə", "ɜː": "əɾ",
        "ɚ": "əɾ",
    },
    "it": {"h": "", "w": "u", "z": "z", "ŋ": "n"},
    "ja": {"θ": "s", "ð": "z", "l": "ɾ", "v": "b", "ɜː": "a", "ɚ": "a", "ə": "a"},
    "zh": {"θ": "s", "z": "s", "ɹ": "ɻ", "ɜː": "ɤ", "ɚ": "ɤ", "ə": "ə", "ʌ": "a"},
}  # fmt: skip
ACCENTS: Final = tuple(_OWN)

_MARKS: Final = re.compile(r"\s*([,.;?!]+)\s*")


@functools.cache
def _espeak() -> Espeak:
    return Espeak()


@functools.lru_cache(maxsize=4096)  # the vocabulary and the carriers come again and again
def _clause(text: str, language: str) -> str:
    return _espeak().phonemes(text, language, "", ipa=True)


@functools.cache
def _rules(accent: str) -> tuple[re.Pattern[str], dict[str, str]]:
    table = _COMMON | _OWN[accent]
    return re.compile("|".join(sorted(table, key=len, reverse=True))), table


def spell(text: str, language: str = "en-us", accent: str = "") -> str:
    """A text in IPA, with its punctuation, which voices pause at.

    Args:
        text: English words.
        language: espeak's name of the English.
        accent: one of `ACCENTS`, or none.

    Returns:
        Such as ``wˈʌn tˈuː, θɹˈiː``; with the accent "fr" ``wˈœn tˈu, sʁˈi``.

    Raises:
        KeyError: an accent that is not in `ACCENTS`.
        ModelError: espeak is missing.
    """
    parts = _MARKS.split(text)
    spoken = "".join(
        f"{part} " if place % 2 else _clause(part, language) for place, part in enumerate(parts)
    ).strip()
    if not accent:
        return spoken
    # Teens are stressed at their end by most who learnt English.
    spoken = re.sub(r"ˈ([^\sˈ]*)tiːn\b", r"\1tˈiːn", spoken)
    pattern, table = _rules(accent)
    return pattern.sub(lambda match: table[match[0]], spoken)
