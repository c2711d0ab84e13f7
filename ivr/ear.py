"""The caller's line: audio in; whole frames, keys and what the endpointer tells out.

Theory of operation: audio comes in whatever pieces the provider cut it into, and is heard frame by
frame. On a trunk that sends no key events the keys are taken from the audio first, so that a tone
is no speech; the voice then comes 40 ms later. A key may end the utterance, so the caller of these
methods takes a frame's keys before he lets its voice be heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.dtmf import KeyFilter
from ivr.endpointing.endpointer import Endpointer, EndpointEvent, EndpointSettings

FRAME_SAMPLES: Final = 160  # 20 ms at 8 kHz
FRAME_MS: Final = 20

Samples = NDArray[np.int16]


class Ear:
    """Hears one caller.

    Args:
        settings: of the endpointer.
        inband_dtmf: hear keys in the audio.

    State: the partial frame, and what the key filter and the endpointer know of the line; one call
    keeps one ear, so that the line's noise is known from the first question to the last.
    """

    def __init__(self, settings: EndpointSettings, *, inband_dtmf: bool) -> None:
        self._endpointer = Endpointer(settings)
        self._tones = KeyFilter() if inband_dtmf else None
        self._rest: Samples = np.zeros(0, np.int16)

    def frames(self, samples: Samples) -> Iterator[Samples]:
        """The whole frames of samples [n] int16, 8 kHz; what is left waits for the next."""
        self._rest = np.concatenate([self._rest, samples]) if self._rest.size else samples
        while self._rest.size >= FRAME_SAMPLES:
            frame, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            yield frame

    def keys(self, frame: Samples) -> tuple[list[str], Samples | None]:
        """The keys in a frame, and the voice to listen to; None while the key filter fills."""
        return self._tones.feed(frame) if self._tones else ([], frame)

    def listen(self, voice: Samples) -> list[EndpointEvent]:
        """What the endpointer tells; it hears every frame and learns the line's noise meanwhile."""
        return self._endpointer.feed(voice)

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is in progress, pauses included."""
        return self._endpointer.in_speech

    @property
    def start_sample(self) -> int:
        """Where the samples of the utterance begin that is in progress, or was the last."""
        return self._endpointer.start_sample

    def so_far(self) -> Samples:
        """The utterance in progress, from its pre-roll to now."""
        return self._endpointer.so_far()

    def close(self) -> list[EndpointEvent]:
        """Ends the utterance in progress, if any; what was learnt of the line's noise stays."""
        return self._endpointer.finish()

    def allow_pause(self, pause_s: float) -> None:
        """Lets the caller pause for so long, from the next frame on."""
        self._endpointer.set_end_silence_ms(whole_ms(pause_s))

    def allow_more(self, pause_s: float) -> None:
        """Lets the pause that has begun go on for so long."""
        so_far_ms = self._endpointer.silence_ms
        self._endpointer.set_end_silence_ms(so_far_ms + whole_ms(pause_s))

    def allow_speech(self, speech_s: float) -> None:
        """Lets the caller speak for so long, from the next frame on."""
        self._endpointer.set_max_speech_ms(whole_ms(speech_s))


def whole_ms(seconds: float) -> int:
    """Milliseconds for the endpointer, which counts in frames: 0 s means with the next one."""
    return max(FRAME_MS, int(seconds * 1000))
