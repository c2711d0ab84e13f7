"""Lookups by functions in Python, which installed packages offer as entry points.

Theory of operation: a function takes keyword arguments, all text, and returns what an API would
have: a mapping, a list, a text or number, or None where there is no such thing. It runs in a thread
of its own pool, so that one that hangs takes a place there and nothing else; it cannot be stopped,
but its answer is not waited for.

    [project.entry-points."ivr.lookups"]
    customer = "bank.customers:by_account"      # lookup: {call: customer, with: {account: ...}}
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import entry_points
from typing import Any, Final

from ivr.flow.lookup import CallSource, Source
from ivr.flow.request import Answer, CallRequest

GROUP: Final = "ivr.lookups"
_THREADS: Final = 8


class FunctionLookups:
    """Calls functions.

    State: the functions that were loaded, and the threads that they run in.
    """

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookups")

    def problem(self, source: Source) -> str | None:
        """Why this source cannot be asked, with the cure; None if it can."""
        if not isinstance(source, CallSource):
            return None
        try:
            self._load(source.call)
        except LookupError:
            known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
            return f"{source.call} is no entry point of {GROUP}; installed are: {known}"
        except Exception as error:  # noqa: BLE001 - whatever importing somebody's module does
            return f"{source.call} cannot be loaded ({type(error).__name__}); try to import it"
        return None

    async def look_up(self, request: CallRequest) -> Answer:
        """What the function returns."""
        call = partial(self._load(request.entry_point), **request.arguments)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(request.timeout_s):
                returned = await loop.run_in_executor(self._threads, call)
        except TimeoutError:
            return Answer.failed("timeout")
        except Exception:  # noqa: BLE001 - somebody's code; the text may hold its arguments
            return Answer.failed("function_error")
        return Answer.found(dict(returned) if isinstance(returned, Mapping) else returned)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _load(self, name: str) -> Callable[..., Any]:
        if name not in self._functions:
            found = entry_points(group=GROUP, name=name)
            if not found:
                raise LookupError(name)
            self._functions[name] = next(iter(found)).load()
        return self._functions[name]
