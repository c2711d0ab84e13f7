"""A recording as a call hears it: on a telephone line, cut into utterances.

Theory of operation: a recording becomes a call's audio: two seconds of line, the recording, three
more; mu-law there and back. The same endpointer as in a live call finds its utterances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.endpointing.endpointer import Endpointer, EndpointSettings, UtteranceEnded

# Samples: 2 s, as long as the shortest prompt. A caller answers a question, so the endpointer has
# always heard the line; with 0.5 s it knows no noise level yet, and 6 of 203 words went unheard.
LINE_BEFORE = 16_000
LINE_AFTER = 24_000  # 3 s, longer than any silence that ends an utterance
# As long as a call lets an incomplete answer pause (incomplete_timeout_s): a number of known length
# is not cut in two between its groups.
END_SILENCE_MS = 2_200
SAMPLES_PER_MS = 8


def on_the_line(recording: NDArray[np.int16]) -> NDArray[np.int16]:
    """A recording [n] int16, 8 kHz, as the server hears it: line around it, through mu-law."""
    before, after = np.zeros(LINE_BEFORE, np.int16), np.zeros(LINE_AFTER, np.int16)
    return mulaw_decode(mulaw_encode(np.concatenate([before, recording, after])))


def utterances(
    line: NDArray[np.int16], end_silence_ms: int = END_SILENCE_MS
) -> list[UtteranceEnded]:
    """The utterances of a call's audio.

    Args:
        line: as `on_the_line` makes it.
        end_silence_ms: silence that ends an utterance.
    """
    endpointer = Endpointer(EndpointSettings(end_silence_ms=end_silence_ms))
    events = endpointer.feed(line) + endpointer.finish()
    return [event for event in events if isinstance(event, UtteranceEnded)]
