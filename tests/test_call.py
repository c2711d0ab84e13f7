"""One call along the data path: what is heard, when it is decided, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.actions import CallSettings, Clear, Hangup, Play, Recognize
from ivr.audio.g711 import mulaw_encode
from ivr.call import Call
from ivr.errors import StateError
from ivr.providers.events import (
    DtmfReceived,
    MarkPlayed,
    MediaReceived,
    StreamConnected,
    StreamStopped,
)
from ivr.recognition import CompletionCause, InputMode
from tests.call.talk import (
    STARTED,
    Talk,
    count_bursts,
    heard,
    hum,
    make_flow,
    quiet,
    shape,
    spoken,
)

SUCCESS = CompletionCause.SUCCESS
NO_MATCH = CompletionCause.NO_MATCH
NO_INPUT = CompletionCause.NO_INPUT_TIMEOUT
ERROR = CompletionCause.ERROR

OPEN_ENDED = "builtin:digits?minlength=4;maxlength=10"


# -- a whole call ----------------------------------------------------------------------------------


def test_spoken_call_from_greeting_to_goodbye() -> None:
    """Greeting, question, answer, read-back, yes, thanks, hang-up: in this order, nothing else."""
    talk = Talk(make_flow(confirm=True, greeting=True)).start()
    assert talk.said == ["Hello.", "News.", "Number?"]
    talk.played().wait(300).say(4).wait(800)
    assert talk.said[3:] == ["Is four one five five right?"]
    talk.played().wait(300).say(1).wait(800)
    assert talk.said[4:] == ["Thanks."]
    assert not talk.hangups
    talk.played()
    assert talk.hangups == ["completed"]
    assert talk.call.outcome == "completed"
    assert talk.call.variables == {"number": "4155"}
    kinds = [type(action) for action in talk.actions]
    assert kinds == [Play, Play, Play, Recognize, Play, Recognize, Play, Hangup]


def test_record_of_a_turn() -> None:
    """A turn says what was asked, what came of it, and when, in stream time."""
    talk = Talk(make_flow(sensitive=True)).start().played().wait(500).say(4).wait(800)
    turn = talk.call.turns[0]
    assert (turn.step, turn.prompts, turn.sensitive) == ("ask", ("Number?",), True)
    assert turn.prompt_end_ms == 1000
    # Four digits of 540 ms from 1500 on; the last 80 ms are silence.
    assert turn.speech_end_ms is not None
    assert turn.speech_end_ms == pytest.approx(3580, abs=40)
    assert turn.decided_ms == pytest.approx(turn.speech_end_ms + 260, abs=20)
    collected = turn.collected
    assert collected is not None
    assert (collected.cause, collected.mode, collected.value) == (SUCCESS, InputMode.SPEECH, "4155")
    assert collected.words == "four one five five"
    assert collected.confidence == pytest.approx(0.95)
    assert not collected.barged_in
    # 200 ms of pause, and the 50 ms that the recogniser said it took.
    assert collected.latency_ms == pytest.approx(250, abs=20)


def test_prompts_that_repeat_the_number_are_not_in_the_record() -> None:
    """The call record keeps no digits in its prompts."""
    talk = Talk(make_flow(confirm=True)).start().played().say(4).wait(800).played().say(1).wait(800)
    assert talk.call.turns[1].prompts == ("(repeats the caller's number)",)


def test_calls_share_no_state() -> None:
    """A call after another, or beside it, does what it would have done alone."""

    def one() -> Talk:
        return Talk(make_flow(confirm=True)).start().played().say(4).wait(800).played().say(1)

    first, second = one(), one()
    assert shape(first.actions) == shape(second.actions)
    left, right = Talk(make_flow(OPEN_ENDED)), Talk(make_flow(OPEN_ENDED))
    left.start()
    right.start()
    left.played().say(4)
    right.press("12")
    left.wait(2000)
    right.wait(4000)
    assert left.values == ["4155"]
    assert right.causes == [NO_MATCH]
    assert right.clears == 1
    assert left.clears == 0


# -- deciding --------------------------------------------------------------------------------------


def test_complete_answer_that_cannot_grow_is_taken_in_the_pause() -> None:
    """Four of four digits: nobody waits for the end of the silence."""
    talk = Talk().start().played().wait(300).say(4).wait(300)
    assert talk.values == ["4155"]
    assert [request.provisional for request in talk.requests] == [True]


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
    assert [count_bursts(request.samples) for request in talk.requests] == [4, 8]


def test_three_groups_are_one_answer() -> None:
    """However many pauses there are, the whole utterance is recognised each time."""
    flow = make_flow("builtin:digits?length=8")
    talk = Talk(flow).start().played().wait(300)
    talk.say(3).wait(700).say(2).wait(700).say(3).wait(400)
    assert talk.values == ["41550012"]
    assert [count_bursts(request.samples) for request in talk.requests] == [3, 5, 8]


def test_resumed_speech_makes_the_pending_recognition_worthless() -> None:
    """The answer about the first group comes when the caller speaks again: it is dropped."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300)
    talk.holds = True
    talk.say(4).wait(300)
    (early,) = talk.requests
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
    talk.wait(300).say(4).wait(400).say(3)
    talk.holds = True
    talk.wait(1300)
    talk.holds = False
    talk.say(1).wait(400)
    assert talk.values == ["41550012"]


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
    assert len(talk.requests) == 1
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
    (late,) = talk.requests
    talk.press("4155")
    assert talk.values == ["4155"]
    assert talk.answer(late, heard("yes")) == []
    assert len(talk.causes) == 1


