"""The phone: a script against an agent, frame by frame, with no socket and no clock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.errors import StateError
from ivr.providers.events import (
    DtmfReceived,
    Event,
    MarkPlayed,
    MediaReceived,
    SendClear,
    SendMark,
    SendMedia,
    StreamStopped,
)
from ivr.simulate.phone import Phone
from ivr.simulate.script import (
    BargeIn,
    CallerVoice,
    HangUp,
    Keys,
    Pause,
    Say,
    Script,
    Step,
    WaitPrompt,
)
from ivr.simulate.voice import Sound

FRAME_MS = 20


def tone(n_ms: int) -> NDArray[np.int16]:
    """A 400 Hz tone, int16 at 8 kHz."""
    time = np.arange(n_ms * 8) / 8000
    return (8000 * np.sin(2 * np.pi * 400 * time)).astype(np.int16)


SPEECH = Sound(np.concatenate([tone(500), np.zeros(800, np.int16)]), 4000, "four one")


def make_phone(*steps: Step, **fields: object) -> Phone:
    """A phone whose `say` steps all sound like half a second of tone."""
    script = Script.model_validate({"name": "test", "steps": steps, **fields})
    return Phone(script, dict.fromkeys(range(len(steps)), SPEECH))


def prompt(phone: Phone, n_ms: int, mark: str = "p") -> None:
    """The agent says something, with its mark."""
    phone.receive(SendMedia(mulaw_encode(tone(n_ms))))
    phone.receive(SendMark(mark))


def run(
    phone: Phone, n_ms: int, until: Callable[[list[Event]], bool] = lambda _: False
) -> list[Event]:
    """Let time pass, until the call or `until` ends it; returns all that was sent."""
    sent: list[Event] = []
    for _ in range(n_ms // FRAME_MS):
        events = phone.tick()
        sent += events
        if phone.ended or until(events):
            break
    return sent


def keys_of(events: list[Event]) -> str:
    """The keys among events."""
    return "".join(event.digit for event in events if isinstance(event, DtmfReceived))


def audio_of(events: list[Event]) -> NDArray[np.int16]:
    """The caller's audio among events."""
    payloads = [event.payload for event in events if isinstance(event, MediaReceived)]
    return mulaw_decode(b"".join(payloads))


def test_a_silent_line_is_mulaw_silence_in_frames_of_20_ms() -> None:
    """Without noise the caller sends 0xFF, 160 bytes a frame, with the line's time."""
    sent = run(make_phone(WaitPrompt()), 60)
    assert sent == [MediaReceived(b"\xff" * 160, ms) for ms in (0, 20, 40)]


def test_wait_prompt_ends_when_the_prompt_was_played_and_the_line_settled() -> None:
    """The caller answers 400 ms after the last sample of the prompt, not before."""
    phone = make_phone(WaitPrompt(), Keys(keys="1"))
    run(phone, 100)
    prompt(phone, 1000)
    sent = run(phone, 5000, until=lambda events: bool(keys_of(events)))
    assert keys_of(sent) == "1"
    assert phone.playout.prompts[0].end_sample == 8 * 1100
    assert phone.inputs[0].start_sample == 8 * 1500
    assert phone.inputs[0].text == "1"


def test_marks_return_when_their_audio_was_played() -> None:
    """The server learns of a played prompt in the frame that ends it."""
    phone = make_phone(WaitPrompt(), HangUp())
    prompt(phone, 100, "greeting")
    sent = run(phone, 100)
    assert sent[-1] == MarkPlayed("greeting")
    assert len(sent) == 6


def test_a_clear_returns_the_marks_at_once() -> None:
    """Marks flushed by a clear do not wait for a frame."""
    phone = make_phone(WaitPrompt(), HangUp())
    prompt(phone, 5000, "a")
    prompt(phone, 5000, "b")
    run(phone, 40)
    assert phone.receive(SendClear()) == [MarkPlayed("a"), MarkPlayed("b")]
    assert phone.receive(SendMark("c")) == [MarkPlayed("c")]


def test_two_prompts_in_a_row_are_waited_for_together() -> None:
    """A question that follows a greeting within the settling time belongs to it."""
    phone = make_phone(WaitPrompt(), Keys(keys="1"))
    prompt(phone, 200, "greeting")
    run(phone, 400)
    prompt(phone, 200, "question")
    sent = run(phone, 500)
    assert keys_of(sent) == ""
    assert keys_of(run(phone, 200)) == "1"


def test_each_wait_needs_a_new_prompt() -> None:
    """A second wait_prompt is not satisfied by the prompt of the first."""
    phone = make_phone(WaitPrompt(), WaitPrompt(timeout_s=3), Keys(keys="1"))
    prompt(phone, 200)
    assert keys_of(run(phone, 2000)) == ""
    prompt(phone, 200)
    assert keys_of(run(phone, 1000)) == "1"


