"""Ordinary English that holds no number, drawn from the commonest words.

Theory of operation: a few hundred phrases (`ivr.train.phrase_tables`) teach a network those
phrases, not speech; on a synthesiser that it had not heard, 28 % of such phrases gave a number. So
most of what is no number is drawn anew, from thousands of words.
"""

from __future__ import annotations

import functools
import random
from typing import Final

from ivr.asr.tokens import VOCABULARY
from ivr.errors import ConfigError

COMMONEST: Final = 6_000  # words; the rest is names and jargon that synthesisers mispronounce
# Said like a word of the vocabulary, or near enough in some accent: a wrong label either way.
HOMOPHONES: Final = (
    "to too tu for fore won wan wun ate tree free tin sex sic sick nein fife tan tent sics "
    "dirty forte ooh owe nor knot cent sense plus minus aye know knows knew naught note do "
    "due dew ye yep yup yah nah noe nay uno dos tres eh uh an ad ah hey ay o h ho ow ought "
    "aught stars poundland"
)
# Numbers that the vocabulary lacks, and compounds ("someone", "sevens", "fourth", "millions").
NUMERIC_STEMS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twel",
    "thir", "fif", "twen", "for", "nin", "hundred", "thousand", "million", "billion", "first",
    "second", "third", "dozen", "double", "triple", "point", "dollar", "cent", "pound", "dot",
)  # fmt: skip


@functools.cache
def ordinary_words() -> tuple[str, ...]:
    """Common English words that neither are numeric nor sound so, commonest first.

    Raises:
        ConfigError: wordfreq is not installed.
    """
    try:
        from wordfreq import top_n_list  # noqa: PLC0415 - only who synthesises needs it
    except ImportError as error:
        raise ConfigError("synthesising speech needs wordfreq: pip install 'ivr[train]'") from error
    unfit = {*VOCABULARY, *HOMOPHONES.split()}
    return tuple(
        word
        for word in top_n_list("en", COMMONEST)
        if word.isascii()
        and word.isalpha()
        and len(word) > 1
        and any(letter in "aeiouy" for letter in word)
        and word not in unfit
        and not word.startswith(NUMERIC_STEMS)
        and not word.endswith(("one", "ones", "teen", "teens"))
    )


def ordinary_speech(rng: random.Random, longest: int = 7) -> str:
    """One to `longest` words in a row, sometimes with a pause; half of them from the commonest."""
    words = ordinary_words()
    count = min(longest, rng.choice((1, 1, 2, 2, 3, 4, 5, 7)))
    said = [rng.choice(words[:600] if rng.random() < 0.5 else words) for _ in range(count)]
    if count > 2 and rng.random() < 0.3:
        said[rng.randrange(1, count - 1)] += ","
    return " ".join(said)
