"""Who is told what happens on a stream, and says nothing: capture, live view and recordings.

The pump (`ivr.server.media`) tells them in the order in which it happens; what becomes of it is
theirs (`ivr.server.tap`, `ivr.server.live`, `ivr.server.tape`). The metrics and the trace have an
eye of their own (`ivr.server.observer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ivr.actions import Action
from ivr.call import Call
from ivr.flow.request import Answer
from ivr.providers.events import DtmfReceived, Event, MediaReceived, StreamStarted
from ivr.recognition import Recognition
from ivr.server.context import Context
from ivr.server.flows import Served
from ivr.server.journal import Journal
from ivr.server.live import LiveCall
from ivr.server.tape import Tape


class Witnesses:
    """Those of one stream.

    Args:
        context: of the server.

    State: the call and what is told of it alone, from `started` on; until then the tap has the
        wire.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tap = context.fittings.make_tap()
        self._call: Call | None = None
        self._live: LiveCall | None = None
        self._tape: Tape | None = None
        self._private = False

    @property
    def _clock_ms(self) -> int:
        return self._call.clock_ms if self._call is not None else 0

    # -- the stream -------------------------------------------------------------------------------

    def received(self, message: str | bytes) -> None:
        """A message of the provider, before it is read."""
        self._tap.received(self._clock_ms, message)

    def started(
        self,
        call: Call,
        started: StreamStarted,
        served: Served,
        journal: Journal,
        caller: str | None,
    ) -> Tape:
        """A call has begun; returns its recordings, which hear what is sent from the outbox."""
        self._call = call
        names = {**journal.names(served.name), "caller": caller}
        self._live = LiveCall(self._context.hub, call, served.keeping, names, journal.owner)
        whole, day = served.flow.record, journal.started_at[:10]
        self._tape = Tape(self._context.audio, journal.record_id, day, whole=whole)
        self._tap.started(started, served, self._context.call_settings)
        return self._tape

    def sent(self, message: str) -> None:
        """A message to the provider."""
        self._tap.sent(self._clock_ms, message)

    def recordings(self) -> list[dict[str, Any]]:
        """As the call's record has them."""
        return self._tape.documents() if self._tape is not None else []

    def ended(self, document: Mapping[str, Any]) -> None:
        """The stream is over; its record, empty where there was no call."""
        self._tap.ended(document)

    # -- the call ----------------------------------------------------------------------------------

    def comes(self, event: Event) -> None:
        """The call is about to be told of something that came in."""
        self._private = self._call is not None and self._call.private
        if self._live is None:
            return
        if isinstance(event, MediaReceived):
            self._live.hear(event.payload)
        elif isinstance(event, DtmfReceived):
            self._live.key(event.digit)

    def came(self, event: Event) -> None:
        """The call has been told; what was private before or is now, may be in it."""
        if self._tape is not None and self._call is not None:
            self._tape.take(event, private=self._private or self._call.private)

    def heard(self, utterance_id: int, recognition: Recognition | None, took_ms: float) -> None:
        """The call is told of a recognition."""
        if self._live is not None and recognition is not None:
            self._live.recognized(recognition, took_ms)
        self._tap.heard(self._clock_ms, utterance_id, recognition, took_ms)

    def looked_up(self, lookup_id: int, answer: Answer) -> None:
        """The call is told what a lookup came to."""
        self._tap.looked_up(self._clock_ms, lookup_id, answer)

    def transferred(self, transfer_id: int, failure: str) -> None:
        """The call is told that it was handed on, or why not."""
        self._tap.transferred(self._clock_ms, transfer_id, failure)

    def message_taken(self, message_id: int, recording_id: str | None) -> None:
        """The call is told where a message is kept."""
        self._tap.message_taken(self._clock_ms, message_id, recording_id)

    def ticked(self, stalled_s: float) -> None:
        """The call is told that nothing comes any more."""
        self._tap.ticked(self._clock_ms, stalled_s)

    def did(self, actions: Sequence[Action]) -> None:
        """What the call did upon what it was told last."""
        if self._call is not None:
            self._tap.did(self._call, actions)

    def acted(self, actions: Sequence[Action]) -> None:
        """The pump has performed what the call asked for, perhaps nothing."""
        if self._live is not None:
            self._live.acted(actions)

    def over(self, document: dict[str, Any]) -> None:
        """The call is over, and this is its record."""
        if self._live is not None:
            self._live.end(document)

    # -- the recordings ----------------------------------------------------------------------------

    def start_message(self, number: int) -> None:
        """Record the caller for a message."""
        if self._tape is not None:
            self._tape.start_message(number)

    async def stop_message(self, *, keep: bool) -> str | None:
        """End the message; the name of its recording, None where none is kept."""
        return await self._tape.stop_message(keep=keep) if self._tape is not None else None

    async def stop_recording(self) -> None:
        """End every recording."""
        if self._tape is not None:
            await self._tape.stop()
