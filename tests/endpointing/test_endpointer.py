"""The endpointer on synthetic speech: what starts, keeps and ends an utterance; its promises."""

from __future__ import annotations

import csv
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.audio.wav import read_speech
from ivr.endpointing.endpointer import (
    Endpointer,
    EndpointEvent,
    EndpointSettings,
    SpeechPaused,
    SpeechStarted,
    UtteranceEnded,
)
from ivr.errors import ConfigError
from tests.endpointing.speech import (
    digit,
    fricative,
    leveled,
    line,
    noise,
    silence,
    vowel,
)

LEAD_MS = 1500  # the line before the caller speaks, as in every call
TAIL_MS = 1500


def feed(
    endpointer: Endpointer, samples: NDArray[np.int16], chunk: int = 160
) -> list[EndpointEvent]:
    """Feed all samples in chunks."""
    events: list[EndpointEvent] = []
    for at in range(0, samples.shape[0], chunk):
        events += endpointer.feed(samples[at : at + chunk])
    return events


def run(samples: NDArray[np.int16], **changes: float) -> list[EndpointEvent]:
    """The events of one call."""
    return feed(Endpointer(EndpointSettings(**changes)), samples)  # type: ignore[arg-type]


def names(events: list[EndpointEvent]) -> list[str]:
    """The kinds of the events."""
    return [type(event).__name__ for event in events]


def plain(events: list[EndpointEvent]) -> list[tuple]:
    """The events as comparable tuples, audio as bytes."""
    rows = []
    for event in events:
        values = [getattr(event, name) for name in event.__slots__]
        fields = [v.tobytes() if isinstance(v, np.ndarray) else v for v in values]
        rows.append((type(event).__name__, *fields))
    return rows


def the_utterance(events: list[EndpointEvent]) -> UtteranceEnded:
    """The one utterance."""
    (ended,) = [event for event in events if isinstance(event, UtteranceEnded)]
    return ended


# ---- start


def test_one_word_is_one_utterance() -> None:
    """A word on a quiet line: started, paused, ended, in this order and nothing else."""
    events = run(line(silence(LEAD_MS), digit(), silence(TAIL_MS)))
    assert names(events) == ["SpeechStarted", "SpeechPaused", "UtteranceEnded"]


def test_the_soft_beginning_is_kept() -> None:
    """The utterance begins before the soft fricative, which no start rule can hear."""
    ended = the_utterance(run(line(silence(LEAD_MS), digit(), silence(TAIL_MS))))
    assert ended.start_sample <= LEAD_MS * 8
    assert ended.start_sample >= (LEAD_MS - 400) * 8


def test_a_very_soft_fricative_is_kept() -> None:
    """Even under the level gate: the pre-roll covers 120 ms of an "f" as soft as the line."""
    word = np.concatenate([fricative(120, -60.0), vowel(250)])
    ended = the_utterance(run(line(silence(LEAD_MS), word, silence(TAIL_MS))))
    assert ended.start_sample <= LEAD_MS * 8


def test_a_clipped_vowel_between_fricatives_starts() -> None:
    """A "six" whose vowel lasts 50 ms is a word, and its long hiss belongs to it."""
    word = np.concatenate([fricative(160, -38.0), vowel(50), silence(60), fricative(160, -38.0)])
    ended = the_utterance(run(line(silence(LEAD_MS), word, silence(TAIL_MS))))
    assert ended.start_sample <= LEAD_MS * 8
    assert ended.start_sample + ended.samples.shape[0] >= (LEAD_MS + 430) * 8


def test_the_final_fricative_is_kept() -> None:
    """The utterance ends after the last hiss."""
    ended = the_utterance(run(line(silence(LEAD_MS), digit(), silence(TAIL_MS))))
    assert ended.start_sample + ended.samples.shape[0] >= (LEAD_MS + 460) * 8


def test_the_start_is_decided_soon() -> None:
    """Barge-in needs speed: within 160 ms of the voice."""
    events = run(line(silence(LEAD_MS), vowel(400), silence(TAIL_MS)))
    assert isinstance(events[0], SpeechStarted)
    assert events[0].at_sample <= (LEAD_MS + 160) * 8


