"""Recordings as browsers and telephones make them, encoded by the tests themselves."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def encode(
    path: Path, samples: NDArray[np.int16], rate_hz: int, codec: str = "libopus", channels: int = 1
) -> Path:
    """A file of these samples in each channel; its suffix says the container.

    Args:
        path: the file.
        samples: [n] int16 at `rate_hz`; Opus wants 48 kHz.
        rate_hz: their rate.
        codec: FFmpeg's name for it.
        channels: 1 or 2.
    """
    layout = ("mono", "stereo")[channels - 1]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(samples, channels)[None], format="s16", layout=layout
        )
        frame.sample_rate = rate_hz
        codec_format = stream.codec_context.format
        frames = av.AudioResampler(
            codec_format, layout, rate_hz, frame_size=stream.codec_context.frame_size or None
        )
        for piece in frames.resample(frame) + frames.resample(None):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path
