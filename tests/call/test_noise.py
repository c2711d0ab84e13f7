"""Noise that passes for speech: the words tell when the caller is done, and when he is not."""

from __future__ import annotations

import pytest

from ivr.actions import Recognize
from ivr.patience import PASSING_SHARE
from ivr.recognition import CompletionCause, Hypothesis, Recognition, Word
from tests.call.talk import Talk, find_bursts, heard, hum, make_flow

FOUR = "builtin:digits?length=4"
EIGHT = "builtin:digits?length=8"
OPEN_ENDED = "builtin:digits?minlength=4;maxlength=10"


def test_noise_after_the_last_digit_does_not_hold_up_a_number() -> None:
    """Four of four digits, and a fan that starts: a second, not the fan's time."""
    talk = Talk(make_flow(FOUR)).start().played().wait(300).say(4).hear(hum(1000))
    assert talk.values == ["4155"]


def test_noise_after_an_answer_that_can_grow() -> None:
    """The complete timeout counts from the last word, and what a word can take."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300).say(4).hear(hum(1000))
    assert talk.values == []
    talk.hear(hum(1000))
    assert talk.values == ["4155"]


def test_noise_after_an_incomplete_answer() -> None:
    """Three digits of four, and noise: it is a nomatch when an incomplete answer is one."""
    talk = Talk(make_flow(FOUR)).start().played().wait(300).say(3).hear(hum(1400))
    assert talk.causes == []
    talk.hear(hum(1600))
    assert talk.causes == [CompletionCause.NO_MATCH]


@pytest.mark.parametrize("pause_ms", [300, 700, 1200])
def test_caller_who_pauses_in_noise_is_not_cut_off(pause_ms: int) -> None:
    """The noise goes on through his pauses; what he says after them is a part of the answer."""
    talk = Talk(make_flow(EIGHT)).start().played().wait(300)
    talk.say(4).hear(hum(pause_ms)).say(4).hear(hum(1500))
    assert talk.values == ["41550012"]


def test_speech_that_has_just_begun_again_is_waited_for() -> None:
    """A word that is being spoken is none yet: the answer is not taken in its middle."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300)
    talk.say(4).wait(600).say(2).wait(1500)
    assert talk.values == ["415500"]


def says_no(request: Recognize) -> Recognition:
    """A "no" at the first burst, and nothing but that, whatever follows."""
    bursts = find_bursts(request.samples)
    words = tuple(Word("no", begin, begin + 40, 0.95) for begin, _ in bursts[:1])
    return Recognition((Hypothesis(words, 0.0),), 0.95, audio_ms=1000)


def test_what_follows_a_no_is_waited_for() -> None:
    """After "no" may come "the last four are": of these words the recogniser may hear none."""
    talk = Talk(make_flow(confirm=True), recognizer=says_no).start().played().press("4155")
    talk.played().wait(300).say(1).hear(hum(1400))
    assert talk.values == ["4155"]
    talk.wait(2000)
    assert talk.values == ["4155", "no"]


def test_looks_at_noise_take_a_quarter_of_a_core() -> None:
    """However long the noise goes on and however slow the machine is."""
    talk = Talk(make_flow(EIGHT, incomplete_timeout_s=10, max_speech_timeout_s=30), delay_ms=400)
    talk.wall_ms = 400.0
    talk.start().played().wait(300).say(2)
    before = len(talk.requests)
    talk.hear(hum(8000))
    assert 1 <= len(talk.requests) - before <= 8000 / (400 * PASSING_SHARE) + 1


def test_late_look_in_passing_overtakes_nothing() -> None:
    """It comes when the caller has paused and a newer one was asked for: it is dropped."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300)
    talk.say(2).hear(hum(200))
    talk.holds = True
    talk.hear(hum(1500))
    early = talk.requests[-1]
    talk.say(2).wait(300)
    late = talk.requests[-1]
    assert late is not early
    talk.answer(late, heard("four one five five"))
    assert talk.answer(early, heard("four one")) == []
    talk.holds = False
    talk.wait(1500)
    assert talk.values == ["4155"]