def test_a_prompt_without_a_mark_ends_after_a_longer_silence() -> None:
    """An agent that sends no marks is waited for 1.5 s, in case more audio comes."""
    phone = make_phone(WaitPrompt(), Keys(keys="1"))
    phone.receive(SendMedia(mulaw_encode(tone(200))))
    assert keys_of(run(phone, 1680)) == ""
    assert keys_of(run(phone, 100)) == "1"


def test_no_prompt_fails_the_script_and_hangs_up() -> None:
    """A caller who hears nothing gives up with a reason that names the step."""
    phone = make_phone(Pause(pause_s=0.1), WaitPrompt(timeout_s=1), Keys(keys="1"))
    sent = run(phone, 5000)
    assert sent[-1] == StreamStopped()
    assert phone.failure == "step 2 (wait_prompt): no prompt ended within 1 s"
    assert phone.ended_by == "caller"
    assert phone.position_s == pytest.approx(1.1, abs=0.03)


def test_say_sends_the_sound_and_knows_where_the_speech_ended() -> None:
    """The wire carries the sound; the input ends with the last spoken sample, not the file's."""
    phone = make_phone(Pause(pause_s=0.1), Say(say="four one"), HangUp())
    sent = run(phone, 2000)
    audio = audio_of(sent)
    assert not audio[:800].any()
    error = audio[800 : 800 + 4000].astype(int) - SPEECH.samples[:4000]
    assert np.abs(error).max() < 300  # mu-law's coarsest step at this level is 256
    assert not audio[800 + 4000 :].any()
    given = phone.inputs[0]
    assert (given.start_sample, given.end_sample) == (800, 4800)
    assert (given.kind, given.text, given.barged_in) == ("say", "four one", False)
    assert phone.position_s == pytest.approx(0.1 + 0.6)


def test_keys_are_pressed_one_by_one() -> None:
    """Keys follow each other by the gap; the last one is when the caller begins to wait."""
    phone = make_phone(Keys(keys="41 5#", gap_s=0.1), HangUp())
    sent = run(phone, 2000)
    assert keys_of(sent) == "415#"
    frames_before: list[int] = []
    for position, event in enumerate(sent):
        if isinstance(event, DtmfReceived):
            frames_before.append(sum(isinstance(e, MediaReceived) for e in sent[:position]))
    assert frames_before == [1, 6, 11, 16]
    assert phone.inputs[0].end_sample == 3 * 800
    assert phone.inputs[0].text == "415#"


def test_barge_in_answers_while_the_prompt_plays() -> None:
    """After `after_s` of the prompt the caller speaks, and the agent's clear cuts it short."""
    phone = make_phone(BargeIn(after_s=0.5, input=Say(say="x")), WaitPrompt(), Keys(keys="1"))
    prompt(phone, 4000)
    run(phone, 700)
    phone.receive(SendClear())
    assert keys_of(run(phone, 3000)) == ""  # the interrupted prompt is not the next one
    assert phone.inputs[0].barged_in
    assert phone.inputs[0].start_sample == 4000
    assert phone.playout.prompts[0].cleared
    assert phone.playout.prompts[0].end_sample == 8 * 700
    prompt(phone, 200)
    assert keys_of(run(phone, 1000)) == "1"


def test_a_prompt_cut_short_under_the_answer_is_not_the_next_one() -> None:
    """Greeting and question are two prompts; the clear for the answer ends both of them."""
    phone = make_phone(
        BargeIn(after_s=0.2, input=Say(say="x")), BargeIn(after_s=0.2, input=Keys(keys="1"))
    )
    prompt(phone, 300, "greeting")
    prompt(phone, 4000, "question")  # begins 100 ms after the caller does
    run(phone, 500)
    phone.receive(SendClear())
    assert keys_of(run(phone, 3000)) == ""
    assert phone.failure is None
    prompt(phone, 1000, "next")
    assert keys_of(run(phone, 400)) == "1"


def test_a_prompt_that_the_agent_cuts_for_no_answer_counts() -> None:
    """A prompt cleared while the caller was silent is over, and the caller's turn comes."""
    phone = make_phone(WaitPrompt(), Keys(keys="1"))
    prompt(phone, 4000)
    run(phone, 500)
    phone.receive(SendClear())
    assert keys_of(run(phone, 1000)) == "1"


def test_barge_in_with_keys() -> None:
    """Keys can interrupt too."""
    phone = make_phone(BargeIn(after_s=0.1, input=Keys(keys="42")), HangUp())
    prompt(phone, 1000)
    assert keys_of(run(phone, 2000)) == "42"
    assert phone.failure is None


def test_barge_in_into_a_prompt_that_is_over_fails() -> None:
    """A prompt shorter than `after_s` cannot be interrupted, and the script says so."""
    phone = make_phone(BargeIn(after_s=2, input=Keys(keys="1")), HangUp())
    prompt(phone, 300)
    run(phone, 3000)
    assert phone.failure is not None
    assert "step 1 (barge_in with keys): the prompt was over after 0.3 s" in phone.failure


