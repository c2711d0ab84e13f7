"""`ivr bank`: the demo's bank on its own, to try flows against; and the same within `ivr demo`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web
from rich.console import Console

from ivr.errors import ConfigError
from ivr.simulate.bank.api import create_bank
from ivr.simulate.bank.seed import APPOINTMENTS, CUSTOMERS, METERS

HOST: Final = "127.0.0.1"
PORT: Final = 8790  # as the example flows have it


@asynccontextmanager
async def serving_bank(
    path: Path, port: int = PORT, token: str | None = None
) -> AsyncIterator[str]:
    """A bank on this machine.

    Args:
        path: of its SQLite file.
        port: 0 takes a free one.
        token: bearer token that requests must show.

    Yields:
        Its address, such as ``http://127.0.0.1:8790``.

    Raises:
        ConfigError: the port is taken.
    """
    app = await asyncio.to_thread(create_bank, path, token)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise ConfigError(
                f"the bank cannot listen on {HOST} port {port}: {error.strerror or error}; free the"
                " port or give another with --port (0 takes a free one)"
            ) from None
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def run_bank(port: int = PORT, path: Path | None = None, console: Console | None = None) -> int:
    """Serve the bank until SIGTERM or SIGINT.

    Args:
        port: 0 takes a free one.
        path: of its SQLite file; ``None`` begins anew and keeps nothing.
        console: where to print.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: the port is taken, or the file's folder is none.
    """
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"--file: no folder {path.parent}; create it first")
    with contextlib.ExitStack() as stack:
        if path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ivr-bank-"))
            path = Path(folder) / "bank.sqlite3"
        asyncio.run(_serve(port, path, console or Console()))
    return 0


async def _serve(port: int, path: Path, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with serving_bank(path, port) as address:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        console.print(f"bank: ready on {address}", highlight=False)
        for customer in CUSTOMERS:
            accounts = ", ".join(f"{a.product} {a.number}" for a in customer.accounts)
            name = f"{customer.first_name} {customer.last_name}"
            console.print(f"  {name}: {accounts}; PIN {customer.pin}", highlight=False)
        console.print("  meters: " + ", ".join(meter for meter, *_ in METERS), highlight=False)
        references = ", ".join(a.reference for a in APPOINTMENTS)
        console.print(f"  appointments: {references}", highlight=False)
        await stop.wait()
