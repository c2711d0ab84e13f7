"""One call along the data path: whole calls, and how they end."""

from __future__ import annotations

import pytest

from ivr.actions import CallSettings, Hangup, Play, Recognize
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
from tests.call.talk import STARTED, Talk, heard, make_flow, quiet, shape, spoken

SUCCESS = CompletionCause.SUCCESS
NO_MATCH = CompletionCause.NO_MATCH
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
    assert kinds == [Play, Play, Play, *[Recognize] * 4, Play, Recognize, Play, Hangup]


def test_record_of_a_turn() -> None:
    """A turn says what was asked, what came of it, and when, in stream time."""
    talk = Talk(make_flow(sensitive=True)).start().played().wait(500).say(4).wait(800)
    turn = talk.call.turns[0]
    assert (turn.step, turn.prompts, turn.sensitive) == ("ask", ("Number?",), True)
    assert turn.prompt_end_ms == 1000
    # Four digits of 540 ms from 1500 on; the last 80 ms are silence.
    assert turn.speech_end_ms is not None
    assert turn.speech_end_ms == pytest.approx(3580, abs=40)
    assert turn.decided_ms == pytest.approx(turn.speech_end_ms + 160, abs=20)
    collected = turn.collected
    assert collected is not None
    assert (collected.cause, collected.mode, collected.value) == (SUCCESS, InputMode.SPEECH, "4155")
    assert collected.words == "four one five five"
    assert collected.confidence == pytest.approx(0.95)
    assert not collected.barged_in
    # The recogniser was asked after 80 ms of silence and was sure before 160 ms were over.
    assert collected.latency_ms == pytest.approx(160, abs=20)


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
