"""``ivr serve``: from settings to a serving process, and from SIGTERM to an orderly end.

Order of the start: the flows and their prompts, the records (each a mistake of the user's that is
told at once), the port, the recogniser. The port opens before the model is warm, so that /livez
answers and /readyz can say "not yet". Order of the end: readiness off, no new calls, the current
ones finish until the deadline, then the rest is closed with 1001; a second signal skips the wait.
SIGHUP reads the flows anew.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from typing import Final, Protocol

import structlog
from aiohttp import web

from ivr.asr.pool import RecognizerPool
from ivr.config import Settings
from ivr.errors import ConfigError, IvrError
from ivr.flow.saying import fixed_parts, fixed_prompts
from ivr.flow.schema import Flow
from ivr.prompts.store import PromptStore
from ivr.records.store import CallStore
from ivr.server.app import create_app
from ivr.server.capture import CaptureFolder
from ivr.server.context import CONTEXT, Context, Fittings, Recognizer, drain
from ivr.server.flows import FlowFiles, Flows
from ivr.server.logging import configure_logging
from ivr.server.reload import keep_flows_current

_log = structlog.get_logger(__name__)

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 2  # the user's file or option is wrong

_CLEANUP_S: Final = 3.0  # for open HTTP requests; the calls have ended before
_LINGERING_S: Final = 2.0  # for a body that was refused and is still being sent


class StartableRecognizer(Recognizer, Protocol):
    """A recogniser that is started and closed by `serve`."""

    async def start(self) -> None:
        """Load and warm the model.

        Raises:
            ModelError: it is missing, altered or of the wrong kind.
        """

    async def close(self) -> None:
        """Stop the workers."""


def run_server(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: as loaded; command-line options are merged into it by the caller.

    Returns:
        The exit status: 0 after an orderly end, 2 where the configuration or the flow is wrong, 1
        where the model, the port or something else failed. The reason is one message on standard
        error.
    """
    configure_logging(settings.log)
    try:
        recognizer = RecognizerPool(
            settings.recognizer.model_dir,
            settings.recognizer.workers,
            settings.recognizer.queue_limit,
        )
        asyncio.run(serve(settings, recognizer))
    except IvrError as error:
        print(f"ivr: {error}", file=sys.stderr)  # noqa: T201 - the command's own message
        return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED
    return EXIT_OK


async def serve(settings: Settings, recognizer: StartableRecognizer) -> None:
    """Serve until a signal.

    Raises:
        ConfigError: flow, prompts, records or port are not usable as configured.
        ModelError: the recogniser cannot start.
    """
    prompts = await asyncio.to_thread(PromptStore.open, settings.prompts)
    files = FlowFiles(settings, warm=partial(_warm, prompts))
    flows = Flows(await asyncio.to_thread(files.load))
    store = CallStore(settings.records, settings.webhook)
    captures = CaptureFolder(settings.capture) if settings.capture.dir is not None else None
    fittings = Fittings() if captures is None else Fittings(make_tap=captures.make_tap)
    app = create_app(settings, recognizer, flows, prompts, store, fittings=fittings)
    await store.open()
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=_CLEANUP_S,
        lingering_time=_LINGERING_S,
    )
    try:
        await runner.setup()
        url = await _listen(runner, settings)
        if captures is not None:
            captures.warn()
        await _serve_until_signal(app[CONTEXT], recognizer, files, url)
    finally:
        await runner.cleanup()
        await recognizer.close()
        await store.close()
        if captures is not None:
            await asyncio.to_thread(captures.close)


def _warm(prompts: PromptStore, flow: Flow) -> None:
    prompts.warm([*fixed_prompts(flow), *fixed_parts(flow)])


async def _listen(runner: web.AppRunner, settings: Settings) -> str:
    host, port = settings.server.host, settings.server.port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; free the port or set "
            "server.port (0 takes a free one)"
        ) from None
    bound: int = runner.addresses[0][1]
    return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"


async def _serve_until_signal(
    context: Context, recognizer: StartableRecognizer, files: FlowFiles, url: str
) -> None:
    stop, hurry, reload = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    keeping_current = asyncio.create_task(keep_flows_current(context, files, reload))
    try:
        if not await _start_unless(recognizer, stop):
            return
        # The one line that scripts wait for.
        print(f"ivr: ready on {url}", flush=True)  # noqa: T201
        _log.info("ready", url=url)
        await stop.wait()
        await _drain_unless(context, hurry)
    finally:
        keeping_current.cancel()
        await asyncio.gather(keeping_current, return_exceptions=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _start_unless(recognizer: StartableRecognizer, stop: asyncio.Event) -> bool:
    """Start the recogniser; give up, and say False, where a signal comes first."""
    starting = asyncio.ensure_future(recognizer.start())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    starting.result()
    return True


async def _drain_unless(context: Context, hurry: asyncio.Event) -> None:
    """Let the calls finish, up to the deadline or a second signal."""
    _log.info("draining", calls=len(context.calls))
    draining = asyncio.ensure_future(drain(context, context.settings.server.drain_s))
    hurrying = asyncio.ensure_future(hurry.wait())
    await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        for stream in list(context.streams):
            stream.shut_down()
    hurrying.cancel()
    finished = await draining
    _log.info("drained", calls_closed=not finished)
