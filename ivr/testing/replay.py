"""`ivr replay`: repeat a captured call, and say where it departs from the capture.

Theory of operation: the call reads no clock (`ivr.call`), so what it was told, in order, at its
places in the audio, makes it decide the same again. All that is in the capture (`ivr.capture`): the
provider's messages, and when the recogniser's answers came. What the recogniser answers is heard
anew, or taken from the capture. Decisions and actions are compared one by one, with their times; at
the first that differs the replay stops, for what follows would differ because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ivr.actions import Action, Recognize
from ivr.call import Call
from ivr.capture import Capture, Line, action_item, answer_of, recognition_of, turn_item
from ivr.errors import ProtocolError
from ivr.flow.schema import Flow
from ivr.providers.events import MediaReceived, StreamConnected, StreamStopped
from ivr.providers.twilio import TwilioServer
from ivr.recognition import Recognition

Hear = Callable[[NDArray[np.int16], str], Recognition]
"""Recognises samples [n] int16, 8 kHz, with a grammar URI."""

_TOLD: Final = frozenset({"in", "heard", "looked_up", "transferred", "message", "ticked"})
_FRAME_BYTES: Final = 160  # 20 ms of wire audio
_SECRET: Final = ("value", "words", "text")


@dataclass(frozen=True, slots=True, repr=False)
class Departure:
    """Where a replay went another way.

    Attributes:
        line: of the capture; the last where the capture has no more.
        captured: what the capture has there, with its time; ``None`` where it has nothing more.
        replayed: what the replay has; ``None`` likewise.
    """

    line: int
    captured: dict[str, Any] | None
    replayed: dict[str, Any] | None


@dataclass(frozen=True, slots=True, repr=False)
class HeardOtherwise:
    """A recognition that came out other than in the capture.

    Attributes:
        line: of the capture.
        captured, replayed: words and confidence; ``None`` for a failure.
    """

    line: int
    captured: tuple[str, float] | None
    replayed: tuple[str, float] | None


@dataclass(slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        departure: where it went another way; ``None`` where it never did.
        heard_otherwise: recognitions that came out other.
        compared: decisions and actions that were the same.
        clock_ms: stream time at its end.
    """

    departure: Departure | None = None
    heard_otherwise: list[HeardOtherwise] = field(default_factory=list)
    compared: int = 0
    clock_ms: int = 0

    @property
    def exact(self) -> bool:
        """Whether all was as captured."""
        return self.departure is None


def replay(capture: Capture, flow: Flow, hear: Hear | None = None) -> Replayed:
    """Repeat a call.

    Args:
        capture: of the call.
        flow: that it followed, or another to see where that makes a difference.
        hear: the recogniser; ``None`` takes what was heard then.
    """
    return _Replay(capture, flow, hear).run()


