"""Spoken answers: when they are decided, what is none, and what a recogniser that fails does."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.call import Call
from ivr.recognition import CompletionCause
from tests.call.talk import STARTED, Talk, count_bursts, count_digits, heard, hum, make_flow

NO_MATCH = CompletionCause.NO_MATCH
NO_INPUT = CompletionCause.NO_INPUT_TIMEOUT
ERROR = CompletionCause.ERROR

OPEN_ENDED = "builtin:digits?minlength=4;maxlength=10"


def bursts(talk: Talk) -> list[int]:
    """How many digits the recogniser was given, each time that it was asked."""
    return [count_bursts(request.samples) for request in talk.requests]


# -- deciding --------------------------------------------------------------------------------------


def test_complete_answer_that_cannot_grow_is_taken_in_the_pause() -> None:
    """Four of four digits: nobody waits for the end of the silence."""
    talk = Talk().start().played().wait(300).say(4).wait(300)
    assert talk.values == ["4155"]
    assert all(request.provisional for request in talk.requests)


def test_complete_answer_that_can_grow_waits_the_complete_timeout() -> None:
    """Four digits of up to ten: 0.8 s, no more."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300).say(4).wait(640)
    assert talk.causes == []
    talk.wait(200)
    assert talk.values == ["4155"]


def test_incomplete_answer_waits_the_incomplete_timeout() -> None:
    """Three digits of four: the caller has 1.5 s to go on, then it is a nomatch."""
    talk = Talk().start().played().wait(300).say(3).wait(1360)
    assert talk.causes == []
    talk.wait(160)
    assert talk.causes == [NO_MATCH]
    assert talk.said[-1] == "Pardon?"


@pytest.mark.parametrize("pause_ms", [300, 600, 1200])
def test_caller_may_pause_between_groups(pause_ms: int) -> None:
    """Four digits, a breath, four digits: one answer of eight."""
    flow = make_flow("builtin:digits?length=8")
    talk = Talk(flow).start().played().wait(300).say(4).wait(pause_ms).say(4).wait(400)
    assert talk.values == ["41550012"]
    # One look after each digit, another where the silence goes on.
    assert bursts(talk) == [1, 2, 3, 4, 4, 5, 6, 7, 8]


def test_three_groups_are_one_answer() -> None:
    """However many pauses there are, the whole utterance is recognised each time."""
    flow = make_flow("builtin:digits?length=8")
    talk = Talk(flow).start().played().wait(300)
    talk.say(3).wait(700).say(2).wait(700).say(3).wait(400)
    assert talk.values == ["41550012"]
    assert bursts(talk) == [1, 2, 3, 3, 4, 5, 5, 6, 7, 8]


def test_resumed_speech_makes_the_pending_recognition_worthless() -> None:
    """The answer about the first group comes when the caller speaks again: it is dropped."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300)
    talk.holds = True
    talk.say(4).wait(300)
    early = talk.requests[-1]
    talk.say(2)
    assert talk.answer(early, heard("four one five five")) == []
    talk.holds = False
    talk.wait(1200)
    assert talk.values == ["415500"]


def test_resumed_speech_withdraws_what_was_heard() -> None:
    """The first group was recognised and complete; what counts is the whole."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300)
    talk.say(4).wait(500).say(1).wait(1200)
    assert talk.values == ["41550"]


def test_resumed_speech_gives_back_the_long_timeout() -> None:
    """A complete group shortens the wait; after more digits it is long, until recognised again."""
    talk = Talk(make_flow("builtin:digits?length=4|builtin:digits?length=8")).start().played()
    talk.wait(300).say(4).wait(400).say(2)
    talk.holds = True
    talk.wait(1300)
    talk.holds = False
    talk.say(2).wait(400)
    assert talk.values == ["41550012"]


def test_last_digit_alone_is_not_waited_for_as_long_as_a_group() -> None:
    """Seven of eight in groups of four: one was missed, most likely; six of eight go on."""
    flow = make_flow("builtin:digits?length=8")
    talk = Talk(flow).start().played().wait(300).say(4).wait(400).say(3).wait(800)
    assert talk.causes == [NO_MATCH]
    talk = Talk(flow).start().played().wait(300).say(4).wait(400).say(2).wait(1300).say(2)
    assert talk.wait(400).values == ["41550012"]


def test_early_decision_needs_confidence() -> None:
    """A complete answer that nobody is sure of is heard to its end, and is a nomatch."""
    talk = Talk(recognizer=lambda _: heard("four one five five", confidence=0.3))
    talk.start().played().wait(300).say(4).wait(400)
    assert talk.causes == []
    talk.wait(1200)
    assert talk.causes == [NO_MATCH]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.confidence == pytest.approx(0.3)
    assert collected.value is None


