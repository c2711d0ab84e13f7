"""What the endpointer tells: values only.

All positions are integer samples at 8 kHz since the endpointer's `reset()`. `at_sample` is the
moment of the decision, always the end of a frame: stream time, the call's only clock. Events that
carry audio compare by identity; compare their fields instead. `decision` is the event's name in the
call record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak: the moment to stop a prompt.

    Attributes:
        start_sample: where the utterance's samples begin, pre-roll included.
        at_sample: when it was decided; 100 to 200 ms after the sound began.
    """

    decision: ClassVar[str] = "started"
    start_sample: int
    at_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class SpeechPaused:
    """The caller has been silent for a moment: time to recognise provisionally.

    It comes twice in a pause: after `short_pause_ms`, and after `pause_ms`.

    Attributes:
        speech_end_sample: end of the last frame that held speech.
        at_sample: when it was decided.
        samples: [n] int16, the utterance so far, from pre-roll to post-roll. If the caller says no
            more, `UtteranceEnded` brings the very same samples as the second pause, so the
            recognition need not be repeated.
        short: it is the first of the two.
    """

    decision: ClassVar[str] = "paused"
    speech_end_sample: int
    at_sample: int
    samples: NDArray[np.int16]
    short: bool = False


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The caller speaks on after a `SpeechPaused`, in the same utterance.

    Attributes:
        onset_sample: where the speech that leads to it began: the pause ended there.
        at_sample: when it was decided.
    """

    decision: ClassVar[str] = "resumed"
    onset_sample: int
    at_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class UtteranceEnded:
    """The utterance is over.

    Attributes:
        start_sample: where `samples` begins, pre-roll included: ``samples[i]`` is sample
            ``start_sample + i`` of the call.
        speech_end_sample: end of the last frame that held speech; latency counts from here.
        at_sample: when it was decided.
        samples: [n] int16, from pre-roll to post-roll.
        too_long: it was cut off at `max_speech_ms`; the caller may still be speaking.
    """

    decision: ClassVar[str] = "ended"
    start_sample: int
    speech_end_sample: int
    at_sample: int
    samples: NDArray[np.int16]
    too_long: bool


EndpointEvent: TypeAlias = SpeechStarted | SpeechPaused | SpeechResumed | UtteranceEnded