class _Replay:
    """One replay; `run` once."""

    def __init__(self, capture: Capture, flow: Flow, hear: Hear | None) -> None:
        self._capture = capture
        self._hear = hear
        self._call = Call(flow, capture.settings)
        self._dialect = TwilioServer()
        self._audio = b""  # received, not yet fed
        self._asked: dict[int, Recognize] = {}
        self._expected = [*_expected(capture.lines)]
        self._turns = 0
        self._result = Replayed()

    def run(self) -> Replayed:
        """Tell the call all that it was told, until it departs."""
        for line in self._capture.lines:
            if line.kind in _TOLD:
                self._tell(line)
            if self._result.departure is not None:
                break
        else:
            self._finish()
        self._result.clock_ms = self._call.clock_ms
        return self._result

    def _tell(self, line: Line) -> None:
        if line.kind == "in":
            self._receive(str(line.value))
            return
        self._feed(until_ms=line.ms)
        if line.kind == "ticked":
            self._compare(self._call.tick(float(line.value)))
            return
        told = line.value
        if line.kind == "looked_up":
            self._compare(self._call.looked_up(told["id"], answer_of(told)))
            return
        if line.kind == "transferred":
            self._compare(self._call.transferred(told["id"], told["failure"]))
            return
        if line.kind == "message":
            self._compare(self._call.message_taken(told["id"], told["kept"]))
            return
        recognition = self._recognition(line.number, told)
        self._compare(self._call.recognized(told["id"], recognition, told["took_ms"]))

    def _receive(self, message: str) -> None:
        """A message; its audio waits, for the recogniser may answer in the middle of it."""
        self._feed()
        try:
            events = self._dialect.receive(message)
        except ProtocolError:
            return  # refused then, as now
        for event in events:
            if isinstance(event, MediaReceived):
                self._audio += event.payload
            elif not isinstance(event, StreamConnected):
                self._compare(self._call.receive(event))

    def _feed(self, until_ms: int | None = None) -> None:
        """Feed what waits of the audio, as far as the line had come then."""
        while self._audio and (until_ms is None or self._call.clock_ms < until_ms):
            frame, self._audio = self._audio[:_FRAME_BYTES], self._audio[_FRAME_BYTES:]
            self._compare(self._call.receive(MediaReceived(frame)))

    def _recognition(self, number: int, told: dict[str, Any]) -> Recognition | None:
        captured = recognition_of(told["recognition"])
        request = self._asked.get(told["id"])
        if self._hear is None or captured is None or request is None:
            return captured
        replayed = self._hear(request.samples, request.grammar)
        then, now = _words(captured), _words(replayed)
        if then != now:
            self._result.heard_otherwise.append(HeardOtherwise(number, then, now))
        return replayed

    def _compare(self, actions: Sequence[Action]) -> None:
        """What the call decided and did, against what the capture has."""
        at = {"ms": self._call.clock_ms}
        items = [at | turn_item(turn) for turn in self._call.turns[self._turns :]]
        self._turns = len(self._call.turns)
        items += [at | action_item(action) for action in actions]
        self._asked |= {a.utterance_id: a for a in actions if isinstance(a, Recognize)}
        for item in items:
            if self._result.departure is not None:
                return
            number, expected = self._next()
            if expected is None and self._capture.cut is not None:
                continue  # the capture does not say
            if item == expected:
                self._result.compared += 1
            else:
                self._result.departure = Departure(number, expected, item)

    def _next(self) -> tuple[int, dict[str, Any] | None]:
        if self._expected:
            return self._expected.pop(0)
        return (self._capture.lines[-1].number if self._capture.lines else 1), None

    def _finish(self) -> None:
        """The rest of the audio, and the end; then nothing may be left of the capture."""
        self._feed()
        if self._capture.cut is None:
            self._compare(self._call.receive(StreamStopped()))
        if self._result.departure is None and self._expected:
            number, expected = self._expected[0]
            self._result.departure = Departure(number, expected, None)


def _expected(lines: Sequence[Line]) -> list[tuple[int, dict[str, Any]]]:
    """Decisions and actions of a capture, with their lines."""
    items = []
    for line in lines:
        if line.kind == "decided":
            items.append((line.number, {"ms": line.ms, **line.value}))
        elif line.kind == "did":
            items += [(line.number, {"ms": line.ms, **item}) for item in line.value]
    return items


def _words(recognition: Recognition) -> tuple[str, float]:
    return recognition.best.text, round(recognition.confidence, 2)


def in_words(item: dict[str, Any] | None, *, shown: bool) -> str:
    """A decision or an action for people; what a caller said as stars, unless it is to be shown."""
    if item is None:
        return "nothing more"
    fields = {key: value for key, value in item.items() if value not in (None, False)}
    at = f"{fields.pop('ms', 0) / 1000:.2f} s:"
    secret = _SECRET if item.get("personal") or "cause" in item else ()
    parts = []
    for key, value in fields.items():
        hidden = not shown and key in secret
        parts.append(f"{key} {'*' * len(str(value)) if hidden else value}")
    return " ".join([at, ", ".join(parts)])
