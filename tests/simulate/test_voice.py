"""The caller's voice: rendering, levels, and where the speech ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.audio.level import speech_level_dbfs
from ivr.audio.wav import write_wav
from ivr.errors import AudioError
from ivr.simulate.script import BargeIn, CallerVoice, HangUp, Keys, Say, Script, WaitPrompt, Wav
from ivr.simulate.voice import render_sounds, speech_end


def tone(n_samples: int, amplitude: float = 8000.0) -> NDArray[np.int16]:
    """A 440 Hz tone, int16 at 8 kHz."""
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(n_samples) / 8000)).astype(np.int16)


def silence(n_samples: int) -> NDArray[np.int16]:
    """Digital silence."""
    return np.zeros(n_samples, np.int16)


class FakeSynthesizer:
    """Says a tone for any text but a full stop, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, int]] = []

    def render(
        self, text: str, voice: str = "", *, rate_wpm: int = 0, pitch: int = 0
    ) -> NDArray[np.int16]:
        """A quarter of a second of tone, then as much silence."""
        self.asked.append((text, voice, rate_wpm, pitch))
        if text == ".":
            return silence(100)
        return np.concatenate([tone(2000, 500.0), silence(2000)])


def test_say_takes_its_voice_from_the_step_or_the_caller() -> None:
    """What a step leaves out comes from the script's caller."""
    script = Script(
        name="x",
        caller=CallerVoice(voice="en-gb", rate_wpm=170, pitch=30),
        steps=(Say(say="one"), WaitPrompt(), Say(say="two", voice="de", rate_wpm=90, pitch=0)),
    )
    synthesizer = FakeSynthesizer()
    sounds = render_sounds(script, synthesizer)
    assert synthesizer.asked == [("one", "en-gb", 170, 30), ("two", "de", 90, 0)]
    assert sorted(sounds) == [0, 2]
    assert sounds[2].text == "two"


def test_say_is_levelled_and_its_end_measured() -> None:
    """Speech comes out at the level asked for; the silence after it is not speech."""
    script = Script(name="x", steps=(Say(say="one"), Say(say="two", level_dbfs=-35)))
    sounds = render_sounds(script, FakeSynthesizer())
    assert speech_level_dbfs(sounds[0].samples) == pytest.approx(-20, abs=0.5)
    assert speech_level_dbfs(sounds[1].samples) == pytest.approx(-35, abs=0.5)
    assert sounds[0].speech_end_sample == 2000


def test_wav_is_read_beside_the_script_as_it_is(tmp_path: Path) -> None:
    """A recording keeps its level; its path starts at the script's folder."""
    recording = np.concatenate([silence(800), tone(1600), silence(800)])
    write_wav(tmp_path / "a.wav", recording, 8000)
    answer = Wav(wav=Path("a.wav"))
    script = Script(
        name="x", directory=tmp_path, steps=(answer, BargeIn(after_s=1, input=answer), HangUp())
    )
    sounds = render_sounds(script, FakeSynthesizer())
    assert sorted(sounds) == [0, 1]
    assert sounds[1].samples.tolist() == recording.tolist()
    assert sounds[1].speech_end_sample == 2400
    assert sounds[1].text == "a.wav"


def test_keys_need_no_sound() -> None:
    """A script of keys renders nothing."""
    assert render_sounds(Script(name="x", steps=(Keys(keys="1"),)), FakeSynthesizer()) == {}


def test_a_text_without_sound_is_refused() -> None:
    """A say step that would be silence is a mistake in the script, and its text is not repeated."""
    with pytest.raises(AudioError, match="gives no sound"):
        render_sounds(Script(name="x", steps=(Say(say="."),)), FakeSynthesizer())


def test_a_recording_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file that is no audio is an AudioError that names it."""
    (tmp_path / "a.wav").write_text("no audio")
    script = Script(name="x", directory=tmp_path, steps=(Wav(wav=Path("a.wav")),))
    with pytest.raises(AudioError, match=r"a\.wav"):
        render_sounds(script, FakeSynthesizer())


def test_speech_ends_at_the_last_audible_sound() -> None:
    """A soft last sound counts; digital silence after it does not."""
    soft_end = np.concatenate([tone(1600), tone(400, 400.0), silence(1000)])
    assert speech_end(soft_end) == 2000


def test_speech_ends_before_the_noise_of_the_recording() -> None:
    """In a noisy recording only what stands out of the noise is speech."""
    noise = np.random.default_rng(1).normal(0, 300, 8000)
    noisy = noise.astype(np.int16)
    noisy[2000:4000] += tone(2000)
    assert speech_end(noisy) == 4000


@pytest.mark.parametrize("n_samples", [0, 1, 79, 80, 4000])
def test_where_nothing_stands_out_the_end_is_the_end(n_samples: int) -> None:
    """Silence, and recordings shorter than a block, end where they end."""
    assert speech_end(silence(n_samples)) == n_samples