def test_speech_from_the_first_sample_is_heard() -> None:
    """A recording cut at its start has no line before it; its word still counts from sample 0."""
    ended = the_utterance(run(line(vowel(300), silence(TAIL_MS))))
    assert ended.start_sample == 0


@pytest.mark.parametrize("dbfs", [-45.0, -20.0, -8.0])
def test_soft_and_loud_voices_are_heard(dbfs: float) -> None:
    """From a whisper of a line to a shout, on digital silence."""
    samples = line(silence(LEAD_MS), vowel(300, dbfs), silence(TAIL_MS), noise_dbfs=None)
    assert names(run(samples)).count("UtteranceEnded") == 1


# ---- no start


@pytest.mark.parametrize("dbfs", [-60.0, -40.0, -25.0, -12.0])
def test_noise_starts_nothing(dbfs: float) -> None:
    """Steady noise, quiet or loud, from the first sample on and after silence."""
    assert run(line(noise(4000, dbfs))) == []
    assert run(line(silence(LEAD_MS), noise(4000, dbfs))) == []


def test_clicks_start_nothing() -> None:
    """Clicks of a bad line, each 2 ms long and loud."""
    clicks = silence(4000)
    for at in range(4000, clicks.shape[0] - 16, 3700):
        clicks[at : at + 16] = 20_000 * np.random.default_rng(at).standard_normal(16)
    assert run(line(clicks)) == []


def test_a_cough_starts_nothing() -> None:
    """A cough is a loud burst of noise of 150 ms that dies away."""
    burst = noise(150, -15.0) * np.exp(-np.arange(1200) / 400)
    assert run(line(silence(LEAD_MS), burst, silence(400), burst, silence(TAIL_MS))) == []


def test_breath_and_hiss_start_nothing() -> None:
    """Hiss without a voice is no digit, however long."""
    assert run(line(silence(LEAD_MS), fricative(900, -35.0), silence(TAIL_MS))) == []


def test_silence_starts_nothing() -> None:
    """Digital silence and single steps of the converter."""
    assert run(np.zeros(40_000, np.int16)) == []
    assert run((np.arange(40_000) % 2).astype(np.int16)) == []


# ---- middle and end


@pytest.mark.parametrize("gap_ms", [0, 100, 250, 500, 650])
def test_groups_are_one_utterance(gap_ms: int) -> None:
    """Digits with gaps under the end silence stay together, soft beginnings notwithstanding."""
    parts = [silence(LEAD_MS)]
    for _ in range(4):
        parts += [digit(), silence(gap_ms)]
    events = run(line(*parts, silence(TAIL_MS)))
    assert names(events).count("UtteranceEnded") == 1
    ended = the_utterance(events)
    last_ms = LEAD_MS + 4 * 460 + 3 * gap_ms
    assert ended.start_sample + ended.samples.shape[0] >= last_ms * 8


def test_a_pause_is_told_and_taken_back() -> None:
    """A gap over pause_ms: paused, resumed when the voice is back, paused again, ended."""
    events = run(line(silence(LEAD_MS), digit(), silence(400), digit(), silence(TAIL_MS)))
    kinds = names(events)
    assert kinds[0] == "SpeechStarted"
    assert kinds[1:3] == ["SpeechPaused", "SpeechResumed"]
    assert kinds[-2:] == ["SpeechPaused", "UtteranceEnded"]


def test_a_longer_silence_parts_two_utterances() -> None:
    """A silence over the end silence parts them, and no sample is in both."""
    events = run(line(silence(LEAD_MS), digit(), silence(1400), digit(), silence(TAIL_MS)))
    first, second = [event for event in events if isinstance(event, UtteranceEnded)]
    assert first.start_sample + first.samples.shape[0] <= second.start_sample


def test_a_soft_onset_at_the_deadline_holds_the_end() -> None:
    """A gap of 780 ms, then hiss: its digit belongs to the number, though its voice comes later."""
    word = np.concatenate([fricative(160, -36.0), vowel(200)])
    events = run(line(silence(LEAD_MS), vowel(300), silence(700), word, silence(TAIL_MS)))
    assert names(events).count("UtteranceEnded") == 1


