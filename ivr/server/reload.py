"""Flows read anew while the server runs: on SIGHUP, and when their files change.

The files are looked at every `POLL_S` seconds, in a thread. What changed is read once it has been
left alone from one look to the next, so that a file that is still being written is not told as
wrong; SIGHUP does not wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from ivr.server.context import Context
from ivr.server.flows import FlowFiles

_log = structlog.get_logger(__name__)

POLL_S: Final = 1.0  # between two looks at the files; a few calls of `stat` each


async def keep_flows_current(
    context: Context, files: FlowFiles, asked: asyncio.Event, poll_s: float = POLL_S
) -> None:
    """Swap in flows whose files have changed, until cancelled.

    Args:
        context: of the server.
        files: that its flows were read from.
        asked: set where they are to be read now; cleared here.
        poll_s: seconds between two looks at the files.
    """
    while True:
        try:
            async with asyncio.timeout(poll_s):
                await asked.wait()
        except TimeoutError:
            pass
        wanted = asked.is_set()
        asked.clear()
        try:
            if wanted or await asyncio.to_thread(files.changed):
                await _reload(context, files, told=wanted)
        except Exception as error:  # noqa: BLE001 - the flows stay as they are, and calls go on
            context.metrics.add("flow_reloads", "internal")
            _log.error("flow_reload_failed", cause=type(error).__name__)


async def _reload(context: Context, files: FlowFiles, *, told: bool) -> None:
    """Read the flows and swap them in; `told` says "nothing changed", too."""
    table = await asyncio.to_thread(files.reload)
    before = context.flows.broken
    changed = context.flows.swap(table)
    for name in changed:
        context.metrics.add("flow_reloads", "done")
        served = context.flows.served(name)
        _log.info("flow_reloaded", flow=name, version=served.version if served else "removed")
    _tell_broken(context, before, table.broken)
    for file in before.keys() - table.broken.keys():
        _log.info("flow_mended", file=file)
    if told and not changed:
        _log.info("flows_unchanged", broken=sorted(table.broken))


def _tell_broken(context: Context, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Tell each mistake once, not at every look."""
    for file, error in now.items():
        if before.get(file) != error:
            context.metrics.add("flow_reloads", "failed")
            _log.error("flow_not_reloaded", file=file, error=error)
