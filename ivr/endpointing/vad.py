"""Does this 20 ms frame sound like speech? WebRTC's voice activity detector, one per call.

Theory of operation: webrtcvad fits two small Gaussian mixtures, speech and noise, to the log
energies of six bands between 80 Hz and 4 kHz, adapts both to the line as frames go by, and
thresholds the likelihood ratio. It is quick (a few microseconds a frame) and hears soft fricatives,
but it calls much noise speech, wind, dishes and the first seconds of anything new above all, and
its hangover holds the answer true for some 60 to 100 ms after speech. Hence it is one witness of
three; `ivr.endpointing.endpointer` weighs it with level and pitch.

Source: WebRTC common_audio/vad (vad_core.c, vad_gmm.c), through the webrtcvad-wheels package.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import webrtcvad
from numpy.typing import NDArray

RATE_HZ: Final = 8000
FRAME_SAMPLES: Final = 160  # 20 ms, the frame of telephony; webrtcvad takes 10, 20 or 30 ms
MAX_AGGRESSIVENESS: Final = 3


class Vad:
    """Frame-by-frame speech decision.

    Args:
        aggressiveness: 0 (calls most things speech) to 3 (misses some speech). 2: see the
            experiment in `ivr.endpointing.endpointer`.

    Raises:
        ValueError: aggressiveness is not one of 0, 1, 2, 3.

    State: the adapted mixtures and the hangover, for one stream of frames in order; `reset` starts
    anew.

    Latency: none beyond the frame.
    """

    def __init__(self, aggressiveness: int = 2) -> None:
        if aggressiveness not in range(MAX_AGGRESSIVENESS + 1):
            raise ValueError(f"aggressiveness is 0 to {MAX_AGGRESSIVENESS}, not {aggressiveness}")
        self.aggressiveness = aggressiveness
        self.reset()

    def reset(self) -> None:
        """Forget the line: the next frame is the first of a new call."""
        # webrtcvad has no reset of its own; making an object costs about 1 us.
        self._vad = webrtcvad.Vad(self.aggressiveness)

    def is_speech(self, frame: NDArray[np.int16]) -> bool:
        """Judge the next frame.

        Args:
            frame: [160] int16, 8 kHz, 20 ms; frames come in order, none left out.

        Returns:
            True where the frame sounds like speech.

        Raises:
            ValueError: not int16 or not 160 samples.
        """
        if frame.shape != (FRAME_SAMPLES,) or frame.dtype != np.int16:
            raise ValueError(
                f"a VAD frame is [{FRAME_SAMPLES}] int16, not {list(frame.shape)} {frame.dtype}"
            )
        return bool(self._vad.is_speech(frame.tobytes(), RATE_HZ))
