"""Audio in encrypted files, written as it comes and readable up to the last piece of a crash.

Theory of operation: a file is a header and pieces, each sealed by AES-256-GCM with a key of the
file's own (HKDF of the newest key of ``records.keys`` and 16 random bytes of the header). The nonce
of a piece is its number, and header and name of the recording are authenticated with it: pieces
cannot be altered, left out, put in another order or moved into another file. A piece is audio, or a
span in which nothing was recorded, or the end; a file without an end was cut off.

    header   "IVRA1", channels, length of the key's name, the name, 16 bytes of salt
    piece    length of what follows (4 bytes, big-endian), ciphertext and tag of
             "A" and mu-law samples of 8 kHz, channels interleaved
             "P" and a number of samples (8 bytes, big-endian)
             "E"

Each piece is given to the system at once: a process that is killed loses what it had not been given
to write. The disk is told to keep it at the end only, so that a power cut may cost more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ivr.records.protection import Keyring, UnreadableError, cipher, derive

_MAGIC: Final = b"IVRA1"
_SALT_BYTES: Final = 16
_PURPOSE: Final = b"ivr call audio"
_LONGEST_PIECE: Final = 1 << 20
_SILENCE: Final = b"\xff"  # mu-law zero
RATE_HZ: Final = 8000
SUFFIX: Final = ".ivra"
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What a file holds.

    Attributes:
        channels: 2 is caller left and agent right.
        audio: mu-law of 8 kHz, channels interleaved, silence where nothing was recorded.
        paused: spans in which nothing was recorded, in samples from the beginning.
        complete: it was closed; else it was cut off.
    """

    channels: int
    audio: bytes
    paused: tuple[tuple[int, int], ...]
    complete: bool


class SealedWriter:
    """A file that is being written.

    Args:
        path: must not exist; its folder is made, both for this user only.
        keyring: its newest key is taken.
        recording_id: of the recording, needed to read it.
        channels: 1 or 2.

    Raises:
        ConfigError: there is no key, or no package for encryption.
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path, keyring: Keyring, recording_id: str, channels: int) -> None:
        name, key = keyring.newest()
        salt = os.urandom(_SALT_BYTES)
        head = _MAGIC + bytes([channels, len(name)]) + name.encode() + salt
        self._cipher = cipher(derive(key, _PURPOSE, salt))
        self._bound = head + recording_id.encode()
        self._pieces = 0
        self._whole = 0
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._append(head)

    def audio(self, samples: bytes) -> None:
        """Add audio, mu-law, channels interleaved.

        Raises:
            OSError: the disk is full, or broken; what was written before can be read.
        """
        if samples:
            self._seal(b"A" + samples)

    def pause(self, n_samples: int) -> None:
        """Add a span of which nothing is kept.

        Raises:
            OSError: see `audio`.
        """
        self._seal(b"P" + n_samples.to_bytes(8, "big"))

    def close(self) -> None:
        """End the file.

        Raises:
            OSError: see `audio`.
        """
        try:
            self._seal(b"E")
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Leave the file as it is, cut off behind its last whole piece."""
        self._file.close()

    def _seal(self, plain: bytes) -> None:
        sealed = self._cipher.encrypt(_nonce(self._pieces), plain, self._bound)
        self._pieces += 1
        self._append(len(sealed).to_bytes(4, "big") + sealed)

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) or 0 :]


def unseal(path: Path, keyring: Keyring, recording_id: str) -> Unsealed:
    """Read a file, also one that is still being written.

    Raises:
        UnreadableError: it is none of ours, its key is not configured, or it was altered.
        OSError: it cannot be read.
    """
    audio, paused = bytearray(), []
    complete = False
    with path.open("rb") as file:
        channels, name, head = _read_head(file, recording_id)
        key = keyring.keys.get(name)
        if key is None:
            raise UnreadableError(f"records.keys has no key {name}, which a recording needs")
        opened = cipher(derive(key, _PURPOSE, head[-_SALT_BYTES:]))
        bound = head + recording_id.encode()
        for number, sealed in enumerate(_pieces(file)):
            try:
                plain = opened.decrypt(_nonce(number), sealed, bound)
            except Exception as error:
                raise UnreadableError(
                    f"recording {recording_id} does not decrypt with key {name}: it was altered, "
                    "or the key is another of that name"
                ) from error
            kind, body = plain[:1], plain[1:]
            if kind == b"P":
                start, count = len(audio) // channels, int.from_bytes(body, "big")
                paused.append((start, start + count))
                audio += _SILENCE * (count * channels)
            elif kind == b"A":
                audio += body
            complete = kind == b"E"
    return Unsealed(channels, bytes(audio), tuple(_merged(paused)), complete)


def _read_head(file: BinaryIO, recording_id: str) -> tuple[int, str, bytes]:
    head = file.read(len(_MAGIC) + 2)
    if len(head) == len(_MAGIC) + 2 and head.startswith(_MAGIC) and head[-2] in (1, 2):
        rest = file.read(head[-1] + _SALT_BYTES)
        if len(rest) == head[-1] + _SALT_BYTES:
            return head[-2], rest[:-_SALT_BYTES].decode("ascii", "replace"), head + rest
    raise UnreadableError(f"recording {recording_id}: its file is no recording, or cut off")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The whole pieces; what a crash left of the last one is not looked at."""
    while len(head := file.read(4)) == 4:
        length = int.from_bytes(head, "big")
        if length > _LONGEST_PIECE:
            raise UnreadableError("a recording has a piece that is too long: it was altered")
        sealed = file.read(length)
        if len(sealed) < length:
            return
        yield sealed


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
