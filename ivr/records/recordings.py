"""The recordings of calls: which there are, what they hold, and when they go.

Theory of operation: a recording is a sealed file (`ivr.records.sealed`) in ``records.audio_dir``,
in a folder of its day, and a row that comes with the record of its call, by the same way: the
call's document lists it under ``recordings``. What is deleted is the file first and the row after
it, so that no file is left without a row that tells of it; one that is left all the same, by a
database that was lost, goes when it is old.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.audio.g711 import mulaw_decode
from ivr.config import RecordSettings
from ivr.errors import ConfigError, IvrError
from ivr.records.database import Database, RecordsUnavailableError
from ivr.records.protection import Keyring
from ivr.records.sealed import RATE_HZ, SUFFIX, unseal
from ivr.records.tables import recordings

_PURGED_AT_ONCE: Final = 500


class NoRecordingError(IvrError):
    """There is no such recording, or it has been deleted."""


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """One recording, without its audio.

    Attributes:
        recording_id: of the recording; that of a whole call is the call's ``record_id``.
        record_id: of the call.
        kind: ``call``, or ``message`` that a caller left.
        started_at: of the call, ISO 8601 in UTC.
        duration_ms: so far.
        state: ``recording`` (or the server was killed), ``complete``, or ``failed``.
        reason: why it failed, else None.
    """

    recording_id: str
    record_id: str
    kind: str
    started_at: str
    duration_ms: int
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Audio:
    """A recording in clear.

    Attributes:
        wav: 16 bits, 8 kHz; of a call in stereo, caller left and agent right.
        paused_ms: spans from start to end in which nothing was recorded; silence in the WAV.
        complete: it was closed in order; else the server was killed, the disk was full, or the
            call goes on.
    """

    wav: bytes
    paused_ms: tuple[tuple[int, int], ...]
    complete: bool


class Recordings:
    """Reading recordings, for whoever may.

    Args:
        settings: of the records: folder and keys.
        database: with the rows; its owner opens and closes it.
    """

    def __init__(self, settings: RecordSettings, database: Database) -> None:
        self._folder = settings.audio_dir
        self._keyring = Keyring.parse(
            settings.keys.get_secret_value() if settings.keys is not None else None
        )
        self._database = database

    async def of_call(self, name: str) -> list[RecordingInfo]:
        """The recordings of a call, by its record_id, or the recording_id of one of them.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        named = sa.or_(recordings.c.record_id == name, recordings.c.recording_id == name)
        return [_info(row) for row in await self._rows(named)]

    async def open(self, recording_id: str) -> Audio:
        """A recording in clear; that of a whole call has the call's record_id.

        Raises:
            NoRecordingError: there is none, or it was deleted, or nothing was recorded.
            UnreadableError: its key is not configured, or it was altered.
            RecordsUnavailableError: the database does not answer.
        """
        rows = await self._rows(recordings.c.recording_id == recording_id)
        if not rows or rows[0].file is None or self._folder is None:
            raise NoRecordingError(f"there is no recording {recording_id}")
        path = self._folder / rows[0].file
        try:
            return await asyncio.to_thread(read_audio, path, self._keyring, recording_id)
        except FileNotFoundError:
            raise NoRecordingError(
                f"recording {recording_id}: {path} is not there: deleted, or on another machine"
            ) from None

    async def _rows(self, where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
        query = recordings.select().where(where).order_by(recordings.c.recording_id)
        try:
            async with self._database.begin() as connection:
                return list((await connection.execute(query)).all())
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            kind = getattr(error, "orig", None) or error
            raise RecordsUnavailableError(
                f"the recordings cannot be looked up: {type(kind).__name__}"
            ) from None


def read_audio(path: Path, keyring: Keyring, recording_id: str) -> Audio:
    """A recording's file in clear.

    Raises:
        UnreadableError: see `Recordings.open`.
        OSError: it cannot be read.
    """
    held = unseal(path, keyring, recording_id)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(held.channels)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(mulaw_decode(held.audio).astype("<i2").tobytes())
    spans = tuple((_ms(start), _ms(end)) for start, end in held.paused)
    return Audio(out.getvalue(), spans, held.complete)


def recording_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a call's recordings."""
    return [
        {
            "recording_id": recording["recording_id"],
            "record_id": document["record_id"],
            "kind": recording["kind"],
            "started_at": document["started_at"],
            "file": recording["file"],
            "duration_ms": recording["duration_ms"],
            "state": recording["state"],
            "reason": recording["reason"],
        }
        for recording in document.get("recordings") or ()
    ]


async def files_of(connection: AsyncConnection, record_ids: Iterable[str]) -> list[str]:
    """The files of some calls, relative to the folder of audio."""
    found = sa.select(recordings.c.file).where(
        recordings.c.record_id.in_(list(record_ids)), recordings.c.file.is_not(None)
    )
    return list((await connection.execute(found)).scalars())


async def old_recordings(connection: AsyncConnection, before: str) -> list[tuple[str, str | None]]:
    """Some recordings of calls that started before a time: ids and files."""
    query = (
        sa.select(recordings.c.recording_id, recordings.c.file)
        .where(recordings.c.started_at < before)
        .limit(_PURGED_AT_ONCE)
    )
    return [(row.recording_id, row.file) for row in (await connection.execute(query)).all()]


async def forget(connection: AsyncConnection, recording_ids: list[str]) -> None:
    """Delete rows."""
    gone = recordings.c.recording_id.in_(recording_ids)
    await connection.execute(recordings.delete().where(gone))


def delete_files(folder: Path | None, files: Iterable[str]) -> None:
    """Delete recordings; what is not there is gone already.

    Raises:
        OSError: one cannot be deleted.
    """
    if folder is None:
        return
    for file in files:
        (folder / file).unlink(missing_ok=True)


def delete_old_files(folder: Path | None, before_s: float) -> int:
    """Delete recordings not written to since a time, seconds since 1970, and empty days.

    Returns:
        How many.
    """
    if folder is None or not folder.is_dir():
        return 0
    count = 0
    for path in folder.glob(f"*/*{SUFFIX}"):
        if path.stat().st_mtime < before_s:
            path.unlink(missing_ok=True)
            count += 1
    for day in folder.iterdir():
        if day.is_dir() and not any(day.iterdir()):
            day.rmdir()
    return count


def _info(row: sa.Row[Any]) -> RecordingInfo:
    return RecordingInfo(
        row.recording_id,
        row.record_id,
        row.kind,
        row.started_at,
        row.duration_ms,
        row.state,
        row.reason,
    )


def _ms(samples: int) -> int:
    return samples * 1000 // RATE_HZ
