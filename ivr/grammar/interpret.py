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
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ivr.grammar.grammar import Grammar
from ivr.grammar.words import OTHER
from ivr.recognition import Interpretation, Recognition

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


def progress(grammar: Grammar, words: Iterable[str]) -> Progress:
    """How far spoken words have come, for the endpointer. ``<other>`` is passed over."""
    state = grammar.walk(words)
    if state is None:
        return Progress(complete=False, can_grow=False)
    return Progress(complete=state.complete, can_grow=state.can_grow)


def interpret(grammar: Grammar, recognition: Recognition) -> Interpretation | None:
    """The accepted value of the first hypothesis that has one.

    Args:
        grammar: what the question accepts.
        recognition: the recogniser's N-best list.

    Returns:
        ``None`` if no hypothesis is an answer (a nomatch). The confidence is the recogniser's own
        for its first hypothesis; a later one has as much less as it is less probable than the
        first.
    """
    best_score = recognition.best.score
    for hypothesis in recognition.hypotheses:
        texts = [word.text for word in hypothesis.words]
        answer = [text for text in texts if text != OTHER]
        if not answer:
            return None
        state = grammar.walk(answer)
        if state is None or not (readings := state.readings):
            continue
        value, least = readings[0]
        posterior = math.exp(min(0.0, hypothesis.score - best_score))
        doubt = INNER_OTHER_FACTOR ** _inner_others(texts)
        return Interpretation(
            value=value,
            words=" ".join(answer),
            confidence=min(1.0, max(0.0, recognition.confidence * posterior * doubt)),
            alternatives=tuple(other for other, cost in readings[1:] if cost == least),
        )
    return None


def _inner_others(texts: list[str]) -> int:
    """How many stretches of other speech lie between vocabulary words."""
    spoken = [index for index, text in enumerate(texts) if text != OTHER]
    inner = texts[spoken[0] : spoken[-1] + 1]
    return sum(text == OTHER and previous != OTHER for previous, text in pairwise(inner))
