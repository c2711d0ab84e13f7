"""Makes whisper_mel.npz: log-mel features as transformers computes them for Whisper.

    python tests/audio/data/make_whisper_mel.py      (needs the train extras)

The file in the repository is from transformers 5.23.0 with torch 2.13.0, whose STFT it uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import WhisperFeatureExtractor

RATE_HZ = 16_000
SECONDS = 0.5


def reference_signal() -> np.ndarray:
    """[8037] int16, 16 kHz: a voice-like sweep that fades in, hiss, a click, digital silence."""
    n = int(SECONDS * RATE_HZ) + 37  # not a whole number of hops
    time_s = np.arange(n) / RATE_HZ
    pulses = sum(np.sin(2 * np.pi * k * (110 * time_s + 60 * time_s**2)) / k for k in range(1, 40))
    hiss = np.random.default_rng(5).standard_normal(n)
    signal = 0.15 * pulses * time_s / SECONDS + 0.01 * hiss * (time_s > 0.3)
    signal[2000] += 0.7
    signal[-1500:] = 0.0
    return np.rint(signal * 32767).astype(np.int16)


if __name__ == "__main__":
    samples = reference_signal()
    floats = samples.astype(np.float32) / np.float32(32768)
    golden: dict[str, Any] = {"samples": samples}
    for n_mels in (80, 128):
        extractor: Any = WhisperFeatureExtractor(feature_size=n_mels)  # type: ignore[no-untyped-call]
        found = extractor(
            floats, sampling_rate=RATE_HZ, padding="do_not_pad", return_tensors="np", device="cpu"
        )
        golden[f"mel_{n_mels}"] = found.input_features[0].astype(np.float32)
    np.savez_compressed(Path(__file__).with_name("whisper_mel.npz"), **golden)
