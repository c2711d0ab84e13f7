"""The telephone between the speaker's mouth and the recogniser, as random augmentation.

Theory of operation: a clean 8 kHz utterance passes, in the order of a real call, through tempo,
room and handset (one frequency response), noise and babble, level, clipping, the codec and packet
loss. Every draw comes from the one `numpy` generator that is handed in, so a seed repeats an
utterance exactly. Linear effects share one FFT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from ivr.audio.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode

Samples = NDArray[np.float32]
RATE_HZ = 8_000
LONE_TALKER_GAIN = 0.56


@dataclass(frozen=True)
class ChannelSettings:
    """How often and how strongly each effect applies; the probabilities are per utterance.

    Source: docs/explanation/training.md.
    """

    room_probability: float = 0.4
    band_probability: float = 0.7
    noise_probability: float = 0.8
    snr_db_range: tuple[float, float] = (0.0, 30.0)
    level_dbfs_range: tuple[float, float] = (-38.0, -10.0)
    clip_probability: float = 0.05
    alaw_probability: float = 0.2
    gsm_like_probability: float = 0.1
    loss_probability: float = 0.08

    def eased(self, hardness: float) -> ChannelSettings:
        """The same line with its noise, rooms, clipping and losses rarer; 1.0 changes nothing."""
        return replace(
            self,
            room_probability=self.room_probability * hardness,
            band_probability=self.band_probability * (0.3 + 0.7 * hardness),
            noise_probability=self.noise_probability * hardness,
            clip_probability=self.clip_probability * hardness,
            gsm_like_probability=self.gsm_like_probability * hardness,
            loss_probability=self.loss_probability * hardness,
        )


def rms(samples: Samples) -> float:
    """Root mean square of samples, never zero."""
    return float(np.sqrt(np.mean(np.square(samples)) + 1e-12))


def change_speed(samples: Samples, factor: float) -> Samples:
    """Plays faster (factor > 1) or slower; pitch moves with it, as between speakers."""
    out = soxr.resample(samples, RATE_HZ * factor, RATE_HZ, quality="LQ")
    return np.asarray(out, dtype=np.float32)


def _response(rng: np.random.Generator, n_bins: int, settings: ChannelSettings) -> Samples:
    """A random line and handset: band edges, spectral tilt, one or two resonances.

    Returns:
        [n_bins] float32 gains from 0 to 4 kHz.
    """
    freqs = np.linspace(1.0, RATE_HZ / 2, n_bins, dtype=np.float32)
    gain_db = np.zeros(n_bins, np.float32)
    if rng.random() < settings.band_probability:
        low_hz, high_hz = rng.uniform(80, 450), rng.uniform(2600, 3950)
        order = rng.integers(2, 6)
        gain_db -= 10 * np.log10(1 + (low_hz / freqs) ** (2 * order))
        gain_db -= 10 * np.log10(1 + (freqs / high_hz) ** (2 * order))
    gain_db += rng.uniform(-4, 4) * np.log2(freqs / 1000.0)
    for _ in range(rng.integers(0, 3)):
        centre, width = rng.uniform(300, 3400), rng.uniform(150, 900)
        gain_db += rng.uniform(-9, 9) * np.exp(-(((freqs - centre) / width) ** 2))
    return np.asarray(10 ** (np.clip(gain_db, -80, 20) / 20), dtype=np.float32)


def _room(rng: np.random.Generator) -> Samples:
    """A small-room impulse response: direct sound, a few early reflections, a decaying tail."""
    t60_s = rng.uniform(0.08, 0.6)
    n = int(t60_s * RATE_HZ)
    tail = rng.standard_normal(n).astype(np.float32)
    tail *= 10 ** (-3.0 * np.arange(n, dtype=np.float32) / n)
    tail *= rng.uniform(0.02, 0.2) / max(rms(tail) * np.sqrt(n), 1e-6) * 3
    tail[0] = 1.0
    for _ in range(rng.integers(1, 5)):
        tail[rng.integers(4, min(n, 240))] += rng.uniform(-0.4, 0.4)
    return tail


def colour(rng: np.random.Generator, samples: Samples, settings: ChannelSettings) -> Samples:
    """Room and handset in one multiplication in the frequency domain; same length."""
    n = samples.shape[0]
    n_fft = fft.next_fast_len(n + 4800, real=True)
    spectrum = fft.rfft(samples, n_fft)
    spectrum *= _response(rng, spectrum.shape[0], settings)
    if rng.random() < settings.room_probability:
        spectrum *= fft.rfft(_room(rng), n_fft)
    return np.asarray(fft.irfft(spectrum, n_fft)[:n], dtype=np.float32)


@lru_cache(maxsize=1)
def _noise_bank() -> list[Samples]:
    """Minutes of noise between white and brown, made once: drawing it anew is half the cost."""
    rng = np.random.default_rng(0)
    n = 45 * RATE_HZ
    freqs = np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 20.0)
    bank = []
    for slope in np.linspace(0.0, 1.0, 9):
        white = np.fft.rfft(rng.standard_normal(n))
        noise = np.fft.irfft(white * freqs**-slope, n).astype(np.float32)
        bank.append(noise / rms(noise))
    return bank


def coloured_noise(rng: np.random.Generator, n: int) -> Samples:
    """Unit-RMS noise between white and brown, sometimes with mains hum."""
    bank = _noise_bank()
    noise = fit(rng, bank[int(rng.integers(len(bank)))], n)
    if rng.random() < 0.15:
        hum_hz = rng.choice([50.0, 60.0]) * rng.integers(1, 4)
        time_s = np.arange(n, dtype=np.float32) / np.float32(RATE_HZ)
        hum = np.sin(np.float32(2 * np.pi * hum_hz) * time_s)
        noise = noise + np.float32(rng.uniform(0.3, 2)) * hum
    return np.asarray(noise, dtype=np.float32)


def fit(rng: np.random.Generator, samples: Samples, n: int) -> Samples:
    """A random stretch of n samples, repeated where the source is shorter."""
    if samples.shape[0] < n:
        samples = np.tile(samples, n // samples.shape[0] + 1)
    start = int(rng.integers(0, samples.shape[0] - n + 1))
    return samples[start : start + n]


def background(
    rng: np.random.Generator, n: int, noises: list[Samples], babble: list[Samples]
) -> Samples:
    """Unit-RMS background: recorded noise, babble of 1 to 6 voices, or coloured noise.

    A lone talker, the hardest of them, is every third babble and 5 dB softer.
    """
    kind = rng.random()
    if kind < 0.35 and noises:
        noise = fit(rng, noises[rng.integers(len(noises))], n).copy()
    elif kind < 0.7 and babble:
        noise = np.zeros(n, np.float32)
        voices = max(1, int(rng.integers(-1, 7)))
        for _ in range(voices):
            voice = fit(rng, babble[rng.integers(len(babble))], n)
            noise += voice * np.float32(rng.uniform(0.3, 1.0) / rms(voice))
        if voices == 1:  # as loud as the caller it would be another caller
            return np.asarray(noise * np.float32(LONE_TALKER_GAIN / rms(noise)), dtype=np.float32)
    else:
        noise = coloured_noise(rng, n)
    return np.asarray(noise / rms(noise), dtype=np.float32)


def _lose_packets(rng: np.random.Generator, samples: Samples) -> Samples:
    """Drops 20 ms packets in short bursts; a lost one is silence or a fading repeat of the last."""
    samples = samples.copy()
    conceal = rng.random() < 0.5
    for start in range(160, samples.shape[0] - 160, 160):
        if rng.random() < 0.03:
            lost = samples[start - 160 : start] * 0.5 if conceal else 0.0
            samples[start : start + 160] = lost
    return samples


def _codec(rng: np.random.Generator, samples: Samples, settings: ChannelSettings) -> Samples:
    if rng.random() < settings.gsm_like_probability:
        # A low-rate codec ahead of G.711 (mobile callers): coarse spectrum noise under the signal.
        noise = coloured_noise(rng, samples.shape[0])
        envelope = np.convolve(np.abs(samples), np.ones(160, np.float32) / 160, mode="same")
        samples = samples + noise / rms(noise) * envelope * rng.uniform(0.05, 0.25)
    pcm = (np.clip(samples, -1.0, 32767 / 32768) * 32768).astype(np.int16)
    if rng.random() < settings.alaw_probability:
        pcm = alaw_decode(alaw_encode(pcm))
    return mulaw_decode(mulaw_encode(pcm)).astype(np.float32) / np.float32(32768)


def telephone(  # noqa: PLR0917 - the order is that of the path: who speaks, where, into what
    rng: np.random.Generator,
    clean: Samples,
    lead: int,
    total: int,
    noises: list[Samples],
    babble: list[Samples],
    settings: ChannelSettings,
) -> Samples:
    """One utterance as the server would receive it.

    Args:
        rng: the source of every random draw.
        clean: [n] float32 speech, 8 kHz.
        lead: samples of line before the speech; the rest of `total` follows it.
        total: samples of the result, at least lead + n.
        noises: recordings of noise, 8 kHz.
        babble: recordings of talk, 8 kHz.
        settings: how much of everything.

    Returns:
        [total] float32, 8 kHz, full scale +-1, after G.711.
    """
    line = np.zeros(total, np.float32)
    line[lead : lead + clean.shape[0]] = clean
    line = colour(rng, line, settings)
    speech_rms = rms(line[lead : lead + clean.shape[0]]) if clean.shape[0] else 0.03
    # A faint floor always: no line is digitally silent, and some recordings are.
    line += coloured_noise(rng, total) * (speech_rms * 10 ** rng.uniform(-3.5, -2.2))
    if rng.random() < settings.noise_probability:
        snr_db = rng.uniform(*settings.snr_db_range)
        noise = background(rng, total, noises, babble)
        line += noise * (speech_rms * 10 ** (-snr_db / 20))
    level = 10 ** (rng.uniform(*settings.level_dbfs_range) / 20)
    line *= level / max(speech_rms, 1e-6)
    peak = float(np.abs(line).max())
    ceiling = rng.uniform(0.3, 0.9) * peak if rng.random() < settings.clip_probability else 1.0
    line = np.clip(line, -ceiling, ceiling)
    if rng.random() < settings.loss_probability:
        line = _lose_packets(rng, line)
    return _codec(rng, line, settings)
