"""How long a caller may pause: the limits of the question, and what refines them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.patience import LIKELY_S, LOOK_SHARE, SURE, SURE_S, Patience
from tests.call.talk import heard

ANSWER = "four one five five"


@pytest.mark.parametrize(
    ("confidence", "needed_s"), [(0.99, SURE_S), (SURE, SURE_S), (0.7, LIKELY_S)]
)
def test_closed_answer_needs_a_little_silence(confidence: float, needed_s: float) -> None:
    """Less where the recogniser is sure; and none where it has been long enough already."""
    look, needed = heard(ANSWER, confidence=confidence), int(needed_s * 8000)
    assert Patience().wait_s(None, 2.2, look, needed - 8) == needed_s
    assert Patience().wait_s(None, 2.2, look, needed) is None


def test_open_answer_waits_by_its_limit() -> None:
    """A caller who has not paused yet tells nothing."""
    assert Patience().wait_s(0.8, 2.2, heard(ANSWER), 0) == 0.8


def test_caller_who_pauses_long_is_waited_for() -> None:
    """A third longer than the longest pause so far, and no longer than an incomplete answer."""
    patience = Patience()
    patience.resumed(800)
    assert patience.wait_s(0.8, 2.2, heard(ANSWER), 0) == 0.8
    patience.resumed(8000)
    patience.resumed(4000)
    assert patience.wait_s(0.8, 2.2, heard(ANSWER), 0) == pytest.approx(1.4)
    patience.resumed(16_000)
    assert patience.wait_s(0.8, 2.2, heard(ANSWER), 0) == 2.2
    assert patience.wait_s(2.2, 2.2, heard(ANSWER), 0) == 2.2


def test_speech_makes_looks_worthless_but_not_the_rhythm() -> None:
    """What was sure is not any more; how the caller pauses is still known."""
    patience = Patience()
    patience.resumed(8000)
    patience.wait_s(None, 2.2, heard(ANSWER), 0)
    patience.unseen = np.zeros(8, np.int16)
    assert patience.sure
    patience.forget()
    assert not patience.sure
    assert patience.take_unseen() is None
    assert patience.longest_pause == 8000


def test_unseen_samples_are_taken_once() -> None:
    """They are recognised when the look under way is over, and not again."""
    patience = Patience()
    patience.unseen = np.zeros(8, np.int16)
    assert patience.take_unseen() is not None
    assert patience.take_unseen() is None


@given(looks=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 400)), min_size=2, max_size=40))
def test_looks_take_a_quarter_of_a_core(looks: list[tuple[int, int]]) -> None:
    """However long they take and however often there is a chance for one, one at a time."""
    patience, clock, spent, asked = Patience(), 0, 0, 0
    for number, (wall_ms, gap_ms) in enumerate(looks):
        while not patience.may_look(clock):
            clock += 160
        patience.asked(number, clock)
        assert not patience.may_look(clock + 10**9), "one at a time"
        patience.answered(number, float(wall_ms))
        spent, asked = spent + wall_ms, asked + 1
        clock += 8 * (wall_ms + gap_ms)
    while not patience.may_look(clock):
        clock += 160
    assert spent * LOOK_SHARE <= clock / 8


def test_answer_to_an_older_look_frees_nothing() -> None:
    """The newer one is still under way."""
    patience = Patience()
    patience.asked(1, 0)
    patience.asked(2, 160)
    patience.answered(1, 50.0)
    assert not patience.may_look(10**9)
    patience.answered(2, 50.0)
    assert patience.may_look(10**9)
