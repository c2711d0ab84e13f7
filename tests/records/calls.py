"""Records and stores for the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ivr.config import RecordSettings
from ivr.records.store import CallStore


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A record as the server writes it, as far as the store looks into it."""
    return {
        "record_id": f"r{number}",
        "call_id": f"CA{number}",
        "started_at": f"2025-01-01T00:{number // 60:02}:{number % 60:02}.000+00:00",
        "outcome": "completed",
        **changes,
    }


def ended(number: int, turns: int = 2, **changes: Any) -> dict[str, Any]:
    """A record of a call that is over."""
    return {
        **record(number),
        "status": "ended",
        "ended_at": "2025-01-01T01:00:00.000+00:00",
        "ending": {"by": "agent", "reason": "completed", "close_code": 1000},
        "variables": {"account": "41550012"},
        "turns": [turn(n) for n in range(turns)],
        **changes,
    }


def turn(number: int) -> dict[str, Any]:
    """A turn of a record."""
    collected = {
        "cause": "success",
        "value": "41550012",
        "mode": "dtmf",
        "confidence": 1.0,
        "latency_ms": 0.5,
        "attempt": 1,
    }
    return {"step": f"ask{number}", "prompts": ["é"], "collected": collected, "sensitive": False}


@asynccontextmanager
async def opened(settings: RecordSettings) -> AsyncIterator[CallStore]:
    """An open store, closed at the end."""
    store = CallStore(settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def with_store(settings: RecordSettings, scenario: Callable[[CallStore], Awaitable[None]]) -> None:
    """Run a scenario with an open store."""

    async def main() -> None:
        async with opened(settings) as store:
            await scenario(store)

    asyncio.run(main())


async def until(reached: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(timeout_s):
        while not reached():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.02)
