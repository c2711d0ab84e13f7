"""The shell around the phone: a media socket, a clock, and nothing that decides.

Theory of operation: two tasks share one `Phone`. The pump sends a frame every 20 ms on an
absolute schedule (frame n at start + n x 20 ms), so that one late frame does not shift the ones
after it; how late the worst frame was is reported, because a late caller would be blamed on the
server. In step with its agent it waits before each frame until both ends are level, and then need
not keep to the schedule (`ivr.simulate.line`). The listener hands what the agent sends to the phone
and returns marks that are due at once. The call is over when the script hangs up or the agent
closes the socket.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from ivr.errors import ProtocolError
from ivr.providers.events import (
    DtmfReceived,
    Event,
    MarkPlayed,
    MediaReceived,
    StreamStopped,
)
from ivr.providers.twilio import TwilioCaller
from ivr.simulate.line import Timing, Traffic
from ivr.simulate.phone import FRAME_S, GivenInput, Phone
from ivr.simulate.playout import RATE_HZ, PlayedPrompt
from ivr.simulate.script import Script
from ivr.simulate.voice import Sound
from ivr.simulate.webhook import (
    CallRefused,
    Server,
    Stream,
    announce_call,
    fetch_record,
    refusal,
)

CONNECT_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 5.0
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024  # a whole prompt in one message is 8 kB a second
GOOD_CLOSE_CODES: Final = frozenset({1000, 1001})  # done, and going away (the server drains)


@dataclass(frozen=True, slots=True)
class SaidPrompt:
    """A prompt as the server's call wanted it.

    Attributes:
        mark: that follows its audio.
        text: its words. Personal.
        personal: they repeat what the caller said.
    """

    mark: str
    text: str
    personal: bool


@dataclass(frozen=True, slots=True)
class CallResult:
    """A call as the caller knows it, and the server's record of it.

    Attributes:
        script: what the caller did.
        call_id: the provider's name of the call.
        inputs: the caller's answers, by line position.
        prompts: what was heard, by line position.
        failure: why the script could not be carried out, or ``None``.
        ended_by: ``"caller"`` or ``"agent"``, ``""`` where no call came about.
        close_code: of the agent's WebSocket close, ``None`` if there was none.
        duration_s: time on the line.
        worst_lateness_ms: of the caller's own frames against their schedule.
        tracks: [n_samples, 2] int16, 8 kHz: caller left, agent right.
        record: the server's call record, ``None`` if it could not be read.
        said: what the agent was to say, in order, ``None`` where it fell silent for the caller;
            empty where only its record tells.
        secret: names of the variables that reports must not show.
    """

    script: Script
    call_id: str
    inputs: tuple[GivenInput, ...] = ()
    prompts: tuple[PlayedPrompt, ...] = ()
    failure: str | None = None
    ended_by: str = ""
    close_code: int | None = None
    duration_s: float = 0.0
    worst_lateness_ms: float = 0.0
    tracks: NDArray[np.int16] | None = None
    record: dict[str, Any] | None = None
    said: tuple[SaidPrompt | None, ...] = ()
    secret: frozenset[str] = frozenset()

    @property
    def underrun_ms(self) -> float:
        """Silence that the caller heard inside prompts because audio came too late."""
        return sum(prompt.underrun_samples for prompt in self.prompts) * 1000 / RATE_HZ


Watch = Callable[[Phone], None]
"""Called once a frame, for a progress display; must not block."""


def new_call_id() -> str:
    """A CallSid: CA and 32 hexadecimal digits."""
    return f"CA{uuid.uuid4().hex}"


async def place_call(
    script: Script,
    sounds: Mapping[int, Sound],
    server: Server | None,
    stream: Stream | None = None,
    watch: Watch | None = None,
    *,
    timing: Timing | None = None,
    call_id: str | None = None,
) -> CallResult:
    """Place one call.

    Args:
        script: what the caller does.
        sounds: its audio (`ivr.simulate.voice.render_sounds`).
        server: whose webhook announces the call and whose API has the record; ``None`` if there is
            only a socket.
        stream: the media socket, for a call that no webhook announces.
        watch: called once a frame.
        timing: how it is timed; a frame every 20 ms by default.
        call_id: the provider's name of the call; a new one by default.

    Returns:
        What happened; failures of the call are in the result, not raised.
    """
    call_id = call_id or new_call_id()
    phone = Phone(script, sounds)
    try:
        if stream is None:
            if server is None:
                raise ValueError("a call needs a server or a stream")
            stream = await announce_call(server, call_id, server.flow or script.flow_name)
        line = _Line(phone, call_id, timing or Timing(), watch or (lambda _: None))
        result = await line.converse(stream)
    except CallRefused as refused:
        return CallResult(script, call_id, failure=str(refused))
    if server is None:
        return result
    return replace(result, record=await fetch_record(server, call_id))


class _Line:
    """One call's socket and phone, from the socket's opening to its close."""

    def __init__(self, phone: Phone, call_id: str, timing: Timing, watch: Watch) -> None:
        self._call_id = call_id
        self._phone = phone
        self._wire = TwilioCaller()
        self._real_time = timing.real_time
        self._traffic = Traffic(call_id, timing.lockstep)
        self._watch = watch
        self._lateness_s = 0.0

    async def converse(self, stream: Stream) -> CallResult:
        """Hold the call.

        Raises:
            CallRefused: there is no socket.
        """
        phone = self._phone
        socket = await _connect(stream)
        async with socket:
            listening = asyncio.create_task(self._listen(socket))
            try:
                await self._send(socket, self._wire.connected())
                start = (self._call_id, f"MZ{uuid.uuid4().hex}", dict(stream.parameters))
                await self._send(socket, self._wire.start(*start))
                await self._traffic.level(listening)
                await self._pump(socket, listening)
            except ConnectionClosed:
                phone.agent_hung_up()
            finally:
                await socket.close()
                await listening
        return CallResult(
            script=phone.script,
            call_id=self._call_id,
            inputs=tuple(phone.inputs),
            prompts=tuple(phone.playout.prompts),
            failure=_close_problem(phone, socket) or phone.failure,
            ended_by=phone.ended_by or "",
            close_code=socket.close_code,
            duration_s=phone.position_s,
            worst_lateness_ms=self._lateness_s * 1000,
            tracks=phone.tracks(),
        )

    async def _pump(self, socket: ClientConnection, listening: asyncio.Task[None]) -> None:
        """Send the caller's frames until the call is over."""
        clock = asyncio.get_running_loop().time
        start = clock()
        for frame in itertools.count():
            if self._real_time:
                due = start + frame * FRAME_S
                await asyncio.sleep(max(0.0, due - clock()))
                self._lateness_s = max(self._lateness_s, clock() - due)
            if self._phone.ended:
                return
            for event in self._phone.tick():
                await self._send(socket, _encode(self._wire, event))
            await self._traffic.level(listening)
            if not self._phone.ended:
                self._watch(self._phone)

    async def _send(self, socket: ClientConnection, message: str) -> None:
        self._traffic.sent += 1
        await socket.send(message)

    async def _listen(self, socket: ClientConnection) -> None:
        """Give the phone what the agent sends, until the socket closes."""
        try:
            async for text in socket:
                for message in self._wire.receive(text):
                    for event in self._phone.receive(message):
                        await self._send(socket, _encode(self._wire, event))
                self._traffic.heard()
        except ConnectionClosed:
            pass
        except ProtocolError as error:
            self._phone.fail(f"the agent broke the protocol: {error.reason}")
        self._phone.agent_hung_up()


