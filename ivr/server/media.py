"""The media pump: one provider socket, one call, and nothing decided here.

Theory of operation: feed, send, schedule. Messages go through the dialect into the call; the
actions that come back are queued for the outbox or handed to the recogniser, and the recogniser's
answer goes back into the call. Nothing heavy runs on the event loop: prompts are rendered in
threads, utterances recognised in other processes. The one clock of the shell is the watchdog, which
notices a stream that never starts, one that fell silent, and a call without end.

    socket --text--> dialect --event--> Call --action--> Outbox --text--> socket
                                         ^  |
                             recognized  |  v  Recognize
                                        recogniser

A stream ends once, by `_end`: the first reason wins, tells the close code, and goes into the call
record. What each refusal closes with is `_CLOSE_CODES`; what is not fatal is counted and dropped,
up to `_MAX_REFUSALS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from ivr.actions import (
    Action,
    Clear,
    Hangup,
    LookUp,
    Play,
    Recognize,
    StartMessage,
    StopMessage,
    Transfer,
)
from ivr.call import Call
from ivr.errors import ProtocolError, StateError
from ivr.flow.machine import Prompt
from ivr.providers.events import (
    DtmfReceived,
    Event,
    MediaReceived,
    StreamConnected,
    StreamStarted,
    StreamStopped,
)
from ivr.providers.twilio import TwilioServer
from ivr.server.context import CONTEXT, Context
from ivr.server.errands import hand_on, look_up
from ivr.server.journal import Ending, Journal
from ivr.server.live import LiveCall
from ivr.server.observer import Observer
from ivr.server.outbox import Outbox
from ivr.server.pace import Errand
from ivr.server.recognize import recognize
from ivr.server.signature import is_signed
from ivr.server.tape import Tape
from ivr.server.tokens import TokenVerdict

_log = structlog.get_logger(__name__)

_CLOSE_TIMEOUT_S: Final = 2.0  # for the peer's half of the closing handshake
_TICK_S: Final = 1.0  # of the watchdog; its deadlines are seconds
_FAIR_SHARE: Final = 8  # messages read in a row before the other calls get their turn
_PIECE_BYTES: Final = 800  # 100 ms of audio: about 1 ms of work while the caller speaks
_MAX_REFUSALS: Final = 100  # two seconds of nothing but bad frames: no provider, or a broken one

_CLOSE_CODES: Final[dict[str, int]] = {
    "binary_message": WSCloseCode.UNSUPPORTED_DATA,  # 1003
    "bad_json": WSCloseCode.INVALID_TEXT,  # 1007
    "unsupported_media": WSCloseCode.UNSUPPORTED_DATA,  # 1003
}
_DEFAULT_CLOSE_CODE: Final = WSCloseCode.PROTOCOL_ERROR  # 1002: out of order, or incomplete

# What aiohttp found wrong below the dialect, by the code it has closed with.
_FRAME_REFUSALS: Final[dict[int, str]] = {
    WSCloseCode.MESSAGE_TOO_BIG: "message_too_big",  # 1009
    WSCloseCode.INVALID_TEXT: "bad_utf8",  # 1007
}


async def serve_media(request: web.Request) -> web.StreamResponse:
    """Handle ``GET /media``: the provider's WebSocket, from upgrade to close."""
    context = request.app[CONTEXT]
    if not is_signed(request, context.settings, websocket=True):
        context.metrics.add("refusals", "bad_signature")
        _log.warning("upgrade_refused", reason="bad_signature")
        return web.Response(status=403, text="bad_signature")
    return await pump_media(request, context)


async def pump_media(request: web.Request, context: Context) -> web.StreamResponse:
    """Take a media socket whose caller is known to be one, from upgrade to close."""
    refusal = context.stream_refusal()
    if refusal is not None:
        context.metrics.add("refusals", refusal)
        return web.Response(status=503, text=refusal, headers={"Retry-After": "5"})
    socket = web.WebSocketResponse(
        timeout=_CLOSE_TIMEOUT_S,
        max_msg_size=context.settings.server.max_message_bytes,
        compress=False,  # audio does not compress, and a bomb must not unpack
    )
    await socket.prepare(request)
    stream = MediaStream(context, socket, request.transport)
    context.add(stream)
    try:
        await stream.run()
    finally:
        context.remove(stream)
    return socket


