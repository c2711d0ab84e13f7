"""Runs the checks and prints them: a line each, with what to do; or JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ivr import __version__
from ivr.config import CONFIG_VARIABLE, Settings, load_settings
from ivr.errors import ConfigError
from ivr.server.doctor import local
from ivr.server.doctor.findings import Finding, fail, ok
from ivr.server.doctor.remote import look_outside

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


def run_doctor(
    config: Path | None,
    *,
    offline: bool = False,
    json_output: bool = False,
    console: Console | None = None,
) -> int:
    """Look at everything, print it, and say by the status whether calls would be answered.

    Args:
        config: the configuration file; ``None`` as for `ivr serve`.
        offline: leave out what needs the network.
        json_output: one JSON object.
        console: to print to.

    Returns:
        0 where nothing failed, 1 where something did, 2 where the configuration is wrong.
    """
    try:
        settings = load_settings(config)
    except ConfigError as error:
        found = [fail("configuration", str(error), "mend the key; then run `ivr doctor` again")]
        _print(found, json_output, console)
        return 2
    where = config or os.environ.get(CONFIG_VARIABLE) or "defaults and environment"
    found = [ok("configuration", f"{where}, ivr {__version__}")]
    found += asyncio.run(_look(settings, offline))
    _print(found, json_output, console)
    return int(any(finding.state == "fail" for finding in found))


async def _look(settings: Settings, offline: bool) -> list[Finding]:
    def here() -> Iterator[Finding]:
        yield from local.look_at_settings(settings)
        yield from local.look_at_flows(settings)
        yield from local.look_at_model(settings)
        yield from local.look_at_disks(settings)
        yield from local.look_at_extras(settings)

    found = await asyncio.to_thread(lambda: list(here()))
    found += await local.look_at_database(settings)
    return found if offline else [*found, *await look_outside(settings)]


def _print(found: list[Finding], json_output: bool, console: Console | None) -> None:
    worst = "fail" if any(one.state == "fail" for one in found) else "ok"
    if json_output:
        document = {"ok": worst == "ok", "checks": [finding.document() for finding in found]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        text = Text(finding.said)
        if finding.cure:
            text.append(f"\n-> {finding.cure}", style="dim")
        table.add_row(Text(finding.state, style=_STYLES[finding.state]), finding.name, text)
    (console or Console()).print(table)
