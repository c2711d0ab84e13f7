"""What can be seen from this machine alone: flows, model, database, disks, extras."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ivr.asr.loading import open_engine
from ivr.asr.model_files import open_model
from ivr.audio.espeak import Espeak
from ivr.config import Settings
from ivr.errors import AudioError, ConfigError, ModelError
from ivr.flow.saying import fixed_prompts
from ivr.flow.schema import Flow
from ivr.prompts.store import PromptStore
from ivr.records.database import Database, RecordsUnavailableError
from ivr.server.doctor.findings import Finding, fail, ok, warn
from ivr.server.flows import FlowFiles

_MEGABYTE: Final = 1_000_000
_SAMPLE: Final = "four one five five"  # spoken by the prompts' own synthesiser
_GRAMMAR: Final = "builtin:digits?length=4"
_SLOW_MS: Final = 400.0  # an answer of this length takes about 15 ms on a quiet core
# Extra -> the module that it brings, and what it is for.
_EXTRAS: Final = {
    "encryption": ("cryptography", "flows that store values encrypted"),
    "media": ("av", "recordings as webm, mp4 and m4a"),
    "otel": ("opentelemetry.exporter.otlp.proto.http", "telemetry.endpoint"),
    "piper": ("piper", "neural voices for prompts"),
    "postgres": ("asyncpg", "records.url"),
}


def look_at_settings(settings: Settings) -> Iterator[Finding]:
    """What is allowed, but seldom meant."""
    server, cores = settings.server, os.cpu_count() or 1
    open_to_all = server.host not in ("127.0.0.1", "::1", "localhost")
    if settings.twilio.auth_token is None and (server.public_url or open_to_all):
        yield warn(
            "signatures",
            "webhooks are not checked: whoever reaches /voice can start calls",
            "set IVR_TWILIO__AUTH_TOKEN to the account's auth token",
        )
    elif settings.twilio.auth_token is not None:
        yield ok("signatures", "webhooks and media sockets must be signed")
    if settings.recognizer.workers > cores:
        yield warn(
            "workers",
            f"{settings.recognizer.workers} recognisers for {cores} cores: each makes all slower",
            f"set recognizer.workers to {cores} or less",
        )


def look_at_flows(settings: Settings) -> Iterator[Finding]:
    """Read and check every flow, its lists, keys and recordings, as a start would."""
    spoken = 0

    def count(flow: Flow) -> None:
        nonlocal spoken
        spoken += len(fixed_prompts(flow))

    try:
        table = FlowFiles(settings, count).load()
        # One prompt shows that the voice is usable; a start renders the rest.
        prompts = PromptStore.open(settings.prompts.model_copy(update={"cache_dir": None}))
        prompts.warm(list(fixed_prompts(table.default.flow))[:1])
    except (ConfigError, AudioError) as error:
        yield fail("flows", str(error), "mend the file; `ivr flow check FLOW` looks at one alone")
        return
    names = ", ".join(sorted(table.flows))
    yield ok("flows", f"{names} (default {table.default.name}), {spoken} fixed prompts")


def look_at_model(settings: Settings) -> Iterator[Finding]:
    """Compare the files with their digests, then let the model hear a number."""
    folder = settings.recognizer.model_dir
    try:
        folder, description = open_model(folder)
        engine = open_engine(settings.recognizer.model_dir)
        engine.warm_up()
        samples = Espeak().render(_SAMPLE)
        began_s = time.perf_counter()
        heard = engine.recognize(samples, _GRAMMAR)
        took_ms = (time.perf_counter() - began_s) * 1000
    except (ModelError, ConfigError) as error:
        yield fail("model", str(error), "install the package again, or mend recognizer.model_dir")
        return
    said = f"{description.name} in {folder}, digests right, heard a test number in {took_ms:.0f} ms"
    if heard.best.text != _SAMPLE:
        yield warn(
            "model",
            f"{said}, but not all of it",
            "evaluate it on recordings of your own: ivr evaluate",
        )
    elif took_ms > _SLOW_MS:
        yield warn("model", said, "this machine is slow or busy: callers will wait")
    else:
        yield ok("model", said)


async def look_at_database(settings: Settings) -> Iterator[Finding]:
    """Connect and compare the schema; nothing is changed."""
    if settings.records.path is None and settings.records.url is None:
        return iter([warn("database", "records are kept in memory", "set records.path or .url")])
    database = Database(settings.records)
    try:
        schema = await database.schema()
    except RecordsUnavailableError as error:
        return iter([fail("database", f"does not answer: {error}", "start it, or wait for it")])
    except ConfigError as error:
        return iter([fail("database", str(error), "see the message")])
    finally:
        await database.close()
    where = f"{database.name}, schema"
    if schema.current is None:
        found = ok("database", f"{where} not made yet; the start makes {schema.newest}")
    elif schema.current == schema.newest:
        found = ok("database", f"{where} {schema.current}, the newest")
    elif schema.known:
        found = warn(
            "database",
            f"{where} {schema.current}, behind {schema.newest}",
            "the start brings it up to date; `ivr records migrate` does so now",
        )
    else:
        found = fail(
            "database",
            f"{where} {schema.current} is of a newer ivr (this one knows {schema.newest})",
            "start that version",
        )
    return iter([found])


def look_at_disks(settings: Settings) -> Iterator[Finding]:
    """Whether the folders can be written, and have room."""
    records = settings.records
    folders = {
        "records": records.path.parent if records.path and not records.url else None,
        "spool": records.spool_folder,
        "audio": records.audio_dir,
        "prompts": settings.prompts.cache_dir,
    }
    for name, folder in folders.items():
        if folder is None:
            continue
        existing = _existing(folder)
        free = shutil.disk_usage(existing).free
        said = f"{name}: {folder}, {free // _MEGABYTE} MB free"
        if not os.access(existing, os.W_OK):
            yield fail("disk", f"{said}, cannot be written", f"let this user write to {existing}")
        elif free < records.min_free_bytes and name != "prompts":
            yield fail(
                "disk",
                f"{said}, less than records.min_free_bytes",
                "make room, or set records.keep_days so that old calls are deleted",
            )
        else:
            yield ok("disk", said)


def look_at_extras(settings: Settings) -> Iterator[Finding]:
    """Which optional packages are there, and whether one that is configured is missing."""
    wanted = {
        "postgres": settings.records.url is not None,
        "otel": settings.telemetry.endpoint is not None,
    }
    there = {name for name, (module, _) in _EXTRAS.items() if _installed(module)}
    missing = [name for name, needed in wanted.items() if needed and name not in there]
    for name in missing:
        yield fail(
            "extras",
            f"{_EXTRAS[name][1]} is set, and {name} is not installed",
            f"pip install 'ivr[{name}]'",
        )
    if not missing:
        yield ok("extras", f"installed: {', '.join(sorted(there)) or 'none'}")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if folder.exists()), path)
