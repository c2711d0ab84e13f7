"""Pools with real worker processes, and ways to hold those up."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from ivr.asr.pool import RecognizerPool

PATIENCE_S = 60.0  # a busy machine takes its time to start a process


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a scenario on an event loop of its own, not for ever."""
    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


@asynccontextmanager
async def serving(
    folder: Path | None, workers: int = 1, queue_limit: int = 4, timeout_s: float = PATIENCE_S
) -> AsyncIterator[RecognizerPool]:
    """A started pool, closed at the end."""
    pool = RecognizerPool(folder, workers, queue_limit, timeout_s)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


def worker_ids() -> set[int]:
    """The worker processes that are alive; these tests start no others."""
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


@contextmanager
def stopped(process_ids: set[int]) -> Iterator[None]:
    """The workers are busy: stopped in the middle of whatever they do, until the end."""
    for process_id in process_ids:
        os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        for process_id in process_ids & worker_ids():
            os.kill(process_id, signal.SIGCONT)


async def until(reached: Callable[[], bool]) -> None:
    """Waits for what another process does."""
    while not reached():  # noqa: ASYNC110 - no event tells of a process that began or ended
        await asyncio.sleep(0.01)


async def error_of(answer: Awaitable[object]) -> BaseException | None:
    """What the awaited work raised, None if it did not."""
    (result,) = await asyncio.gather(answer, return_exceptions=True)
    return result if isinstance(result, BaseException) else None
