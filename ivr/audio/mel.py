"""Log-mel features, the same for training and for serving, for the embedded model and for Whisper.

Theory of operation: 16 kHz samples are cut into 25 ms Hann windows every 10 ms, centred and
reflected at the edges; the power spectrum of each goes through 80 triangular Slaney filters from 0
to 8 kHz; the log is clamped to 80 dB below the loudest cell and scaled to about -1..1. It is
Whisper's front end bit for bit (within float tolerance), in numpy alone, without the padding to 30
s. Telephone speech leaves the filters above 4 kHz at the clamp, which costs little and keeps one
front end for every model.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
N_FFT = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
N_MELS = 80


@lru_cache(maxsize=4)
def mel_filters(n_mels: int = N_MELS) -> NDArray[np.float32]:
    """Slaney-style mel filterbank with area normalisation.

    Returns:
        [n_fft // 2 + 1, n_mels] float32, to be multiplied from the right of a power spectrum.
    Source: Slaney, Auditory Toolbox 1998; equals `librosa.filters.mel(sr=16000, n_fft=400)`.
    """

    def hz_of(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        linear = mel * 200.0 / 3
        log_part = 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0)
        return np.asarray(np.where(mel < 15.0, linear, log_part))

    top_mel = 15.0 + 27.0 * np.log(SAMPLE_RATE_HZ / 2 / 1000.0) / np.log(6.4)
    edges_hz = hz_of(np.linspace(0.0, top_mel, n_mels + 2))
    bins_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, N_FFT // 2 + 1)
    width_hz = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / width_hz[:-1, None]
    falling = ramps[2:] / width_hz[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    triangles *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    return np.ascontiguousarray(triangles.T.astype(np.float32))


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    # The periodic Hann window, as torch.hann_window gives it.
    ramp = np.arange(N_FFT) * (2.0 * np.pi / N_FFT)
    window: NDArray[np.float32] = (0.5 - 0.5 * np.cos(ramp)).astype(np.float32)
    return window


def log_mel(
    samples: NDArray[np.float32], n_mels: int = N_MELS, *, level: bool = False
) -> NDArray[np.float32]:
    """Log-mel features, the same for training and serving.

    Args:
        samples: [n_samples] float32, mono, 16 kHz, full scale +-1.0.
        n_mels: 80; 128 for the large-v3 family.
        level: shift the result so that its loudest cell is 1.0, as if every line had the same gain.
            Whisper's own weights want False.

    Returns:
        [n_mels, n_samples // 160] float32, about -1..1; hop 10 ms.

    Raises:
        ValueError: not 1-D, or shorter than one window (400 samples).

    Source: Radford et al. 2022, sec. 2.2; checked against transformers' WhisperFeatureExtractor in
    tests/audio/test_mel.py.
    """
    if samples.ndim != 1:
        raise ValueError(f"log_mel takes a 1-D array of samples, not {samples.ndim}-D")
    if samples.shape[0] < N_FFT:
        raise ValueError(f"log_mel needs at least {N_FFT} samples, not {samples.shape[0]}")
    padded = np.pad(samples.astype(np.float32, copy=False), N_FFT // 2, mode="reflect")
    n_frames = samples.shape[0] // HOP_SAMPLES
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_SAMPLES][:n_frames]
    spectrum = np.fft.rfft(frames * _window(), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
    mel = power @ mel_filters(n_mels)
    log_spec = np.log10(np.maximum(mel, np.float32(1e-10)))
    log_spec = np.maximum(log_spec, log_spec.max() - np.float32(8.0))
    top = log_spec.max() if level else np.float32(0.0)
    return np.ascontiguousarray(((log_spec - top + np.float32(4.0)) * np.float32(0.25)).T)


def stack_frames(mel: NDArray[np.float32], stack: int) -> NDArray[np.float32]:
    """Puts `stack` neighbouring mel frames into one column, so that the encoder runs less often.

    Args:
        mel: [n_mels, n_frames] float32.
        stack: frames to a column; 1 changes nothing.

    Returns:
        [stack * n_mels, n_frames // stack] float32; a last incomplete column is dropped.
    Source: Sak et al. 2015, low frame rate acoustic models.
    """
    if stack == 1:
        return mel
    n_mels, n_frames = mel.shape
    whole = n_frames // stack
    columns = mel[:, : whole * stack].reshape(n_mels, whole, stack)
    return np.ascontiguousarray(columns.transpose(2, 0, 1).reshape(stack * n_mels, whole))
