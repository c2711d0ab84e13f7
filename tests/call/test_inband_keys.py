"""Keys in the audio of a trunk that sends no events: as good as events, and never an utterance."""

from __future__ import annotations

import numpy as np
import pytest

from ivr.actions import CallSettings
from ivr.audio.g711 import mulaw_encode
from ivr.providers.events import MediaReceived
from ivr.recognition import CompletionCause, InputMode
from tests.audio.keys import silence, tone
from tests.call.talk import Samples, Talk, make_flow, quiet, shape, spoken

INBAND = CallSettings(inband_dtmf=True)


def typed(keys: str, ms: float = 80, pause_ms: float = 60) -> Samples:
    """Tones over the noise of the test's line."""
    tones = np.concatenate([part for key in keys for part in (tone(key, ms), silence(pause_ms))])
    floor = quiet(1000)[: tones.size].astype(np.float64)
    floor = np.resize(floor, tones.size)
    return np.clip(tones + floor, -32768, 32767).astype(np.int16)


def test_tones_answer_the_question() -> None:
    """As key events do, and the recogniser is not even asked."""
    talk = Talk(settings=INBAND).start().played()
    talk.hear(typed("4155")).wait(200)
    assert talk.values == ["4155"]
    (turn, _) = talk.call.turns
    assert turn.collected is not None
    assert turn.collected.mode is InputMode.DTMF
    assert talk.requests == []


def test_a_tone_starts_no_utterance_and_stops_the_prompt_once() -> None:
    """Barge-in by key; nothing of the tone is speech."""
    talk = Talk(settings=INBAND).start()
    talk.hear(typed("4", ms=600)).wait(600)
    assert talk.clears == 1
    assert talk.requests == []


def test_without_the_switch_a_tone_is_no_key() -> None:
    """Twilio sends events: keys must not count twice."""
    talk = Talk().start().played()
    talk.hear(typed("4155")).wait(200)
    assert talk.values == []


def test_speech_is_heard_beside_it() -> None:
    """A spoken answer on the same trunk, after a nomatch by keys."""
    talk = Talk(settings=INBAND).start().played()
    talk.hear(typed("9#")).wait(300).played().wait(400).say(4).wait(2000)
    assert talk.causes[:2] == [CompletionCause.NO_MATCH, CompletionCause.SUCCESS]
    assert talk.values[1] == "4155"


@pytest.mark.parametrize("chunk", [37, 160, 1000])
def test_actions_do_not_depend_on_how_the_audio_was_cut(chunk: int) -> None:
    """Tones, speech and silence in other messages: the same call."""
    audio = np.concatenate((quiet(1000), typed("41#"), quiet(500), spoken(2), quiet(2000)))
    talks = [Talk(make_flow(), settings=INBAND), Talk(make_flow(), settings=INBAND)]
    for talk, size in zip(talks, (audio.size, chunk), strict=True):
        talk.start().played()
        talk.holds = True  # the recogniser's answers come by wall time
        for at in range(0, audio.size, size):
            talk.give(MediaReceived(mulaw_encode(audio[at : at + size])))
    assert shape(talks[0].actions) == shape(talks[1].actions)
