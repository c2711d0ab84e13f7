"""Who gets the next worker: the most urgent, and among equals who came first.

Theory of operation: a caller who waits for an answer hears silence; an early look at what a caller
is still saying only makes a later answer quicker; a recording that was sent in can wait. Each kind
is refused by the number of those of its own urgency or a higher one that wait before it, so that
the less urgent never crowd out the more urgent; and recordings leave one worker free where there
are several, so that a caller waits for the rest of one recording's utterance at most where there is
one.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

from ivr.errors import Overloaded

_W = TypeVar("_W")


class Urgency(IntEnum):
    """How long an utterance can wait; the lower, the less."""

    ANSWER = 0
    """A caller is waiting."""
    LOOK = 1
    """A caller is still speaking, and it may be all."""
    RECORDING = 2
    """Nobody is on the line."""


class Queue(Generic[_W]):
    """Idle workers, and those who wait for one.

    Args:
        workers: how many there are.
        limit: how many may wait.
    """

    def __init__(self, workers: int, limit: int) -> None:
        self._n_workers, self._limit = workers, limit
        self._most_recordings = max(1, workers - 1)
        self._recordings = 0  # at work
        self._idle: list[_W] = []
        self._waiting: list[tuple[Urgency, int, asyncio.Future[_W]]] = []
        self._came = 0

    @property
    def idle(self) -> int:
        """How many workers have nothing to do."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    async def take(self, urgency: Urgency) -> _W:
        """An idle worker, waited for.

        Raises:
            Overloaded: too many wait already.
        """
        if self._idle and self._may_work(urgency):
            return self._hand(urgency)
        if sum(other <= urgency for other, _, _ in self._waiting) >= self._limit:
            n = self._n_workers + len(self._waiting)
            raise Overloaded(f"{n} utterances wait for {self._n_workers} workers")
        future: asyncio.Future[_W] = asyncio.get_running_loop().create_future()
        waiting = (urgency, self._came, future)
        self._came += 1
        heapq.heappush(self._waiting, waiting)
        try:
            return await future
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)
            elif not future.cancelled() and future.exception() is None:
                self.free(future.result(), urgency)  # handed over while its taker gave up
            raise

    def free(self, worker: _W, urgency: Urgency | None) -> None:
        """Put a worker back.

        Args:
            worker: that has nothing to do.
            urgency: of what it did; ``None`` for a new one.
        """
        if urgency is Urgency.RECORDING:
            self._recordings -= 1
        self._idle.append(worker)
        while self._idle and self._waiting and self._may_work(self._waiting[0][0]):
            first, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(self._hand(first))

    def withdraw(self, unfit: Callable[[_W], bool]) -> list[_W]:
        """Take out those of the idle workers that are unfit; `free` puts them back."""
        withdrawn = [worker for worker in self._idle if unfit(worker)]
        self._idle = [worker for worker in self._idle if worker not in withdrawn]
        return withdrawn

    def close(self, error: Exception) -> None:
        """Tell whoever waits that there is nothing to wait for."""
        for _, _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _may_work(self, urgency: Urgency) -> bool:
        return urgency is not Urgency.RECORDING or self._recordings < self._most_recordings

    def _hand(self, urgency: Urgency) -> _W:
        if urgency is Urgency.RECORDING:
            self._recordings += 1
        return self._idle.pop()
