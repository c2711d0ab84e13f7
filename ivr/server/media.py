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

What a call has done elsewhere are its `Errands`; who is told what happens are the `Witnesses`.
A stream ends once, by `_end`: the first reason wins, tells the close code, and goes into the call
record (`ivr.server.endings`).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine
from typing import Any, Final

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

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
from ivr.providers.events import Event, MediaReceived, StreamConnected, StreamStarted, StreamStopped
from ivr.providers.twilio import TwilioServer
from ivr.server.admission import admit
from ivr.server.context import Context
from ivr.server.endings import Ending, Refusals, close, of_error
from ivr.server.errands import Errands, Tell
from ivr.server.journal import Journal
from ivr.server.observer import Observer
from ivr.server.outbox import Outbox
from ivr.server.pace import Errand
from ivr.server.witnesses import Witnesses

_log = structlog.get_logger(__name__)

_TICK_S: Final = 1.0  # of the watchdog; its deadlines are seconds
_FAIR_SHARE: Final = 8  # messages read in a row before the other calls get their turn
_PIECE_BYTES: Final = 800  # 100 ms of audio: about 1 ms of work while the caller speaks


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
        self._witnesses = Witnesses(context)
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
        self._errands: Errands | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._provisional: asyncio.Task[None] | None = None
        self._handing_on: asyncio.Task[None] | None = None
        self._refusals = Refusals(context.metrics)
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

    def document(self) -> dict[str, Any]:
        """The call's record as it stands; empty before the start."""
        if self._journal is None or self._call is None:
            return {}
        recordings = self._witnesses.recordings()
        return self._journal.document(self._call, self._ending, self._refusals.counts, recordings)

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
        except Exception as error:  # noqa: BLE001 - our bug: it may end its own call, no other
            self._end(of_error(error, self._context.metrics, self.call_id))

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
            self._witnesses.did([])
            self._journal.stop()
            self._witnesses.over(self.document())
            self._observer.over(self._call.turns, self._call.outcome, ending)
        self._witnesses.ended(self.document())
        self._context.metrics.add("streams", ending.reason)
        goodbye = close(self._socket, self._transport, ending, self.call_id)
        await asyncio.gather(goodbye, self._keep(ending))

    async def _keep(self, ending: Ending) -> None:
        """Store and log how the stream ended."""
        if self._journal is None:
            _log.info("stream_refused", reason=ending.reason, close_code=int(ending.close_code))
            return
        await self._witnesses.stop_recording()
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
                self._end(self._refusals.closed_by_peer(message))
            received += 1
            if received % _FAIR_SHARE == 0:
                # `receive` does not yield while messages are waiting: a burst must not stop the
                # rest.
                await asyncio.sleep(0)

    async def _take(self, message: str | bytes) -> None:
        self._witnesses.received(message)
        try:
            events = self._dialect.receive(message)
        except ProtocolError as error:
            ending = self._refusals.add(error.reason, error.detail, self.call_id, fatal=error.fatal)
            if ending is not None:
                self._end(ending)
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
            await self._pace.settle(self._call.clock_ms)

    def _feed(self, event: Event) -> None:
        if isinstance(event, StreamStarted):
            self._start(event)
        elif isinstance(event, StreamConnected) or self._call is None:
            return
        else:
            self._witnesses.comes(event)
            self._perform(self._call.receive(event))
            self._witnesses.came(event)
            if isinstance(event, StreamStopped):
                self._end(Ending("caller", "stop", WSCloseCode.OK))

    def _start(self, started: StreamStarted) -> None:
        admitted = admit(self._context, started)
        if isinstance(admitted, Ending):
            self._end(admitted)
            return
        served = admitted.served
        self._journal = Journal(started, served.keeping, served.version, admitted.owner)
        self._call = Call(served.flow, self._context.call_settings)
        self._observer.started(self._journal, served.name)
        self._outbox.tap = self._witnesses.started(
            self._call, started, served, self._journal, admitted.caller
        )
        self._errands = Errands(
            self._context,
            self._call,
            started.call_id,
            observer=self._observer,
            witnesses=self._witnesses,
            end=self._end,
        )
        self._pace.started(started.call_id)
        _log.info("call_started", call_id=started.call_id, stream_id=started.stream_id)
        self._spawn(self._store())
        self._spawn(self._say())
        self._perform(self._call.receive(started))

    async def _store(self) -> None:
        # What a server that is killed leaves behind: a record that says the call never ended.
        await self._context.store.put(self.document())

    def _see_turns(self) -> None:
        """Count the turns that are over, and store the call: a crash costs one turn at most."""
        if self._call is None or not self._observer.turns(self._call.turns):
            return
        if not self._call.ended and self._ending is None:  # else it is stored at its end
            self._spawn(self._store())

    # -- to the provider and the recogniser -------------------------------------------------------

    def _perform(self, actions: list[Action]) -> None:
        self._witnesses.did(actions)
        for action in actions:
            match action:
                case Play(prompt=prompt, mark=mark):
                    self._outbox.play(prompt, mark)
                case Clear():
                    self._outbox.clear()
                case StartMessage(message_id=number):
                    self._witnesses.start_message(number)
                case Hangup(reason=reason):
                    self._outbox.hangup(reason)
                case _ if self._errands is not None:
                    self._put_out(action, self._errands)
        self._witnesses.acted(actions)
        self._see_turns()

    def _put_out(self, action: Action, errands: Errands) -> None:
        """Have done elsewhere what is done there."""
        match action:
            case Recognize():
                # A newer utterance makes an older provisional one worthless: do not let it use
                # a worker.
                if self._provisional is not None:
                    self._provisional.cancel()
                task = self._run(errands.recognize(action))
                self._provisional = task if action.provisional else None
            case LookUp():
                self._run(*errands.look_up(action))
            case Transfer():
                self._handing_on = self._run(errands.hand_on(action), 0)
            case StopMessage():
                self._run(errands.keep_message(action), 0)

    def _run(
        self, work: Coroutine[Any, Any, Tell], took_ms: int | None = None
    ) -> asyncio.Task[None]:
        """Have something done that the call is told of when it is done; see `ivr.server.pace`."""
        errand = self._pace.errand(took_ms)
        task = self._spawn(self._tell(work, errand))
        task.add_done_callback(lambda _: errand.over())
        return task

    async def _tell(self, work: Coroutine[Any, Any, Tell], errand: Errand) -> None:
        tell = await work
        took_ms = await errand.returned()
        if self._ending is None:
            self._perform(tell(took_ms))

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
            self._witnesses.sent(message)
            await self._socket.send_str(message)

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
                self._witnesses.ticked(stalled_s)
            if any(isinstance(action, Hangup) for action in actions):
                # Nobody listens: what is still to be said need not be.
                self._context.metrics.add("refusals", "stalled")
                self._end(Ending("provider", "stalled", WSCloseCode.POLICY_VIOLATION))
            self._perform(actions)
