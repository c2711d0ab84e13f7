"""The numeric vocabulary: every word the recogniser can write.

The recogniser writes what was *said*; `ivr.grammar` turns it into values. "oh", "nought" and "zero"
stay apart, so do "fifteen" and "fifty". ``<other>`` stands for a stretch of speech with no word of
the vocabulary in it, so that a word which is no number has somewhere to go other than to the
nearest digit.

The order is part of every trained model: append, never insert.
"""

from __future__ import annotations

BLANK = 0  # the CTC blank; also the padding token of the decoder
SOT = 1  # start of transcript
EOT = 2  # end of transcript
OTHER = 3

SPECIALS = ("<blank>", "<sot>", "<eot>", "<other>")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ZEROS = ("oh", "nought")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALE = ("hundred", "thousand", "and", "a", "double", "triple", "point", "dot", "dollars", "cents")
COMMANDS = (
    *("yes", "no", "yeah", "nope", "correct", "repeat", "help", "operator", "cancel", "stop"),
    *("start", "again", "not", "last", "star", "pound", "hash"),
)

VOCABULARY: tuple[str, ...] = (*SPECIALS, *DIGITS, *ZEROS, *TEENS, *TENS, *SCALE, *COMMANDS)
TOKEN_ID: dict[str, int] = {word: index for index, word in enumerate(VOCABULARY)}


def encode(words: str) -> list[int]:
    """Token ids of a space-separated transcript.

    Words outside the vocabulary become ``<other>``; a run of them becomes one.
    """
    ids: list[int] = []
    for word in words.split():
        token = TOKEN_ID.get(word, OTHER)
        if token == OTHER and ids and ids[-1] == OTHER:
            continue
        ids.append(token)
    return ids


def decode(ids: list[int]) -> str:
    """The words of token ids, specials other than ``<other>`` left out."""
    return " ".join(VOCABULARY[i] for i in ids if i >= OTHER)