def test_answer_is_taken_once() -> None:
    """The same answer twice is one answer."""
    talk = Talk().start().played().wait(300)
    talk.holds = True
    talk.say(3).wait(300)
    (request,) = talk.requests
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
    assert [request.provisional for request in talk.requests] == [False]


def test_too_much_speech_without_words_is_decided_too() -> None:
    """A machine that hums on and on does not keep the question open."""
    talk = Talk(make_flow(max_speech_timeout_s=1.0)).start().played().hear(hum(1500)).wait(500)
    assert talk.causes == [CompletionCause.TOO_MUCH_SPEECH]


def test_noise_without_words_is_not_an_answer() -> None:
    """A cough: the recogniser hears no word, and the question stays open."""
    talk = Talk().start().played().wait(500).hear(hum(300)).wait(1800)
    assert len(talk.requests) == 1
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
    assert talk.answer(talk.requests[0], None) == []
    talk.holds = False
    talk.wait(300).say(4).wait(400)
    assert talk.values == ["41550012"]


def test_failed_guess_is_asked_again_at_the_end() -> None:
    """And where the caller says no more, the utterance itself is recognised."""
    talk = Talk().start().played().wait(300)
    talk.holds = True
    talk.say(4).wait(300)
    talk.answer(talk.requests[0], None)
    talk.holds = False
    talk.wait(1500)
    assert [request.provisional for request in talk.requests] == [True, False]
    assert talk.values == ["4155"]


def test_recogniser_that_never_works_ends_the_call() -> None:
    """Three failures are three failures."""
    talk = Talk(recognizer=lambda _: None).start()
    for _ in range(3):
        talk.played().wait(300).say(4).wait(1900)
    assert talk.played().hangups == ["gave_up"]
    assert talk.causes == [ERROR] * 3


# -- prompts and marks -----------------------------------------------------------------------------


def test_noinput_starts_at_the_mark() -> None:
    """The prompt may take as long as it likes; the caller's time begins when it was played."""
    talk = Talk(make_flow(no_input_timeout_s=3.0)).start().wait(10_000)
    assert talk.causes == []
    talk.played().wait(2980)
    assert talk.causes == []
    talk.wait(40)
    assert talk.causes == [NO_INPUT]
    assert talk.said == ["Number?", "Silent."]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.mode is None
    assert collected.latency_ms is None
    assert talk.call.turns[0].speech_end_ms is None


