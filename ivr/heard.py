"""What was heard in a recording: its utterances, the answer they make, and other ways to hear it.

The numbers of several utterances are joined: a caller who pauses too long still said one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.endpointing.endpointer import UtteranceEnded
from ivr.grammar.grammar import Grammar
from ivr.grammar.interpret import interpret
from ivr.grammar.words import OTHER
from ivr.line import LINE_BEFORE, SAMPLES_PER_MS
from ivr.recognition import Hypothesis, Interpretation, Recognition

N_BEST = 5  # alternatives shown of a file; as many as the recogniser keeps of an utterance


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance of a recording and what was made of it.

    Attributes:
        start_ms: where its samples begin, milliseconds from the start of the recording; below 0
            where the pre-roll reaches into the line before.
        recognition: what the recogniser heard.
        answer: what the grammar accepted of it; None for nothing.
        latency_ms: from the end of speech to the decision: silence waited for, and computing.
        compute_ms: the computing alone.
    """

    start_ms: float
    recognition: Recognition
    answer: Interpretation | None
    latency_ms: float
    compute_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came out for one recording.

    Attributes:
        value: digits, ``yes``, ``no``, or "" when no number was accepted.
        words: all that was heard.
        confidence: of the value; 0 where there is none.
        latency_ms: of the last utterance, from the end of speech to the decision: silence waited
            for, and computing.
        compute_ms: the computing alone.
        utterances: what the answer was made of.
        error: why the file could not be used.
    """

    value: str = ""
    words: str = ""
    confidence: float = 0.0
    latency_ms: float | None = None
    compute_ms: float | None = None
    utterances: tuple[Utterance, ...] = ()
    error: str = ""


def utterance(
    event: UtteranceEnded,
    recognition: Recognition,
    grammar: Grammar,
    compute_ms: float,
    began: int = LINE_BEFORE,
) -> Utterance:
    """An utterance, read by a grammar.

    Args:
        event: its place.
        recognition: what the recogniser heard.
        grammar: of the question.
        compute_ms: that hearing it took.
        began: the sample that the recording began with.
    """
    waited_ms = (event.at_sample - event.speech_end_sample) / SAMPLES_PER_MS
    return Utterance(
        start_ms=(event.start_sample - began) / SAMPLES_PER_MS,
        recognition=recognition,
        answer=interpret(grammar, recognition),
        latency_ms=waited_ms + compute_ms,
        compute_ms=compute_ms,
    )


def answer(heard: Sequence[Utterance]) -> Answer:
    """What a recording's utterances amount to."""
    if not heard:
        return Answer()
    taken = [utterance.answer for utterance in heard if utterance.answer]
    return Answer(
        value=joined([answer.value for answer in taken]),
        words=" ".join(utterance.recognition.best.text for utterance in heard),
        confidence=min((answer.confidence for answer in taken), default=0.0),
        latency_ms=heard[-1].latency_ms,
        compute_ms=heard[-1].compute_ms,
        utterances=tuple(heard),
    )


def joined(values: list[str]) -> str:
    """The values of a file's utterances as one: the digits in a row, or the last yes or no."""
    numbers = [value for value in values if value.isdigit()]
    return "".join(numbers) if numbers else (values[-1] if values else "")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to hear a file.

    Attributes:
        digits: what the grammar makes of the words; "" for nothing.
        words: what was said.
        probability: 0..1, among the alternatives that the recogniser weighed.
    """

    digits: str
    words: str
    probability: float


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with its place in the recording.

    Attributes:
        word: as the recogniser writes it.
        start_ms, end_ms: milliseconds from the start of the recording; None where the model tells
            no times.
        confidence: 0..1.
    """

    word: str
    start_ms: int | None
    end_ms: int | None
    confidence: float


def spoken_words(utterances: Sequence[Utterance]) -> list[SpokenWord]:
    """The words heard, in order."""
    words = []
    for utterance in utterances:
        for word in utterance.recognition.best.words:
            timed = word.end_ms > word.start_ms
            # An onset in the pre-roll is the line's, not the recording's.
            start, end = (
                max(0, round(utterance.start_ms) + ms) for ms in (word.start_ms, word.end_ms)
            )
            words.append(
                SpokenWord(
                    word.text,
                    start if timed else None,
                    end if timed else None,
                    round(word.confidence, 4),
                )
            )
    return words


def alternatives(utterances: Sequence[Utterance], grammar: Grammar) -> list[Alternative]:
    """The likeliest ways to hear a file, at most `N_BEST`, best first.

    Those of several utterances are combined: their digits in a row, their probabilities multiplied.
    """
    combined: list[tuple[float, tuple[str, ...], tuple[str, ...]]] = [(1.0, (), ())]
    for utterance in utterances:
        hypotheses = utterance.recognition.hypotheses
        # The best few of all are among the best few of each.
        combined = heapq.nlargest(
            N_BEST,
            (
                (
                    probability * math.exp(hypothesis.score),
                    (*values, _reading(hypothesis, grammar)),
                    (*words, hypothesis.text),
                )
                for probability, values, words in combined
                for hypothesis in hypotheses
            ),
            key=lambda way: way[0],
        )
    return [
        Alternative(
            joined([value for value in values if value]), " ".join(words), round(probability, 4)
        )
        for probability, values, words in combined
        if words
    ]


def _reading(hypothesis: Hypothesis, grammar: Grammar) -> str:
    state = grammar.walk(word.text for word in hypothesis.words if word.text != OTHER)
    values = state.values if state is not None and hypothesis.words else ()
    return values[0] if values else ""
