"""The server as systemd and Kubernetes see it: a process, a signal, an exit status."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from ivr.providers.twilio import TwilioCaller

FLOW = "flow: hello\nstart: bye\nsteps: {bye: {end: completed, say: Good bye.}}\n"
CONFIG = """
flow: flow.yaml
server: {{port: 0, drain_s: {drain_s}}}
recognizer: {{workers: 1}}
prompts: {{cache_dir: null}}
records: {{path: calls.db}}
log: {{format: json}}
"""


class Server:
    """A running `ivr serve`.

    Attributes:
        url: from the ready line.
        process: the one that was started.
    """

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    async def ended(self) -> tuple[int | None, list[str]]:
        """The exit status, and the names of what was logged."""
        _, logged = await self.process.communicate()
        events = [json.loads(line)["event"] for line in logged.decode().splitlines()]
        return self.process.returncode, events


@asynccontextmanager
async def serving(folder: Path, drain_s: float) -> AsyncIterator[Server]:
    """A process of its own, killed if the test leaves it behind."""
    (folder / "flow.yaml").write_text(FLOW)
    (folder / "ivr.yaml").write_text(CONFIG.format(drain_s=drain_s))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", "serve", "--config", str(folder / "ivr.yaml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            line = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"ivr: ready on (http://\S+)\n", line)
        assert found, line
        yield Server(process, found[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # its recognisers hold the pipes, and end with it


@asynccontextmanager
async def on_the_line(
    client: aiohttp.ClientSession, url: str
) -> AsyncIterator[tuple[aiohttp.ClientWebSocketResponse, str]]:
    """A call whose goodbye has been sent and not yet played, and the message that says it was."""
    caller, goodbye = TwilioCaller(), ""
    twiml = await (await client.post(url + "/voice", data={"CallSid": "CA1"})).text()
    token = twiml.partition('value="')[2].partition('"')[0]
    async with client.ws_connect(url + "/media") as line:
        await line.send_str(caller.start("CA1", "MZ1", {"token": token}))
        while not goodbye:
            said = json.loads(await line.receive_str(timeout=60))
            goodbye = said.get("mark", {}).get("name", "")
        yield line, caller.mark(goodbye)


async def draining(client: aiohttp.ClientSession, url: str) -> None:
    """Wait until the signal has arrived."""
    async with asyncio.timeout(60):
        while (await client.get(url + "/readyz")).status == 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def closed(line: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code that the server closes with."""
    async with asyncio.timeout(60):
        async for _ in line:
            pass
    return line.close_code


def test_killed_server_leaves_nobody_behind(tmp_path: Path) -> None:
    """Its recognisers end by themselves: they would keep a model in memory each, for ever."""

    async def scenario() -> None:
        async with serving(tmp_path, 60.0) as server:
            server.process.kill()
            async with asyncio.timeout(60):
                await server.process.communicate()  # until all who have the pipes are gone
            assert server.process.returncode == -signal.SIGKILL

    asyncio.run(scenario())


def test_sigterm_lets_calls_finish(tmp_path: Path) -> None:
    """Not ready at once, no new call, the current one to its end, status 0, its record kept."""

    async def scenario() -> None:
        async with serving(tmp_path, 60.0) as server, aiohttp.ClientSession() as client:
            async with on_the_line(client, server.url) as (line, played):
                assert (await client.get(server.url + "/readyz")).status == 200
                server.process.send_signal(signal.SIGTERM)
                await draining(client, server.url)
                report = await (await client.get(server.url + "/readyz")).json()
                assert report["reason"] == "draining"
                assert (await client.get(server.url + "/livez")).status == 200
                assert (await client.post(server.url + "/voice")).status == 503
                assert (await client.get(server.url + "/media")).status == 503
                assert server.process.returncode is None
                await line.send_str(played)
                assert await closed(line) == 1000
            status, events = await server.ended()
            assert status == 0
            assert events.index("draining") < events.index("call_ended") < events.index("drained")

    asyncio.run(scenario())


@pytest.mark.parametrize("hurry", [False, True], ids=["deadline", "second signal"])
def test_what_lasts_longer_is_closed(tmp_path: Path, hurry: bool) -> None:
    """After the deadline, or a second signal: 1001, and still an orderly end."""

    async def scenario() -> None:
        drain_s = 600.0 if hurry else 0.2
        async with serving(tmp_path, drain_s) as server, aiohttp.ClientSession() as client:
            async with on_the_line(client, server.url) as (line, _):
                server.process.send_signal(signal.SIGTERM)
                if hurry:
                    # Two signals at once are one to a process.
                    await draining(client, server.url)
                    server.process.send_signal(signal.SIGTERM)
                assert await closed(line) == 1001
            status, _ = await server.ended()
            assert status == 0

    asyncio.run(scenario())