def test_barge_in_into_the_settling_time_fails() -> None:
    """A prompt that has just ended is not playing any more."""
    phone = make_phone(BargeIn(after_s=0.5, input=Keys(keys="1")), HangUp())
    prompt(phone, 300)
    run(phone, 3000)
    assert phone.failure is not None
    assert "no prompt was playing any more after 0.5 s" in phone.failure


def test_barge_in_without_a_prompt_fails() -> None:
    """No prompt at all ends the wait after its timeout."""
    phone = make_phone(BargeIn(after_s=0.5, input=Keys(keys="1")), HangUp())
    run(phone, 25_000)
    assert phone.failure == "step 1 (barge_in with keys): no prompt began within 20 s"


def test_after_the_last_step_the_caller_listens_until_the_agent_ends() -> None:
    """The agent's close after the last step is a good end."""
    phone = make_phone(Keys(keys="1"))
    run(phone, 1000)
    assert not phone.ended
    phone.agent_hung_up()
    assert phone.ended_by == "agent"
    assert phone.failure is None


def test_patience_ends() -> None:
    """An agent that never ends the call is left after `patience_s`."""
    phone = make_phone(Keys(keys="1"), patience_s=2.0)
    sent = run(phone, 10_000)
    assert sent[-1] == StreamStopped()
    assert phone.failure == "the agent did not end the call within 2 s of the last step"


@pytest.mark.parametrize(
    ("steps", "failure"),
    [
        ((WaitPrompt(), HangUp()), None),
        ((WaitPrompt(), Pause(pause_s=1), WaitPrompt()), None),
        (
            (WaitPrompt(), Say(say="x")),
            "the agent ended the call before step 2 (say) was done",
        ),
        (
            (Pause(pause_s=9), BargeIn(after_s=1, input=Keys(keys="1"))),
            "the agent ended the call before step 2 (barge_in with keys) was done",
        ),
    ],
)
def test_the_agents_end_fails_only_what_was_left_to_say(
    steps: tuple[Step, ...], failure: str | None
) -> None:
    """Waiting may be cut off by the agent's end; an answer that was not given is a failure."""
    phone = make_phone(*steps)
    run(phone, 100)
    phone.agent_hung_up()
    assert phone.failure == failure


def test_an_end_right_after_the_last_key_is_no_failure() -> None:
    """A key that was sent was given, even if the agent's end comes before the next frame."""
    phone = make_phone(Keys(keys="12", gap_s=0.04), HangUp())
    assert keys_of(run(phone, 1000, until=lambda events: keys_of(events) == "2")) == "12"
    phone.agent_hung_up()
    assert phone.failure is None
    assert phone.inputs[0].text == "12"


def test_the_end_is_the_end() -> None:
    """After hang_up there is no frame, and the agent's close does not change who ended it."""
    phone = make_phone(HangUp())
    assert phone.tick() == [StreamStopped()]
    phone.agent_hung_up()
    assert phone.ended_by == "caller"
    with pytest.raises(StateError):
        phone.tick()


def test_the_first_failure_stays() -> None:
    """A failure from outside ends the call; a later one does not replace it."""
    phone = make_phone(WaitPrompt())
    phone.fail("first")
    phone.fail("second")
    assert phone.failure == "first"
    assert phone.ended


def test_noise_has_its_level_and_its_seed() -> None:
    """Line noise is as loud as asked, the same for the same seed, and under the speech too."""
    caller = CallerVoice(noise_dbfs=-45, seed=3)
    first = audio_of(run(make_phone(Pause(pause_s=4), caller=caller), 4000))
    again = audio_of(run(make_phone(Pause(pause_s=4), caller=caller), 4000))
    other = CallerVoice(noise_dbfs=-45, seed=4)
    different = audio_of(run(make_phone(Pause(pause_s=4), caller=other), 4000))
    level_dbfs = 20 * np.log10(np.sqrt(np.mean(first.astype(float) ** 2)) / 32768)
    assert level_dbfs == pytest.approx(-45, abs=0.5)
    assert first.tolist() == again.tolist()
    assert first.tolist() != different.tolist()


def test_tracks_hold_both_sides_on_one_clock() -> None:
    """The recording has the caller left and the agent right, sample by sample as heard."""
    phone = make_phone(Pause(pause_s=0.1), Say(say="x"), HangUp())
    run(phone, 60)
    prompt(phone, 200)
    run(phone, 2000)
    tracks = phone.tracks()
    assert tracks.dtype == np.int16
    assert tracks.shape == (phone.playout.position, 2)
    left, right = np.flatnonzero(tracks[:, 0]), np.flatnonzero(tracks[:, 1])
    assert 800 <= left[0] <= 802
    assert 480 <= right[0] <= 482
    assert 480 + 1600 - 2 <= right[-1] < 480 + 1600


def test_tracks_of_a_call_that_never_began() -> None:
    """No frame, no samples, still two channels."""
    assert make_phone(HangUp()).tracks().shape == (0, 2)
