"""`ivr demo`: a server of its own, and several simulated calls to it, in real time.

Theory of operation: the demo starts `ivr serve` as the user would, in a process of its own, on a
free port and with a record file that goes away afterwards; waits until it is ready; places all
calls of a folder and of the folders in it, a moment apart and a few at a time; prints each
dialogue, then a table; and ends the server with SIGTERM. Nothing is stubbed: webhook, token, media
socket, recogniser, records are those of production.

A script that names a flow calls that one; the flows stand beside the default. What these look up,
they look up in a small bank (`ivr.simulate.bank`), which runs in the demo's own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from ivr.audio.espeak import Espeak
from ivr.errors import ConfigError, IvrError
from ivr.simulate.bank.command import serving_bank
from ivr.simulate.caller import CallResult, place_call
from ivr.simulate.commands import EXIT_AS_SCRIPTED, EXIT_NOT_AS_SCRIPTED, save_recording
from ivr.simulate.phone import Phone
from ivr.simulate.report import as_json, print_dialogue, print_summary
from ivr.simulate.script import Script, describe
from ivr.simulate.script_file import load_script
from ivr.simulate.verdict import judge
from ivr.simulate.voice import Sound, render_sounds
from ivr.simulate.webhook import Server

SCRIPTS_DIR: Final = Path("config/demo")
FLOW: Final = Path("config/flows/account_id.yaml")
SCRIPT_GLOB: Final = "*.call.yaml"

READY_TIMEOUT_S: Final = 60.0  # loading and warming the model takes seconds on a slow machine
STOP_TIMEOUT_S: Final = 15.0
STAGGER_S: Final = 0.35  # real calls do not begin in the same frame
AT_ONCE: Final = 6  # calls; more would only make a small machine late
LOG_LINES_KEPT: Final = 20  # shown when the server fails

SERVE: Final = (sys.executable, "-c", "from ivr.cli import main; main()", "serve")
"""`ivr serve` of this very installation, whatever is on the PATH."""

_READY_LINE = re.compile(r"ready on (https?://\S+)")


class ServerFailed(IvrError):  # noqa: N818 - it is what happened, as in house.md's Overloaded
    """The demo's server did not start or did not stay up; the message ends with its last lines."""


def run_demo(
    *,
    scripts: Path = SCRIPTS_DIR,
    flow: Path = FLOW,
    only: str | None = None,
    server: str | None = None,
    record_dir: Path | None = None,
    json_output: bool = False,
    console: Console | None = None,
) -> int:
    """Run the demo.

    Args:
        scripts: a folder of ``*.call.yaml`` dialogues and of folders of them; each is one call.
        flow: the call flow of the scripts that name none; those that are named stand beside it.
        only: the calls to this flow, or the call of this name.
        server: address of a running server to call instead of starting one.
        record_dir: keep each call as a stereo WAV in this folder.
        json_output: print one JSON object instead of dialogues and table.
        console: where to print.

    Returns:
        The exit status: 0 only if every call went as its script says.

    Raises:
        ConfigError: a script or the folder is wrong.
        ServerFailed: the server did not start or did not get ready.
        AudioError, ModelError: the callers' speech cannot be rendered.
    """
    console = console or Console()
    calls = choose_calls(load_calls(scripts), only, flow.stem)
    if record_dir is not None:
        record_dir.mkdir(parents=True, exist_ok=True)
    synthesizer = Espeak()
    sounds = [render_sounds(call, synthesizer) for call in calls]
    progress_console = Console(stderr=True) if json_output else console
    results = asyncio.run(_run(calls, sounds, flow, server, progress_console))
    verdicts = [judge(result) for result in results]
    for result in results:
        if record_dir is not None:
            save_recording(result, record_dir / f"{result.script.name}.wav")
    passed = all(verdict.passed for verdict in verdicts)
    if json_output:
        report = {"passed": passed, "calls": [as_json(verdict) for verdict in verdicts]}
        console.print_json(json.dumps(report))
    else:
        for verdict in verdicts:
            print_dialogue(console, verdict)
        print_summary(console, verdicts)
    return EXIT_AS_SCRIPTED if passed else EXIT_NOT_AS_SCRIPTED


def load_calls(folder: Path) -> list[Script]:
    """The scripts of a folder and those below it: its own first, then folder by folder.

    Raises:
        ConfigError: no such folder, no script in it, or a script is wrong.
    """
    paths = sorted(folder.rglob(SCRIPT_GLOB), key=lambda path: (path.parent, path.name))
    if not paths:
        cure = "run the demo in the project's folder, or name another folder"
        raise ConfigError(f"{folder}: no {SCRIPT_GLOB} here; {cure}")
    return [load_script(path) for path in paths]


def choose_calls(calls: Sequence[Script], only: str | None, default: str) -> list[Script]:
    """The calls to one flow, or the one call of a name; all where none is given.

    Args:
        calls: to choose from.
        only: the name of a flow or of a call.
        default: the name of the flow that is called where a script names none.

    Raises:
        ConfigError: nothing has that name.
    """
    named = [call for call in calls if only in (None, call.name, call.flow or default)]
    if not named:
        flows = sorted({call.flow or default for call in calls})
        raise ConfigError(f"--only: no call to {only} here; there are {', '.join(flows)}")
    return named


