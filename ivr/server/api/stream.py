"""``GET /v1/stream``: audio as it is spoken, heard while it comes.

The protocol is docs/reference/stream.md.

Theory of operation: one socket, one endpointer, one question. Audio goes through mu-law into the
endpointer, as a call's does. While somebody speaks, what there is so far is recognised every
`_PARTIAL_MS`, one look at a time; a look that has not been answered when the utterance ends is
given up. The utterance itself is waited for before more audio is read: a client that sends faster
than is heard is slowed down by the socket, and nothing piles up here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np
import structlog
from aiohttp import WSCloseCode, WSMsgType, web
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.endpointing.endpointer import Endpointer, EndpointSettings, SpeechStarted, UtteranceEnded
from ivr.errors import IvrError, Overloaded
from ivr.grammar.grammar import Grammar
from ivr.heard import Utterance
from ivr.line import LINE_BEFORE, SAMPLES_PER_MS
from ivr.server.access import authorize
from ivr.server.api.bodies import checked, no_query
from ivr.server.api.models import StreamStart
from ivr.server.context import CONTEXT, Context
from ivr.server.problems import REQUEST_ID, Problem
from ivr.server.transcription import hear, question, result

_log = structlog.get_logger(__name__)

_MAX_MESSAGE_BYTES: Final = 65_536
_MAX_TEXT: Final = 4096
_MAX_SAMPLES: Final = 10 * 60 * 8000
_PIECE_SAMPLES: Final = 800  # fed at once: the calls get their turn in between
_PARTIAL_MS: Final = 600
_CLOSE_TIMEOUT_S: Final = 2.0


class Streams:
    """The streams that are open.

    Args:
        most: at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[web.WebSocketResponse] = set()

    def refuse_more(self) -> None:
        """Refuse one more where there are too many.

        Raises:
            Problem: 503.
        """
        if len(self._open) >= self._most:
            detail = "too many streams are open; try again in a moment"
            raise Problem(503, "overloaded", detail, headers={"Retry-After": "5"})

    def add(self, socket: web.WebSocketResponse) -> None:
        """Note one that is open."""
        self._open.add(socket)

    def remove(self, socket: web.WebSocketResponse) -> None:
        """Note that it is over."""
        self._open.discard(socket)

    async def close(self) -> None:
        """Close all, because the server stops."""
        await asyncio.gather(
            *(s.close(code=WSCloseCode.GOING_AWAY, message=b"server_shutdown") for s in self._open),
            return_exceptions=True,
        )


STREAMS: Final = web.AppKey("streams", Streams)


def set_up_streams(app: web.Application, most: int) -> None:
    """Give an application its `Streams`, closed when it stops."""
    app[STREAMS] = Streams(most)
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    await app[STREAMS].close()


async def serve_stream(request: web.Request) -> web.StreamResponse:
    """Handle ``GET /v1/stream``: a WebSocket, from upgrade to close."""
    await authorize(request, "transcribe")
    no_query(request)
    context, streams = request.app[CONTEXT], request.app[STREAMS]
    socket = web.WebSocketResponse(
        timeout=_CLOSE_TIMEOUT_S, max_msg_size=_MAX_MESSAGE_BYTES, compress=False
    )
    if not socket.can_prepare(request).ok:
        headers = {"Upgrade": "websocket"}
        raise Problem(426, "no-websocket", "open a WebSocket here", headers=headers)
    if context.draining or not context.recognizer.ready:
        detail = "the server takes no streams now; try again in a moment"
        raise Problem(503, "not-ready", detail, headers={"Retry-After": "5"})
    streams.refuse_more()
    streams.add(socket)
    try:
        await socket.prepare(request)
        await _serve(socket, context, request[REQUEST_ID])
    finally:
        streams.remove(socket)
    return socket


async def _serve(socket: web.WebSocketResponse, context: Context, request_id: str) -> None:
    try:
        async for reply in _converse(socket, context, request_id):
            await socket.send_str(json.dumps(reply))
        await socket.close()
    except Problem as problem:
        context.metrics.add("refusals", "stream_" + problem.name.replace("-", "_"))
        said = {"type": "error", "problem": problem.document(request_id)}
        await socket.send_str(json.dumps(said))
        busy = problem.status >= 500
        code = WSCloseCode.TRY_AGAIN_LATER if busy else WSCloseCode.POLICY_VIOLATION
        await socket.close(code=code, message=problem.name.encode())
    except (_GoneError, ConnectionError):
        await socket.close()


class _GoneError(Exception):
    """The client went away before it said stop."""


async def _converse(
    socket: web.WebSocketResponse, context: Context, request_id: str
) -> AsyncIterator[dict[str, Any]]:
    wait_s = context.settings.server.stall_timeout_s
    start = checked(StreamStart, _control(await _receive(socket, wait_s), "start"))
    listening = _Listening(start, question(start.grammar), context, socket)
    yield {"type": "started", "request_id": request_id}
    try:
        while isinstance(message := await _receive(socket, wait_s), bytes):
            async for reply in listening.feed(message):
                yield reply
        _control(message, "stop")
        async for reply in listening.finish():
            yield reply
    finally:
        listening.give_up_look()


