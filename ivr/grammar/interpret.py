"""What the grammar makes of a recognition: the first hypothesis that it accepts, with a confidence.

Theory of operation
-------------------
The recogniser does not always know the question, so its best hypothesis may be no answer to it. The
N-best list is walked in order and the first hypothesis with an accepted reading wins. The walk ends
at a hypothesis without a single vocabulary word: if "no word was heard" is likelier than an answer,
then nothing was answered, for a number out of noise is the worst error of all.

Words can have several readings that the grammar accepts; the one of least cost wins. Where another
costs as little ("twelve fifty" is 12.50 or 1250), the interpretation names it as an alternative.

Speech outside the vocabulary may surround an answer ("it's four one five, please"). Between its
words it may hide a digit, so there it costs confidence.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ivr.grammar.commands import Command, command_of
from ivr.grammar.corrections import correct, corrects
from ivr.grammar.grammar import Grammar
from ivr.grammar.words import NUMBER_WORDS, OTHER
from ivr.recognition import Hypothesis, Interpretation, Recognition

# Confidence kept for each <other> between the words of an answer. An interim value: chosen so that
# one of them puts a sure answer (0.95) below the level at which a flow usually confirms (0.7), to
# be replaced by calibration on recordings.
INNER_OTHER_FACTOR = 0.7


@dataclass(frozen=True, slots=True)
class Progress:
    """How far words have come in a grammar; neither flag: they are no answer, whatever follows.

    Attributes:
        complete: they are an answer as they stand.
        can_grow: more words could give another answer.
    """

    complete: bool
    can_grow: bool


@dataclass(frozen=True, slots=True)
class HeardCommand:
    """A command that was heard.

    Attributes:
        command: which.
        confidence: 0..1.
    """

    command: Command
    confidence: float


@dataclass(frozen=True, slots=True, repr=False)  # it would hold the caller's number
class HeardCorrection:
    """A correction of a value that was read back.

    Attributes:
        words: of it, ``<other>`` left out.
        confidence: 0..1.
    """

    words: tuple[str, ...]
    confidence: float


def progress(grammar: Grammar, words: Iterable[str]) -> Progress:
    """How far spoken words have come, for the endpointer. ``<other>`` is passed over."""
    state = grammar.walk(words)
    if state is None:
        return Progress(complete=False, can_grow=False)
    return Progress(complete=state.complete, can_grow=state.can_grow)


def interpret(
    grammar: Grammar,
    recognition: Recognition,
    *,
    corrections: bool = False,
    refused: Collection[str] = (),
) -> Interpretation | None:
    """The accepted value of the first hypothesis that has one.

    Args:
        grammar: what the question accepts.
        recognition: the recogniser's N-best list.
        corrections: "four one nine, no, five not nine" is what it amounts to.
        refused: values that the caller has said no to; a hypothesis that means one of them is
            passed over, as if it had not been heard.

    Returns:
        ``None`` if no hypothesis is an answer (a nomatch). The confidence is the recogniser's own
        for its first hypothesis; a later one has as much less as it is less probable than the
        first.
    """
    return next(interpretations(grammar, recognition, corrections, refused), None)


def interpretations(
    grammar: Grammar, recognition: Recognition, corrections: bool, refused: Collection[str]
) -> Iterator[Interpretation]:
    """The accepted values of all hypotheses, likeliest first; see `interpret`."""
    best_score = recognition.best.score
    for hypothesis in recognition.hypotheses:
        texts = [word.text for word in hypothesis.words]
        answer = [text for text in texts if text != OTHER]
        if not answer:
            return
        readings = readings_of(grammar, answer, corrections=corrections)
        allowed = [reading for reading in readings if reading[0] not in refused]
        if not allowed:
            if readings and hypothesis.score == best_score:
                best_score = _next_score(recognition, hypothesis)
            continue
        value, least = allowed[0]
        posterior = math.exp(min(0.0, hypothesis.score - best_score))
        doubt = INNER_OTHER_FACTOR ** _inner_others(texts)
        yield Interpretation(
            value=value,
            words=" ".join(answer),
            confidence=min(1.0, max(0.0, recognition.confidence * posterior * doubt)),
            alternatives=tuple(other for other, cost in allowed[1:] if cost == least),
        )


def readings_of(
    grammar: Grammar, words: Sequence[str], *, corrections: bool
) -> tuple[tuple[str, int], ...]:
    """The accepted values of words with the cost of each, best first.

    Args:
        grammar: what the question accepts.
        words: without ``<other>``.
        corrections: where the words as they stand are no answer, correct them by what they say.
    """
    state = grammar.walk(words)
    if state is not None and (readings := state.readings):
        return readings
    if not corrections or not corrects(words):
        return ()
    found: dict[str, int] = {}
    for digits, cost in correct("", words):
        value = grammar.interpret_keys(digits)
        if value is not None:
            found.setdefault(value, cost)
    return tuple(found.items())


def command_in(recognition: Recognition, grammar: Grammar) -> HeardCommand | None:
    """The command that was heard, if one is likelier than every answer and than no word at all."""
    for hypothesis in recognition.hypotheses:
        words = [word.text for word in hypothesis.words]
        spoken = [word for word in words if word != OTHER]
        if not spoken or readings_of(grammar, spoken, corrections=False):
            return None
        command = command_of(words)
        if command is not None:
            posterior = math.exp(min(0.0, hypothesis.score - recognition.best.score))
            return HeardCommand(command, recognition.confidence * posterior)
    return None


def correction_in(recognition: Recognition, grammar: Grammar) -> HeardCorrection | None:
    """A no that says what is right, if one is likelier than every answer to the question."""
    for hypothesis in recognition.hypotheses:
        words = tuple(word.text for word in hypothesis.words if word.text != OTHER)
        if not words or readings_of(grammar, words, corrections=False):
            return None
        if corrects(words) and not NUMBER_WORDS.isdisjoint(words):
            posterior = math.exp(min(0.0, hypothesis.score - recognition.best.score))
            return HeardCorrection(words, recognition.confidence * posterior)
    return None


def _next_score(recognition: Recognition, refused: Hypothesis) -> float:
    """The score of the best hypothesis after one that is known to be wrong."""
    others = (each.score for each in recognition.hypotheses if each is not refused)
    return max(others, default=refused.score)


def _inner_others(texts: list[str]) -> int:
    """How many stretches of other speech lie between vocabulary words."""
    spoken = [index for index, text in enumerate(texts) if text != OTHER]
    inner = texts[spoken[0] : spoken[-1] + 1]
    return sum(text == OTHER and previous != OTHER for previous, text in pairwise(inner))