def test_noinput_starts_at_the_last_of_several_marks() -> None:
    """The greeting's mark says nothing of the question's."""
    talk = Talk(make_flow(greeting=True)).start()
    hello, news, question = talk.unplayed
    talk.mark(hello).wait(6000).mark(news).wait(6000)
    assert talk.causes == []
    talk.mark(question).wait(5100)
    assert talk.causes == [NO_INPUT]


def test_lost_mark_counts_as_played_in_the_end() -> None:
    """A provider that loses a mark does not hang the call."""
    talk = Talk(settings=CallSettings(mark_timeout_s=10.0)).start().wait(13_900)
    assert talk.causes == []
    talk.wait(200)
    assert talk.causes == [NO_INPUT]
    assert talk.call.turns[0].prompt_end_ms is None


def test_lost_mark_of_the_goodbye_ends_the_call() -> None:
    """Nobody waits for ever to hang up."""
    talk = Talk(settings=CallSettings(mark_timeout_s=5.0)).start().played().press("4155")
    assert talk.said[-1] == "Thanks."
    talk.wait(5000)
    assert talk.hangups == ["completed"]


@pytest.mark.parametrize("name", ["p99", "", "p0"])
def test_unknown_mark_is_nothing(name: str) -> None:
    """A mark that was never sent starts no timer."""
    talk = Talk().start().mark(name).wait(6000)
    assert talk.causes == []


def test_mark_twice_starts_the_timer_once() -> None:
    """A mark that comes again does not give the caller more time."""
    talk = Talk().start()
    (name,) = talk.unplayed
    talk.mark(name).wait(4000).mark(name).wait(1100)
    assert talk.causes == [NO_INPUT]


def test_speech_stops_the_prompt() -> None:
    """Barge-in: the prompt is cleared at once, the answer is heard whole."""
    talk = Talk().start().say(4).wait(400)
    kinds = [type(action) for action in talk.actions]
    assert kinds[:3] == [Play, Clear, Recognize]
    assert talk.values == ["4155"]
    turn = talk.call.turns[0]
    assert turn.collected is not None
    assert turn.collected.barged_in
    assert turn.prompt_end_ms is None


def test_barge_in_over_several_prompts_clears_once() -> None:
    """Greeting, news and question are queued: one clear stops all of them."""
    talk = Talk(make_flow(greeting=True, confirm=True)).start().say(2).wait(500).say(2).wait(100)
    assert talk.clears == 1
    assert len(talk.unplayed) == 3


def test_flushed_marks_are_not_taken_for_played() -> None:
    """The marks that a clear returns say nothing of when the prompt ended."""
    talk = Talk(make_flow(greeting=True)).start().say(1)
    assert talk.clears == 1
    talk.mark(*talk.unplayed).wait(1900)
    assert talk.call.turns[0].prompt_end_ms is None
    assert talk.causes == [NO_MATCH]


def test_flushed_marks_that_come_in_the_next_turn_are_stale() -> None:
    """The old prompts' marks arrive when the next prompt is under way: its timer must not start."""
    talk = Talk(make_flow(greeting=True, confirm=True)).start()
    flushed = talk.unplayed
    talk.say(4).wait(400)
    assert talk.values == ["4155"]
    talk.mark(*flushed).wait(8000)
    assert talk.causes == [SUCCESS]
    assert not talk.hangups
    talk.played().wait(5100)
    assert talk.causes == [SUCCESS, NO_INPUT]


def test_flushed_mark_does_not_end_the_call() -> None:
    """Only the goodbye's own mark hangs up."""
    talk = Talk().start()
    flushed = talk.unplayed
    talk.press("4155")
    assert talk.said[-1] == "Thanks."
    talk.mark(*flushed)
    assert not talk.hangups
    talk.played()
    assert talk.hangups == ["completed"]


def test_barge_in_starts_the_noinput_timer() -> None:
    """A cough has cut the prompt off: the caller who then says nothing is asked again."""
    talk = Talk(make_flow(no_input_timeout_s=3.0)).start().hear(hum(300)).wait(4000)
    assert talk.clears == 1
    assert talk.causes == [NO_INPUT]
    assert talk.said[-1] == "Silent."


