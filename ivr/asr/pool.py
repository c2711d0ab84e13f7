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
that is stuck. Each worker has an executor to itself, since `ProcessPoolExecutor` can kill no single
task and fails as a whole: the utterances of the other workers do not notice a replacement.

The lists that a grammar names lie in files that all workers map (`ivr.asr.shared_lists`).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Coroutine
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ivr.asr.shared_lists import Place, SharedLists, directories_of, hold
from ivr.asr.threads import keep_to_one_thread
from ivr.errors import ModelError, Overloaded
from ivr.recognition import Recognition

# Far longer than any utterance takes, waiting not counted: what passes it is stuck, not slow.
TIMEOUT_S = 20.0
# A cold disk and a busy machine included.
LOAD_TIMEOUT_S = 120.0
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


def _process_id() -> int:
    return os.getpid()


class _Worker:
    """One recogniser process at a time.

    Args:
        folder: the model's folder; None for the embedded model.

    State: `alive` from a `load` that went well until `kill` or `close`.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._executor: ProcessPoolExecutor | None = None
        self.alive = False

    async def load(self) -> None:
        """Starts a process and loads the model in it; none may be there.

        Raises:
            BrokenProcessPool: the process died.
            TimeoutError: it did not finish.
        """
        keep_to_one_thread()
        # fork would copy the event loop's sockets and locks into the workers.
        spawn = multiprocessing.get_context("spawn")
        arguments = (self._folder,)
        executor = ProcessPoolExecutor(1, spawn, initializer=_load, initargs=arguments)
        self._executor = executor
        async with asyncio.timeout(LOAD_TIMEOUT_S):
            # Any task makes the executor start its process.
            await asyncio.get_running_loop().run_in_executor(executor, _process_id)
        self.alive = self._executor is executor  # not if it was closed meanwhile

    async def recognize(
        self,
        samples: NDArray[np.int16],
        grammar: str,
        lists: tuple[Place, ...],
        timeout_s: float,
    ) -> Recognition:
        """Recognises one utterance; the worker must be idle.

        Raises:
            BrokenProcessPool: the process died, or was ended.
            TimeoutError: it did not answer in time.
        """
        if self._executor is None:
            raise BrokenProcessPool("the worker was ended")
        data = samples.astype(np.int16).tobytes()
        async with asyncio.timeout(timeout_s):
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, _recognize, data, grammar, lists
            )

    def kill(self) -> None:
        """Ends the process at once, whatever it is doing."""
        executor, self._executor, self.alive = self._executor, None, False
        if executor is not None:
            # Python has no public way before 3.14 (`kill_workers`, which does just this).
            for process in list(executor._processes.values()):
                process.kill()
            executor.shutdown(wait=False, cancel_futures=True)

    async def close(self, patience_s: float) -> None:
        """Ends the process after what it is doing, but kills it when patience is over."""
        executor, self._executor, self.alive = self._executor, None, False
        if executor is None:
            return
        processes = list(executor._processes.values())  # `shutdown` forgets them
        ending = asyncio.ensure_future(
            asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
        )
        await asyncio.wait({ending}, timeout=patience_s)
        if not ending.done():
            for process in processes:
                process.kill()
        await ending


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
        self._workers = [_Worker(folder) for _ in range(workers)]
        self._idle: list[_Worker] = []
        self._places = asyncio.Semaphore(0)  # one an idle worker; who came first gets it first
        self._waiting = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready = False
        self._lists = SharedLists()
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """The model is loaded and warm in the workers."""
        return self._ready

    async def start(self) -> None:
        """Starts the workers, loads the model in each and runs it once.

        Raises:
            ModelError: the model is missing, altered or does not run.
        """
        # Checked here first: an error out of a dying worker would be unreadable.
        from ivr.asr.model_files import open_model  # noqa: PLC0415 - keeps import of the pool light

        await asyncio.to_thread(open_model, self._folder)
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
        self._idle, self._places = [], asyncio.Semaphore(0)
        for worker in self._workers:
            self._free(worker)

    async def recognize(self, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """Recognises samples [n] int16, 8 kHz, with a grammar URI.

        Raises:
            Overloaded: all workers are busy and the queue is full.
            ModelError: the pool is not running, or the worker died twice over this
                utterance, or was stuck.
            ConfigError: the grammar is not one, or names a list that nobody has published.
        """
        if not self._ready:
            raise ModelError("the recogniser is not running")
        if self._places.locked() and self._waiting >= self._queue_limit:
            n_utterances, n_workers = len(self._workers) + self._waiting, len(self._workers)
            raise Overloaded(f"{n_utterances} utterances wait for {n_workers} workers")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        if not self._ready:
            self._places.release()  # the next in the queue must hear of it, too
            raise ModelError("the recogniser was closed")
        worker = self._idle.pop()
        work = self._keep(self._work(worker, samples, grammar))
        work.add_done_callback(lambda done: self._free_or_replace(worker, done))
        return await asyncio.shield(work)

    async def _work(self, worker: _Worker, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """One utterance by one worker, which is not alive afterwards if it died or was stuck."""
        # Held for as long as a worker may map them: the call may be over before.
        directories = directories_of(grammar)
        lists = await asyncio.to_thread(self._lists.place, directories) if directories else ()
        for _ in range(2):
            try:
                if not worker.alive:
                    await self._reload(worker)
                return await worker.recognize(samples, grammar, lists, self._timeout_s)
            except BrokenProcessPool:
                worker.kill()
            except TimeoutError as error:
                # Not tried again: it would be likely to cost the next worker as long.
                worker.kill()
                raise ModelError("the recogniser did not answer in time") from error
        raise ModelError("the recogniser's worker died twice over one utterance")

    async def _reload(self, worker: _Worker) -> None:
        if not self._ready:
            raise ModelError("the recogniser was closed")
        self.restarts += 1
        await worker.load()

    async def _replace(self, worker: _Worker) -> None:
        """Loads the model again where no utterance waits for it, so that the next need not."""
        try:
            await self._reload(worker)
        except (BrokenProcessPool, OSError, ModelError):
            worker.kill()  # the next utterance tries again, and tells its caller
        self._free(worker)

    def _free_or_replace(self, worker: _Worker, done: asyncio.Task[Recognition]) -> None:
        if not done.cancelled():
            done.exception()  # looked at: where the caller hung up, nobody else does
        if worker.alive or not self._ready:
            self._free(worker)
        else:
            self._keep(self._replace(worker))

    def _free(self, worker: _Worker) -> None:
        self._idle.append(worker)
        self._places.release()

    def _keep(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Runs work as a task that `close` knows of."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Ends the workers after what they are doing, those that are stuck all the same."""
        self._ready = False
        self._places.release()  # whoever waits is told
        patience_s = min(self._timeout_s, CLOSE_TIMEOUT_S)
        await asyncio.gather(*(worker.close(patience_s) for worker in self._workers))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._lists.close()
