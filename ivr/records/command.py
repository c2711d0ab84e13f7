"""``ivr records``: list, show, export, audio, purge, migrate, retry, for people and machines."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ivr.config import RecordSettings
from ivr.errors import ConfigError
from ivr.records.duration import parse_age
from ivr.records.protection import Keyring
from ivr.records.query import Reader, masked, revealed
from ivr.records.recordings import NoRecordingError
from ivr.records.rows import Document
from ivr.records.selection import Filter
from ivr.records.store import CallStore
from ivr.records.webhook import utc

_COLUMNS: Final = (
    *("record_id", "call_id", "started_at", "ended_at", "duration_ms", "status", "outcome"),
    *("turns", "variables"),
)
_TABLE: Final = ("started_at", "call_id", "duration_ms", "outcome", "turns", "variables")


def run_list(
    settings: RecordSettings,
    wanted: Filter,
    *,
    reveal: bool = False,
    json_output: bool = False,
    csv_output: bool = False,
) -> int:
    """Print calls, newest first: a table, JSON lines or CSV.

    Args:
        settings: of the database.
        wanted: which calls.
        reveal: values in clear instead of stars; needs the key.
        json_output: whole records, one a line.
        csv_output: the columns of the table and more, with a header.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: the database or the key is not usable.
        RecordsUnavailableError: the database does not answer.
    """
    show = _shower(settings, reveal)

    async def print_all(reader: Reader) -> int:
        writer = csv.DictWriter(sys.stdout, _COLUMNS) if csv_output else None
        table = Table(*_TABLE) if not (csv_output or json_output) else None
        if writer is not None:
            writer.writeheader()
        async for document in reader.select(wanted):
            shown = show(document)
            if json_output:
                print(json.dumps(shown))  # noqa: T201 - what the command is for
            elif writer is not None:
                writer.writerow(_row(shown))
            elif table is not None:
                table.add_row(*(str(_row(shown)[name] or "") for name in _TABLE))
        if table is not None:
            Console().print(table)
        return 0

    return _run(settings, print_all)


def run_show(
    settings: RecordSettings, name: str, *, reveal: bool = False, json_output: bool = False
) -> int:
    """Print the records of a call, by its call_id or record_id.

    Returns:
        The exit status: 0, or 1 where there is none.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_list`.
    """
    show = _shower(settings, reveal)

    async def print_found(reader: Reader) -> int:
        found = await reader.find(name)
        for document in found:
            print(json.dumps(show(document), indent=None if json_output else 2))  # noqa: T201
        if not found:
            print("ivr: no record has this call_id or record_id", file=sys.stderr)  # noqa: T201
        return 0 if found else 1

    return _run(settings, print_found)


def run_audio(settings: RecordSettings, name: str, out: Path) -> int:
    """Write the recording of a call as WAV, in clear.

    Args:
        settings: of the database, the folder of audio and the keys.
        name: call_id, record_id, or recording_id of a message.
        out: the file.

    Returns:
        The exit status: 0, or 1 where there is no recording.

    Raises:
        UnreadableError: its key is not configured, or it was altered.
        ConfigError, RecordsUnavailableError: see `run_list`; or the file cannot be written.
    """

    async def write(reader: Reader) -> int:
        found = await reader.find(name)
        recording_id = found[0]["record_id"] if found else name
        try:
            audio = await reader.recordings.open(recording_id)
        except NoRecordingError as error:
            infos = await reader.recordings.of_call(recording_id)
            why = f" ({infos[0].reason})" if infos and infos[0].reason else ""
            print(f"ivr: {error}{why}", file=sys.stderr)  # noqa: T201
            return 1
        try:
            await asyncio.to_thread(out.write_bytes, audio.wav)
        except OSError as error:
            raise ConfigError(f"--out: {out} cannot be written ({error.strerror})") from error
        paused = ", ".join(f"{a / 1000:.1f} to {b / 1000:.1f} s" for a, b in audio.paused_ms)
        print(f"{out}; paused {paused or 'nowhere'}")  # noqa: T201
        if not audio.complete:
            print("ivr: the recording is not complete", file=sys.stderr)  # noqa: T201
        return 0

    return _run(settings, write)


def run_purge(settings: RecordSettings, older_than: str) -> int:
    """Delete the calls that started longer ago than an age such as ``30d``; returns 0.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_list`.
    """
    before = utc(-parse_age(older_than))
    only = settings.model_copy(update={"keep_days": None})

    async def purge() -> int:
        store = CallStore(only, spooled=False)  # the server's own spool is not touched
        await store.open()
        try:
            return await store.purge(before)
        finally:
            await store.close()

    print(f"{asyncio.run(purge())} calls deleted")  # noqa: T201
    return 0


def run_migrate(settings: RecordSettings) -> int:
    """Bring the schema up to date, as a start of the server does; returns 0.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_list`.
    """

    async def nothing(reader: Reader) -> int:  # noqa: ARG001 - opening it is all
        print("the call records are up to date")  # noqa: T201
        return 0

    return _run(settings, nothing)


def run_retry(settings: RecordSettings) -> int:
    """Make results that were given up due again; returns 0.

    Raises:
        ConfigError, RecordsUnavailableError: see `run_list`.
    """

    async def retry(reader: Reader) -> int:
        print(f"{await reader.retry()} results are due again")  # noqa: T201
        return 0

    return _run(settings, retry)


def _shower(settings: RecordSettings, reveal: bool) -> Callable[[Document], Document]:
    if not reveal:
        return masked
    keyring = Keyring.parse(settings.keys.get_secret_value() if settings.keys else None)
    if not keyring.keys:
        raise ConfigError("--reveal needs the key: set IVR_RECORDS__KEYS as the server has it")
    return lambda document: revealed(document, keyring)


def _row(document: Document) -> dict[str, Any]:
    variables = document.get("variables") or {}
    return {
        **{name: document.get(name) for name in _COLUMNS},
        "turns": len(document.get("turns") or ()),
        "variables": " ".join(f"{name}={value}" for name, value in variables.items()),
    }


def _run(settings: RecordSettings, work: Callable[[Reader], Awaitable[int]]) -> int:
    async def main() -> int:
        reader = Reader(settings)
        try:
            await reader.open()
            return await work(reader)
        finally:
            await reader.close()

    return asyncio.run(main())
