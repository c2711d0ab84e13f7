"""What happens in the calls now, for whoever watches: a hub inside the process.

Theory of operation: the pump (`ivr.server.media`) tells the hub's end of its call (`LiveCall`) what
it did anyway: audio came, actions were performed, something was recognised. That end looks at the
call, makes events of what changed, and puts them into the queue of each subscriber. Nobody is
waited for: a queue is bounded and drops its oldest, a level replaces the one before. So a watcher
that does not read costs its own picture, and a call nothing.

Events hold what a caller said. Each has two forms, with numbers and without; who may see which is
decided where the events leave (`ivr.server.watch`). What a flow does not let be kept in clear is in
neither form.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ivr.actions import Action, Clear, Play
from ivr.audio.g711 import mulaw_decode
from ivr.call import Call
from ivr.errors import Overloaded
from ivr.recognition import Recognition
from ivr.records.query import masked
from ivr.server.journal import Keeping

_MAX_WAITING: Final = 500  # events of a subscriber
_MAX_REMEMBERED: Final = 300  # events of a call, for those who come later
_MAX_SUBSCRIBERS: Final = 64
_LEVEL_BYTES: Final = 800  # 100 ms of mu-law: ten levels a second
_SILENT_DBFS: Final = -90.0
_FULL_SCALE: Final = 32768.0


@dataclass(frozen=True, slots=True, repr=False)  # it holds what a caller said
class LiveEvent:
    """One thing that happened in a call.

    Attributes:
        kind: its name.
        call_id: the provider's id of the call.
        at_ms: stream time.
        shown: what it tells, with numbers.
        masked: the same without; ``None`` where there are none in it.
        owner: of the API key that the call was placed with; ``None`` for one that came in.
    """

    kind: str
    call_id: str
    at_ms: int
    shown: dict[str, Any]
    masked: dict[str, Any] | None = None
    owner: str | None = None

    def document(self, *, numbers: bool) -> dict[str, Any]:
        """As JSON has it, for a viewer who may see numbers, or not."""
        told = self.shown if numbers or self.masked is None else self.masked
        return {"kind": self.kind, "call_id": self.call_id, "at_ms": self.at_ms, **told}


class Subscription:
    """One watcher's queue.

    Args:
        call_id: of the call that is watched; ``None`` for all.
    """

    def __init__(self, call_id: str | None) -> None:
        self.call_id = call_id
        self.lost = 0
        self._events: deque[LiveEvent] = deque()
        self._levels: dict[str, LiveEvent] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: LiveEvent) -> None:
        """Add an event; the oldest goes where there are too many."""
        if event.kind == "level":
            self._levels[event.call_id] = event
        else:
            if event.kind == "ended":
                self._levels.pop(event.call_id, None)
            if len(self._events) >= _MAX_WAITING:
                self._events.popleft()
                self.lost += 1
            self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """Tell the reader that nothing more will come."""
        self._closed = True
        self._wake.set()

    async def take(self) -> list[LiveEvent]:
        """Wait for events and take all there are, in order; empty at the end."""
        while not (self._events or self._levels or self._closed):
            self._wake.clear()
            await self._wake.wait()
        events = [*self._events, *self._levels.values()]
        self._events.clear()
        self._levels.clear()
        return events


class Hub:
    """The calls that go on, and those who watch them; used from the event loop only."""

    def __init__(self) -> None:
        self._calls: dict[str, LiveCall] = {}
        self._subscribers: set[Subscription] = set()
        self._closed = False

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._subscribers)

    def add(self, call: LiveCall) -> None:
        """Note a call that begins."""
        self._calls[call.call_id] = call

    def remove(self, call: LiveCall) -> None:
        """Note a call that is over."""
        if self._calls.get(call.call_id) is call:
            del self._calls[call.call_id]

    def publish(self, event: LiveEvent) -> None:
        """Put an event into the queues of those who watch its call."""
        for subscriber in self._subscribers:
            if subscriber.call_id in (None, event.call_id):
                subscriber.put(event)

    @contextmanager
    def subscribe(self, call_id: str | None = None) -> Iterator[Subscription]:
        """Watch one call or all, from what is remembered of those that go on.

        Raises:
            Overloaded: too many watch already, or the server stops.
        """
        if len(self._subscribers) >= _MAX_SUBSCRIBERS or self._closed:
            raise Overloaded("too many watch already")
        subscription = Subscription(call_id)
        for call in self._calls.values():
            if call_id in (None, call.call_id):
                for event in call.remembered:
                    subscription.put(event)
        self._subscribers.add(subscription)
        try:
            yield subscription
        finally:
            self._subscribers.discard(subscription)

    def close(self) -> None:
        """Let go of all who watch."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.close()


