"""A pool of recogniser processes, off the event loop.

Theory of operation: each worker process loads the model once and runs it on one thread; the parent
hands out utterances and awaits answers. The queue is bounded: when every worker is busy and
`queue_limit` more utterances wait, a further one is refused (`Overloaded`) rather than letting
every caller wait. A worker that dies takes the whole executor with it (that is how
`ProcessPoolExecutor` fails), so the pool starts a new one and tries the utterance once more.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ivr.errors import ModelError, Overloaded
from ivr.recognition import Recognition

# Far longer than any utterance takes: what passes it is stuck, not slow.
TIMEOUT_S = 20.0


_engine: Any = None  # the Engine of a worker process; the parent never loads one


def _load(folder: Path | None) -> None:
    """Runs in each worker when it starts."""
    # Ctrl-C reaches the whole process group; the parent decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from ivr.asr.engine import Engine  # noqa: PLC0415 - the parent never needs onnxruntime

    global _engine  # noqa: PLW0603 - a worker process holds exactly one engine
    _engine = Engine(folder)
    _engine.warm_up()


def _recognize(samples: bytes, grammar: str) -> Recognition:
    recognition: Recognition = _engine.recognize(np.frombuffer(samples, np.int16), grammar)
    return recognition


def _process_id() -> int:
    return os.getpid()


class RecognizerPool:
    """Recognises utterances in worker processes.

    Args:
        folder: the model's folder; None for the embedded model.
        workers: processes, one core each.
        queue_limit: utterances that may wait when all workers are busy.

    State: `start` loads the model; `ready` is True from then until `close`.
    """

    def __init__(self, folder: Path | None = None, workers: int = 1, queue_limit: int = 32) -> None:
        self._folder, self._workers, self._queue_limit = folder, workers, queue_limit
        self._executor: ProcessPoolExecutor | None = None
        self._under_way = 0
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """The model is loaded and warm in a worker."""
        return self._executor is not None

    async def start(self) -> None:
        """Starts the workers, loads the model in each and runs it once.

        Raises:
            ModelError: the model is missing, altered or does not run.
        """
        # Checked here first: an error out of a dying worker would be unreadable.
        from ivr.asr.model_files import open_model  # noqa: PLC0415 - keeps import of the pool light

        await asyncio.to_thread(open_model, self._folder)
        self._executor = await self._start_executor()

    def _new_executor(self) -> ProcessPoolExecutor:
        # Workers inherit the environment, and numpy's linear algebra reads these when it loads:
        # threads of its own in every worker would fight over the cores that the workers share.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        # fork would copy the event loop's sockets and locks into the workers.
        spawn = multiprocessing.get_context("spawn")
        arguments = (self._folder,)
        return ProcessPoolExecutor(self._workers, spawn, initializer=_load, initargs=arguments)

    async def _start_executor(self) -> ProcessPoolExecutor:
        executor = self._new_executor()
        loop = asyncio.get_running_loop()
        try:
            # One task a worker: the executor starts a process for each that finds none idle.
            await asyncio.gather(
                *(loop.run_in_executor(executor, _process_id) for _ in range(self._workers))
            )
        except BrokenProcessPool as error:
            executor.shutdown(wait=False, cancel_futures=True)
            raise ModelError("the recogniser's worker died while loading the model") from error
        return executor

    async def recognize(self, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """Recognises samples [n] int16, 8 kHz, with a grammar URI.

        Raises:
            Overloaded: all workers are busy and the queue is full.
            ModelError: the pool is not running, or the worker died twice over this
                utterance, or is stuck.
        """
        if self._executor is None:
            raise ModelError("the recogniser is not running")
        if self._under_way >= self._workers + self._queue_limit:
            raise Overloaded(f"{self._under_way} utterances wait for {self._workers} workers")
        self._under_way += 1
        try:
            for _ in range(2):
                executor = self._executor
                if executor is None:
                    raise ModelError("the recogniser was closed")
                try:
                    return await asyncio.wait_for(
                        asyncio.get_running_loop().run_in_executor(
                            executor, _recognize, samples.astype(np.int16).tobytes(), grammar
                        ),
                        TIMEOUT_S,
                    )
                except BrokenProcessPool:
                    self._replace(executor)
                except asyncio.CancelledError:
                    task = asyncio.current_task()
                    if task is None or task.cancelling():
                        raise
                    # Not our task was cancelled but the work in the queue, by `close`.
                    raise ModelError("the recogniser was closed") from None
                except TimeoutError as error:
                    raise ModelError("the recogniser did not answer in time") from error
            raise ModelError("the recogniser's worker died twice over one utterance")
        finally:
            self._under_way -= 1

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        """Starts new workers in place of dead ones; the first caller to notice does it."""
        if self._executor is not broken:
            return
        self.restarts += 1
        # Started at once, not after loading: a second caller must find the new executor.
        self._executor = self._new_executor()
        broken.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        """Ends the workers after what they are doing."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)
