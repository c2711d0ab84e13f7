"""Whether a new call should come here: what ``/readyz`` and ``ivr_ready`` say.

Theory of operation: a check each for what a call needs, with a reason where something is wrong. A
check that *fails* turns readiness off; one that *warns* does not, since calls go on: while the
database is away records wait in the spool, and one worker of two still answers. What costs
something to find out (a round trip to the database, the state of a disk) is looked at once in
`_FRESH_S` at most, however often a probe asks, and never for longer than `_PATIENCE_S`.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ivr.records.store import RecordsUnavailableError
from ivr.server.context import Context

_FRESH_S: Final = 5.0
_PATIENCE_S: Final = 2.0
_SPOOL_NEARLY_FULL: Final = 0.9

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """How one thing is.

    Attributes:
        name: what was looked at.
        state: ``fail`` takes the server out of service, ``warn`` does not.
        reason: a stable name of what is wrong; ``None`` where nothing is.
        facts: numbers beside it.
    """

    name: str
    state: State
    reason: str | None = None
    facts: tuple[tuple[str, int], ...] = ()

    def document(self) -> dict[str, Any]:
        """As ``/readyz`` shows it."""
        reason = {} if self.reason is None else {"reason": self.reason}
        return {"state": self.state, **reason, **dict(self.facts)}


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe is told.

    Attributes:
        calls: on the line.
        refusal: why no call can be taken at all; ``None`` if one can.
        checks: in the order in which they matter.
        stale_flows: files of flows that are wrong as they stand; an older version is served.
    """

    calls: int
    refusal: str | None
    checks: tuple[Check, ...]
    stale_flows: tuple[str, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why the server is not ready; ``None`` if it is."""
        failed = [check.reason for check in self.checks if check.state == "fail"]
        return self.refusal or next(iter(failed), None)

    def document(self) -> dict[str, Any]:
        """As ``/readyz`` shows it."""
        warned = any(check.state == "warn" for check in self.checks)
        status = "not-ready" if self.reason else "degraded" if warned else "ready"
        reason = {} if self.reason is None else {"reason": self.reason}
        stale = {"flows_not_reloaded": list(self.stale_flows)} if self.stale_flows else {}
        checks = {check.name: check.document() for check in self.checks}
        return {"status": status, **reason, "calls": self.calls, **stale, "checks": checks}


class Readiness:
    """Looks after what a server's calls need.

    Args:
        context: of the server.

    Attributes:
        free_bytes: of the disks, by folder, as last seen.
        last_ready: what the last report said.

    State: what was found last, and when.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings.records
        self._looking: asyncio.Task[tuple[Check, ...]] | None = None
        self._looked_at_s = float("-inf")
        self._found: tuple[Check, ...] = ()
        self.free_bytes: dict[str, int] = {}
        self.last_ready = False

    async def report(self) -> Report:
        """How things are; the costly part at most `_FRESH_S` old."""
        context = self._context
        # What is cheap is looked at anew, and a server that drains says so at once.
        refusal = context.refusal()
        costly = self._found if refusal is not None else await self._costly()
        report = Report(
            calls=len(context.calls),
            refusal=refusal,
            checks=(self._model(), self._workers(), *costly, self._spool(), self._flows()),
            stale_flows=tuple(sorted(context.flows.broken)),
        )
        self.last_ready = report.reason is None
        return report

    async def close(self) -> None:
        """Give up what is being looked at."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _costly(self) -> tuple[Check, ...]:
        now_s = asyncio.get_running_loop().time()
        if self._looking is None or (
            self._looking.done() and now_s - self._looked_at_s >= _FRESH_S
        ):
            self._looked_at_s = now_s
            self._looking = asyncio.create_task(self._look())
        # A probe that gives up must not cancel what others wait for.
        return await asyncio.shield(self._looking)

    async def _look(self) -> tuple[Check, ...]:
        self._found = tuple(await asyncio.gather(self._database(), asyncio.to_thread(self._disk)))
        return self._found

    # -- the checks -------------------------------------------------------------------------------

    def _model(self) -> Check:
        ready = self._context.recognizer.ready
        return Check("model", "ok" if ready else "fail", None if ready else "recognizer_not_ready")

    def _workers(self) -> Check:
        state = self._context.recognizer.state()
        facts = (
            ("alive", state.alive),
            ("configured", state.workers),
            ("waiting", state.waiting),
            ("restarts", state.restarts),
        )
        if state.alive == 0:
            return Check("workers", "fail", "no_worker_alive", facts)
        if state.alive < state.workers:
            return Check("workers", "warn", "workers_missing", facts)
        if state.waiting >= state.queue_limit:
            return Check("workers", "warn", "queue_full", facts)
        return Check("workers", "ok", facts=facts)

    async def _database(self) -> Check:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._context.store.ping()
        except (RecordsUnavailableError, TimeoutError):
            return Check("database", "warn", "database_away")
        return Check("database", "ok")

    def _spool(self) -> Check:
        store = self._context.store
        facts = (("waiting", store.waiting), ("waiting_bytes", store.waiting_bytes))
        if store.waiting_bytes >= _SPOOL_NEARLY_FULL * self._settings.spool_max_bytes:
            return Check("spool", "fail", "spool_nearly_full", facts)
        return Check("spool", "ok", facts=facts)

    def _flows(self) -> Check:
        flows = self._context.flows
        facts = (("served", len(flows.names())), ("wrong", len(flows.broken)))
        if flows.broken:
            return Check("flows", "warn", "flows_not_reloaded", facts)
        return Check("flows", "ok", facts=facts)

    def _disk(self) -> Check:
        """Runs in a thread: a network disk may take its time."""
        least = self._settings.min_free_bytes
        folders = {
            "records": self._settings.path if self._settings.url is None else None,
            "spool": self._settings.spool_folder,
            "audio": self._settings.audio_dir,
        }
        try:
            self.free_bytes = {
                name: shutil.disk_usage(_existing(folder)).free
                for name, folder in folders.items()
                if folder is not None
            }
        except OSError:
            return Check("disk", "fail", "disk_unreadable")
        facts = tuple((f"{name}_free_bytes", free) for name, free in self.free_bytes.items())
        low = any(free < least for free in self.free_bytes.values())
        return Check("disk", "fail" if low else "ok", "disk_nearly_full" if low else None, facts)


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    path = path.absolute()
    return next((folder for folder in (path, *path.parents) if folder.exists()), path)
