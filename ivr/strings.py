"""Digit strings that speech can be written as, joined part by part with those before.

Theory of operation: a `Text` is one way to read what was said and keyed so far: the digits, how
likely the hypotheses are that it was read from, and how natural the readings. Speech makes many of
one, a key makes one of one, and a correction changes the digits that are there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ivr.grammar.corrections import correct, corrects
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.words import OTHER, natural_reading
from ivr.recognition import Hypothesis, Interpretation, Recognition, Unclear

ANY_DIGITS: Final = "builtin:digits"
# Beginnings kept when parts are joined: eight hypotheses of eight readings each.
BEAM: Final = 64


@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """A way to read some parts: the string so far, how likely, how natural, how sure."""

    digits: str
    sure: tuple[float, ...] = ()
    score: float = 0.0  # natural log, relative to the likeliest hypotheses
    cost: int = 0  # of the readings chosen
    confidence: float = 1.0

    @property
    def rank(self) -> tuple[float, int, int, str]:
        """Sorts the likeliest first, then the most natural."""
        return (-self.score, self.cost, len(self.digits), self.digits)


def words_of(hypothesis: Hypothesis) -> list[str]:
    """The words of the vocabulary, in order."""
    return [word.text for word in hypothesis.words if word.text != OTHER]


def append_key(text: Text, key: str) -> Text:
    """The string with a key behind it."""
    return Text(text.digits + key, (*text.sure, 1.0), text.score, text.cost, text.confidence)


def join(text: Text, more: Text) -> Text:
    """The string with a spoken one behind it."""
    return Text(
        text.digits + more.digits,
        text.sure + more.sure,
        text.score + more.score,
        text.cost + more.cost,
        min(text.confidence, more.confidence),
    )


def heard_texts(recognition: Recognition, deleted: int) -> list[Text]:
    """The digit strings of a part of speech, best first, less those deleted by key."""
    any_digits = parse_grammar(ANY_DIGITS)
    texts: dict[str, Text] = {}
    for hypothesis in recognition.hypotheses:
        words = words_of(hypothesis)
        if not words:
            break  # "no word was heard" is likelier than what follows
        state = any_digits.walk(words)
        score = min(0.0, hypothesis.score - recognition.best.score)
        for value, cost in state.readings if state is not None else ():
            sure = _sure(hypothesis, value) if hypothesis is recognition.best else None
            confidence = recognition.confidence * math.exp(score)
            known = sure or (confidence,) * len(value)
            kept = len(value) - deleted
            if kept >= 0 and value[:kept] not in texts:
                texts[value[:kept]] = Text(value[:kept], known[:kept], score, cost, confidence)
    return sorted(texts.values(), key=lambda text: text.rank)[:BEAM]


def corrected_texts(text: Text, recognition: Recognition) -> list[Text]:
    """What corrections make of the digits before them; those that stay are as sure as they were."""
    found: list[Text] = []
    for hypothesis in recognition.hypotheses:
        words = words_of(hypothesis)
        if not words:
            break
        if not corrects(words):
            continue
        score = min(0.0, hypothesis.score - recognition.best.score)
        confidence = min(text.confidence, recognition.confidence * math.exp(score))
        for digits, cost in correct(text.digits, words):
            same = 0
            while same < min(len(digits), len(text.digits)) and digits[same] == text.digits[same]:
                same += 1
            sure = text.sure[:same] + (confidence,) * (len(digits) - same)
            found.append(Text(digits, sure, text.score + score, text.cost + cost, confidence))
    return found


def digit_confidence(recognition: Recognition, answer: Interpretation) -> tuple[float, ...]:
    """How sure each character of an answer is; empty where no word stands for it.

    Only the words of the best hypothesis have a confidence of their own; the digits of another one
    share the answer's.
    """
    if not answer.value.isdigit():
        return ()
    if answer.words == " ".join(words_of(recognition.best)):
        return _sure(recognition.best, answer.value)
    return (answer.confidence,) * len(answer.value)


def _sure(hypothesis: Hypothesis, value: str) -> tuple[float, ...]:
    """The confidence of each digit: that of the word that wrote it, or changed it last.

    "fifty one": the 5 is as sure as "fifty", the 1 as the less sure of the two. Where the value is
    not the natural reading of the words, all digits are as sure as the least sure word.
    """
    words = [word for word in hypothesis.words if word.text != OTHER]
    sure: list[float] = []
    before = ""
    for count, word in enumerate(words, start=1):
        text = natural_reading(w.text for w in words[:count])
        text = text if text.isdigit() else ""
        for at, digit in enumerate(text):
            if at >= len(sure):
                sure.append(word.confidence)
            elif before[at : at + 1] != digit:
                sure[at] = min(sure[at], word.confidence)
        before, sure = text, sure[: len(text)]
    if before != value:
        least = min((word.confidence for word in words), default=0.0)
        return (least,) * len(value)
    return tuple(sure)


def unclear_group(
    recognition: Recognition, groups: tuple[int, ...], confidence_level: float
) -> Unclear | None:
    """The group of a number that was not understood, where all others were.

    Args:
        recognition: of the whole number.
        groups: sizes of its groups.
        confidence_level: a digit under it was not understood.

    Returns:
        None where the number has not as many digits, or not just one group is unclear.
    """
    digits = natural_reading(words_of(recognition.best))
    if not digits.isdigit() or len(digits) != sum(groups):
        return None
    sure = _sure(recognition.best, digits)
    found: list[Unclear] = []
    at = 0
    for number, size in enumerate(groups):
        if min(sure[at : at + size]) < confidence_level:
            found.append(Unclear(digits[:at], digits[at + size :], number, size))
        at += size
    return found[0] if len(found) == 1 and len(groups) > 1 else None