def test_second_hypothesis_may_be_the_answer() -> None:
    """The grammar picks the first that fits, at the complete timeout, for the best one did not."""
    talk = Talk(
        make_flow(confidence_level=0.3),
        recognizer=lambda _: heard("four one five", "four one five five"),
    )
    talk.start().played().wait(300).say(4).wait(900)
    assert talk.values == ["4155"]


def test_slow_recogniser_is_waited_for() -> None:
    """The utterance ended long ago; the answer still counts, with its real latency."""
    talk = Talk(delay_ms=3000).start().played().wait(300).say(3).wait(2500)
    assert talk.causes == []
    assert bursts(talk)[-1] == 3
    talk.wait(1000)
    assert talk.causes == [NO_MATCH]


def test_noinput_waits_for_the_recogniser() -> None:
    """Who has spoken is not silent, though the timer ran out meanwhile."""
    talk = Talk(make_flow(no_input_timeout_s=1.0), delay_ms=5000).start().played()
    talk.wait(100).say(4).wait(3000)
    assert talk.causes == []
    talk.wait(3000)
    assert talk.values[0] == "4155"


def test_late_answer_to_an_earlier_question_is_dropped() -> None:
    """Keys decided meanwhile; the recogniser's answer belongs to no question any more."""
    talk = Talk(make_flow(confirm=True)).start().played().wait(300)
    talk.holds = True
    talk.say(3).wait(400)
    late = talk.requests[-1]
    talk.press("4155")
    assert talk.values == ["4155"]
    assert talk.answer(late, heard("yes")) == []
    assert len(talk.causes) == 1


def test_answer_is_taken_once() -> None:
    """The same answer twice is one answer."""
    talk = Talk().start().played().wait(300)
    talk.holds = True
    talk.say(3).wait(300)
    request = talk.requests[-1]
    talk.answer(request, heard("four one five"))
    assert talk.answer(request, heard("four one five five")) == []
    assert talk.causes == []


def test_answer_nobody_asked_for_is_dropped() -> None:
    """Before the start, and with a number that was never given."""
    call = Call(make_flow())
    assert call.recognized(1, heard("four one five five"), 5.0) == []
    call.receive(STARTED)
    assert call.recognized(99, heard("four one five five"), 5.0) == []


def test_complete_timeout_of_zero_decides_at_once() -> None:
    """A flow may say that it does not wait at all."""
    talk = Talk(make_flow(OPEN_ENDED, complete_timeout_s=0)).start().played()
    talk.wait(300).say(4).wait(320)
    assert talk.values == ["4155"]


@pytest.mark.parametrize(
    "listening",
    [
        {"incomplete_timeout_s": 0.001},
        {"max_speech_timeout_s": 0.001},
        {"no_input_timeout_s": 0.001},
        {"complete_timeout_s": 0.0},
    ],
    ids=lambda listening: next(iter(listening)),
)
def test_shortest_times_of_a_flow_break_nothing(listening: dict[str, Any]) -> None:
    """Whatever a flow may say, the call goes on to its end."""
    talk = Talk(make_flow(attempts=2, **listening)).start().played().say(4)
    for _ in range(3):
        talk.wait(6000).played()
    assert len(talk.hangups) == 1


# -- looks -----------------------------------------------------------------------------------------


def test_one_look_at_a_time() -> None:
    """The longer silence comes while the short one's is recognised: it is looked at after that."""
    talk = Talk(delay_ms=200).start().played().wait(300).say(1).wait(100)
    assert bursts(talk) == [1]
    talk.wait(60)
    assert bursts(talk) == [1]
    talk.wait(100)
    first, second = talk.requests
    assert second.samples.shape > first.samples.shape


def test_slow_recogniser_is_asked_less_often() -> None:
    """Four times what a look takes until the next: digits come every 540 ms."""
    asked = {}
    for delay_ms in (60, 200):
        talk = Talk(make_flow("builtin:digits?length=8"), delay_ms=delay_ms)
        talk.wall_ms = delay_ms
        talk.start().played().wait(300).say(8)
        asked[delay_ms] = len(talk.requests)
    assert asked[60] == 8
    assert asked[200] <= 4


