"""The server that simulated calls are placed to: the real one, in this process, on this machine.

Theory of operation: webhook, token, media socket, flows, recogniser and records are those of
`ivr serve`. Only what would make a test depend on its machine or leave traces is other: streams
keep the line's time (`ivr.server.pace`), the synthesiser forgets (`ivr.testing.voices`), and the
records are in memory, in clear, for a script can only expect what it can see.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiohttp import web

from ivr.call import Call
from ivr.config import Settings
from ivr.errors import ConfigError
from ivr.flow.schema import Flow
from ivr.records.store import CallStore
from ivr.server.app import create_app
from ivr.server.context import Fittings, Recognizer
from ivr.server.flows import Flows, Served, Table, flow_version
from ivr.server.journal import Keeping
from ivr.server.speech import PromptRenderer
from ivr.simulate.webhook import Server
from ivr.testing.cases import Case

_PATIENCE_S: Final = 3600.0  # the line waits for the machine, so only a machine that hangs is late
_CLEANUP_S: Final = 3.0
_LOOPBACK: Final = "127.0.0.1"


class StartableRecognizer(Recognizer, Protocol):
    """A recogniser with a beginning and an end."""

    async def start(self) -> None:
        """Load the model."""

    async def close(self) -> None:
        """Stop."""


class OpenKeeping(Keeping):
    """Keeps everything as it was said: the callers are made up."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow.flow

    @property
    def plain(self) -> bool:
        """Nothing is protected."""
        return True

    def is_plain(self, step: str) -> bool:  # noqa: ARG002 - the same for all
        """Nothing is protected."""
        return True

    def of_turn(self, turn: Any) -> str:  # noqa: ARG002 - the same for all
        """In clear."""
        return "plain"

    def variables(self, call: Call, record_id: str) -> dict[str, str]:  # noqa: ARG002
        """In clear."""
        return dict(call.variables)


def settings_of_test(settings: Settings, jobs: int) -> Settings:
    """A user's settings without what a test must not touch or depend on."""
    change = {
        "server": {
            "host": _LOOPBACK,
            "port": 0,
            "public_url": None,
            "max_calls": max(jobs, settings.server.max_calls),
            "start_timeout_s": _PATIENCE_S,
            "stall_timeout_s": _PATIENCE_S,
            "send_timeout_s": _PATIENCE_S,
            "token_ttl_s": _PATIENCE_S,
        },
        "twilio": {"auth_token": None},
        "recognizer": {"timeout_s": _PATIENCE_S, "queue_limit": 1000},
        "records": {"path": None, "url": None, "spool_dir": None, "keys": None, "keep_days": None},
        "webhook": {"url": None},
    }
    return settings.model_copy(
        update={
            name: getattr(settings, name).model_copy(update=keys) for name, keys in change.items()
        }
    )


def flows_of(cases: Sequence[Case]) -> tuple[Flows, dict[Case, str]]:
    """The flows of all cases, and the name that each case's is served by."""
    names: dict[int, str] = {}
    table: dict[str, Served] = {}
    for case in cases:
        if id(case.flow) in names:
            continue
        name, number = case.flow.flow, 1
        while name in table:  # files elsewhere whose flows have the same name
            number += 1
            name = f"{case.flow.flow}_{number}"
        names[id(case.flow)] = name
        flow = case.flow.model_copy(update={"record": False})  # an audio folder is no test's
        version = flow_version(case.flow)
        table[name] = Served(flow, OpenKeeping(flow), case.flow_file, version)
    default = next(iter(table.values()))
    return Flows(Table(default, table)), {case: names[id(case.flow)] for case in cases}


@asynccontextmanager
async def running(
    settings: Settings,
    flows: Flows,
    recognizer: StartableRecognizer,
    prompts: PromptRenderer,
    fittings: Fittings,
) -> AsyncIterator[Server]:
    """The server, ready for calls.

    Args:
        settings: as `settings_of_test` gives them.
        flows: that answer calls.
        recognizer: started and closed here.
        prompts: renders prompts.
        fittings: what it has in place of the usual.

    Raises:
        ConfigError: this machine lets nobody listen.
        ModelError: the recogniser cannot start.
    """
    store = CallStore(settings.records, spooled=False)
    app = create_app(settings, recognizer, flows, prompts, store, fittings=fittings)
    await store.open()
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=_CLEANUP_S)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, _LOOPBACK, 0).start()
        except OSError as error:
            raise ConfigError(f"cannot listen on {_LOOPBACK}: {error.strerror or error}") from None
        await recognizer.start()
        yield Server(f"http://{_LOOPBACK}:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
        await asyncio.gather(recognizer.close(), store.close())
