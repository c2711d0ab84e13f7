"""Counting the records: what is understood, asked again, how fast, for whom, in either database."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

from ivr.config import RecordSettings
from ivr.records.selection import Viewer
from ivr.records.statistics import Statistics, percentile
from ivr.records.store import CallStore
from tests.records.calls import opened, record

LONG_AGO = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ALL = Viewer()


def turn(cause: str, **changes: Any) -> dict[str, Any]:
    """A turn as far as it is counted."""
    collected = {
        "cause": cause,
        "mode": "speech",
        "value": "1",
        "confidence": 0.9,
        "latency_ms": 200.0,
        "attempt": 1,
    }
    return {"step": "ask", "sensitive": False, "collected": {**collected, **changes}}


def call(number: int, started_at: str, turns: list[dict[str, Any]], **changes: Any) -> Any:
    """A call that started then."""
    return record(number, started_at=started_at, turns=turns, status="ended", **changes)


async def count(store: CallStore, unit: Any = "hour", viewer: Viewer = ALL) -> dict[str, Any]:
    """What is counted since long ago."""
    return await Statistics(store.database).quality(LONG_AGO, unit, viewer)


def test_turns_are_counted_by_hour(settings: RecordSettings) -> None:
    """Understood, asked again, latency and confidence, of each hour and of all."""

    async def scenario() -> None:
        async with opened(settings) as store:
            first = [
                turn("no-match", confidence=0.3, latency_ms=900.0),
                turn("success", attempt=2),
                turn("success", mode="dtmf", confidence=1.0, latency_ms=0.0),
                turn("hangup", mode=None, latency_ms=None),
                turn("help"),
            ]
            await store.put(call(1, "2026-11-25T09:10:00.000+00:00", first))
            await store.put(call(2, "2026-11-25T09:50:00.000+00:00", [turn("success")]))
            await store.put(call(3, "2026-11-25T11:00:00.000+00:00", []))
            counted = await count(store)
        by_hour = {bucket["at"]: bucket for bucket in counted["buckets"]}
        nine = by_hour["2026-11-25T09:00:00+00:00"]
        assert (nine["calls"], nine["turns"]) == (2, 4)
        assert nine["understood"] == 0.75
        assert nine["reprompted"] == 0.25
        assert nine["confidence"] == pytest.approx((0.3 + 0.9 + 0.9) / 3, abs=1e-3)
        assert nine["p50_ms"] == pytest.approx(200, abs=20)
        assert nine["p95_ms"] == pytest.approx(900, abs=20)
        ten = by_hour["2026-11-25T10:00:00+00:00"]
        assert (ten["calls"], ten["turns"], ten["understood"], ten["p50_ms"]) == (0, 0, None, None)
        assert by_hour["2026-11-25T11:00:00+00:00"]["calls"] == 1
        assert (counted["total"]["calls"], counted["total"]["turns"]) == (3, 4)

    asyncio.run(scenario())


def test_days_and_the_begin_are_kept(settings: RecordSettings) -> None:
    """By day, and without what was before."""

    async def scenario() -> None:
        async with opened(settings) as store:
            await store.put(call(1, "2025-12-31T23:59:00.000+00:00", [turn("success")]))
            await store.put(call(2, "2026-11-24T23:59:00.000+00:00", [turn("success")]))
            await store.put(call(3, "2026-11-25T00:01:00.000+00:00", [turn("no-match")]))
            counted = await count(store, "day")
        days = {bucket["at"][:10]: bucket["understood"] for bucket in counted["buckets"]}
        assert min(days) == "2026-11-24"
        assert days["2026-11-24"] == 1.0
        assert days["2026-11-25"] == 0.0

    asyncio.run(scenario())


def test_calls_of_others_do_not_count(settings: RecordSettings) -> None:
    """A key that sees its own calls only counts them only."""

    async def scenario() -> None:
        async with opened(settings) as store:
            at = "2026-11-25T09:10:00.000+00:00"
            await store.put(call(1, at, [turn("success")], owner="one"))
            await store.put(call(2, at, [turn("no-match")], owner="two"))
            await store.put(call(3, at, [turn("no-match")]))
            own = await count(store, viewer=Viewer("one", inbound=False, everything=False))
            inbound = await count(store, viewer=Viewer("one", inbound=True, everything=False))
        assert own["total"]["calls"] == 1
        assert own["total"]["understood"] == 1.0
        assert inbound["total"]["calls"] == 2

    asyncio.run(scenario())


def test_nothing_on_record_is_no_error(settings: RecordSettings) -> None:
    """The first look at a new server."""

    async def scenario() -> None:
        async with opened(settings) as store:
            counted = await count(store)
        assert counted["buckets"] == []
        assert counted["total"]["understood"] is None

    asyncio.run(scenario())


def test_percentile_is_read_off_the_bins() -> None:
    """The bin in which the part is reached, its middle."""
    assert percentile({}, 0.5) is None
    assert percentile({5: 10}, 0.95) == 110
    assert percentile({1: 50, 2: 45, 40: 5}, 0.5) == 30
    assert percentile({1: 50, 2: 45, 40: 5}, 0.95) == 50
    assert percentile({1: 50, 2: 45, 40: 5}, 0.96) == 810
