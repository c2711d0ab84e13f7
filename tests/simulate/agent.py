"""A scripted agent behind a real socket, for the shell's tests: webhook, stream, record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from ivr.audio.g711 import mulaw_encode
from ivr.providers.events import Event, MarkPlayed, MediaReceived, StreamStarted
from ivr.providers.twilio import TwilioServer


def speech(n_ms: int) -> bytes:
    """A tone as mu-law."""
    time = np.arange(n_ms * 8) / 8000
    return mulaw_encode((8000 * np.sin(2 * np.pi * 300 * time)).astype(np.int16))


@dataclass
class AgentCall:
    """One call as the agent sees it.

    Attributes:
        socket: the media socket.
        dialect: the server's side of the wire.
        events: everything received, in order.
        arrivals_s: loop time of each media message.
    """

    socket: web.WebSocketResponse
    dialect: TwilioServer = field(default_factory=TwilioServer)
    events: list[Event] = field(default_factory=list)
    arrivals_s: list[float] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, n_ms: int, mark: str) -> None:
        """Send a prompt and its mark."""
        await self.socket.send_str(self.dialect.send_media(speech(n_ms)))
        await self.socket.send_str(self.dialect.send_mark(mark))

    async def until(self, condition: Callable[[list[Event]], bool]) -> None:
        """Wait until the events satisfy a condition."""
        while not condition(self.events):
            self.changed.clear()
            await self.changed.wait()

    async def until_mark(self, name: str) -> None:
        """Wait until a mark came back."""
        await self.until(lambda events: MarkPlayed(name) in events)

    async def read(self) -> None:
        """Collect what the caller sends until the socket closes."""
        async for message in self.socket:
            if message.type is not WSMsgType.TEXT:
                break
            for event in self.dialect.receive(message.data):
                if isinstance(event, MediaReceived):
                    self.arrivals_s.append(asyncio.get_running_loop().time())
                self.events.append(event)
                self.changed.set()


Behaviour = Callable[[AgentCall], Awaitable[None]]


@dataclass
class Agent:
    """A small server for simulated calls.

    Attributes:
        behave: what it does once a stream has started.
        twiml: the webhook's answer; ``{port}`` is filled in.
        record: what the API returns for any call; ``None`` is 404.
        calls: the calls that came.
        webhooks: forms and headers of the webhooks that came.
        queries: of the webhooks' addresses.
        upgrades: headers of the media sockets' upgrades.
    """

    behave: Behaviour
    twiml: str = (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>'
        '<Stream url="ws://127.0.0.1:{port}/media"><Parameter name="token" value="t0"/></Stream>'
        "</Connect></Response>"
    )
    voice_status: int = 200
    record: dict[str, Any] | None = None
    calls: list[AgentCall] = field(default_factory=list)
    webhooks: list[tuple[dict[str, str], dict[str, str]]] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    upgrades: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Agent]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_post("/voice", self._voice)
        app.router.add_get("/media", self._media)
        app.router.add_get("/v1/calls/{id}", self._get_record)
        app.router.add_get("/readyz", self._ready)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    @contextlib.contextmanager
    def in_a_thread(self) -> Iterator[Agent]:
        """Serve from a thread with a loop of its own, for commands that run theirs."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        server = self.running()
        try:
            asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
            try:
                yield self
            finally:
                closing = server.__aexit__(None, None, None)
                asyncio.run_coroutine_threadsafe(closing, loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    async def _voice(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.webhooks.append((form, dict(request.headers)))
        text = self.twiml.replace("{port}", str(self.port))
        return web.Response(status=self.voice_status, text=text, content_type="text/xml")

    async def _media(self, request: web.Request) -> web.WebSocketResponse:
        self.upgrades.append(dict(request.headers))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        call = AgentCall(socket)
        self.calls.append(call)
        reading = asyncio.create_task(call.read())
        acting = asyncio.create_task(self._act(call))
        await asyncio.wait([reading, acting], return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, acting):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await socket.close()
        return socket

    async def _act(self, call: AgentCall) -> None:
        await call.until(lambda events: any(isinstance(e, StreamStarted) for e in events))
        await self.behave(call)

    async def _get_record(self, request: web.Request) -> web.Response:
        if self.record is None:
            return web.Response(status=404)
        body = {"call_id": request.match_info["id"], **self.record}
        return web.Response(text=json.dumps(body), content_type="application/json")

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready")
