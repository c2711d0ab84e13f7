"""The endpointer on synthetic speech: what starts, keeps and ends an utterance."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.audio.wav import read_speech
from ivr.endpointing.endpointer import SpeechPaused, SpeechStarted, UtteranceEnded
from tests.endpointing.hearing import names, run, the_utterance
from tests.endpointing.speech import digit, fricative, line, noise, silence, vowel

LEAD_MS = 1500  # the line before the caller speaks, as in every call
TAIL_MS = 1500


# ---- start


def test_one_word_is_one_utterance() -> None:
    """A word on a quiet line: started, paused, ended, in this order and nothing else."""
    events = run(line(silence(LEAD_MS), digit(), silence(TAIL_MS)))
    assert names(events) == ["SpeechStarted", "SpeechPaused", "SpeechPaused", "UtteranceEnded"]
    assert [e.short for e in events if isinstance(e, SpeechPaused)] == [True, False]


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
    assert kinds[1:4] == ["SpeechPaused", "SpeechPaused", "SpeechResumed"]
    assert kinds[-3:] == ["SpeechPaused", "SpeechPaused", "UtteranceEnded"]


def test_a_closure_is_a_short_pause() -> None:
    """100 ms of silence, as within a word, are told once and taken back."""
    events = run(line(silence(LEAD_MS), vowel(300), silence(120), vowel(300), silence(TAIL_MS)))
    assert names(events)[:3] == ["SpeechStarted", "SpeechPaused", "SpeechResumed"]
    first = next(event for event in events if isinstance(event, SpeechPaused))
    assert first.short
    assert first.at_sample - first.speech_end_sample == 80 * 8


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