async def _receive(socket: web.WebSocketResponse, wait_s: float) -> str | bytes:
    try:
        message = await socket.receive(timeout=wait_s)
    except TimeoutError:
        raise Problem(408, "too-slow", f"nothing came for {wait_s:g} s") from None
    if message.type is WSMsgType.BINARY:
        return bytes(message.data)
    if message.type is WSMsgType.TEXT:
        return str(message.data)
    raise _GoneError


def _control(message: str | bytes, kind: str) -> dict[str, Any]:
    """A message that is text: its fields without the type.

    Raises:
        Problem: 400, it is none, or of another type.
    """
    try:
        if isinstance(message, bytes) or len(message) > _MAX_TEXT:
            raise ValueError
        fields = json.loads(message)
        if not isinstance(fields, dict) or fields.pop("type", None) != kind:
            raise ValueError
    except (ValueError, RecursionError):
        detail = f'send {{"type": "{kind}"}} here' + (" or audio" if kind == "stop" else "")
        raise Problem(400, "bad-message", detail) from None
    return fields


class _Listening:
    """One stream's ear.

    Args:
        start: what the client asked.
        grammar: the question's.
        context: of the server.
        socket: for partial results, which come when they come.
    """

    def __init__(
        self, start: StreamStart, grammar: Grammar, context: Context, socket: web.WebSocketResponse
    ) -> None:
        self._start, self._grammar = start, grammar
        self._recognizer, self._socket = context.recognizer, socket
        self._endpointer = Endpointer(EndpointSettings(end_silence_ms=start.end_silence_ms))
        # As a call's endpointer, it has heard the line before somebody speaks.
        self._endpointer.feed(mulaw_decode(mulaw_encode(np.zeros(LINE_BEFORE, np.int16))))
        self._samples = 0
        self._look: asyncio.Task[None] | None = None
        self._look_at = 0

    async def feed(self, message: bytes) -> AsyncIterator[dict[str, Any]]:
        """Hear audio.

        Raises:
            Problem: 400, half a sample; 413, more than ten minutes; 503, no capacity.
        """
        samples = self._decode(message)
        self._samples += samples.shape[0]
        if self._samples > _MAX_SAMPLES:
            raise Problem(413, "too-large", "a stream is ten minutes long at most")
        for offset in range(0, samples.shape[0], _PIECE_SAMPLES):
            async for reply in self._feed_piece(samples[offset : offset + _PIECE_SAMPLES]):
                yield reply
            await asyncio.sleep(0)

    async def finish(self) -> AsyncIterator[dict[str, Any]]:
        """Hear what is left.

        Raises:
            Problem: 503, no capacity.
        """
        for event in self._endpointer.finish():
            if isinstance(event, UtteranceEnded):
                yield await self._final(event)
        yield {"type": "done", "duration_ms": self._samples // SAMPLES_PER_MS}

    def give_up_look(self) -> None:
        """Wait no longer for a partial result."""
        if self._look is not None:
            self._look.cancel()

    async def _feed_piece(self, samples: NDArray[np.int16]) -> AsyncIterator[dict[str, Any]]:
        for event in self._endpointer.feed(samples):
            if isinstance(event, SpeechStarted):
                self._look_at = event.start_sample
                yield {"type": "speech_started", "at_ms": _ms(event.start_sample)}
            elif isinstance(event, UtteranceEnded):
                yield await self._final(event)
        if self._start.partial and self._endpointer.in_speech:
            self._look_if_due()

    async def _final(self, event: UtteranceEnded) -> dict[str, Any]:
        self.give_up_look()
        heard = await self._hear(event)
        return {
            "type": "final",
            **result([heard], self._grammar, self._start.confidence_level),
            "start_ms": _ms(event.start_sample),
            "end_ms": _ms(event.speech_end_sample),
            "too_long": event.too_long,
        }

    async def _hear(self, event: UtteranceEnded) -> Utterance:
        try:
            return await hear(event, self._grammar, self._recognizer)
        except Overloaded as error:
            raise Problem(503, "overloaded", f"{error}; try again in a moment") from None
        except IvrError as error:
            raise Problem(503, "recognizer-failed", str(error)) from None

    def _look_if_due(self) -> None:
        now = LINE_BEFORE + self._samples
        idle = self._look is None or self._look.done()
        if idle and now - self._look_at >= _PARTIAL_MS * SAMPLES_PER_MS:
            self._look_at = now
            self._look = asyncio.create_task(self._tell_partial(self._endpointer.so_far(), now))

    async def _tell_partial(self, samples: NDArray[np.int16], now: int) -> None:
        event = UtteranceEnded(now - samples.shape[0], now, now, samples, too_long=False)
        try:
            heard = await hear(event, self._grammar, self._recognizer)
            told = result([heard], self._grammar, self._start.confidence_level)
            fields = {key: told[key] for key in ("digits", "raw_text", "confidence")}
            said = {"type": "partial", **fields, "at_ms": _ms(now)}
            await self._socket.send_str(json.dumps(said))
        except (IvrError, ConnectionError):
            return  # the utterance itself is heard, or its failure told

    def _decode(self, message: bytes) -> NDArray[np.int16]:
        if self._start.encoding == "mulaw":
            return mulaw_decode(message)
        if len(message) % 2:
            raise Problem(400, "bad-audio", "pcm_s16le has two bytes a sample")
        return mulaw_decode(mulaw_encode(np.frombuffer(message, "<i2").astype(np.int16)))


def _ms(sample: int) -> int:
    return max(0, round((sample - LINE_BEFORE) / SAMPLES_PER_MS))
