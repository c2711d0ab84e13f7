"""A pool of recogniser processes, off the event loop.

Theory of operation: each worker is one process, which loads the model once and runs it on one
thread; the parent hands it one utterance at a time and awaits the answer. The queue is bounded:
when every worker is busy and `queue_limit` more utterances wait, a further one is refused
(`Overloaded`) rather than letting every caller wait.

    idle --utterance--> at work --answer--> idle
                           |
                           +-- dies ---------> replaced; the utterance is tried once more
                           +-- is stuck -----> killed, replaced; the utterance is given up

The work is a task of its own: a caller who hangs up does not take along the watch over a worker
that is stuck, and the utterances of the other workers do not notice a replacement. One that dies
while it is idle is replaced as well, before an utterance finds out. Who gets the next worker is
`ivr.asr.queue`'s to say.

The lists that a grammar names lie in files that all workers map (`ivr.asr.shared_lists`).
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ivr.asr.queue import Queue, Urgency
from ivr.asr.shared_lists import Place, SharedLists, directories_of, hold
from ivr.asr.threads import keep_to_one_thread
from ivr.errors import ModelError
from ivr.recognition import Recognition
from ivr.worker import Worker

if TYPE_CHECKING:
    from ivr.asr.model_files import ModelDescription

# Far longer than any utterance takes, waiting not counted: what passes it is stuck, not slow.
TIMEOUT_S = 20.0
# How soon it is noticed that a worker died while it had nothing to do.
WATCH_S = 1.0
# At close nobody waits for an answer any more.
CLOSE_TIMEOUT_S = 5.0

_T = TypeVar("_T")

_engine: Any = None  # the engine of a worker process; the parent never loads one


def _load(folder: Path | None) -> None:
    """Runs in each worker when it starts."""
    # Ctrl-C reaches the whole process group; the parent decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from ivr.asr.loading import open_engine  # noqa: PLC0415 - the parent never needs onnxruntime

    global _engine  # noqa: PLW0603 - a worker process holds exactly one engine
    _engine = open_engine(folder)
    _engine.warm_up()


def _recognize(samples: bytes, grammar: str, lists: tuple[Place, ...]) -> Recognition:
    hold(lists)
    recognition: Recognition = _engine.recognize(np.frombuffer(samples, np.int16), grammar)
    return recognition


@dataclass(frozen=True, slots=True)
class PoolState:
    """How a pool is doing.

    Attributes:
        workers: processes it should have.
        alive: those that have a model.
        busy: those at work on an utterance.
        waiting: utterances that wait for one.
        queue_limit: how many may.
        restarts: processes that were started in place of others so far.
    """

    workers: int
    alive: int
    busy: int
    waiting: int
    queue_limit: int
    restarts: int


class RecognizerPool:
    """Recognises utterances in worker processes.

    Args:
        folder: the model's folder; None for the embedded model.
        workers: processes, one core each.
        queue_limit: utterances that may wait when all workers are busy.
        timeout_s: time at work, waiting not counted, after which a worker is stuck.

    State: `start` loads the model; `ready` is True from then until `close`, while a worker is
    replaced too. `restarts` counts the processes that were started in place of others.
    """

    def __init__(
        self,
        folder: Path | None = None,
        workers: int = 1,
        queue_limit: int = 32,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._folder, self._queue_limit, self._timeout_s = folder, queue_limit, timeout_s
        self._workers = [Worker(_load, (folder,)) for _ in range(workers)]
        self._queue: Queue[Worker] = Queue(workers, queue_limit)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready = False
        self._description: ModelDescription | None = None
        self._lists = SharedLists()
        self._watching: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """The model is loaded and warm in the workers."""
        return self._ready

    @property
    def model(self) -> dict[str, Any] | None:
        """Name and checksums of the model; None before it is loaded."""
        found = self._description
        return None if found is None else {"name": found.name, "sha256": dict(found.sha256)}

    def state(self) -> PoolState:
        """How the workers and the queue are now."""
        return PoolState(
            workers=len(self._workers),
            alive=sum(worker.running for worker in self._workers),
            busy=len(self._workers) - self._queue.idle if self._ready else 0,
            waiting=self._queue.waiting,
            queue_limit=self._queue_limit,
            restarts=self.restarts,
        )

    async def start(self) -> None:
        """Starts the workers, loads the model in each and runs it once.

        Raises:
            ModelError: the model is missing, altered or does not run.
        """
        # Checked here first: an error out of a dying worker would be unreadable.
        from ivr.asr.model_files import open_model  # noqa: PLC0415 - keeps import of the pool light

        _, self._description = await asyncio.to_thread(open_model, self._folder)
        keep_to_one_thread()
        try:
            await asyncio.gather(*(worker.load() for worker in self._workers))
            self._ready = True
        except BrokenProcessPool as error:
            raise ModelError("the recogniser's worker died while loading the model") from error
        except TimeoutError as error:
            raise ModelError("the recogniser's worker did not load the model in time") from error
        finally:
            if not self._ready:  # failed, or given up by who waited for it
                for worker in self._workers:
                    worker.kill()
        self._queue = Queue(len(self._workers), self._queue_limit)
        for worker in self._workers:
            self._queue.free(worker, None)
        self._watching = asyncio.create_task(self._watch())

    async def recognize(
        self, samples: NDArray[np.int16], grammar: str, urgency: Urgency = Urgency.ANSWER
    ) -> Recognition:
        """Recognises samples [n] int16, 8 kHz, with a grammar URI, the most urgent first.

        Raises:
            Overloaded: all workers are busy and the queue is full.
            ModelError: the pool is not running, or the worker died twice over this
                utterance, or was stuck.
            ConfigError: the grammar is not one, or names a list that nobody has published.
        """
        if not self._ready:
            raise ModelError("the recogniser is not running")
        asked_s = time.monotonic()
        worker = await self._queue.take(urgency)
        queued_ms = (time.monotonic() - asked_s) * 1000
        if not self._ready:
            raise ModelError("the recogniser was closed")
        work = self._keep(self._work(worker, samples, grammar))
        work.add_done_callback(lambda done: self._free_or_replace(worker, urgency, done))
        return replace(await asyncio.shield(work), queued_ms=queued_ms)

    async def _work(self, worker: Worker, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """One utterance by one worker, which is not alive afterwards if it died or was stuck."""
        # Held for as long as a worker may map them: the call may be over before.
        directories = directories_of(grammar)
        lists = await asyncio.to_thread(self._lists.place, directories) if directories else ()
        data = samples.astype(np.int16).tobytes()
        for _ in range(2):
            try:
                if not worker.alive:
                    await self._reload(worker)
                return await worker.run(self._timeout_s, _recognize, data, grammar, lists)
            except BrokenProcessPool:
                worker.kill()
            except TimeoutError as error:
                # Not tried again: it would be likely to cost the next worker as long.
                worker.kill()
                raise ModelError("the recogniser did not answer in time") from error
        raise ModelError("the recogniser's worker died twice over one utterance")

    async def _reload(self, worker: Worker) -> None:
        if not self._ready:
            raise ModelError("the recogniser was closed")
        self.restarts += 1
        await worker.load()

    async def _watch(self) -> None:
        """Replaces workers that died while they were idle: no utterance has to find out."""
        while True:
            await asyncio.sleep(WATCH_S)
            for worker in self._queue.withdraw(lambda worker: not worker.running):
                worker.kill()
                self._keep(self._replace(worker, None))

    async def _replace(self, worker: Worker, urgency: Urgency | None) -> None:
        """Loads the model again where no utterance waits for it, so that the next need not."""
        try:
            await self._reload(worker)
        except (BrokenProcessPool, OSError, ModelError):
            worker.kill()  # the next utterance tries again, and tells its caller
        self._queue.free(worker, urgency)

    def _free_or_replace(
        self, worker: Worker, urgency: Urgency, done: asyncio.Task[Recognition]
    ) -> None:
        if not done.cancelled():
            done.exception()  # looked at: where the caller hung up, nobody else does
        if worker.alive or not self._ready:
            self._queue.free(worker, urgency)
        else:
            self._keep(self._replace(worker, urgency))

    def _keep(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Runs work as a task that `close` knows of."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Ends the workers after what they are doing, those that are stuck all the same."""
        self._ready = False
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._queue.close(ModelError("the recogniser was closed"))
        patience_s = min(self._timeout_s, CLOSE_TIMEOUT_S)
        await asyncio.gather(*(worker.close(patience_s) for worker in self._workers))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._lists.close()