def test_forbidden_barge_in_leaves_the_prompt_alone() -> None:
    """Speech over it is not an answer: no clear, no recognition, no timer."""
    talk = Talk(make_flow(bargein=False)).start().say(4).wait(7000)
    assert [type(action) for action in talk.actions] == [Play]
    assert talk.causes == []


def test_answer_after_a_prompt_that_forbade_it() -> None:
    """From the mark on the caller is heard, and the words from before are not in the answer."""
    talk = Talk(make_flow(bargein=False)).start().say(2).wait(2500).played().wait(300)
    talk.say(4).wait(400)
    assert talk.values == ["4155"]
    assert [count_bursts(request.samples) for request in talk.requests] == [4]
    assert talk.clears == 0


def test_question_by_keys_only_does_not_listen() -> None:
    """Speech neither stops its prompt nor answers it nor holds up its timer."""
    talk = Talk(make_flow(speech=False)).start().say(4).wait(1000)
    assert talk.clears == 0
    talk.played().wait(3000).say(6)
    assert talk.requests == []
    assert talk.causes == [NO_INPUT]


def test_speech_after_the_prompt_clears_nothing() -> None:
    """What was played needs no clear."""
    talk = Talk().start().played().wait(100).say(4).wait(400)
    assert talk.clears == 0


def test_goodbye_is_not_interrupted() -> None:
    """Who speaks or keys over it changes nothing."""
    talk = Talk().start().played().press("4155")
    before = len(talk.actions)
    talk.say(4).press("12#").wait(1000)
    assert talk.actions[before:] == []
    assert talk.played().hangups == ["completed"]


def test_early_decision_does_not_hear_the_last_answer_again() -> None:
    """The rest of the answer's silence, and the answer itself, are no answer to the next."""
    talk = Talk(make_flow(confirm=True)).start().played().wait(300).say(4).wait(3000)
    assert len(talk.requests) == 1
    talk.played().say(1).wait(400)
    assert count_bursts(talk.requests[1].samples) == 1
    assert talk.values == ["4155", "yes"]


# -- ends ------------------------------------------------------------------------------------------


def test_three_silences_end_the_call() -> None:
    """The flow gives up, says so, and hangs up when that was played."""
    talk = Talk().start()
    for _ in range(3):
        talk.played().wait(5100)
    assert talk.said == ["Number?", "Silent.", "Silent.", "Goodbye."]
    assert not talk.hangups
    assert talk.played().hangups == ["gave_up"]
    assert talk.call.outcome == "gave_up"


def test_end_without_words_hangs_up_at_once() -> None:
    """Nothing to say, no mark to wait for."""
    talk = Talk(make_flow(goodbye=False)).start().played().press("4155")
    assert talk.hangups == ["completed"]


def test_hangup_before_the_start() -> None:
    """A stream that ends before it began leaves an empty record."""
    talk = Talk().hang_up()
    assert talk.actions == []
    assert talk.call.ended
    assert talk.call.outcome == "hangup"
    assert talk.call.turns == []


@pytest.mark.parametrize(
    ("phase", "bring"),
    [
        ("prompt", lambda talk: talk),
        ("waiting", lambda talk: talk.played().wait(500)),
        ("speaking", lambda talk: talk.played().say(2)),
        ("pause", lambda talk: talk.played().say(2).wait(400)),
        ("barge-in", lambda talk: talk.say(1)),
        ("keys", lambda talk: talk.played().press("41")),
    ],
)
def test_hangup_while_the_question_is_open(phase: str, bring: object) -> None:
    """The turn is recorded as a hang-up, and nothing is said any more."""
    talk = Talk(make_flow(confirm=True)).start()
    assert callable(bring)
    bring(talk)
    before = len(talk.actions)
    talk.hang_up()
    assert talk.actions[before:] == []
    assert talk.causes == [CompletionCause.HANGUP]
    assert talk.call.outcome == "hangup"
    assert talk.call.variables == {}


