"""How well callers were heard, over time; counted in the database: many turns are few rows.

Theory of operation: turns are grouped by hour or day and by what is asked of them; latencies fall
into bins of 20 ms, and the percentiles are read off the bins. A turn counts where an answer was due
and the caller was there for it: who hangs up, or asks for help, was not misheard.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.errors import ConfigError
from ivr.records.database import Database, RecordsUnavailableError
from ivr.records.selection import Viewer, visible
from ivr.records.tables import calls, turns

Unit = Literal["hour", "day"]

_ANSWERS: Final = ("success", "no-match", "no-input-timeout", "too-much-speech-timeout", "error")
_LENGTH: Final[dict[Unit, int]] = {"hour": 13, "day": 10}  # of ISO 8601, up to the unit
_STEP: Final[dict[Unit, datetime.timedelta]] = {
    "hour": datetime.timedelta(hours=1),
    "day": datetime.timedelta(days=1),
}
_BIN_MS: Final = 20
_MAX_BUCKETS: Final = 1000


@dataclass
class _Count:
    calls: int = 0
    turns: int = 0
    successes: int = 0
    again: int = 0
    spoken: int = 0
    confidence: float = 0.0
    latencies: dict[int, int] = field(default_factory=dict)

    def add(self, row: sa.Row[Any]) -> None:
        self.turns += row.number
        if row.cause == "success":
            self.successes += row.number
        if row.again:
            self.again += row.number
        if row.mode in ("speech", "both"):
            self.spoken += row.number
            self.confidence += row.confidence or 0.0
            if row.bin is not None:
                self.latencies[row.bin] = self.latencies.get(row.bin, 0) + row.number

    def document(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "turns": self.turns,
            "understood": _part(self.successes, self.turns),
            "reprompted": _part(self.again, self.turns),
            "confidence": _part(self.confidence, self.spoken),
            "p50_ms": percentile(self.latencies, 0.5),
            "p90_ms": percentile(self.latencies, 0.9),
            "p95_ms": percentile(self.latencies, 0.95),
        }


def percentile(bins: dict[int, int], part: float) -> int | None:
    """The latency that a part of all stay within, in milliseconds; ``None`` without any.

    Args:
        bins: how many there are in each bin of 20 ms.
        part: 0..1.
    """
    left = part * sum(bins.values())
    for number in sorted(bins):
        left -= bins[number]
        if left <= 0:
            return number * _BIN_MS + _BIN_MS // 2
    return None


class Statistics:
    """Counting what is on record.

    Args:
        database: with the records; its owner opens and closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quality(self, since: datetime.datetime, unit: Unit, viewer: Viewer) -> dict[str, Any]:
        """How well callers were heard, over time.

        Args:
            since: of calls that started at this time or later.
            unit: of the time.
            viewer: whose calls count.

        Returns:
            ``buckets``, one an hour or day ``at`` its beginning, and the ``total``, each with the
            number of ``calls`` and ``turns``; the parts of the turns that were ``understood`` and
            ``reprompted``; mean ``confidence``; latencies ``p50_ms``, ``p90_ms``, ``p95_ms``.

        Raises:
            RecordsUnavailableError: the database does not answer.
        """
        try:
            async with self._database.begin() as connection:
                return await _quality(connection, since, unit, viewer)
        except (SQLAlchemyError, OSError, TimeoutError, ConfigError) as error:
            kind = getattr(error, "orig", None) or error
            raise RecordsUnavailableError(
                f"the records cannot be counted: {type(kind).__name__}"
            ) from None


async def _quality(
    connection: AsyncConnection, since: datetime.datetime, unit: Unit, viewer: Viewer
) -> dict[str, Any]:
    seen = (
        visible(viewer)
        .with_only_columns(calls.c.record_id, calls.c.started_at)
        .where(calls.c.started_at >= since.isoformat(timespec="milliseconds"))
        .order_by(None)
        .subquery()
    )
    bucket = sa.func.substr(seen.c.started_at, 1, _LENGTH[unit]).label("bucket")
    begun = sa.select(bucket, sa.func.count().label("number")).group_by(bucket)
    again = (turns.c.attempt > 1).label("again")
    latency = sa.cast(turns.c.latency_ms / _BIN_MS, sa.Integer).label("bin")
    kinds = (bucket, turns.c.cause, turns.c.mode, again, latency)
    answered = (
        sa.select(
            *kinds,
            sa.func.count().label("number"),
            sa.func.sum(turns.c.confidence).label("confidence"),
        )
        .join_from(turns, seen, turns.c.record_id == seen.c.record_id)
        .where(turns.c.cause.in_(_ANSWERS))
        .group_by(*kinds)
    )
    counts: dict[str, _Count] = {}
    total = _Count()
    for row in await connection.execute(begun):
        counts[row.bucket] = _Count(calls=row.number)
        total.calls += row.number
    for row in await connection.execute(answered):
        counts.setdefault(row.bucket, _Count()).add(row)
        total.add(row)
    buckets = [
        {"at": at, **counts.get(at[: _LENGTH[unit]], _Count()).document()}
        for at in _times(counts, unit)
    ]
    return {"unit": unit, "buckets": buckets, "total": total.document()}


def _times(known: Iterable[str], unit: Unit) -> Iterator[str]:
    """Every hour or day from the first with a call to now, without gaps."""
    first = min(known, default=None)
    if first is None:
        return
    rest = "T00:00:00+00:00"[len(first) - 10 :]
    at = datetime.datetime.fromisoformat(first + rest)
    now = datetime.datetime.now(datetime.UTC)
    for _ in range(_MAX_BUCKETS):
        yield at.isoformat()
        at += _STEP[unit]
        if at > now:
            return


def _part(count: float, of: int) -> float | None:
    return round(count / of, 4) if of else None
