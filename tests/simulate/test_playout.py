"""The playout clock: what was heard when, marks, clears, gaps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ivr.simulate.playout import SAME_PROMPT_SAMPLES, Playout


def ramp(n_samples: int, start: int = 1) -> np.ndarray:
    """Samples that tell their position."""
    return np.arange(start, start + n_samples, dtype=np.int16)


def test_silence_without_audio() -> None:
    """Nothing sent is silence, and time goes on."""
    playout = Playout()
    heard, marks = playout.play(160)
    assert not heard.any()
    assert marks == []
    assert playout.position == playout.quiet_samples == 160
    assert playout.prompts == []


def test_audio_is_played_in_order_and_then_silence() -> None:
    """Two pieces follow each other without a seam; the rest of the frame is silent."""
    playout = Playout()
    playout.media(ramp(100))
    playout.media(ramp(20, 101))
    heard, _ = playout.play(160)
    assert heard[:120].tolist() == list(range(1, 121))
    assert not heard[120:].any()
    assert playout.quiet_samples == 40
    assert playout.queued_samples == 0


def test_a_mark_returns_once_the_audio_before_it_was_played() -> None:
    """A mark waits for the last sample before it, to the frame."""
    playout = Playout()
    playout.media(ramp(161))
    assert playout.mark("a") == []
    assert playout.play(160)[1] == []
    assert playout.play(160)[1] == ["a"]
    assert playout.prompts[0].mark == "a"
    assert (playout.prompts[0].start_sample, playout.prompts[0].end_sample) == (0, 161)


def test_a_mark_at_the_end_of_a_frame_returns_with_that_frame() -> None:
    """160 samples in a 160-sample frame have been played when the frame has."""
    playout = Playout()
    playout.media(ramp(160))
    playout.mark("a")
    assert playout.play(160)[1] == ["a"]


def test_a_mark_with_nothing_before_it_returns_at_once() -> None:
    """An empty queue has played everything."""
    playout = Playout()
    assert playout.mark("a") == ["a"]
    playout.media(ramp(10))
    assert playout.mark("b") == []
    assert playout.mark("c") == []
    assert playout.play(160)[1] == ["b", "c"]


def test_clear_drops_audio_and_returns_pending_marks() -> None:
    """After a clear the caller hears nothing more, and every mark comes back in order."""
    playout = Playout()
    playout.media(ramp(400))
    playout.mark("a")
    playout.media(ramp(400))
    playout.mark("b")
    playout.play(160)
    assert playout.clear() == ["a", "b"]
    heard, marks = playout.play(160)
    assert not heard.any()
    assert marks == []
    assert playout.queued_samples == 0
    assert [prompt.cleared for prompt in playout.prompts] == [True]
    assert playout.prompts[0].end_sample == 160


def test_clear_of_an_empty_queue_changes_nothing() -> None:
    """A prompt that was heard to its end is not called cut short."""
    playout = Playout()
    playout.media(ramp(160))
    playout.mark("a")
    playout.play(160)
    assert playout.clear() == []
    assert not playout.prompts[0].cleared


def test_clear_before_the_first_sample_leaves_no_prompt() -> None:
    """What was never heard is no prompt."""
    playout = Playout()
    playout.media(ramp(160))
    playout.mark("a")
    assert playout.clear() == ["a"]
    assert playout.prompts == []


def test_audio_after_a_mark_or_a_clear_is_a_new_prompt() -> None:
    """Marks and clears delimit prompts, also inside one frame."""
    playout = Playout()
    playout.media(ramp(50))
    playout.mark("a")
    playout.media(ramp(200))
    assert playout.play(160)[1] == ["a"]
    playout.clear()
    playout.media(ramp(10))
    playout.play(160)
    spans = [(prompt.start_sample, prompt.end_sample) for prompt in playout.prompts]
    assert spans == [(0, 50), (50, 160), (160, 170)]
    assert [prompt.closed for prompt in playout.prompts] == [True, True, False]


def test_a_gap_inside_a_prompt_is_an_underrun() -> None:
    """Audio that comes too late leaves silence inside its prompt, and it is counted."""
    playout = Playout()
    playout.media(ramp(100))
    playout.play(160)
    playout.play(160)
    playout.media(ramp(100))
    playout.mark("a")
    playout.play(160)
    assert len(playout.prompts) == 1
    assert playout.prompts[0].underrun_samples == 220


def test_an_agent_without_marks_still_has_prompts() -> None:
    """After a long silence new audio is a new prompt, not an underrun."""
    playout = Playout()
    playout.media(ramp(100))
    playout.play(160)
    playout.play(SAME_PROMPT_SAMPLES)
    playout.media(ramp(100))
    playout.play(160)
    assert len(playout.prompts) == 2
    assert [prompt.underrun_samples for prompt in playout.prompts] == [0, 0]


def test_empty_media_is_nothing() -> None:
    """A message without samples neither delays a mark nor begins a prompt."""
    playout = Playout()
    playout.media(np.zeros(0, np.int16))
    assert playout.mark("a") == ["a"]
    assert playout.prompts == []


@given(
    cuts=st.lists(st.integers(1, 700), max_size=12),
    steps=st.lists(st.integers(1, 400), min_size=1, max_size=30),
)
def test_what_is_heard_does_not_depend_on_the_cutting(cuts: list[int], steps: list[int]) -> None:
    """The same audio in any pieces, played in any steps, sounds the same and ends the same."""
    audio = ramp(2000)
    playout = Playout()
    for piece in np.split(audio, sorted({min(cut, 2000) for cut in np.cumsum(cuts)})):
        playout.media(piece)
    playout.mark("end")
    heard: list[np.ndarray] = []
    marks: list[str] = []
    for step in steps:
        samples, reached = playout.play(step)
        heard.append(samples)
        marks += reached
    together = np.concatenate(heard)
    played = min(together.size, 2000)
    assert together[:played].tolist() == audio[:played].tolist()
    assert not together[played:].any()
    assert marks == (["end"] if together.size >= 2000 else [])
    assert playout.position == together.size


@given(st.lists(st.sampled_from(["media", "mark", "clear", "play"]), max_size=60))
def test_every_mark_returns_exactly_once(actions: list[str]) -> None:
    """No order of messages loses a mark or returns it twice, and the order of marks is kept."""
    playout = Playout()
    sent: list[str] = []
    returned: list[str] = []
    for action in actions:
        if action == "media":
            playout.media(ramp(250))
        elif action == "mark":
            sent.append(f"m{len(sent)}")
            returned += playout.mark(sent[-1])
        elif action == "clear":
            returned += playout.clear()
        else:
            returned += playout.play(160)[1]
        assert playout.queued_samples >= 0
    returned += playout.clear()
    assert returned == sent
