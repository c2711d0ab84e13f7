"""A recording through a whole call in stream time: decisions, and the moments they fall on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.actions import Recognize
from ivr.errors import FlowError
from ivr.recognition import Recognition
from ivr.replay import replay, replay_fixed
from tests.call.talk import count_bursts, count_digits, quiet, spoken

KNOWN = "builtin:digits?length=4"
VARIABLE = "builtin:digits?minlength=4;maxlength=8"


def line(*parts: NDArray[np.int16]) -> NDArray[np.int16]:
    """A second of line, the parts, four seconds of line."""
    return np.concatenate([quiet(1000), *parts, quiet(4000)])


class Ear:
    """A recogniser that counts bursts, and how often it is asked.

    Args:
        compute_ms: what each answer takes.
    """

    def __init__(self, compute_ms: float = 60.0) -> None:
        self.compute_ms = compute_ms
        self.bursts: list[int] = []

    def __call__(self, samples: NDArray[np.int16], grammar: str) -> tuple[Recognition, float]:
        """As `ivr.replay.Hear` wants it."""
        self.bursts.append(count_bursts(samples))
        return count_digits(Recognize(1, samples, grammar, provisional=True)), self.compute_ms


# Four digits end 80 ms before the part does.
END_MS = 1000 + 4 * 540 - 80


def test_known_length_is_decided_soon_after_the_last_digit() -> None:
    """80 ms of silence, 60 of computing, and the rest of 160."""
    decision = replay(line(spoken(4)), KNOWN, Ear())
    assert decision is not None
    assert (decision.value, decision.heard) == ("4155", True)
    assert decision.at_ms == pytest.approx(END_MS + 160, abs=60)


def test_slow_recogniser_decides_later_in_stream_time() -> None:
    """What it takes is stream time too, and nobody sleeps for it."""
    slow, quick = (replay(line(spoken(4)), KNOWN, Ear(ms)) for ms in (400.0, 60.0))
    assert slow is not None
    assert quick is not None
    assert slow.value == quick.value == "4155"
    assert 200 <= slow.at_ms - quick.at_ms <= 700
    assert slow.recognitions < quick.recognitions, "a slow machine looks less often"


def test_worker_answers_one_after_the_other() -> None:
    """No look takes less than those before it: the sum of all is over when the call decides."""
    ear = Ear(150.0)
    decision = replay(line(spoken(4)), KNOWN, ear)
    assert decision is not None
    assert decision.recognitions == len(ear.bursts)
    assert decision.compute_ms == 150.0 * len(ear.bursts)
    assert decision.compute_ms <= decision.at_ms


def test_variable_length_waits_for_more() -> None:
    """Four of four to eight digits: the complete timeout, which the fixed rule does not know."""
    decision = replay(line(spoken(4)), VARIABLE, Ear())
    assert decision is not None
    assert decision.at_ms == pytest.approx(END_MS + 800, abs=60)
    fixed = replay_fixed(line(spoken(4)), VARIABLE, Ear())
    assert fixed is not None
    assert fixed.value == "4155"
    assert fixed.at_ms == pytest.approx(END_MS + 700 + 60, abs=60)


def test_pause_cuts_off_by_the_fixed_rule_alone() -> None:
    """Two digits, 1.2 s, two digits: one answer, unless 700 ms end it."""
    recording = line(spoken(2), quiet(1200), spoken(2))
    ours, fixed = replay(recording, KNOWN, Ear()), replay_fixed(recording, KNOWN, Ear())
    assert ours is not None
    assert ours.value == "4155"
    assert fixed is not None
    assert fixed.value is None
    assert fixed.at_ms < 1000 + 2 * 540 + 1200


def test_caller_who_pauses_is_waited_for_by_rhythm() -> None:
    """Four digits, 0.7 s, four of up to twelve: the next pause may be longer than the timeout."""
    grammar = "builtin:digits?minlength=8;maxlength=12"
    decision = replay(line(spoken(4), quiet(700), spoken(4)), grammar, Ear())
    assert decision is not None
    assert decision.value == "41550012"
    end_ms = 1000 + 8 * 540 + 700 - 80
    assert 1100 <= decision.at_ms - end_ms <= 1600


def test_silence_is_no_decision() -> None:
    """Nobody speaks: neither rule makes something of it."""
    assert replay(quiet(5000), KNOWN, Ear()) is None
    assert replay_fixed(quiet(5000), KNOWN, Ear()) is None


def test_grammar_must_be_one() -> None:
    """A mistyped grammar is told as in a flow."""
    with pytest.raises(FlowError):
        replay(quiet(100), "builtin:digit", Ear())
