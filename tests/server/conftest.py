"""A real server on a real port, with a scripted recogniser, and a provider's end to talk to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from ivr.actions import CallSettings
from ivr.asr.pool import PoolState
from ivr.asr.queue import Urgency
from ivr.audio.espeak import Espeak
from ivr.audio.g711 import mulaw_encode
from ivr.config import Settings
from ivr.errors import Overloaded
from ivr.flow.machine import Prompt
from ivr.flow.schema import parse_flow
from ivr.providers.events import AgentMessage, SendClear, SendMark, SendMedia
from ivr.providers.twilio import TwilioCaller
from ivr.recognition import Hypothesis, Recognition, Word
from ivr.records.keys import KeyStore, new_key
from ivr.records.protection import Keyring
from ivr.records.store import CallStore
from ivr.server.access import ACCESS
from ivr.server.app import create_app
from ivr.server.context import CONTEXT, Context
from ivr.server.flows import Flows
from ivr.server.tracing import Tracing

FLOW = """
flow: pin
start: ask
defaults:
  no_input_timeout_s: 1.0
  attempts: 2
  on_failure: bye
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=4
    prompt: Your number please.
    no_input: [Say it now.]
    no_match: [Once more.]
    next: done
  done:
    end: completed
    say: "Thank you for {account:digits}."
  bye:
    end: gave_up
    say: Goodbye.
"""
OTHER = """
flow: other
start: bye
steps:
  bye:
    end: completed
    say: Hello and goodbye.