async def _connect(stream: Stream) -> ClientConnection:
    """Open the media socket.

    Raises:
        CallRefused: there is none, or it refuses.
    """
    try:
        return await connect(
            stream.url,
            additional_headers=stream.headers,
            compression=None,
            open_timeout=CONNECT_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
        )
    except InvalidStatus as error:
        body = error.response.body.decode("utf-8", "replace")
        raise refusal(stream.url, error.response.status_code, body) from error
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise CallRefused(f"no media socket at {stream.url} ({type(error).__name__})") from error


def _encode(wire: TwilioCaller, event: Event) -> str:
    """An event of the phone as the provider's message."""
    match event:
        case MediaReceived(payload=payload):
            return wire.media(payload)
        case DtmfReceived(digit=digit):
            return wire.dtmf(digit)
        case MarkPlayed(name=name):
            return wire.mark(name)
        case StreamStopped():
            return wire.stop()
    raise AssertionError(event)  # pragma: no cover - the phone sends no other


def _close_problem(phone: Phone, socket: ClientConnection) -> str | None:
    """What was wrong with the way the agent closed, if it did."""
    if phone.ended_by != "agent" or socket.close_code in GOOD_CLOSE_CODES:
        return None
    reason = f" ({socket.close_reason})" if socket.close_reason else ""
    return f"the agent closed the stream with code {socket.close_code}{reason}"