def test_late_look_does_not_overtake_a_newer_one() -> None:
    """The look at three digits comes after that at four: it is dropped."""
    talk = Talk().start().played().wait(300)
    talk.holds = True
    talk.say(3).wait(300).say(1).wait(240)
    early, late = talk.requests[-2:]
    assert (count_bursts(early.samples), count_bursts(late.samples)) == (3, 4)
    talk.answer(late, heard("four one five five"))
    assert talk.answer(early, heard("four one five")) == []
    assert talk.values == ["4155"]


def test_unsure_answer_waits_for_more_silence() -> None:
    """A look that is not quite sure is not decided upon while a group may go on."""
    sure, unsure = (
        Talk(
            recognizer=lambda _, confidence=confidence: heard(
                "four one five five", confidence=confidence
            )
        )
        for confidence in (0.95, 0.8)
    )
    for talk in (sure, unsure):
        talk.start().played().wait(300).say(4).wait(120)
    assert sure.values == ["4155"]
    assert unsure.values == []
    unsure.wait(200)
    assert unsure.values == ["4155"]


# -- speech that is no answer ----------------------------------------------------------------------


def test_nomatch_asks_again_in_other_words() -> None:
    """One burst is no four digits."""
    talk = Talk().start().played().wait(300).say(1).wait(1800)
    assert talk.causes == [NO_MATCH]
    assert talk.said == ["Number?", "Pardon?"]
    assert talk.values == [None]


def test_too_much_speech() -> None:
    """Who never stops is cut off at the limit; what was heard is not taken for the answer."""
    flow = make_flow(max_speech_timeout_s=2.0)
    talk = Talk(flow, recognizer=lambda _: heard("four one five five"))
    talk.start().played().wait(300).say(6)
    assert talk.causes == [CompletionCause.TOO_MUCH_SPEECH]
    assert talk.said == ["Number?", "Pardon?"]
    assert [request.provisional for request in talk.requests].count(False) == 1


def test_too_much_speech_without_words_is_decided_too() -> None:
    """A machine that hums on and on does not keep the question open."""
    talk = Talk(make_flow(max_speech_timeout_s=1.0)).start().played().hear(hum(1500)).wait(500)
    assert talk.causes == [CompletionCause.TOO_MUCH_SPEECH]


def test_noise_without_words_is_not_an_answer() -> None:
    """A cough: the recogniser hears no word, and the question stays open."""
    talk = Talk().start().played().wait(500).hear(hum(300)).wait(1800)
    assert bursts(talk) == [0, 0]
    assert talk.causes == []
    talk.say(4).wait(400)
    assert talk.values == ["4155"]


def test_noise_does_not_put_off_noinput() -> None:
    """A cough every other second is silence, as far as an answer goes."""
    talk = Talk().start().played()
    for _ in range(4):
        talk.wait(1900).hear(hum(200))
    assert talk.causes == [NO_INPUT]


def test_speech_that_began_while_a_cough_was_recognised_is_whole() -> None:
    """A slow recogniser must not cost the caller the first digits."""
    talk = Talk(delay_ms=2500).start().played().wait(300).hear(hum(300)).wait(1800)
    talk.say(4).wait(3500)
    assert talk.values == ["4155"]
    assert count_bursts(talk.requests[-1].samples) == 4


# -- the recogniser fails --------------------------------------------------------------------------


def test_failed_recognition_asks_again() -> None:
    """No answer from the recogniser is told as such, and the caller gets another chance."""
    talk = Talk(recognizer=lambda _: None).start().played().wait(300).say(4).wait(1900)
    assert talk.causes == [ERROR]
    assert talk.said == ["Number?", "Pardon?"]


def test_failed_guess_does_not_cut_the_caller_off() -> None:
    """A refusal in the pause between two groups costs nothing: the end asks again."""
    talk = Talk(make_flow("builtin:digits?length=8")).start().played().wait(300)
    talk.holds = True
    talk.say(4).wait(300)
    assert talk.answer(talk.requests[-1], None) == []
    talk.holds = False
    talk.wait(300).say(4).wait(400)
    assert talk.values == ["41550012"]


def test_failed_guess_is_asked_again_at_the_end() -> None:
    """And where the caller says no more, the utterance itself is recognised."""
    talk = Talk(recognizer=lambda r: None if r.provisional else count_digits(r))
    talk.start().played().wait(300).say(4).wait(1900)
    assert [r.provisional for r in talk.requests].count(False) == 1
    assert talk.values == ["4155"]


def test_recogniser_that_never_works_ends_the_call() -> None:
    """Three failures are three failures."""
    talk = Talk(recognizer=lambda _: None).start()
    for _ in range(3):
        talk.played().wait(300).say(4).wait(1900)
    assert talk.played().hangups == ["gave_up"]
    assert talk.causes == [ERROR] * 3