"""
SILENCE = b"\xff" * 160


def heard(words: str, confidence: float = 0.95) -> Recognition:
    """A recognition of these words."""
    timed = tuple(Word(word, 0, 0, confidence) for word in words.split())
    return Recognition((Hypothesis(timed, 0.0),), confidence, audio_ms=1000)


@dataclass
class FakeRecognizer:
    """Answers from a script: a recognition, an error to raise, or seconds to wait first."""

    script: list[Recognition | Exception] = field(default_factory=list)
    ready: bool = True
    delay_s: float = 0.0
    asked: list[tuple[int, str]] = field(default_factory=list)
    cancelled: int = 0
    model: dict[str, Any] | None = None
    urgencies: list[Urgency] = field(default_factory=list)
    alive: int = 1
    waiting: int = 0
    restarts: int = 0

    def state(self) -> PoolState:
        """One worker with a queue of two, as the fields say."""
        return PoolState(1, self.alive, 0, self.waiting, 2, self.restarts)

    async def recognize(
        self, samples: NDArray[np.int16], grammar: str, urgency: Urgency = Urgency.ANSWER
    ) -> Recognition:
        """The next answer of the script; the last one repeats."""
        self.asked.append((len(samples), grammar))
        self.urgencies.append(urgency)
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakePrompts:
    """Prompts of a fixed length, a level each, and a record of what was rendered."""

    seconds: float = 0.1
    rendered: list[str] = field(default_factory=list)
    failing: tuple[str, ...] = ()

    def render(self, prompt: Prompt) -> NDArray[np.int16]:
        """A constant level: prompts can be told apart by it."""
        self.rendered.append(prompt.text)
        if prompt.text in self.failing:
            raise Overloaded("no voice today")
        return np.full(int(self.seconds * 8000), 1000, np.int16)


class Line:
    """The provider's end of one media socket.

    Attributes:
        sent: what the agent has sent, in order.
        close_code: of the socket, once it is closed.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.caller = TwilioCaller()
        self.sent: list[AgentMessage] = []
        self.close_code: int | None = None
        self._changed = asyncio.Condition()
        self._reader_done = False
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                async with self._changed:
                    self.sent += self.caller.receive(message.data)
                    self._changed.notify_all()
        async with self._changed:
            self.close_code = self.socket.close_code
            self._reader_done = True
            self._changed.notify_all()

    async def until(self, reached: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until what came in makes a condition true."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: reached() or self._reader_done)
        assert reached(), f"the server closed with {self.close_code} first"

    async def mark(self, count: int = 1) -> str:
        """Wait for the agent's n-th mark, and return its name."""
        await self.until(lambda: len(self.marks) >= count)
        return self.marks[count - 1]

    @property
    def marks(self) -> list[str]:
        """The names of the marks so far."""
        return [message.name for message in self.sent if isinstance(message, SendMark)]

    @property
    def audio(self) -> bytes:
        """The agent's audio so far."""
        return b"".join(m.payload for m in self.sent if isinstance(m, SendMedia))

    @property
    def clears(self) -> int:
        """How often the agent cleared."""
        return sum(isinstance(message, SendClear) for message in self.sent)

    async def closed(self) -> int | None:
        """Wait for the server to close, and return the code."""
        async with asyncio.timeout(20.0):
            await asyncio.shield(self._reader)
        return self.close_code

    async def say(self, *messages: str) -> None:
        """Send messages as they are."""
        for message in messages:
            await self.socket.send_str(message)

    async def start(self, token: str, call_id: str = "CA1", stream_id: str = "MZ1") -> None:
        """Open the stream."""
        await self.say(
            self.caller.connected(), self.caller.start(call_id, stream_id, {"token": token})
        )

    async def keys(self, digits: str) -> None:
        """Press keys."""
        for digit in digits:
            await self.say(self.caller.dtmf(digit))

    async def hear(self, audio: bytes, frame_bytes: int = 160) -> None:
        """Send caller audio, as fast as it goes: the call's clock is the audio."""
        for offset in range(0, len(audio), frame_bytes):
            await self.say(self.caller.media(audio[offset : offset + frame_bytes]))

    async def silence(self, seconds: float) -> None:
        """Send silence."""
        await self.hear(SILENCE * int(seconds * 50))

    async def hang_up(self) -> None:
        """End the stream as a provider does, and close."""
        await self.say(self.caller.stop())
        await self.closed()

    async def finish(self) -> None:
        """Let go of the socket, whatever its state."""
        if not self.socket.closed:
            await self.socket.close()
        with contextlib.suppress(Exception):
            await self._reader


class Bench:
    """A server under test and a client for it."""

    def __init__(
        self, url: str, context: Context, client: aiohttp.ClientSession, runner: web.AppRunner
    ) -> None:
        self.url = url
        self.context = context
        self.client = client
        self.runner = runner
        self._lines: list[Line] = []

    async def key(self, *scopes: str, **options: Any) -> dict[str, str]:
        """The headers of a new key with these scopes."""
        key, text = new_key("test", scopes, **options)
        await KeyStore(self.context.store.database).add(key)
        return {"Authorization": f"Bearer {text}"}

    def count(self, reason: str, family: str = "refusals") -> int:
        """How often something was counted."""
        return self.context.metrics.get(family, reason)

    def forget_keys(self) -> None:
        """Let the server read its keys again with the next request."""
        access = self.runner.app[ACCESS]
        access._read_at_s = access._tried_at_s = float("-inf")

    async def revoke(self, key: str) -> None:
        """Revoke a key, and let the server know."""
        await KeyStore(self.context.store.database).revoke(key[:16])
        self.forget_keys()

    async def ended_document(self) -> dict[str, Any]:
        """The newest stored record, once no call is under way."""
        async with asyncio.timeout(10):
            await self.context.idle.wait()
        document: dict[str, Any] = (await self.context.store.list(1))[0]
        return document

    async def post_voice(self, flow: str | None = None, **fields: str) -> aiohttp.ClientResponse:
        """Ask as the provider does when a call comes in."""
        query = {} if flow is None else {"flow": flow}
        data = fields or {"CallSid": "CA1"}
        return await self.client.post(self.url + "/voice", data=data, params=query)

    async def token(self, call_id: str = "CA1", flow: str | None = None) -> str:
        """A token, by way of the webhook and its TwiML."""
        response = await self.post_voice(flow, CallSid=call_id)
        assert response.status == 200, await response.text()
        twiml = ElementTree.fromstring(await response.text())  # noqa: S314 - our own server's
        parameter = twiml.find(".//Parameter")
        assert parameter is not None
        return parameter.attrib["value"]

    async def line(self, **options: Any) -> Line:
        """A media socket, nothing said yet."""
        line = Line(await self.client.ws_connect(self.url + "/media", **options))
        self._lines.append(line)
        return line

    async def call(self, call_id: str = "CA1", flow: str | None = None) -> Line:
        """A call that has started."""
        line = await self.line()
        await line.start(await self.token(call_id, flow), call_id, "MZ" + call_id)
        return line

    async def record(self, call_id: str = "CA1") -> dict[str, Any]:
        """The call's record, by way of the API."""
        response = await self.client.get(f"{self.url}/v1/calls/{call_id}")
        assert response.status == 200, await response.text()
        document: dict[str, Any] = await response.json()
        return document

    async def ended(self, call_id: str = "CA1") -> dict[str, Any]:
        """The call's record, once the server has put it away."""
        async with asyncio.timeout(10):
            await self.context.idle.wait()
        return await self.record(call_id)

    async def until(self, reached: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until something is true of the server."""
        async with asyncio.timeout(timeout_s):
            while not reached():  # noqa: ASYNC110 - what is waited for sets no event
                await asyncio.sleep(0.02)

    async def finish(self) -> None:
        """Let go of every line."""
        for line in self._lines:
            await line.finish()


@asynccontextmanager
async def serving(
    *,
    recognizer: FakeRecognizer | None = None,
    prompts: FakePrompts | None = None,
    flow: str | Flows = FLOW,
    records: Path | dict[str, Any] | None = None,
    keys: str | None = None,
    audio: Path | None = None,
    call_settings: CallSettings | None = None,
    recognizer_timeout_s: float = 10.0,
    min_free_bytes: int = 0,
    tracing: Tracing | None = None,
    **sections: dict[str, Any],
) -> AsyncIterator[Bench]:
    """A server on a free port; keyword arguments are sections of the settings."""
    sections["recognizer"] = {"timeout_s": recognizer_timeout_s}
    sections["records"] = {
        "keys": keys,
        "audio_dir": audio,
        "min_free_bytes": min_free_bytes,
        **(records if isinstance(records, dict) else {"path": records}),
    }
    settings = Settings.model_validate(sections)
    store = CallStore(settings.records, settings.webhook)
    await store.open()
    if isinstance(flow, str):
        flow = Flows.of(parse_flow(flow), keyring=Keyring.parse(keys))
    app = create_app(
        settings,
        recognizer or FakeRecognizer([heard("four one five five")]),
        flow,
        prompts or FakePrompts(),
        store,
        call_settings=call_settings,
        tracing=tracing,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, lingering_time=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as client:
        bench = Bench(url, app[CONTEXT], client, runner)
        try:
            yield bench
        finally:
            await bench.finish()
            await runner.cleanup()
            await store.close()


class Browser:
    """A browser at the console: it keeps cookies, and its pages send what they should."""

    def __init__(self, bench: Bench, client: aiohttp.ClientSession) -> None:
        self.bench = bench
        self.client = client
        self.csrf = ""

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        """Ask for something under ``/console``."""
        return await self.client.get(self.bench.url + "/console" + path, headers=headers)

    async def post(self, path: str, body: object, **headers: str) -> aiohttp.ClientResponse:
        """Post from a page of the console's; headers that are given win."""
        sent = {"Origin": self.bench.url, "X-CSRF-Token": self.csrf, **headers}
        url = self.bench.url + "/console" + path
        return await self.client.post(url, json=body, headers=sent)

    async def log_in(self, *scopes: str) -> dict[str, Any]:
        """Log in with a new key of these scopes."""
        headers = await self.bench.key(*scopes)
        key = headers["Authorization"].removeprefix("Bearer ")
        self.bench.forget_keys()
        response = await self.post("/api/login", {"key": key})
        assert response.status == 200, await response.text()
        about: dict[str, Any] = await response.json()
        self.csrf = about["csrf"]
        return about

    async def enter(self) -> dict[str, Any]:
        """Take the session that this machine is given."""
        response = await self.get("/api/session")
        assert response.status == 200, await response.text()
        about: dict[str, Any] = await response.json()
        self.csrf = about["csrf"]
        return about


@asynccontextmanager
async def browsing(bench: Bench) -> AsyncIterator[Browser]:
    """A browser without a cookie yet."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield Browser(bench, client)


Scenario = Callable[[], Awaitable[None]]


def run_scenario(scenario: Scenario) -> None:
    """Run a scenario, and fail it if it leaves a task behind."""

    async def main() -> None:
        await scenario()
        for _ in range(20):  # cancelled tasks and closed transports need a turn to finish
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"leaked: {left}"

    asyncio.run(main())


@dataclass(frozen=True)
class Kit:
    """What the tests of the server use; a fixture, since test modules do not import each other."""

    serving: Callable[..., Any] = serving
    browsing: Callable[..., Any] = browsing
    run: Callable[[Scenario], None] = run_scenario
    heard: Callable[..., Recognition] = heard
    recognizer: type[FakeRecognizer] = FakeRecognizer
    prompts: type[FakePrompts] = FakePrompts
    flow: str = FLOW
    other: str = OTHER

    @staticmethod
    def flows(*texts: str) -> Flows:
        """Flows given as text, the first the default."""
        return Flows.of(*(parse_flow(text) for text in texts))

    @staticmethod
    def media_of(payload: bytes, stream_id: str = "MZCA1") -> str:
        """A media message by hand."""
        data = base64.b64encode(payload).decode()
        return json.dumps({"event": "media", "streamSid": stream_id, "media": {"payload": data}})

    @staticmethod
    def causes(record: dict[str, Any]) -> list[str]:
        """The causes of a record's turns."""
        turns: Iterable[dict[str, Any]] = record["turns"]
        return [turn["collected"]["cause"] for turn in turns if turn["collected"]]


@pytest.fixture(scope="session")
def speech() -> bytes:
    """One spoken word between silences, as mu-law: enough for the endpointer to hear an answer."""
    word = mulaw_encode(Espeak().render("five"))
    return SILENCE * 20 + word + SILENCE * 125


@pytest.fixture
def kit() -> Kit:
    """The server's test kit."""
    return Kit()
