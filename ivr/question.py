"""What a question accepts, and what it makes of what was given: functions without state.

Theory of operation: three kinds of answer compete for what was said. A wish (repeat, help,
operator, start again) and a correction at a confirmation are told by their words; anything else is
read by the grammar, together with what was keyed. What is not sure enough is a nomatch, which still
tells all that was heard: the next attempt is judged with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.flow.turn import Collect
from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.grammar.interpret import command_in, correction_in
from ivr.recognition import Collected, CompletionCause, Recognition, Unclear
from ivr.slot import Asked, Slot
from ivr.strings import ANY_DIGITS, unclear_group


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """What came in for a question.

    Attributes:
        slot: what was keyed, and what was spoken before a key.
        heard: what was spoken last; None after keys.
        barged_in: it stopped the prompt.
        latency_ms: from its end to the decision; None while nothing is decided.
        too_long: the caller spoke for longer than the question allows.
    """

    slot: Slot
    heard: Recognition | None
    barged_in: bool
    latency_ms: float | None
    too_long: bool


def accepted_by(collect: Collect) -> Grammar:
    """The grammar of an answer; where one group of it is asked for, that group is one as well."""
    grammar, unclear = parse_grammar(collect.grammar), collect.unclear
    if unclear is None:
        return grammar
    return grammar.framed(unclear.before, unclear.after, unclear.length)


def asked_of(collect: Collect, grammar: Grammar) -> Asked:
    """What is accepted, and what is known from before."""
    corrections = collect.corrections and not collect.confirms
    return Asked(grammar, corrections, collect.refused, collect.earlier)


def expected_speech(collect: Collect, grammar: Grammar, *, after_keys: bool) -> str:
    """The grammar URI for the recogniser: answers, wishes and corrections.

    After keys any digits may come: the recogniser does not know the keys.
    """
    expected = [ANY_DIGITS if after_keys else collect.grammar]
    if collect.unclear is not None and not after_keys:
        expected.append(f"{ANY_DIGITS}?length={collect.unclear.length}")
    if collect.commands:
        expected.append("builtin:command")
    if collect.corrections and collect.confirms:
        expected.append("builtin:refusal")
    elif collect.corrections and "five" in grammar.words:
        expected.append("builtin:correction")
    return "|".join(expected)


def judge_wish(collect: Collect, grammar: Grammar, given: Given) -> Collected | None:
    """A command, or a no that says what is right; None where it is neither, or not sure."""
    heard = given.heard
    if heard is None or given.too_long:
        return None
    cause, value, confidence = CompletionCause.NO_MATCH, None, 0.0
    words: tuple[str, ...] = ()
    if collect.commands and (wish := command_in(heard, grammar)) is not None:
        cause, confidence = CompletionCause(wish.command), wish.confidence
    elif collect.confirms and collect.corrections:
        correction = correction_in(heard, grammar)
        if correction is not None:
            cause, value = CompletionCause.SUCCESS, "no"
            words, confidence = correction.words, correction.confidence
    if cause is CompletionCause.NO_MATCH or confidence < collect.confidence_level:
        return None
    return Collected(
        cause,
        value,
        given.slot.shown(heard),
        confidence,
        given.slot.mode(heard),
        given.barged_in,
        given.latency_ms,
        correction=words,
        attempt=collect.attempt,
    )


def judge(collect: Collect, grammar: Grammar, given: Given) -> Collected:
    """A success where the reading is sure enough, and otherwise the failure with all that is known.

    Args:
        collect: the question.
        grammar: of the answer.
        given: what came in; nothing of it is still being recognised.
    """
    if (wish := judge_wish(collect, grammar, given)) is not None:
        return wish
    heard, slot = given.heard, given.slot
    reading = None if given.too_long else slot.read(asked_of(collect, grammar), heard)
    if reading is not None and reading.confidence >= collect.confidence_level:
        return Collected(
            CompletionCause.SUCCESS,
            reading.value,
            reading.words,
            reading.confidence,
            reading.mode,
            given.barged_in,
            given.latency_ms,
            alternatives=reading.alternatives,
            digit_confidence=reading.digit_confidence,
            n_best=reading.n_best,
            attempt=collect.attempt,
        )
    return Collected(
        CompletionCause.TOO_MUCH_SPEECH if given.too_long else CompletionCause.NO_MATCH,
        None,
        slot.shown(heard),
        heard.confidence if heard is not None else 0.0,
        slot.mode(heard),
        given.barged_in,
        given.latency_ms,
        n_best=reading.n_best if reading is not None else (),
        unclear=_unclear_group(collect, given),
        attempt=collect.attempt,
    )


def _unclear_group(collect: Collect, given: Given) -> Unclear | None:
    """The one group that was not understood, where all others were; asked for once in a row."""
    if given.heard is None or given.slot or given.too_long or collect.unclear is not None:
        return None
    return unclear_group(given.heard, collect.groups, collect.confidence_level)
