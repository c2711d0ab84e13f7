"""The VAD wrapper: speech yes, silence no, own state per object, wrong frames refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ivr.endpointing.vad import FRAME_SAMPLES, Vad
from tests.endpointing import speech


def decisions(vad: Vad, samples: NDArray[np.int16]) -> list[bool]:
    """The VAD's answer for each whole frame."""
    whole = samples.shape[0] // FRAME_SAMPLES
    return [vad.is_speech(frame) for frame in samples[: whole * FRAME_SAMPLES].reshape(whole, -1)]


def test_a_vowel_is_speech_and_silence_is_not() -> None:
    """Most frames of a vowel are speech; the line before it is not, once the VAD knows it."""
    heard = decisions(Vad(), speech.line(speech.silence(1000), speech.vowel(400)))
    assert not any(heard[10:50])  # a new VAD calls the first few frames of any line speech
    assert sum(heard[50:]) >= 18


@pytest.mark.parametrize("aggressiveness", [0, 1, 2, 3])
def test_all_degrees_hear_a_vowel(aggressiveness: int) -> None:
    """Each aggressiveness hears clear speech."""
    samples = speech.line(speech.silence(500), speech.vowel(300))
    assert any(decisions(Vad(aggressiveness), samples))


def test_reset_is_a_new_call() -> None:
    """After a reset the decisions are those of a new object, whatever came before."""
    samples = speech.line(speech.silence(200), speech.digit(), speech.silence(200))
    vad = Vad()
    first = decisions(vad, samples)
    decisions(vad, speech.line(speech.noise(2000, -20.0)))
    vad.reset()
    assert decisions(vad, samples) == first


def test_two_calls_share_nothing() -> None:
    """Frames of another call in between change nothing."""
    samples = speech.line(speech.silence(200), speech.digit(), speech.silence(200))
    alone = decisions(Vad(), samples)
    one, other = Vad(), Vad()
    loud = speech.line(speech.noise(2000, -15.0)).reshape(-1, FRAME_SAMPLES)
    interleaved = []
    for frame, noise in zip(samples.reshape(-1, FRAME_SAMPLES), loud, strict=False):
        other.is_speech(noise)
        interleaved.append(one.is_speech(frame))
    assert interleaved == alone


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(159, np.int16), np.zeros((1, 160), np.int16), np.zeros(160, np.float32)],
    ids=["short", "2-D", "float"],
)
def test_a_wrong_frame_is_refused(wrong: NDArray) -> None:
    """A frame is 160 int16 samples; anything else is a bug in the caller."""
    with pytest.raises(ValueError, match="VAD frame"):
        Vad().is_speech(wrong)


@pytest.mark.parametrize("aggressiveness", [-1, 4])
def test_aggressiveness_is_0_to_3(aggressiveness: int) -> None:
    """Another aggressiveness is refused by number."""
    with pytest.raises(ValueError, match="0 to 3"):
        Vad(aggressiveness)
