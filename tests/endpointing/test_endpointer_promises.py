"""What the endpointer promises, how it is steered, and what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.endpointing.endpointer import (
    Endpointer,
    EndpointSettings,
    SpeechPaused,
    SpeechStarted,
    UtteranceEnded,
)
from ivr.errors import ConfigError
from tests.endpointing.hearing import feed, names, plain, run, the_utterance
from tests.endpointing.speech import digit, leveled, line, noise, silence, vowel

LEAD_MS = 1500  # the line before the caller speaks, as in every call
TAIL_MS = 1500


# ---- promises


def test_pause_and_end_bring_the_same_samples() -> None:
    """If the caller says no more, the provisional recognition was of the final samples."""
    events = run(line(silence(LEAD_MS), digit(), silence(TAIL_MS)))
    short, paused = (event for event in events if isinstance(event, SpeechPaused))
    ended = the_utterance(events)
    assert np.array_equal(paused.samples, ended.samples)
    assert np.array_equal(short.samples, ended.samples[: short.samples.shape[0]])
    assert paused.speech_end_sample == ended.speech_end_sample


def test_samples_are_the_calls_own() -> None:
    """The utterance is the stretch of the call that its positions name."""
    samples = line(silence(LEAD_MS), digit(), silence(300), digit(), silence(TAIL_MS))
    events = run(samples)
    ended = the_utterance(events)
    end = ended.start_sample + ended.samples.shape[0]
    assert np.array_equal(ended.samples, samples[ended.start_sample : end])
    assert isinstance(events[0], SpeechStarted)
    assert events[0].start_sample == ended.start_sample


def test_the_fed_buffer_may_be_reused() -> None:
    """The endpointer keeps no view of the caller's array."""
    samples = line(silence(LEAD_MS), digit(), silence(TAIL_MS))
    endpointer, events, buffer = Endpointer(), [], np.zeros(250, np.int16)
    for at in range(0, samples.shape[0] - 250, 250):
        buffer[:] = samples[at : at + 250]
        events += endpointer.feed(buffer)
        buffer[:] = 0
    ended = the_utterance(events)
    end = ended.start_sample + ended.samples.shape[0]
    assert np.array_equal(ended.samples, samples[ended.start_sample : end])


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=12).filter(any))
def test_chunking_does_not_matter(sizes: list[int]) -> None:
    """Whatever the chunk sizes, the events are those of the whole fed at once."""
    samples = line(silence(700), digit(), silence(300), digit(), silence(900), digit())
    whole = Endpointer()
    expected = plain(whole.feed(samples) + whole.finish())
    cut, events, at, turn = Endpointer(), [], 0, 0
    while at < samples.shape[0]:
        size = sizes[turn % len(sizes)]
        events += cut.feed(samples[at : at + size])
        at, turn = at + size, turn + 1
    assert plain(events + cut.finish()) == expected


@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from(["digit", "silence", "noise"]), st.integers(1, 30)), max_size=8
    ),
    max_speech_ms=st.sampled_from([500, 1500, 20_000]),
)
def test_events_are_always_in_order(parts: list[tuple[str, int]], max_speech_ms: int) -> None:
    """Any mixture: started, then pause and resume in turn, then ended; time never runs back."""
    made = {
        "digit": lambda _: digit(),
        "silence": lambda n: silence(n * 50),
        "noise": lambda n: noise(n * 50, -30.0),
    }
    samples = line(silence(20), *(made[kind](n) for kind, n in parts))
    endpointer = Endpointer(EndpointSettings(max_speech_ms=max_speech_ms))
    events = feed(endpointer, samples, 1000) + endpointer.finish()
    allowed = {
        "": {"SpeechStarted"},
        "SpeechStarted": {"SpeechPaused", "UtteranceEnded"},
        "SpeechPaused": {"SpeechPaused", "SpeechResumed", "UtteranceEnded"},
        "SpeechResumed": {"SpeechPaused", "UtteranceEnded"},
        "UtteranceEnded": {"SpeechStarted"},
    }
    for before, after in zip(["", *names(events)], names(events), strict=False):
        assert after in allowed[before]
    assert not endpointer.in_speech
    times = [event.at_sample for event in events]
    assert times == sorted(times)
    ends = [e for e in events if isinstance(e, UtteranceEnded)]
    spans = [(e.start_sample, e.start_sample + e.samples.shape[0]) for e in ends]
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end <= start
    for ended in ends:
        assert ended.start_sample <= ended.speech_end_sample <= ended.at_sample


def test_idle_memory_is_bounded() -> None:
    """A minute of silence keeps no more audio than a start can look back to."""
    endpointer = Endpointer()
    feed(endpointer, line(silence(60_000)), chunk=8000)
    assert len(endpointer._frames) <= (300 + 240 + 600) // 20 + 2


# ---- steering


def test_the_end_silence_can_be_shortened_while_speaking() -> None:
    """The grammar says that the number is complete: the utterance ends sooner."""
    samples = line(silence(LEAD_MS), vowel(300), silence(TAIL_MS))
    endpointer, events = Endpointer(), []
    for at in range(0, samples.shape[0], 160):
        for event in endpointer.feed(samples[at : at + 160]):
            events.append(event)
            if isinstance(event, SpeechPaused):
                endpointer.set_end_silence_ms(300)
    ended = the_utterance(events)
    assert ended.at_sample - ended.speech_end_sample == 300 * 8


