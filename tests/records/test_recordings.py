"""Recordings beside the records: rows, reading, retention, deletion with the call."""

from __future__ import annotations

import io
import os
import time
import wave
from pathlib import Path
from typing import Any

import pytest

from ivr.config import RecordSettings
from ivr.records.command import run_audio, run_purge
from ivr.records.database import Database
from ivr.records.protection import Keyring
from ivr.records.recordings import NoRecordingError, Recordings
from ivr.records.sealed import SealedWriter
from ivr.records.store import CallStore
from tests.records.calls import ended, until, with_store

KEY = "k1:" + "azEx" * 10 + "azE="


@pytest.fixture
def audible(lasting: RecordSettings, tmp_path: Path) -> RecordSettings:
    """Settings with a folder of audio and a key."""
    return RecordSettings.model_validate(
        {**lasting.model_dump(exclude_unset=True), "audio_dir": tmp_path / "audio", "keys": KEY}
    )


def recorded(number: int, settings: RecordSettings, **changes: Any) -> dict[str, Any]:
    """A call's record with its recording, which is written as well."""
    assert settings.audio_dir is not None
    assert settings.keys is not None
    file = f"2025-01-01/r{number}.ivra"
    keyring = Keyring.parse(settings.keys.get_secret_value())
    writer = SealedWriter(settings.audio_dir / file, keyring, f"r{number}", 2)
    writer.audio(b"\x80\x00" * 8000)
    writer.pause(4000)
    writer.close()
    recording = {
        "recording_id": f"r{number}",
        "kind": "call",
        "file": file,
        "duration_ms": 1500,
        "state": "complete",
        "reason": None,
    }
    return ended(number, recordings=[recording], **changes)


def files(settings: RecordSettings) -> list[str]:
    """The recordings on the disk."""
    assert settings.audio_dir is not None
    return sorted(path.name for path in settings.audio_dir.rglob("*.ivra"))


async def reading(settings: RecordSettings) -> tuple[Database, Recordings]:
    """What reads the recordings, by a connection of its own."""
    database = Database(settings)
    await database.open()
    return database, Recordings(settings, database)


def test_recording_is_read_by_its_call(audible: RecordSettings) -> None:
    """As WAV, stereo, with the spans in which it was paused; the record lists it."""

    async def scenario(store: CallStore) -> None:
        record = recorded(1, audible)
        await store.put(record)
        assert await store.get("CA1") == record
        database, recordings = await reading(audible)
        (info,) = await recordings.of_call("r1")
        assert (info.kind, info.state, info.duration_ms) == ("call", "complete", 1500)
        audio = await recordings.open("r1")
        assert audio.paused_ms == ((1000, 1500),)
        assert audio.complete
        with wave.open(io.BytesIO(audio.wav)) as file:
            assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 12000)
            frames = file.readframes(12000)
        assert frames[:2] != frames[2:4]  # caller and agent
        assert set(frames[4 * 8000 :]) == {0}
        with pytest.raises(NoRecordingError):
            await recordings.open("r2")
        await database.close()

    with_store(audible, scenario)


def test_audio_goes_with_its_call(audible: RecordSettings) -> None:
    """A purged call leaves no file and no row; the others stay."""

    async def scenario(store: CallStore) -> None:
        await store.put(recorded(1, audible))
        await store.put(recorded(100, audible))
        assert await store.purge("2025-01-01T00:01:00") == 1
        assert files(audible) == ["r100.ivra"]
        database, recordings = await reading(audible)
        assert await recordings.of_call("r1") == []
        assert (await recordings.open("r100")).complete
        await database.close()

    with_store(audible, scenario)


def test_audio_is_kept_for_its_days(audible: RecordSettings) -> None:
    """`keep_audio_days` takes the audio, also that without a row, and leaves the call."""
    brief = audible.model_copy(update={"keep_audio_days": 7})
    recorded(2, audible)
    assert audible.audio_dir is not None
    orphan = audible.audio_dir / "2025-01-01" / "r2.ivra"
    os.utime(orphan, (time.time() - 8 * 86_400,) * 2)

    async def before(store: CallStore) -> None:
        await store.put(recorded(1, audible))

    async def after(store: CallStore) -> None:
        await until(lambda: store.counts["audio_purged"] == 1)
        assert files(audible) == []
        assert not list(audible.audio_dir.iterdir()) if audible.audio_dir else False
        assert (await store.get("CA1")) is not None
        database, recordings = await reading(audible)
        assert await recordings.of_call("r1") == []
        await database.close()

    with_store(audible, before)
    with_store(brief, after)


def test_commands_write_and_purge(
    audible: RecordSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ivr records audio` writes a WAV and says where it paused; purge takes the file too."""

    async def scenario(store: CallStore) -> None:
        await store.put(recorded(1, audible))

    with_store(audible, scenario)
    out = tmp_path / "out.wav"
    assert run_audio(audible, "CA1", out) == 0
    assert out.read_bytes().startswith(b"RIFF")
    assert "paused 1.0 to 1.5 s" in capsys.readouterr().out
    assert run_audio(audible, "CA9", out) == 1
    assert "no recording" in capsys.readouterr().err
    assert run_purge(audible, "1d") == 0
    assert files(audible) == []
    assert run_audio(audible, "CA1", out) == 1