async def _run(
    calls: Sequence[Script],
    sounds: Sequence[Mapping[int, Sound]],
    flow: Path,
    address: str | None,
    console: Console,
) -> list[CallResult]:
    """The calls, against a running server or one of our own."""
    if address is not None:
        return await _place_calls(calls, sounds, Server(address), console)
    async with contextlib.AsyncExitStack() as stack:
        bank = None
        if any(call.flow is not None for call in calls):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ivr-demo-bank-"))
            bank = await stack.enter_async_context(serving_bank(Path(folder) / "bank.sqlite3"))
            console.print(f"The bank is ready at {bank}.")
        console.print("Starting the server and loading the model ...")
        server = await stack.enter_async_context(run_server(flow, bank=bank))
        console.print(f"The server is ready at {server.url}; {len(calls)} calls begin.")
        return await _place_calls(calls, sounds, server, console)


async def _place_calls(
    calls: Sequence[Script],
    sounds: Sequence[Mapping[int, Sound]],
    server: Server,
    console: Console,
) -> list[CallResult]:
    """Place the calls, a few at a time and a moment apart, with a line of progress for each."""
    places = asyncio.Semaphore(AT_ONCE)
    columns = (
        SpinnerColumn(finished_text="·"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:

        async def place(index: int) -> CallResult:
            script = calls[index]
            total = len(script.steps) + 1  # the last is the agent's goodbye
            task = progress.add_task(script.name, total=total, status="waiting", start=False)
            await asyncio.sleep(index * STAGGER_S)
            async with places:
                return await place_now(script, index, task)

        async def place_now(script: Script, index: int, task: TaskID) -> CallResult:
            progress.start_task(task)
            total = len(script.steps) + 1

            def watch(phone: Phone) -> None:
                status = progress.tasks[task].fields["status"]
                if (now := _status(phone)) != status:
                    progress.update(task, completed=phone.step, status=now)

            result = await place_call(script, sounds[index], server, watch=watch)
            problem = result.failure is not None
            progress.update(task, completed=total, status="failed" if problem else "call over")
            progress.stop_task(task)
            if not console.is_terminal:
                console.print(f"{script.name}: call over after {result.duration_s:.1f} s")
            return result

        return list(await asyncio.gather(*(place(index) for index in range(len(calls)))))


def _status(phone: Phone) -> str:
    """What the caller is doing, for the progress line."""
    steps = phone.script.steps
    if phone.step >= len(steps):
        return "listening"
    verb = describe(steps[phone.step]).split()[0]
    words = {
        "wait_prompt": "listening",
        "say": "speaking",
        "wav": "speaking",
        "keys": "keying",
        "pause_s": "silent",
        "barge_in": "barging in",
        "hang_up": "hanging up",
    }
    return words[verb]


@contextlib.asynccontextmanager
async def run_server(
    flow: Path, command: Sequence[str] = SERVE, bank: str | None = None
) -> AsyncIterator[Server]:
    """A server in a process of its own, ready for calls; it is ended with SIGTERM.

    Args:
        flow: the call flow that it runs.
        bank: address of the bank that flows may ask; with it, the flows beside `flow` are served.
        command: what starts it; it prints ``ready on URL`` once it is.

    Raises:
        ServerFailed: it ended or was not ready in time.
    """
    with tempfile.TemporaryDirectory(prefix="ivr-demo-") as folder:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=_server_environment(flow, Path(folder), bank),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        reader = asyncio.create_task(_read_output(process, lines, address))
        try:
            try:
                async with asyncio.timeout(READY_TIMEOUT_S):
                    server = Server(await address)
                    await _wait_until_ready(server, process)
            except TimeoutError:
                raise _failure(f"was not ready within {READY_TIMEOUT_S:g} s", lines) from None
            except EOFError:
                await process.wait()
                raise _failure(f"ended with status {process.returncode}", lines) from None
            yield server
        finally:
            await _stop(process)
            await reader


def _server_environment(flow: Path, folder: Path, bank: str | None) -> dict[str, str]:
    """The server's environment: no IVR_* of the user's, so that the demo is the same everywhere."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("IVR_")}
    with_bank = {}
    if bank is not None:
        hosts = [bank.removeprefix("http://")]
        with_bank["IVR_FLOWS_DIR"] = str(flow.resolve().parent)
        with_bank["IVR_LOOKUPS__ALLOWED_HOSTS"] = json.dumps(hosts)
    return environment | {
        **with_bank,
        "IVR_FLOW": str(flow.resolve()),
        "IVR_SERVER__HOST": "127.0.0.1",
        "IVR_SERVER__PORT": "0",
        "IVR_RECORDS__PATH": str(folder / "calls.sqlite3"),
        "IVR_PROMPTS__CACHE_DIR": str(folder / "prompts"),
        "PYTHONUNBUFFERED": "1",
    }


async def _read_output(
    process: asyncio.subprocess.Process, lines: deque[str], address: asyncio.Future[str]
) -> None:
    """Keep the server's last lines, and find the address that it prints."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    async for raw in process.stdout:
        line = raw.decode("utf-8", "replace").rstrip()
        lines.append(line)
        found = _READY_LINE.search(line)
        if found and not address.done():
            address.set_result(found.group(1))
    if not address.done():
        address.set_exception(EOFError("the server ended"))


async def _wait_until_ready(server: Server, process: asyncio.subprocess.Process) -> None:
    """Ask /readyz until it says yes."""
    async with aiohttp.ClientSession() as session:
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.get(f"{server.url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise EOFError("the server ended")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the server: politely, then not."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()


def _failure(what: str, lines: Sequence[str]) -> ServerFailed:
    """The error for a server that is not there, with what it said last."""
    said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return ServerFailed(f"the demo's server {what}; it said:\n{said}")
