"""Sealed audio: what goes in comes out, a crash costs the last piece, a change is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ConfigError
from ivr.records.protection import Keyring, UnreadableError
from ivr.records.sealed import SealedWriter, unseal

KEYS = Keyring({"k2": b"2" * 32, "k1": b"1" * 32})
VOICE = bytes(range(200)) * 8


def write(path: Path, keys: Keyring = KEYS, *, close: bool = True) -> None:
    """Audio, a pause of two pieces, audio."""
    writer = SealedWriter(path, keys, "r1", 2)
    writer.audio(VOICE)
    writer.pause(300)
    writer.pause(20)
    writer.audio(VOICE)
    if close:
        writer.close()
    else:
        writer.abandon()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Audio as it was, silence where it paused, and the span."""
    write(tmp_path / "day" / "a.ivra")
    held = unseal(tmp_path / "day" / "a.ivra", KEYS, "r1")
    assert held.audio == VOICE + b"\xff" * 640 + VOICE
    assert held.paused == ((800, 1120),)
    assert held.channels == 2
    assert held.complete


def test_nothing_of_it_is_in_clear(tmp_path: Path) -> None:
    """No stretch of the audio stands in the file, nor the same bytes twice."""
    write(tmp_path / "a.ivra")
    write(tmp_path / "b.ivra")
    first, second = ((tmp_path / name).read_bytes() for name in ("a.ivra", "b.ivra"))
    assert VOICE[:16] not in first
    assert first[40:] != second[40:]
    assert (tmp_path / "a.ivra").stat().st_mode & 0o077 == 0


def test_crash_costs_what_was_not_written(tmp_path: Path) -> None:
    """Cut anywhere behind its header, a file gives its whole pieces and says it is not complete."""
    path = tmp_path / "a.ivra"
    write(path, close=False)
    whole = path.read_bytes()
    assert not unseal(path, KEYS, "r1").complete
    lengths = set()
    for end in range(30, len(whole), 7):
        path.write_bytes(whole[:end])
        held = unseal(path, KEYS, "r1")
        assert (VOICE + b"\xff" * 640 + VOICE).startswith(held.audio)
        assert not held.complete
        lengths.add(len(held.audio))
    assert lengths == {0, 1600, 2200, 2240}


def test_altered_files_are_refused(tmp_path: Path) -> None:
    """A flipped bit, pieces in another order, another recording's name, another key."""
    path = tmp_path / "a.ivra"
    write(path)
    whole = bytearray(path.read_bytes())
    with pytest.raises(UnreadableError, match="does not decrypt"):
        unseal(path, KEYS, "r2")
    with pytest.raises(UnreadableError, match="no key k2"):
        unseal(path, Keyring({"k1": b"1" * 32}), "r1")
    whole[100] ^= 1
    path.write_bytes(whole)
    with pytest.raises(UnreadableError, match="altered"):
        unseal(path, KEYS, "r1")
    whole[100] ^= 1
    whole[-25 - 4 :] = whole[25 : 25 + 29]  # the first piece's beginning in place of the end
    path.write_bytes(whole)
    with pytest.raises(UnreadableError):
        unseal(path, KEYS, "r1")
    path.write_bytes(b"RIFF")
    with pytest.raises(UnreadableError, match="no recording"):
        unseal(path, KEYS, "r1")


def test_older_keys_read_what_they_wrote(tmp_path: Path) -> None:
    """A key is rotated by putting a new one before it."""
    write(tmp_path / "a.ivra", Keyring({"k1": b"1" * 32}))
    assert unseal(tmp_path / "a.ivra", KEYS, "r1").complete


def test_no_key_no_recording(tmp_path: Path) -> None:
    """Nothing is made, least of all a file in clear."""
    with pytest.raises(ConfigError, match=r"records\.keys"):
        SealedWriter(tmp_path / "a.ivra", Keyring(), "r1", 2)
    assert not list(tmp_path.iterdir())