def test_the_end_silence_can_be_lengthened() -> None:
    """More digits must come: the caller may think for a second and a half."""
    samples = line(silence(LEAD_MS), digit(), silence(1300), digit(), silence(2500))
    endpointer = Endpointer()
    endpointer.set_end_silence_ms(1500)
    assert names(feed(endpointer, samples)).count("UtteranceEnded") == 1


def test_the_longest_speech_can_be_changed() -> None:
    """A collection's own max_speech_timeout holds from the next frame on, until reset."""
    samples = line(silence(LEAD_MS), *[digit()] * 6, silence(TAIL_MS))
    endpointer = Endpointer()
    endpointer.set_max_speech_ms(1500)
    ends = [e for e in feed(endpointer, samples) if isinstance(e, UtteranceEnded)]
    assert ends[0].too_long
    assert ends[0].samples.shape[0] <= (1500 + 300) * 8
    endpointer.reset()
    assert not the_utterance(feed(endpointer, samples)).too_long


def test_an_end_silence_within_the_pause_ends_without_a_pause() -> None:
    """An end silence as short as the pause ends at once; there is nothing to announce."""
    samples = line(silence(LEAD_MS), vowel(300), silence(TAIL_MS))
    kinds = names(run(samples, end_silence_ms=200))
    assert kinds == ["SpeechStarted", "SpeechPaused", "UtteranceEnded"]
    assert names(run(samples, end_silence_ms=80)) == ["SpeechStarted", "UtteranceEnded"]


def test_finish_ends_the_utterance_now() -> None:
    """The audio is over in mid-word: the utterance so far comes, the partial frame with it."""
    samples = line(silence(LEAD_MS), vowel(333))[:-37]
    endpointer = Endpointer()
    events = feed(endpointer, samples)
    assert endpointer.in_speech
    ended = the_utterance(events + endpointer.finish())
    assert ended.at_sample == samples.shape[0]
    assert ended.start_sample + ended.samples.shape[0] == samples.shape[0]
    assert not endpointer.in_speech


def test_finish_without_speech_gives_nothing() -> None:
    """No utterance, no event; twice in a row likewise."""
    endpointer = Endpointer()
    feed(endpointer, line(silence(1000)))
    assert endpointer.finish() == []
    assert endpointer.finish() == []


def test_the_stream_goes_on_after_finish() -> None:
    """After an early decision the next word is a new utterance with new samples."""
    word = line(silence(LEAD_MS), digit(), silence(300))
    endpointer = Endpointer()
    feed(endpointer, word)
    (first,) = endpointer.finish()
    events = feed(endpointer, line(silence(500), digit(), silence(TAIL_MS)))
    second = the_utterance(events)
    assert isinstance(first, UtteranceEnded)
    assert second.start_sample >= first.start_sample + first.samples.shape[0]


def test_reset_is_a_new_call() -> None:
    """After a reset the same audio gives the same events as a new endpointer."""
    samples = line(silence(LEAD_MS), digit(), silence(TAIL_MS))
    endpointer = Endpointer()
    feed(endpointer, line(noise(2000, -20.0), vowel(500))[:-50])
    endpointer.set_end_silence_ms(300)
    endpointer.reset()
    assert not endpointer.in_speech
    assert plain(feed(endpointer, samples)) == plain(run(samples))


def test_two_calls_share_nothing() -> None:
    """Two endpointers fed in turn give what each gives alone."""
    one = line(silence(LEAD_MS), digit(), silence(TAIL_MS))
    other = line(noise(1500, -25.0), leveled(digit(), -15.0), noise(TAIL_MS, -25.0))
    a, b, events_a, events_b = Endpointer(), Endpointer(), [], []
    for at in range(0, max(one.shape[0], other.shape[0]), 160):
        events_a += a.feed(one[at : at + 160])
        events_b += b.feed(other[at : at + 160])
    assert plain(events_a) == plain(run(one))
    assert plain(events_b) == plain(run(other))


# ---- mistakes


@pytest.mark.parametrize("wrong", [np.zeros(160, np.float32), np.zeros((160, 1), np.int16)])
def test_other_arrays_are_refused(wrong: NDArray) -> None:
    """Floats and channels are a bug in the caller."""
    with pytest.raises(ValueError, match="int16"):
        Endpointer().feed(wrong)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"pause_ms": -1}, "pause_ms"),
        ({"post_roll_ms": 300}, "post_roll_ms"),
        ({"max_gap_ms": 200}, "max_gap_ms"),
        ({"end_silence_ms": 10}, "end_silence_ms"),
        ({"max_speech_ms": 0}, "max_speech_ms"),
        ({"start_window_ms": 0}, "start_window_ms"),
    ],
)
def test_contradicting_settings_are_refused(changes: dict[str, int], named: str) -> None:
    """Each mistake names its setting."""
    with pytest.raises(ConfigError, match=named):
        EndpointSettings(**changes)  # type: ignore[arg-type]


def test_no_speech_time_is_refused() -> None:
    """An utterance cannot be shorter than a frame."""
    with pytest.raises(ValueError, match="at least 20"):
        Endpointer().set_max_speech_ms(0)


def test_no_end_silence_is_refused() -> None:
    """An utterance cannot end before a frame has passed."""
    with pytest.raises(ValueError, match="at least 20"):
        Endpointer().set_end_silence_ms(0)
