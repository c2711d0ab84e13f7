"""What a call shows of itself while it goes on, and what its record keeps of its hearing."""

from __future__ import annotations

from tests.call.talk import Talk, make_flow


def test_state_follows_the_conversation() -> None:
    """Prompting, waiting, speaking, pausing, and leaving once nothing more is asked."""
    talk = Talk(make_flow()).start()
    assert (talk.call.state, talk.call.question) == ("prompting", "ask")
    talk.played()
    assert talk.call.state == "waiting"
    talk.say(2)
    assert talk.call.state in {"speaking", "pausing"}
    talk.wait(400)
    assert talk.call.state == "pausing"
    talk.wait(3000).played().press("4155")
    assert (talk.call.state, talk.call.question) == ("leaving", None)


def test_record_says_what_the_endpointer_decided_and_when_each_word_was() -> None:
    """Times are those of the stream, in order; a word lies within the speech that was found."""
    talk = Talk(make_flow()).start().played().wait(1000).say(4).wait(2000)
    turn = talk.call.turns[0]
    names = [name for name, _ in turn.endpointing]
    times = [at for _, at in turn.endpointing]
    assert names[0] == "started"
    assert "paused" in names
    assert times == sorted(times)
    assert len(turn.word_ms) == 4
    assert turn.speech_end_ms is not None
    starts = [start for start, _ in turn.word_ms]
    assert starts == sorted(starts)
    assert starts[0] >= 1000
    assert turn.word_ms[-1][1] <= turn.speech_end_ms


def test_keys_have_no_times_of_words() -> None:
    """What was keyed was not said."""
    talk = Talk(make_flow()).start().played().press("4155")
    assert talk.call.turns[0].word_ms == ()
    assert talk.call.turns[0].endpointing == ()
