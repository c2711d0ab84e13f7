"""Who gets the next worker, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ivr.asr.queue import Queue, Urgency
from ivr.errors import ModelError, Overloaded

ANSWER, LOOK, RECORDING = Urgency


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario; it may not wait for ever."""

    async def main() -> None:
        async with asyncio.timeout(10):
            await scenario()

    asyncio.run(main())


async def waiting(queue: Queue[str], *urgencies: Urgency) -> list[asyncio.Task[str]]:
    """One after the other waits for a worker."""
    tasks = []
    for urgency in urgencies:
        tasks.append(asyncio.create_task(queue.take(urgency)))
        await asyncio.sleep(0)
    return tasks


def test_the_most_urgent_is_first_and_equals_in_order() -> None:
    """Callers before looks, looks before recordings."""

    async def scenario() -> None:
        queue: Queue[str] = Queue(1, 8)
        order: list[int] = []
        wanted = (RECORDING, LOOK, ANSWER, RECORDING, LOOK, ANSWER)
        tasks = await waiting(queue, *wanted)
        for number, task in enumerate(tasks):
            task.add_done_callback(lambda _, number=number: order.append(number))
        queue.free("worker", None)
        for _ in tasks:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            queue.free("worker", wanted[order[-1]])
        await asyncio.gather(*tasks)
        assert order == [2, 5, 1, 4, 0, 3]

    run(scenario)


def test_recordings_leave_a_worker_free() -> None:
    """A caller finds one, however many recordings there are."""

    async def scenario() -> None:
        queue: Queue[str] = Queue(2, 8)
        for worker in ("a", "b"):
            queue.free(worker, None)
        first = await queue.take(RECORDING)
        (second,) = await waiting(queue, RECORDING)
        assert not second.done()
        caller = await queue.take(ANSWER)
        queue.free(caller, ANSWER)
        await asyncio.sleep(0)
        assert not second.done()
        queue.free(first, RECORDING)
        assert await second in ("a", "b")

    run(scenario)


def test_the_less_urgent_do_not_crowd_out_the_more_urgent() -> None:
    """A queue that is full of recordings refuses recordings, not callers."""

    async def scenario() -> None:
        queue: Queue[str] = Queue(1, 2)
        tasks = await waiting(queue, RECORDING, RECORDING)
        with pytest.raises(Overloaded, match="3 utterances wait for 1 workers"):
            await queue.take(RECORDING)
        tasks += await waiting(queue, LOOK, LOOK, ANSWER, ANSWER)
        with pytest.raises(Overloaded):
            await queue.take(LOOK)
        with pytest.raises(Overloaded):
            await queue.take(ANSWER)
        queue.close(ModelError("closed"))
        assert [type(e) for e in await asyncio.gather(*tasks, return_exceptions=True)] == [
            ModelError
        ] * 6

    run(scenario)


def test_who_gives_up_leaves_no_gap() -> None:
    """Neither a place in the queue nor a worker is lost, also where both happen at once."""

    async def scenario() -> None:
        queue: Queue[str] = Queue(1, 8)
        gone, unlucky, last = await waiting(queue, RECORDING, RECORDING, RECORDING)
        gone.cancel()
        await asyncio.sleep(0)
        queue.free("worker", None)  # handed to the second,
        unlucky.cancel()  # who gives up before it runs
        assert await last == "worker"
        queue.free("worker", RECORDING)
        assert await queue.take(RECORDING) == "worker"

    run(scenario)
