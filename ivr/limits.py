"""How long the pause after an answer may be, by the limits of its question.

Theory of operation: what was heard can be taken now, may go on, or is not enough. The grammar tells
which, and the flow says how long each may take. A number that lacks one digit is a case of its own:
hardly anybody leaves one digit for a group by itself, so most likely it was said and missed. The
caller then is waited for as after an answer, by his rhythm, not as in the middle of one.
"""

from __future__ import annotations

from ivr.flow.turn import Collect
from ivr.grammar.grammar import Grammar
from ivr.grammar.interpret import progress
from ivr.grammar.words import SINGLES
from ivr.question import Given, asked_of, judge_wish
from ivr.recognition import Recognition
from ivr.rhythm import Rhythm


def limit_s_of(
    collect: Collect, grammar: Grammar, given: Given, heard: Recognition, rhythm: Rhythm | None
) -> float | None:
    """How long the pause after these words may be; None where the answer can be taken now.

    Args:
        collect: the question.
        grammar: of the answer.
        given: what came in, `heard` with it.
        heard: what was spoken last.
        rhythm: how the caller reads, as far as that is known.
    """
    complete_s, incomplete_s = collect.complete_timeout_s, collect.incomplete_timeout_s
    if judge_wish(collect, grammar, given) is not None:
        return complete_s
    asked = asked_of(collect, grammar)
    if given.slot:
        reading = given.slot.read(asked, heard)
        if reading is None or reading.confidence < collect.confidence_level:
            return incomplete_s
        return complete_s if grammar.keys_can_grow(reading.value) else None
    answer = asked.interpret(heard)
    if answer is None or answer.confidence < collect.confidence_level:
        missed = heard.confidence >= collect.confidence_level and lacks_digit(grammar, heard)
        return rhythm.wait_s(complete_s) if missed and rhythm is not None else incomplete_s
    if answer.value == "no" and collect.confirms and collect.corrections:
        return complete_s  # what is right may follow
    state = progress(grammar, tuple(word.text for word in heard.best.words))
    return None if state.complete and not state.can_grow else complete_s


def lacks_digit(grammar: Grammar, heard: Recognition) -> bool:
    """Whether digits were heard one by one, and one more would complete them for good."""
    words = [word.text for word in heard.best.words]
    if not words or not SINGLES.keys() >= set(words):
        return False
    state = grammar.walk(words)
    if state is None or state.complete:
        return False
    following = (grammar.walk([*words, digit]) for digit in SINGLES)
    return any(state and state.complete and not state.can_grow for state in following)
