"""One process that works for this one: started, given work, killed where it is stuck.

`ProcessPoolExecutor` can kill no single task and fails as a whole, so each worker has an executor
to itself. Processes are spawned: fork would copy the event loop's sockets and locks.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

# A cold disk and a busy machine included.
LOAD_TIMEOUT_S = 120.0

_T = TypeVar("_T")


def _begin(prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Runs in each process when it starts."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    prepare(*arguments)


def _end_with(parent: Any) -> None:
    # One that was killed could tell nobody: its workers would wait for ever for more to do.
    parent.join()
    os._exit(1)


class Worker:
    """One worker process at a time.

    Args:
        prepare: runs in each process when it starts; to be found by its name.
        arguments: of `prepare`.

    State: `alive` from a `load` that went well until `kill` or `close`.
    """

    def __init__(self, prepare: Callable[..., None], arguments: tuple[Any, ...] = ()) -> None:
        self._prepare, self._arguments = prepare, arguments
        self._executor: ProcessPoolExecutor | None = None
        self.alive = False

    @property
    def running(self) -> bool:
        """It is alive, and its process has not died since."""
        # The executor's own thread notices; Python shows it in no public way.
        return self.alive and self._executor is not None and not self._executor._broken

    async def load(self) -> None:
        """Starts a process and prepares it; none may be there.

        Raises:
            BrokenProcessPool: the process died.
            TimeoutError: it did not finish.
        """
        spawn = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(
            1, spawn, initializer=_begin, initargs=(self._prepare, self._arguments)
        )
        self._executor = executor
        async with asyncio.timeout(LOAD_TIMEOUT_S):
            # Any task makes the executor start its process.
            await asyncio.get_running_loop().run_in_executor(executor, os.getpid)
        self.alive = self._executor is executor  # not if it was closed meanwhile

    async def run(self, timeout_s: float, work: Callable[..., _T], *arguments: Any) -> _T:
        """Does one piece of work; the worker must be idle.

        Args:
            timeout_s: how long it may take.
            work: to be found by its name; it and what it returns go through a pipe.
            arguments: of it.

        Raises:
            BrokenProcessPool: the process died, or was ended.
            TimeoutError: it did not answer in time, and is still at it.
            Exception: what the work raises.
        """
        if self._executor is None:
            raise BrokenProcessPool("the worker was ended")
        async with asyncio.timeout(timeout_s):
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, work, *arguments
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