class LiveCall:
    """The hub's end of one call.

    Args:
        hub: to tell.
        call: to look at; nothing of it is changed.
        keeping: what of it may be shown at all.
        names: ``call_id``, and what else the watchers are told at the start.
        owner: whom the call belongs to; ``None`` for one that came in.
    """

    def __init__(
        self,
        hub: Hub,
        call: Call,
        keeping: Keeping,
        names: dict[str, Any],
        owner: str | None = None,
    ) -> None:
        self.call_id: str = names["call_id"]
        self.remembered: deque[LiveEvent] = deque(maxlen=_MAX_REMEMBERED)
        self._hub = hub
        self._call = call
        self._keeping = keeping
        self._record_id: str = names["record_id"]
        self._owner = owner
        self._state = ""
        self._turns = 0
        self._pending = bytearray()
        hub.add(self)
        self._tell("started", names)

    def hear(self, payload: bytes) -> None:
        """Audio of the caller's came in: mu-law, 8 kHz."""
        if not self._hub.watched:
            return
        self._pending += payload
        if len(self._pending) >= _LEVEL_BYTES:
            level = level_dbfs(bytes(self._pending))
            self._pending.clear()
            self._hub.publish(self._event("level", {"dbfs": level}))

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        self._tell_said("key", {"key": digit}, {"key": "*"})

    def acted(self, actions: Iterable[Action]) -> None:
        """The pump has performed what the call asked for, perhaps nothing."""
        self._tell_turns()
        said = [action.prompt for action in actions if isinstance(action, Play)]
        if said:
            texts = [prompt.text for prompt in said]
            hidden = ["(repeats the caller's number)" if p.personal else p.text for p in said]
            step = self._call.question
            secret = any(prompt.sensitive for prompt in said) or not self._keeping.plain
            personal = texts != hidden and not secret
            shown = {"texts": texts if personal else hidden, "step": step}
            self._tell("said", shown, {"texts": hidden, "step": step} if personal else None)
        if any(isinstance(action, Clear) for action in actions):
            self._tell("cleared", {})
        if (state := self._call.state) != self._state:
            self._state = state
            self._tell("state", {"state": state, "step": self._call.question})

    def recognized(self, recognition: Recognition, wall_ms: float) -> None:
        """The recogniser has answered, for a guess or for good."""
        words = [w.text for w in recognition.best.words if not w.text.startswith("<")]
        told = {"confidence": round(recognition.confidence, 3), "wall_ms": round(wall_ms)}
        hidden = {"words": " ".join("*" for _ in words), **told}
        self._tell_said("heard", {"words": " ".join(words), **told}, hidden)

    def end(self, document: dict[str, Any]) -> None:
        """The call is over, and this is its record."""
        self._tell_turns()
        told = ("ending", "outcome", "duration_ms")
        self._tell("ended", {key: document.get(key) for key in told})
        self._hub.remove(self)

    def _event(
        self, kind: str, shown: dict[str, Any], masked_form: dict[str, Any] | None = None
    ) -> LiveEvent:
        at_ms = self._call.clock_ms
        return LiveEvent(kind, self.call_id, at_ms, shown, masked_form, self._owner)

    def _tell(
        self, kind: str, shown: dict[str, Any], masked_form: dict[str, Any] | None = None
    ) -> None:
        event = self._event(kind, shown, masked_form)
        self.remembered.append(event)
        self._hub.publish(event)

    def _tell_said(self, kind: str, shown: dict[str, Any], hidden: dict[str, Any]) -> None:
        """Tell something of the caller's, as the open question lets it be kept."""
        step = self._call.question
        plain = step is not None and self._keeping.is_plain(step)
        self._tell(kind, shown if plain else hidden, hidden)

    def _tell_turns(self) -> None:
        for turn in self._call.turns[self._turns :]:
            self._turns += 1
            shown = self._keeping.turn(turn, self._record_id)
            hidden = masked({"turns": [shown]})["turns"][0]
            self._tell("turn", {"turn": shown}, {"turn": hidden})


def level_dbfs(payload: bytes) -> float:
    """The level of mu-law audio, of full scale; at least -90 dB."""
    samples = mulaw_decode(payload).astype(np.float32)
    power = float(np.mean(np.square(samples / _FULL_SCALE))) if samples.size else 0.0
    return max(_SILENT_DBFS, round(10 * float(np.log10(power + 1e-12)), 1))
