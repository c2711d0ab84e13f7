"""The shell around the phone: a media socket, a clock, and nothing that decides.

Theory of operation: two tasks share one `Phone`. The pump sends a frame every 20 ms on an
absolute schedule (frame n at start + n x 20 ms), so that one late frame does not shift the ones
after it; how late the worst frame was is reported, because a late caller would be blamed on the
server. The listener hands what the agent sends to the phone and returns marks that are due at
once. The call is over when the script hangs up or the agent closes the socket.
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
) -> CallResult:
    """Place one call in real time.

    Args:
        script: what the caller does.
        sounds: its audio (`ivr.simulate.voice.render_sounds`).
        server: whose webhook announces the call and whose API has the record; ``None`` if there is
            only a socket.
        stream: the media socket, for a call that no webhook announces.
        watch: called once a frame.

    Returns:
        What happened; failures of the call are in the result, not raised.
    """
    call_id = new_call_id()
    try:
        if stream is None:
            if server is None:
                raise ValueError("a call needs a server or a stream")
            stream = await announce_call(server, call_id, script.flow)
        result = await _converse(script, sounds, stream, call_id, watch or (lambda _: None))
    except CallRefused as refused:
        return CallResult(script, call_id, failure=str(refused))
    if server is None:
        return result
    return replace(result, record=await fetch_record(server, call_id))


async def _converse(
    script: Script, sounds: Mapping[int, Sound], stream: Stream, call_id: str, watch: Watch
) -> CallResult:
    """The call itself, from the socket's opening to its close."""
    phone = Phone(script, sounds)
    wire = TwilioCaller()
    try:
        socket = await connect(
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
    lateness_s = 0.0
    async with socket:
        listener = asyncio.create_task(_listen(socket, wire, phone))
        try:
            await socket.send(wire.connected())
            stream_id = f"MZ{uuid.uuid4().hex}"
            await socket.send(wire.start(call_id, stream_id, dict(stream.parameters)))
            lateness_s = await _pump(socket, wire, phone, watch)
        except ConnectionClosed:
            phone.agent_hung_up()
        finally:
            await socket.close()
            await listener
    return CallResult(
        script=script,
        call_id=call_id,
        inputs=tuple(phone.inputs),
        prompts=tuple(phone.playout.prompts),
        failure=_close_problem(phone, socket) or phone.failure,
        ended_by=phone.ended_by or "",
        close_code=socket.close_code,
        duration_s=phone.position_s,
        worst_lateness_ms=lateness_s * 1000,
        tracks=phone.tracks(),
    )


async def _pump(socket: ClientConnection, wire: TwilioCaller, phone: Phone, watch: Watch) -> float:
    """Send the caller's frames in real time until the call is over.

    Returns:
        Seconds by which the latest frame was late.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    worst = 0.0
    for frame in itertools.count():
        due = start + frame * FRAME_S
        await asyncio.sleep(max(0.0, due - clock()))
        if phone.ended:
            break
        worst = max(worst, clock() - due)
        for event in phone.tick():
            await socket.send(_encode(wire, event))
        if not phone.ended:
            watch(phone)
    return worst


async def _listen(socket: ClientConnection, wire: TwilioCaller, phone: Phone) -> None:
    """Give the phone what the agent sends, until the socket closes."""
    try:
        async for text in socket:
            for message in wire.receive(text):
                for event in phone.receive(message):
                    await socket.send(_encode(wire, event))
    except ConnectionClosed:
        pass
    except ProtocolError as error:
        phone.fail(f"the agent broke the protocol: {error.reason}")
    phone.agent_hung_up()


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
