"""Recordings that libsndfile does not know: WebM and Matroska, MP4 and its kin (M4A, 3GP, MOV).

Theory of operation: a file is known by its first bytes, whatever its name says, and FFmpeg is told
its format: left to guess, it would follow playlists, which name other files and hosts. Packets
are decoded one after the other, so that memory does not grow with the file.

PyAV brings FFmpeg. It is the extra `media`, imported when the first such file is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ivr.errors import AudioError

HEAD_BYTES: Final = 12
_EBML: Final = b"\x1a\x45\xdf\xa3"  # RFC 8794, 11.2.1
_FTYP: Final = b"ftyp"  # ISO/IEC 14496-12, 4.3: the type of the first box, behind its size


def media_format(head: bytes) -> str | None:
    """FFmpeg's name for the format of a file that begins like this; None for any other file.

    Args:
        head: its first `HEAD_BYTES` bytes.
    """
    if head.startswith(_EBML):
        return "matroska"
    return "mp4" if head[4:8] == _FTYP else None


@contextmanager
def open_media(
    file: BinaryIO, name: str, file_format: str
) -> Iterator[tuple[int, Iterator[NDArray[np.float32]]]]:
    """The first audio track of a file.

    Args:
        file: open at its beginning; a file object, so that FFmpeg itself opens nothing.
        name: for messages.
        file_format: as `media_format` says.

    Yields:
        Its rate in Hz, and blocks [n] float32 of the mean of its channels, full scale +-1.0.

    Raises:
        AudioError: PyAV is missing, there is no audio track, or it cannot be decoded; also while
            the blocks are read.
    """
    try:
        import av  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise AudioError(
            f"{name}: WebM, MP4 and M4A need PyAV; install it with pip install 'ivr[media]'"
        ) from error

    def blocks() -> Iterator[NDArray[np.float32]]:
        # Whatever the codec writes becomes [channels, n] float32; rate and channels stay.
        planes = av.AudioResampler(format="fltp", layout=track.layout, rate=track.rate)
        for frame in container.decode(track):
            for plane in planes.resample(frame):
                yield plane.to_ndarray().mean(axis=0, dtype=np.float32)

    try:
        with av.open(file, "r", format=file_format) as container:
            if not container.streams.audio:
                raise AudioError(f"{name}: holds no audio track")
            track = container.streams.audio[0]
            yield track.rate, blocks()
    except (av.FFmpegError, ValueError, OSError) as error:
        cause = getattr(error, "strerror", None) or error
        raise AudioError(f"{name}: not a readable recording ({cause}); record it again") from error
