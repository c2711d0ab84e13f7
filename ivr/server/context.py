"""What one server's handlers share: settings, recogniser, flows, records, who is on the line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from ivr.actions import CallSettings, LookUp
from ivr.asr.pool import PoolState
from ivr.asr.queue import Urgency
from ivr.config import Settings
from ivr.flow.request import Answer
from ivr.lookups.service import Lookups
from ivr.recognition import Recognition
from ivr.records.store import CallStore
from ivr.server.flows import Flows
from ivr.server.live import Hub
from ivr.server.metrics import Metrics
from ivr.server.pace import Pace, WallPace
from ivr.server.recorder import AudioDisk
from ivr.server.speech import Speech
from ivr.server.tap import Tap
from ivr.server.tokens import CallTokens
from ivr.server.tracing import Tracing
from ivr.server.transfers import Transfers

# Sockets that have not shown a token yet may not use up the calls' places, nor be unlimited.
_MAX_WAITING_STREAMS: Final = 64


class Recognizer(Protocol):
    """What recognises utterances: `ivr.asr.pool.RecognizerPool`, or a test's stand-in."""

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and warmed."""

    @property
    def model(self) -> dict[str, Any] | None:
        """Name and checksums of the model; ``None`` before it is loaded."""

    def state(self) -> PoolState:
        """How the workers and the queue are."""

    async def recognize(
        self, samples: NDArray[np.int16], grammar: str, urgency: Urgency = Urgency.ANSWER
    ) -> Recognition:
        """What was said in samples [n] int16, 8 kHz; the most urgent is heard first.

        Raises:
            Overloaded: too much is waiting.
            ModelError: the worker failed.
        """


class LiveStream(Protocol):
    """A media stream as the other handlers see it."""

    @property
    def call_id(self) -> str | None:
        """The provider's id of the call; ``None`` until the stream has started."""

    def document(self) -> dict[str, Any]:
        """The call's record as it stands."""

    def shut_down(self) -> None:
        """End the stream politely, because the server stops."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a lookup comes to without anybody being asked.

    Attributes:
        answer: of it.
        took_ms: what it counts as having taken; ``None`` as usual (`ivr.server.pace`).
    """

    answer: Answer
    took_ms: int | None = None


@dataclass(frozen=True)
class Fittings:
    """What a server can be given in place of the usual, to listen to it or to test it.

    Attributes:
        make_pace: whose time each stream keeps.
        make_tap: who listens to each stream.
        recognizer_of: the recogniser of a call, where calls differ in it.
        known: what a call's lookup comes to, where nobody is to be asked.
    """

    make_pace: Callable[[], Pace] = WallPace
    make_tap: Callable[[], Tap] = Tap
    recognizer_of: Callable[[str | None], Recognizer] | None = None
    known: Callable[[str, LookUp], Known | None] = lambda _call_id, _lookup: None


@dataclass(eq=False)
class Context:
    """One server's shared state; used from the event loop only."""

    settings: Settings
    call_settings: CallSettings
    recognizer: Recognizer
    flows: Flows
    speech: Speech
    store: CallStore
    audio: AudioDisk
    metrics: Metrics
    tracing: Tracing
    tokens: CallTokens
    lookups: Lookups
    transfers: Transfers
    hub: Hub = field(default_factory=Hub)
    fittings: Fittings = field(default_factory=Fittings)
    streams: set[LiveStream] = field(default_factory=set)
    draining: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def calls(self) -> list[LiveStream]:
        """The streams that have started and whose record is not yet stored."""
        return [stream for stream in self.streams if stream.call_id is not None]

    def refusal(self) -> str | None:
        """Why no new call can be taken now; ``None`` if one can."""
        if self.draining:
            return "draining"
        if not self.recognizer.ready:
            return "recognizer_not_ready"
        if len(self.calls) >= self.settings.server.max_calls:
            return "too_many_calls"
        return None

    def stream_refusal(self) -> str | None:
        """Why no new media socket can be taken now; ``None`` if one can."""
        if len(self.streams) - len(self.calls) >= _MAX_WAITING_STREAMS:
            return "too_many_streams"
        return self.refusal()

    def add(self, stream: LiveStream) -> None:
        """Note a stream that has opened."""
        self.streams.add(stream)
        self.idle.clear()

    def remove(self, stream: LiveStream) -> None:
        """Note a stream that is over, its record stored."""
        self.streams.discard(stream)
        if not self.streams:
            self.idle.set()


CONTEXT: Final = web.AppKey("context", Context)


async def drain(context: Context, deadline_s: float) -> bool:
    """Take no new calls, wait for the current ones, then end them politely.

    Args:
        context: of the server that stops.
        deadline_s: how long the current calls may still take.

    Returns:
        Whether all of them ended by themselves.
    """
    context.draining = True
    for stream in context.streams - set(context.calls):
        stream.shut_down()
    if not context.streams:
        return True
    try:
        async with asyncio.timeout(deadline_s):
            await context.idle.wait()
    except TimeoutError:
        for stream in list(context.streams):
            stream.shut_down()
        await context.idle.wait()
        return False
    return True
