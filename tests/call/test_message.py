"""A caller leaves a message: when it begins, what ends it, and what the flow does then."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.actions import Action, Hangup, Play, StartMessage, StopMessage
from ivr.audio.espeak import Espeak
from ivr.audio.g711 import mulaw_encode
from ivr.call import Call
from ivr.flow.schema import parse_flow
from ivr.flow.turn import BEEP
from ivr.providers.events import (
    DtmfReceived,
    MarkPlayed,
    MediaReceived,
    StreamStarted,
    StreamStopped,
)

FLOW = """
flow: voicebox
start: leave
steps:
  leave: {record: message, prompt: Speak after the tone., max_s: 8, silence_s: 2,
          next: thanks, on_failure: sorry}
  thanks: {end: left, say: Thank you.}
  sorry: {end: nothing, say: Goodbye.}
"""
SECOND = b"\xff" * 8000


@pytest.fixture(scope="module")
def words() -> bytes:
    """About two seconds of speech."""
    return mulaw_encode(Espeak().render("Please call me back tomorrow morning."))


def begun() -> tuple[Call, list[Action]]:
    """A call whose tone was played."""
    call = Call(parse_flow(FLOW))
    actions = call.receive(StreamStarted("CA1", "MZ1", {}))
    prompts = [action.prompt for action in actions if isinstance(action, Play)]
    assert [prompt.text for prompt in prompts] == ["Speak after the tone.", ""]
    assert prompts[-1] == BEEP
    marks = [action.mark for action in actions if isinstance(action, Play)]
    assert call.receive(MarkPlayed(marks[0])) == []
    return call, call.receive(MarkPlayed(marks[1]))


def hear(call: Call, audio: bytes) -> list[Action]:
    """Frames of 20 ms."""
    actions: list[Action] = []
    for at in range(0, len(audio), 160):
        actions += call.receive(MediaReceived(audio[at : at + 160]))
    return actions


def test_message_begins_after_the_tone_and_ends_in_silence(words: bytes) -> None:
    """Pauses of the caller do not end it; two seconds do."""
    call, actions = begun()
    assert actions == [StartMessage(1)]
    assert hear(call, words + SECOND + words + SECOND) == []
    assert hear(call, SECOND + SECOND) == [StopMessage(1, keep=True)]
    actions = call.message_taken(1, "r1-m1")
    assert [a.prompt.text for a in actions if isinstance(a, Play)] == ["Thank you."]
    assert call.variables == {"message": "r1-m1"}
    assert call.turns[0].result == "kept"
    assert call.turns[0].prompts == ("Speak after the tone.",)


def test_key_ends_it(words: bytes) -> None:
    """Whichever, and only once the tone was played."""
    call, _ = begun()
    hear(call, words)
    assert call.receive(DtmfReceived("#")) == [StopMessage(1, keep=True)]
    assert call.receive(DtmfReceived("#")) == []


def test_longest_message_ends(words: bytes) -> None:
    """A caller who does not stop is stopped."""
    call, _ = begun()
    actions = hear(call, words * 8)
    assert actions == [StopMessage(1, keep=True)]
    assert call.clock_ms >= 8000


def test_silence_is_no_message() -> None:
    """Nothing to keep: the flow says what follows."""
    call, _ = begun()
    assert hear(call, SECOND * 3) == [StopMessage(1, keep=False)]
    call.message_taken(1, None)
    assert call.outcome == "nothing"
    assert call.turns[0].result == "nothing said"


@pytest.mark.parametrize("answered", [True, False])
def test_message_that_was_not_kept_is_a_failure(words: bytes, answered: bool) -> None:
    """The shell says so, or nothing at all for ten seconds."""
    call, _ = begun()
    hear(call, words)
    call.receive(DtmfReceived("#"))
    if answered:
        call.message_taken(1, None)
    else:
        hear(call, SECOND * 11)
    assert call.outcome == "nothing"
    assert call.turns[0].result == "not kept"
    assert call.message_taken(1, "late") == []


def test_lost_mark_does_not_hold_up_the_message() -> None:
    """After the longest time of a prompt it begins all the same."""
    call = Call(parse_flow(FLOW))
    call.receive(StreamStarted("CA1", "MZ1", {}))
    assert hear(call, SECOND * 61)[0] == StartMessage(1)


def test_caller_who_hangs_up_has_left_it(words: bytes) -> None:
    """The usual end of a message; the recording is the shell's to close."""
    call, _ = begun()
    hear(call, words)
    assert call.receive(StreamStopped()) == []
    assert call.outcome == "hangup"
    assert call.turns[0].result == "hangup"


def test_stalled_line_ends_the_call() -> None:
    """As at any question."""
    call, _ = begun()
    assert call.tick(100.0) == [Hangup("stalled")]
    assert call.outcome == "stalled"


def test_message_is_not_recognised(words: bytes) -> None:
    """What is said is nobody's answer."""
    call, _ = begun()
    actions = hear(call, words + SECOND + words)
    assert actions == []
    assert np.frombuffer(words, np.uint8).size > 8000