def test_hangup_while_the_recogniser_works() -> None:
    """The answer comes to a call that is over."""
    talk = Talk().start().played()
    talk.holds = True
    talk.say(4).wait(300).hang_up()
    assert talk.answer(talk.requests[0], heard("four one five five")) == []
    assert talk.causes == [CompletionCause.HANGUP]


def test_hangup_at_the_confirmation_keeps_no_number() -> None:
    """What nobody confirmed is not in the record's variables."""
    talk = Talk(make_flow(confirm=True)).start().played().press("4155").hang_up()
    assert talk.causes == [SUCCESS, CompletionCause.HANGUP]
    assert talk.call.variables == {}


def test_hangup_during_the_goodbye_is_a_finished_call() -> None:
    """The flow had come to its end: many callers do not wait for the last word."""
    talk = Talk().start().played().press("4155").hang_up()
    assert talk.call.outcome == "completed"
    assert talk.call.variables == {"number": "4155"}
    assert not talk.hangups


def test_nothing_after_the_end() -> None:
    """Whatever still comes off the wire or the recogniser, there is no action."""
    talk = Talk(make_flow(goodbye=False)).start().played().press("4155")
    assert talk.call.ended
    before = len(talk.actions)
    turns = list(talk.call.turns)
    talk.say(4).wait(500).press("1").mark("p1").hang_up()
    assert talk.call.recognized(1, heard("four"), 1.0) == []
    assert talk.call.tick(1000.0) == []
    assert talk.call.receive(STARTED) == []
    assert talk.actions[before:] == []
    assert talk.call.turns == turns
    assert talk.call.outcome == "completed"


def test_stalled_stream_is_hung_up() -> None:
    """No frame for too long: the record says so."""
    talk = Talk(settings=CallSettings(stall_timeout_s=15.0)).start().played()
    assert talk.call.tick(14.9) == []
    assert talk.call.tick(15.0) == [Hangup("stalled")]
    assert talk.call.outcome == "stalled"
    assert talk.causes == [ERROR]
    assert talk.call.tick(16.0) == []


def test_stream_that_stalls_at_the_goodbye_is_a_finished_call() -> None:
    """The outcome was decided before."""
    talk = Talk().start().played().press("4155")
    assert talk.call.tick(60.0) == [Hangup("stalled")]
    assert talk.call.outcome == "completed"


def test_second_start_is_our_own_bug() -> None:
    """The dialect refuses it; if it comes through, it must not restart the dialogue."""
    talk = Talk().start()
    with pytest.raises(StateError, match="starts once"):
        talk.give(STARTED)


def test_events_before_the_start_do_nothing() -> None:
    """Media, keys and marks out of turn are no errors of the call."""
    call = Call(make_flow())
    for event in (
        StreamConnected(),
        MediaReceived(mulaw_encode(spoken(2))),
        DtmfReceived("4"),
        MarkPlayed("p1"),
    ):
        assert call.receive(event) == []
    assert not call.ended
    (play,) = call.receive(STARTED)
    assert isinstance(play, Play)


def test_clock_counts_whole_frames() -> None:
    """Stream time is what was received, 20 ms at a time."""
    call = Call(make_flow())
    call.receive(STARTED)
    call.receive(MediaReceived(mulaw_encode(quiet(1000)[:159])))
    assert call.clock_ms == 0
    call.receive(MediaReceived(mulaw_encode(quiet(1000)[:161])))
    assert call.clock_ms == 40
    call.receive(StreamStopped())
    call.receive(MediaReceived(mulaw_encode(quiet(1000))))
    assert call.clock_ms == 40


def test_personal_prompts_do_not_show_in_actions() -> None:
    """An action in a log or a traceback holds no digits."""
    talk = Talk(make_flow(confirm=True)).start().played().press("4155")
    shown = repr(talk.actions[-1])
    assert "four one five five" not in shown
    assert "4155" not in shown