def test_the_end_comes_after_the_end_silence() -> None:
    """On a quiet line the decision comes end_silence_ms after the last speech."""
    ended = the_utterance(run(line(silence(LEAD_MS), vowel(300), silence(TAIL_MS))))
    assert ended.at_sample - ended.speech_end_sample == 800 * 8
    # The VAD's hangover may add a little to the speech, level and voice bound it.
    assert abs(ended.speech_end_sample - (LEAD_MS + 300) * 8) <= 60 * 8


def test_noise_after_the_word_does_not_hold_the_end() -> None:
    """On a noisy line the VAD never falls silent; level and voice end the utterance."""
    samples = line(silence(2500), digit(-14.0), silence(3000), noise_dbfs=-32.0)
    ended = the_utterance(run(samples))
    assert not ended.too_long
    assert ended.at_sample <= (2500 + 460 + 800 + 200 + 300) * 8


def test_a_click_after_the_word_does_not_hold_the_end() -> None:
    """Clicks in the silence neither resume nor prolong."""
    tail = silence(TAIL_MS)
    tail[3200:3216] = 15_000
    with_click = the_utterance(run(line(silence(LEAD_MS), digit(), tail)))
    without = the_utterance(run(line(silence(LEAD_MS), digit(), silence(TAIL_MS))))
    assert with_click.at_sample == without.at_sample


def test_on_a_noisy_line_the_end_waits_longer() -> None:
    """The allowance applies where the voice is little over the noise, and can be turned off."""
    samples = line(silence(2500), vowel(300, -22.0), silence(3000), noise_dbfs=-32.0)
    waits = []
    for allowance_ms in (0, 200):
        ended = the_utterance(run(samples, noise_allowance_ms=allowance_ms, grace_ms=0))
        waits.append((ended.at_sample - ended.speech_end_sample) // 8)
    assert waits == [800, 1000]


def test_too_much_speech_is_cut_off() -> None:
    """A caller who never stops is cut off at max_speech_ms, and told so."""
    events = run(line(silence(LEAD_MS), *[digit()] * 12), max_speech_ms=3000)
    ended = next(event for event in events if isinstance(event, UtteranceEnded))
    assert ended.too_long
    assert ended.samples.shape[0] <= (3000 + 300) * 8
    following = [e for e in events if isinstance(e, SpeechStarted)][1:]
    assert all(e.start_sample >= ended.start_sample + ended.samples.shape[0] for e in following)


def test_a_long_number_stays_whole() -> None:
    """Sixteen digits in groups of four over some 12 s with pauses are one utterance."""
    parts = [silence(LEAD_MS)]
    for _ in range(4):
        parts += [digit(), silence(150)] * 4 + [silence(450)]
    ended = the_utterance(run(line(*parts, silence(TAIL_MS))))
    assert ended.samples.shape[0] > 10_000 * 8
    assert not ended.too_long


# ---- promises


def test_pause_and_end_bring_the_same_samples() -> None:
    """If the caller says no more, the provisional recognition was of the final samples."""
    events = run(line(silence(LEAD_MS), digit(), silence(TAIL_MS)))
    paused = next(event for event in events if isinstance(event, SpeechPaused))
    ended = the_utterance(events)
    assert np.array_equal(paused.samples, ended.samples)
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
        "SpeechPaused": {"SpeechResumed", "UtteranceEnded"},
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
    events = run(line(silence(LEAD_MS), vowel(300), silence(TAIL_MS)), end_silence_ms=200)
    assert names(events) == ["SpeechStarted", "UtteranceEnded"]


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


# ---- real speech, where it is at hand


@pytest.mark.skipif("IVR_SPEECH_DATA" not in os.environ, reason="IVR_SPEECH_DATA is not set")
def test_real_words_are_one_utterance_each() -> None:
    """Of 60 dev words at least 95 % give one utterance, with silence before and after."""
    folder = Path(os.environ["IVR_SPEECH_DATA"]) / "speech_commands.dev"
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    whole = 0
    chosen = rows[:: len(rows) // 60][:60]
    for row in chosen:
        samples = read_speech(folder / row["file"])
        padded = np.concatenate([np.zeros(16_000, np.int16), samples, np.zeros(12_000, np.int16)])
        events = run(mulaw_decode(mulaw_encode(padded)))
        whole += names(events).count("UtteranceEnded") == 1
    assert whole >= 0.95 * len(chosen)
