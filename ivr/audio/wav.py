"""Recordings in and out: any file that libsndfile or FFmpeg reads becomes 8 kHz mono int16.

This is the shells' door to the disk (transcribe, evaluate, the simulated caller, prompts that the
user provides); the core never opens a file. Files are read block by block up to a longest duration,
so that neither a huge file nor a header that lies costs more memory than ten minutes of speech.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.audio.media import HEAD_BYTES, media_format, open_media
from ivr.audio.resample import Resampler
from ivr.errors import AudioError

_FULL_SCALE: Final = 32768.0
_WAV_AXES: Final = (1, 2)  # [n] or [n, channels]
_READABLE: Final = (
    "WAV, FLAC, MP3, Ogg, WebM and M4A can be read; another format needs converting first"
)
# Nobody answers a question for so long; a longer file is a whole call or another kind of file.
MAX_MINUTES: Final = 10
# No speech has so few samples a second: a header that says so lies.
_MIN_RATE_HZ: Final = 1000
_BLOCK_SAMPLES: Final = 2**16  # read at once, all channels together


def read_speech(path: str | Path, rate_hz: int = 8000) -> NDArray[np.int16]:
    """Read a recording as mono speech.

    Channels are averaged. 16-bit mono at `rate_hz` comes back bit for bit.

    Args:
        path: WAV, FLAC, MP3, Ogg or anything else that libsndfile knows, and WebM, MP4 and M4A
            where the extra `media` is installed; at any rate.
        rate_hz: the rate wanted.

    Returns:
        [n] int16 at `rate_hz`, n >= 1.

    Raises:
        AudioError: the file is missing, a folder, unreadable, no recording, longer than
            `MAX_MINUTES`, or holds no samples; the message names the file, the cause and the cure.
    """
    path = Path(path)
    if not path.exists():
        raise AudioError(f"{path}: no such file; check the name and the folder it is relative to")
    if not path.is_file():
        raise AudioError(f"{path}: not a file; name one recording")
    try:
        file = path.open("rb")
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}); check rights") from error
    with file:
        # As bytes, for soundfile cannot encode a name that is not UTF-8.
        return _decode(file, os.fsencode(path), str(path), rate_hz)


def decode_speech(data: bytes, name: str, rate_hz: int = 8000) -> NDArray[np.int16]:
    """Decode a recording that is in memory and that a stranger sent, as `read_speech` reads one.

    Args:
        data: the whole file.
        name: for messages.
        rate_hz: the rate wanted.

    Raises:
        AudioError: see `read_speech`; or a sample is no number.
    """
    file = io.BytesIO(data)
    return _decode(file, file, name, rate_hz, strict=True)


def _decode(
    file: BinaryIO,
    source: bytes | BinaryIO,
    name: str,
    rate_hz: int,
    *,
    strict: bool = False,
) -> NDArray[np.int16]:
    """Mono speech of an open file; `source` is what libsndfile is given of it."""
    file_format = media_format(file.read(HEAD_BYTES))
    file.seek(0)
    opened = (
        _open_sound(source, name) if file_format is None else open_media(file, name, file_format)
    )
    parts: list[NDArray[np.float32]] = []
    n = 0
    with opened as (from_hz, blocks):
        if from_hz < _MIN_RATE_HZ:
            raise AudioError(f"{name}: {from_hz} samples a second are no speech; record it again")
        resampler = Resampler(from_hz, rate_hz)
        for block in blocks:
            if strict and not np.isfinite(block).all():
                raise AudioError(f"{name}: holds samples that are no numbers; record it again")
            # float32 holds every 16-bit value exactly, and a NaN of a broken float file becomes
            # silence.
            parts.append(resampler.process(np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)))
            n += parts[-1].shape[0]
            if n > MAX_MINUTES * 60 * rate_hz:
                raise AudioError(
                    f"{name}: longer than {MAX_MINUTES} minutes; cut it into single answers first"
                )
        parts.append(resampler.process(np.zeros(0, np.float32), last=True))
    at_rate = np.concatenate(parts)
    if at_rate.shape[0] == 0:
        raise AudioError(f"{name}: the recording holds no samples; record it again")
    return np.asarray(np.clip(np.rint(at_rate * _FULL_SCALE), -32768, 32767), dtype=np.int16)


@contextmanager
def _open_sound(
    source: bytes | BinaryIO, name: str
) -> Iterator[tuple[int, Iterator[NDArray[np.float32]]]]:
    """A file by libsndfile: its rate, and blocks [n] float32 of the mean of its channels.

    Raises:
        AudioError: no recording, or unreadable; also while the blocks are read.
    """
    try:
        with soundfile.SoundFile(source) as file:
            n = max(1, _BLOCK_SAMPLES // file.channels)
            yield file.samplerate, _blocks(file, n)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        # TypeError is soundfile's answer to a headerless ".raw", whose rate it would have to be
        # told.
        cause = getattr(error, "error_string", error)
        raise AudioError(f"{name}: not a readable recording ({cause}); {_READABLE}") from error


def _blocks(file: soundfile.SoundFile, n: int) -> Iterator[NDArray[np.float32]]:
    while (block := file.read(n, dtype="float32", always_2d=True)).shape[0]:
        yield block.mean(axis=1, dtype=np.float32)


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
