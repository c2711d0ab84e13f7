"""How long the pause after an answer may be: complete, open, incomplete, and one digit short."""

from __future__ import annotations

import pytest

from ivr.flow.machine import Dialogue
from ivr.grammar.grammar import parse_grammar
from ivr.limits import lacks_digit, limit_s_of
from ivr.question import Given
from ivr.rhythm import Rhythm
from ivr.slot import Slot
from tests.call.talk import heard, make_flow

EIGHT = "builtin:digits?length=8"
SEVEN_WORDS = "four one five five zero zero one"


def limit_s(words: str, rhythm: Rhythm | None, grammar: str = EIGHT, **sure: float) -> float | None:
    """By a flow with the usual limits: 0.8 s complete, 1.5 s incomplete."""
    collect = Dialogue(make_flow(grammar)).start().collect
    assert collect is not None
    look = heard(words, **sure)
    given = Given(Slot(), look, barged_in=False, latency_ms=None, too_long=False)
    return limit_s_of(collect, parse_grammar(grammar), given, look, rhythm)


@pytest.mark.parametrize(
    ("words", "expected"),
    [(SEVEN_WORDS + " two", None), (SEVEN_WORDS, 1.5), ("four one five five", 1.5)],
)
def test_caller_of_unknown_rhythm_is_waited_for_by_the_flow(
    words: str, expected: float | None
) -> None:
    """Nothing else is known of him."""
    assert limit_s(words, None) == expected


def test_last_digit_alone_is_waited_for_by_the_rhythm() -> None:
    """It was most likely said and missed; a whole group is waited for as ever."""
    odd = Rhythm(0.5, whole=False)
    assert limit_s(SEVEN_WORDS, odd) == pytest.approx(odd.wait_s(0.8))
    assert limit_s("four one five five", odd) == 1.5


def test_caller_who_reads_digit_by_digit_has_groups_of_one() -> None:
    """His last digit is a group like the others."""
    whole = Rhythm(1.0, whole=True)
    assert limit_s(SEVEN_WORDS, whole) == pytest.approx(whole.wait_s(0.8))


def test_doubtful_digits_lack_no_digit() -> None:
    """Nobody knows how many there were."""
    assert limit_s(SEVEN_WORDS, Rhythm(0.5, whole=False), confidence=0.3) == 1.5


@pytest.mark.parametrize(
    ("grammar", "words", "lacks"),
    [
        (EIGHT, SEVEN_WORDS, True),
        (EIGHT, "four one five five zero zero", False),
        (EIGHT, SEVEN_WORDS + " two", False),
        (EIGHT, SEVEN_WORDS + " <other>", False),
        (EIGHT, "", False),
        ("builtin:digits?length=8", "forty one fifty five zero zero one", False),
        ("builtin:digits?minlength=4;maxlength=8", "four one five", False),  # and may go on then
        ("builtin:digits?minlength=4;maxlength=8", SEVEN_WORDS, False),  # an answer already
        ("builtin:digits?values=4155,6200", "six two zero", True),
        ("builtin:digits?values=4155,6200", "six one zero", False),
        ("builtin:date", "may", False),
    ],
)
def test_what_lacks_a_digit(grammar: str, words: str, lacks: bool) -> None:
    """Digits one by one, and one more would do."""
    assert lacks_digit(parse_grammar(grammar), heard(words)) == lacks
