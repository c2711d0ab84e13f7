"""Asks what flows look up: one door for every kind of source.

Theory of operation: whatever a source does, `Lookups.look_up` answers within the time that the flow
gave it, and raises nothing: a call must go on. What went wrong is told by a short stable name; the
words of an error may quote what was asked, and that may be a caller's number, so nothing here logs
or passes on an error's text.
"""

from __future__ import annotations

from ivr.config import LookupSettings
from ivr.errors import ConfigError
from ivr.flow.model import Flow, LookupStep
from ivr.flow.request import (
    Answer,
    CallRequest,
    CsvRequest,
    HttpRequest,
    Request,
    SqlRequest,
)
from ivr.lookups.csv_file import CsvLookups
from ivr.lookups.function import FunctionLookups
from ivr.lookups.http import HttpLookups
from ivr.lookups.sql import SqlLookups


class Lookups:
    """The sources that one server may ask.

    Args:
        settings: which hosts and databases.

    Raises:
        ConfigError: the address of a database is none.

    State: open connections, made when first needed, until `close`.
    """

    def __init__(self, settings: LookupSettings) -> None:
        self._http = HttpLookups(settings)
        self._sql = SqlLookups(settings)
        self._csv = CsvLookups()
        self._functions = FunctionLookups()

    def check(self, flow: Flow) -> None:
        """Refuse a flow that asks what this server may not or cannot ask.

        Raises:
            ConfigError: names the step and the cure.
        """
        for name, step in flow.steps.items():
            if not isinstance(step, LookupStep):
                continue
            for kind in (self._http, self._sql, self._functions):
                if problem := kind.problem(step.lookup):
                    raise ConfigError(f"flow {flow.flow}: steps.{name}.lookup: {problem}")

    async def look_up(self, request: Request) -> Answer:
        """Ask, and wait no longer than the request allows; an error is an answer too."""
        try:
            return await self._ask(request)
        except TimeoutError:
            return Answer.failed("timeout")
        except Exception:  # noqa: BLE001 - of a source's driver; its text may hold the caller's number
            return Answer.failed("error")

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.close()
        await self._sql.close()
        self._functions.close()

    async def _ask(self, request: Request) -> Answer:
        match request:
            case HttpRequest():
                return await self._http.look_up(request)
            case SqlRequest():
                return await self._sql.look_up(request)
            case CsvRequest():
                return await self._csv.look_up(request)
            case CallRequest():
                return await self._functions.look_up(request)