class MediaStream:
    """One media socket and the call on it.

    Args:
        context: of the server.
        socket: prepared; this object closes it.
        transport: below the socket; ``None`` if it is gone already.
    """

    def __init__(
        self,
        context: Context,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
    ) -> None:
        self._context = context
        self._settings = context.settings.server
        self._socket = socket
        self._transport = transport
        self._dialect = TwilioServer()
        self._observer = Observer(context.metrics, context.tracing)
        self._pace = context.fittings.make_pace()
        self._tap = context.fittings.make_tap()
        self._outbox = Outbox(
            self._dialect,
            self._send,
            self._render,
            self._settings.send_ahead_s,
            self._observer.spoke,
            pace=self._pace,
        )
        self._call: Call | None = None
        self._journal: Journal | None = None
        self._live: LiveCall | None = None
        self._tape: Tape | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._provisional: asyncio.Task[None] | None = None
        self._handing_on: asyncio.Task[None] | None = None
        self._refusals: Counter[str] = Counter()
        self._ending: Ending | None = None
        self._ended = asyncio.Event()
        # One for all tasks of the stream: what is bound to the log in one is in the lines of all.
        self._scope = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._opened_at_s = self._heard_at_s = self._loop.time()

    @property
    def call_id(self) -> str | None:
        """The provider's id of the call; ``None`` until the stream has started."""
        return self._journal.call_id if self._journal is not None else None

    @property
    def _clock_ms(self) -> int:
        return self._call.clock_ms if self._call is not None else 0

    def document(self) -> dict[str, Any]:
        """The call's record as it stands; empty before the start."""
        if self._journal is None or self._call is None:
            return {}
        recordings = self._tape.documents() if self._tape is not None else []
        return self._journal.document(self._call, self._ending, self._refusals, recordings)

    def shut_down(self) -> None:
        """End the stream politely, because the server stops."""
        self._end(Ending("server", "server_shutdown", WSCloseCode.GOING_AWAY))

    async def run(self) -> None:
        """Serve the socket until it is over and its record is stored."""
        self._spawn(self._read())
        self._spawn(self._watch())
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            self.shut_down()
            raise
        finally:
            await self._finish(self._ending or Ending("server", "internal_error", 1011))

    # -- ends -----------------------------------------------------------------------------------

    def _end(self, ending: Ending) -> None:
        """Note how the stream ended; the first one to say so is right."""
        if self._ending is None:
            self._ending = ending
            self._ended.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run part of the stream as a task that cannot fail unseen, nor outlive the stream."""
        task = asyncio.create_task(self._guarded(work), context=self._scope)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConnectionError:
            self._end(Ending("provider", "connection_lost", WSCloseCode.ABNORMAL_CLOSURE))
        except Exception as error:  # noqa: BLE001 - our bug: it may end its own call, no other
            self._context.metrics.add("failures", "internal")
            # Not the error's text: it may hold what the caller said.
            places = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
            _log.error(
                "internal_error",
                call_id=self.call_id,
                cause=type(error).__name__,
                places=places[-6:],
            )
            self._end(Ending("server", "internal_error", WSCloseCode.INTERNAL_ERROR))

    async def _finish(self, ending: Ending) -> None:
        self._observer.scope_log()
        self._pace.over()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._call is not None and self._journal is not None:
            # The books close, whatever ended the stream; after a bug of ours, which is in the log
            # already, the call may not be able to.
            with contextlib.suppress(StateError):
                self._call.receive(StreamStopped())
            self._tap.did(self._call, [])
            self._journal.stop()
            if self._live is not None:
                self._live.end(self.document())
            self._observer.over(self._call.turns, self._call.outcome, ending)
        self._tap.ended(self.document())
        self._context.metrics.add("streams", ending.reason)
        await asyncio.gather(self._close(ending), self._keep(ending))

    async def _close(self, ending: Ending) -> None:
        """Close the socket politely, or cut it off where the peer does not even take a goodbye."""
        try:
            async with asyncio.timeout(2 * _CLOSE_TIMEOUT_S):
                if ending.close_code != WSCloseCode.ABNORMAL_CLOSURE:
                    await self._socket.close(code=ending.close_code, message=ending.reason.encode())
        except (OSError, TimeoutError):
            _log.info("close_unanswered", call_id=self.call_id)
        else:
            if self._socket.close_code != WSCloseCode.ABNORMAL_CLOSURE:
                return
        if self._transport is not None:
            self._transport.abort()  # or what it never read would stay in our buffers

    async def _keep(self, ending: Ending) -> None:
        """Store and log how the stream ended."""
        if self._journal is None:
            _log.info("stream_refused", reason=ending.reason, close_code=int(ending.close_code))
            return
        if self._tape is not None:
            await self._tape.stop()
        document = self.document()
        if not await self._context.store.put(document):
            self._context.metrics.add("failures", "record")
        self._journal.log_end(document, self._call.turns if self._call is not None else ())

    # -- from the provider ------------------------------------------------------------------------

    async def _read(self) -> None:
        received = 0
        while self._ending is None:
            message = await self._socket.receive()
            self._heard_at_s = self._loop.time()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                await self._take(message.data)
                self._pace.took()
            else:
                await self._handed_on()
                self._end(self._closed_by_peer(message))
            received += 1
            if received % _FAIR_SHARE == 0:
                # `receive` does not yield while messages are waiting: a burst must not stop the
                # rest.
                await asyncio.sleep(0)

    async def _take(self, message: str | bytes) -> None:
        self._tap.received(self._clock_ms, message)
        try:
            events = self._dialect.receive(message)
        except ProtocolError as error:
            self._refuse(error.reason, error.detail, fatal=error.fatal)
            return
        for event in events:
            if isinstance(event, MediaReceived):
                await self._feed_media(event.payload)
                continue
            if isinstance(event, StreamStopped):
                await self._handed_on()
            self._feed(event)
            await self._settle()

    async def _handed_on(self) -> None:
        """A provider that hands a call on ends its stream, maybe before it says that it does."""
        if self._handing_on is not None:
            await asyncio.wait({self._handing_on})

    async def _feed_media(self, payload: bytes) -> None:
        """Feed audio in pieces, so that seconds of it in one message do not hold up other calls."""
        self._feed(MediaReceived(payload[:_PIECE_BYTES]))
        await self._settle()
        for offset in range(_PIECE_BYTES, len(payload), _PIECE_BYTES):
            await asyncio.sleep(0)
            self._feed(MediaReceived(payload[offset : offset + _PIECE_BYTES]))
            await self._settle()

    async def _settle(self) -> None:
        if self._call is not None:
            await self._pace.settle(self._clock_ms)

    def _feed(self, event: Event) -> None:
        if isinstance(event, StreamStarted):
            self._start(event)
        elif isinstance(event, StreamConnected) or self._call is None:
            return
        else:
            self._show(event)
            private = self._call.private
            self._perform(self._call.receive(event))
            if self._tape is not None:
                self._tape.take(event, private=private or self._call.private)
            if isinstance(event, StreamStopped):
                self._end(Ending("caller", "stop", WSCloseCode.OK))

    def _start(self, started: StreamStarted) -> None:
        token = self._context.tokens.redeem(started.parameters.get("token", ""), started.call_id)
        accepted = token.verdict is TokenVerdict.ACCEPTED
        refusal = None if accepted else token.verdict.value
        # The webhook may have been answered before the last place was taken, or the flow removed.
        refusal = refusal or self._context.refusal()
        served = self._context.flows.served(token.flow)
        if refusal is not None or served is None:
            refusal = refusal or "unknown_flow"
            self._context.metrics.add("refusals", refusal)
            code = WSCloseCode.TRY_AGAIN_LATER if accepted else WSCloseCode.POLICY_VIOLATION
            self._end(Ending("server", refusal, code))
            return
        self._journal = Journal(started, served.keeping, served.version, token.owner)
        self._call = Call(served.flow, self._context.call_settings)
        self._observer.started(self._journal, served.name)
        names = {**self._journal.names(served.name), "caller": token.caller}
        self._live = LiveCall(self._context.hub, self._call, served.keeping, names, token.owner)
        journal, whole = self._journal, served.flow.record
        self._tape = self._outbox.tap = Tape(
            self._context.audio, journal.record_id, journal.started_at[:10], whole=whole
        )
        self._pace.started(started.call_id)
        self._tap.started(started, served, self._context.call_settings)
        _log.info("call_started", call_id=started.call_id, stream_id=started.stream_id)
        self._spawn(self._store())
        self._spawn(self._say())
        self._perform(self._call.receive(started))

    def _show(self, event: Event) -> None:
        """Let those who watch see what came in."""
        if self._live is None:
            return
        if isinstance(event, MediaReceived):
            self._live.hear(event.payload)
        elif isinstance(event, DtmfReceived):
            self._live.key(event.digit)

    async def _store(self) -> None:
        # What a server that is killed leaves behind: a record that says the call never ended.
        await self._context.store.put(self.document())

    def _see_turns(self) -> None:
        """Count the turns that are over, and store the call: a crash costs one turn at most."""
        if self._call is None or not self._observer.turns(self._call.turns):
            return
        if not self._call.ended and self._ending is None:  # else it is stored at its end
            self._spawn(self._store())

    def _refuse(self, reason: str, detail: str, *, fatal: bool) -> None:
        self._context.metrics.add("refusals", reason)
        self._refusals[reason] += 1
        if self._refusals[reason] == 1:  # a flood of one kind is one line in the log, and a count
            _log.warning("refused", reason=reason, detail=detail, fatal=fatal, call_id=self.call_id)
        if fatal:
            code = _CLOSE_CODES.get(reason, _DEFAULT_CLOSE_CODE)
            self._end(Ending("server", reason, code))
        elif self._refusals.total() > _MAX_REFUSALS:
            self._context.metrics.add("refusals", "too_many_refusals")
            self._end(Ending("server", "too_many_refusals", WSCloseCode.POLICY_VIOLATION))

    def _closed_by_peer(self, message: WSMessage) -> Ending:
        if message.type is WSMsgType.ERROR:
            error = message.data
            if isinstance(error, WebSocketError):  # aiohttp has sent the close frame already
                reason = _FRAME_REFUSALS.get(error.code, "bad_frame")
                self._context.metrics.add("refusals", reason)
                self._refusals[reason] += 1
                return Ending("server", reason, error.code)
            return Ending("provider", "connection_lost", WSCloseCode.ABNORMAL_CLOSURE)
        if message.type is WSMsgType.CLOSE:
            return Ending("provider", "closed_without_stop", int(message.data or 1005))
        return Ending("provider", "connection_lost", WSCloseCode.ABNORMAL_CLOSURE)

    # -- to the provider and the recogniser -------------------------------------------------------

    def _perform(self, actions: list[Action]) -> None:
        if self._call is not None:
            self._tap.did(self._call, actions)
        for action in actions:
            match action:
                case Play(prompt=prompt, mark=mark):
                    self._outbox.play(prompt, mark)
                case Clear():
                    self._outbox.clear()
                case Recognize():
                    self._recognize(action)
                case LookUp():
                    self._run(partial(self._look_up, action))
                case Transfer():
                    self._handing_on = self._run(partial(self._hand_on, action), 0)
                case StartMessage(message_id=number) if self._tape is not None:
                    self._tape.start_message(number)
                case StopMessage() if self._tape is not None:
                    self._run(partial(self._keep_message, action, self._tape), 0)
                case Hangup(reason=reason):
                    self._outbox.hangup(reason)
        if self._live is not None:
            self._live.acted(actions)
        self._see_turns()

    async def _say(self) -> None:
        try:
            reason = await self._outbox.run()
        except TimeoutError:
            self._context.metrics.add("refusals", "peer_does_not_read")
            self._end(Ending("server", "peer_does_not_read", WSCloseCode.POLICY_VIOLATION))
            return
        self._end(Ending("agent", reason, WSCloseCode.OK))

    async def _render(self, prompt: Prompt) -> bytes:
        with self._observer.trace.span("prompt", personal=prompt.personal) as note:
            payload = await self._context.speech.payload(prompt)
            note(audio_ms=len(payload) // 8)
            return payload

    async def _send(self, message: str) -> None:
        async with asyncio.timeout(self._settings.send_timeout_s):
            self._pace.sent()
            self._tap.sent(self._clock_ms, message)
            await self._socket.send_str(message)

    def _run(
        self, work: Callable[[Errand], Coroutine[Any, Any, None]], took_ms: int | None = None
    ) -> asyncio.Task[None]:
        """Have something done that the call is told of when it is done; see `ivr.server.pace`."""
        errand = self._pace.errand(took_ms)
        task = self._spawn(work(errand))
        task.add_done_callback(lambda _: errand.over())
        return task

    def _recognize(self, action: Recognize) -> None:
        # A newer utterance makes an older provisional one worthless: do not let it use a worker.
        if self._provisional is not None:
            self._provisional.cancel()
        task = self._run(partial(self._answer, action))
        self._provisional = task if action.provisional else None

    async def _answer(self, action: Recognize, errand: Errand) -> None:
        with self._observer.recognising(action) as note:
            recognition = await recognize(self._context, action, self.call_id)
            if recognition is not None:
                self._observer.recognised(recognition, note)
        took_ms = await errand.returned()
        if self._call is not None and self._ending is None:
            if self._live is not None and recognition is not None:
                self._live.recognized(recognition, took_ms)
            heard = (action.utterance_id, recognition, took_ms)
            self._tap.heard(self._clock_ms, *heard)
            self._perform(self._call.recognized(*heard))

    async def _look_up(self, action: LookUp, errand: Errand) -> None:
        with self._observer.looking_up(action.step) as note:
            answer = await look_up(self._context, self.call_id, action)
            note(cause=str(answer.cause), reason=answer.reason)
        await errand.returned()
        if self._call is not None and self._ending is None:
            self._tap.looked_up(self._clock_ms, action.lookup_id, answer)
            self._perform(self._call.looked_up(action.lookup_id, answer))

    async def _hand_on(self, action: Transfer, errand: Errand) -> None:
        failure = await hand_on(self._context, self.call_id, action)
        await errand.returned()
        if self._call is not None and self._ending is None:
            self._tap.transferred(self._clock_ms, action.transfer_id, failure)
            actions = self._call.transferred(action.transfer_id, failure)
            if not failure:
                self._end(Ending("agent", "transferred", WSCloseCode.OK))
            self._perform(actions)

    async def _keep_message(self, action: StopMessage, tape: Tape, errand: Errand) -> None:
        name = await tape.stop_message(keep=action.keep)
        await errand.returned()
        if self._call is not None and self._ending is None:
            self._tap.message_taken(self._clock_ms, action.message_id, name)
            self._perform(self._call.message_taken(action.message_id, name))

    # -- the clock ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        await asyncio.sleep(self._settings.start_timeout_s)
        if self._call is None:
            self._context.metrics.add("refusals", "no_start")
            self._end(Ending("server", "no_start", WSCloseCode.POLICY_VIOLATION))
            return
        while self._ending is None:
            await asyncio.sleep(min(_TICK_S, self._settings.stall_timeout_s / 4))
            now_s = self._loop.time()
            if now_s - self._opened_at_s >= self._settings.max_call_s:
                self._end(Ending("server", "max_call_s", WSCloseCode.OK))
                return
            stalled_s = now_s - self._heard_at_s
            actions = self._call.tick(stalled_s)
            if actions:
                self._tap.ticked(self._clock_ms, stalled_s)
            if any(isinstance(action, Hangup) for action in actions):
                # Nobody listens: what is still to be said need not be.
                self._context.metrics.add("refusals", "stalled")
                self._end(Ending("provider", "stalled", WSCloseCode.POLICY_VIOLATION))
            self._perform(actions)
