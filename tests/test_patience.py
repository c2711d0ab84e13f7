"""How long a caller may pause: the limits of the question, and what refines them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.patience import (
    LAST_WORD_TAIL,
    LIKELY_S,
    LONG_WORD,
    LOOK_SHARE,
    NEXT_LOOK,
    NO_WORD,
    SURE,
    SURE_S,
    WORD,
    WORD_TAIL,
    Patience,
)
from ivr.recognition import Hypothesis, Recognition, Word
from ivr.rhythm import Pause
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
    """By his own rhythm, but no longer than an incomplete answer."""
    patience = Patience()
    patience.resumed(0, 800)
    assert patience.wait_s(0.8, 2.2, heard(ANSWER), 0) == 0.8
    patience.resumed(0, 5600)
    assert patience.wait_s(0.8, 2.2, heard(ANSWER), 0) == pytest.approx(1.42)
    patience.resumed(0, 16_000)
    assert patience.wait_s(0.8, 2.2, heard(ANSWER), 0) == 2.2
    assert patience.wait_s(2.2, 2.2, heard(ANSWER), 0) == 2.2


def test_speech_makes_looks_worthless_but_not_the_rhythm() -> None:
    """What was sure is not any more; how the caller pauses is still known."""
    patience = Patience()
    patience.resumed(0, 8000)
    patience.silent_since(heard(ANSWER), closed=True)
    patience.unseen = np.zeros(8, np.int16)
    assert patience.sure
    patience.forget()
    assert not patience.sure
    assert patience.take_unseen() is None
    assert patience.pauses == [Pause(0, 8000)]


# -- silence by the words --------------------------------------------------------------------------


def spoken_at(*ends_ms: int, confidence: float = 0.95) -> Recognition:
    """A recognition of words that end there, from the start of the samples."""
    words = tuple(Word("five", end_ms - 40, end_ms, 0.95) for end_ms in ends_ms)
    return Recognition((Hypothesis(words, 0.0),), confidence, audio_ms=9000)


@pytest.mark.parametrize(("closed", "tail"), [(False, WORD_TAIL), (True, LAST_WORD_TAIL)])
def test_words_tell_since_when_the_caller_is_silent(closed: bool, tail: int) -> None:
    """From the last word's moment on, and what a word can take after it."""
    patience = Patience(spoke_at=8000)
    patience.asked(1, 40_000, 6000, 40_000)
    assert patience.silent_since(spoken_at(500, 1000), closed=closed) == 6000 + 8000 + tail


@pytest.mark.parametrize(("closed", "word"), [(False, WORD), (True, NO_WORD)])
def test_words_tell_nothing_while_the_next_may_be_spoken(closed: bool, word: int) -> None:
    """Speech began less than a word ago, and the answer is not sure or may go on."""
    patience = Patience(spoke_at=40_000 - word + 8)
    patience.asked(1, 40_000, 6000, 40_000)
    patience.silent_since(spoken_at(1000, confidence=0.7), closed=closed)
    assert not patience.heard_out
    patience.spoke_at -= 8
    assert patience.heard_out


def test_nothing_follows_a_sure_answer_that_cannot_grow() -> None:
    """Whatever begins after it is none of its words."""
    patience = Patience(spoke_at=40_000)
    patience.asked(1, 40_000, 6000, 40_000)
    patience.silent_since(spoken_at(1000), closed=True)
    assert patience.heard_out


@pytest.mark.parametrize("unknown", [heard(""), heard(ANSWER)])
def test_without_words_or_times_nothing_is_known(unknown: Recognition) -> None:
    """The endpointer alone tells when the caller is silent."""
    patience = Patience()
    patience.asked(1, 40_000, 6000, 40_000)
    assert patience.silent_since(unknown, closed=False) is None


def test_speech_that_goes_on_is_looked_at_when_it_may_be_noise() -> None:
    """Longer than a word where the silence since the last one is due; else every second."""
    patience = Patience(spoke_at=80_000)
    assert not patience.looks_in_passing(80_000 + NEXT_LOOK - 160)
    assert patience.looks_in_passing(80_000 + NEXT_LOOK)
    patience.due_at = 80_000
    assert not patience.looks_in_passing(80_000 + LONG_WORD - 160)
    assert patience.looks_in_passing(80_000 + LONG_WORD)
    patience.closed = True
    assert patience.looks_in_passing(80_000)
    patience.asked(1, 80_000, 0, 80_000)
    assert not patience.looks_in_passing(10**9), "one at a time"


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
        patience.asked(number, clock, 0, clock)
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
    patience.asked(1, 0, 0, 0)
    patience.asked(2, 160, 0, 160)
    patience.answered(1, 50.0)
    assert not patience.may_look(10**9)
    patience.answered(2, 50.0)
    assert patience.may_look(10**9)
