"""The caller's voice: what the `say` and `wav` steps of a script sound like.

Theory of operation: everything is rendered before the call is placed, so that nothing but the
clock decides when a frame leaves. For each sound the end of the speech in it is measured,
because the delay that a caller feels begins with the last sound of the last word, not with the
end of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.audio.level import level_speech
from ivr.audio.wav import read_speech
from ivr.errors import AudioError, ConfigError
from ivr.simulate.noise import BABBLE, noise_of, through_line
from ivr.simulate.script import BargeIn, CallerVoice, NoiseKind, Say, Script, Wav

RATE_HZ: Final = 8000
BLOCK_SAMPLES: Final = 80  # 10 ms
SPEECH_BELOW_PEAK_DB: Final = 35.0
"""Speech reaches down to this much below its loudest 10 ms: the closing "s" of "six" is about 25 dB
below the vowel, and a quiet room about 40 dB."""
SPEECH_ABOVE_FLOOR_DB: Final = 6.0  # in a noisy recording speech is what stands out of the noise


class Synthesizer(Protocol):
    """What speaks: `ivr.audio.espeak.Espeak`, or a stand-in in tests."""

    def render(
        self, text: str, voice: str = ..., *, rate_wpm: int = ..., pitch: int = ...
    ) -> NDArray[np.int16]:
        """Speak a text; [n] int16 at 8 kHz."""
        ...


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that the caller says.

    Attributes:
        samples: [n] int16, 8 kHz.
        speech_end_sample: position after the last spoken sample, to 10 ms.
        text: what is said, or the recording's file name. Personal.
    """

    samples: NDArray[np.int16]
    speech_end_sample: int
    text: str


class Sounds(dict[int, Sound]):
    """The sounds of a script by step index.

    Attributes:
        talk: what people behind the caller say, [n] int16 each; empty where they say nothing.
    """

    talk: tuple[NDArray[np.int16], ...] = ()


def render_sounds(script: Script, synthesizer: Synthesizer) -> Sounds:
    """Render every `say` and `wav` step of a script, and the talk behind the caller.

    Args:
        script: the script.
        synthesizer: speaks the `say` steps.

    Returns:
        The sounds.

    Raises:
        AudioError: a recording cannot be read, or a text gives no sound.
        ConfigError: there is no such voice.
        ModelError: the synthesizer is missing.
    """
    sounds = Sounds()
    noise = noise_of(script.caller)
    if noise is not None and noise.kind is NoiseKind.BABBLE:
        sounds.talk = tuple(synthesizer.render(text, voice=voice) for voice, text in BABBLE)
    for index, step in enumerate(script.steps):
        answer = step.input if isinstance(step, BargeIn) else step
        if isinstance(answer, Say):
            try:
                samples, text = _speak(answer, script.caller, synthesizer), answer.say
            except ConfigError as error:
                raise ConfigError(f"{script.name}: step {index + 1} (say): {error}") from error
        elif isinstance(answer, Wav):
            samples, text = read_speech(script.directory / answer.wav), answer.wav.name
        else:
            continue
        if answer.for_s is not None:
            samples = samples[: round(answer.for_s * RATE_HZ)]
        samples = through_line(samples, script.line)
        sounds[index] = Sound(samples, speech_end(samples), text)
    return sounds


def speech_end(samples: NDArray[np.int16]) -> int:
    """Where the speech in a recording ends.

    Args:
        samples: [n] int16, 8 kHz.

    Returns:
        Position after the last 10 ms that are louder than 35 dB below the loudest and than 6 dB
        above the recording's floor (its quietest tenth); n where nothing stands out.
    """
    n_blocks = samples.size // BLOCK_SAMPLES
    if n_blocks == 0:
        return samples.size
    blocks = samples[: n_blocks * BLOCK_SAMPLES].reshape(n_blocks, BLOCK_SAMPLES)
    power = np.mean(np.square(blocks.astype(np.float64)), axis=1)
    threshold = max(
        float(power.max()) * 10 ** (-SPEECH_BELOW_PEAK_DB / 10),
        float(np.quantile(power, 0.1)) * 10 ** (SPEECH_ABOVE_FLOOR_DB / 10),
    )
    loud = np.flatnonzero(power > threshold)
    return (int(loud[-1]) + 1) * BLOCK_SAMPLES if loud.size else samples.size


def _speak(step: Say, caller: CallerVoice, synthesizer: Synthesizer) -> NDArray[np.int16]:
    """A `say` step as [n] int16 at 8 kHz, levelled."""
    samples = synthesizer.render(
        step.say,
        voice=step.voice or caller.voice,
        rate_wpm=step.rate_wpm or caller.rate_wpm,
        pitch=caller.pitch if step.pitch is None else step.pitch,
    )
    if not np.any(samples):
        raise AudioError("a say step gives no sound; give it words to speak")
    return level_speech(samples, caller.level_dbfs if step.level_dbfs is None else step.level_dbfs)
