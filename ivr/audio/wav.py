"""Recordings in and out: any file that libsndfile reads becomes 8 kHz mono int16.

This is the shells' door to the disk (transcribe, evaluate, the simulated caller, prompts that the
user provides); the core never opens a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.audio.resample import resample
from ivr.errors import AudioError

_FULL_SCALE: Final = 32768.0
_WAV_AXES: Final = (1, 2)  # [n] or [n, channels]
_READABLE: Final = "WAV, FLAC, MP3 and Ogg can be read; another format needs converting first"


def read_speech(path: str | Path, rate_hz: int = 8000) -> NDArray[np.int16]:
    """Read a recording as mono speech.

    Channels are averaged. 16-bit mono at `rate_hz` comes back bit for bit.

    Args:
        path: WAV, FLAC, MP3, Ogg or anything else that libsndfile knows, at any rate.
        rate_hz: the rate wanted.

    Returns:
        [n] int16 at `rate_hz`, n >= 1.

    Raises:
        AudioError: the file is missing, a folder, unreadable, no recording, or holds no samples;
            the message names the file, the cause and the cure.
    """
    path = Path(path)
    if not path.exists():
        raise AudioError(f"{path}: no such file; check the name and the folder it is relative to")
    if not path.is_file():
        raise AudioError(f"{path}: not a file; name one recording")
    try:
        samples, from_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        # TypeError is soundfile's answer to a headerless ".raw", whose rate it would have to be
        # told.
        raise AudioError(f"{path}: not a readable recording ({error}); {_READABLE}") from error
    if samples.shape[0] == 0:
        raise AudioError(f"{path}: the recording holds no samples; record it again")
    # float32 holds every 16-bit value exactly, and a NaN of a broken float file becomes silence.
    mono = np.nan_to_num(samples.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
    at_rate = resample(mono, from_hz, rate_hz)
    return np.clip(np.rint(at_rate * _FULL_SCALE), -32768, 32767).astype(np.int16)


def write_wav(path: str | Path, samples: NDArray[np.int16], rate_hz: int) -> None:
    """Write a 16-bit WAV, over a file of that name if there is one.

    Args:
        path: the file; its folder must exist. The format is WAV whatever the suffix says.
        samples: [n] or [n, channels] int16.
        rate_hz: their rate.

    Raises:
        ValueError: not int16, or neither one- nor two-dimensional.
        AudioError: the file cannot be written; the message names it and the cause.
    """
    if samples.dtype != np.int16 or samples.ndim not in _WAV_AXES:
        raise ValueError(
            f"a WAV takes [n] or [n, channels] int16, not {samples.ndim}-D {samples.dtype}"
        )
    path = Path(path)
    if not path.parent.is_dir():
        raise AudioError(f"{path}: its folder does not exist; create {path.parent} first")
    try:
        soundfile.write(path, samples, rate_hz, subtype="PCM_16", format="WAV")
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{path}: cannot be written ({error}); check space and rights") from error
