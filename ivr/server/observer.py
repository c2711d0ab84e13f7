"""What is told of one call while it happens: to the metrics, the trace and the log's scope."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from ivr.actions import Recognize, TurnRecord
from ivr.recognition import Recognition
from ivr.server.endings import Ending
from ivr.server.journal import Journal
from ivr.server.metrics import Metrics
from ivr.server.tracing import NO_TRACE, Note, Trace, Tracing


class Observer:
    """Watches one call.

    Args:
        metrics: of the server.
        tracing: begins the call's trace.

    State: how many turns were seen; nothing is told before `started`.
    """

    def __init__(self, metrics: Metrics, tracing: Tracing) -> None:
        self._metrics = metrics
        self._tracing = tracing
        self._journal: Journal | None = None
        self._flow = ""
        self._turns = 0
        self.trace: Trace = NO_TRACE

    def started(self, journal: Journal, flow: str) -> None:
        """The call has begun."""
        self._journal, self._flow = journal, flow
        self.trace = self._tracing.call(journal.record_id, flow)
        self.scope_log()

    def scope_log(self) -> None:
        """Put the call's ids into every line logged from here on in this context, by anyone."""
        if self._journal is None:
            return
        ids = {"call_id": self._journal.call_id, "record_id": self._journal.record_id}
        if self.trace.trace_id is not None:
            ids["trace_id"] = self.trace.trace_id
        structlog.contextvars.bind_contextvars(**ids)

    def turns(self, turns: Sequence[TurnRecord]) -> bool:
        """Count the turns that are over; whether there are new ones."""
        new = turns[self._turns :]
        self._turns = len(turns)
        for turn in new:
            self._metrics.turn(turn)
            self.trace.turn(turn)
        return bool(new)

    @contextmanager
    def recognising(self, action: Recognize) -> Iterator[Note]:
        """An utterance is being recognised."""
        audio_ms = len(action.samples) // 8
        with self.trace.span(
            "recognise", audio_ms=audio_ms, provisional=action.provisional
        ) as note:
            yield note

    def recognised(self, recognition: Recognition, note: Note) -> None:
        """An utterance was recognised."""
        self._metrics.recognition(recognition)
        note(
            words=len(recognition.best.words),
            confidence=round(recognition.confidence, 3),
            queued_ms=round(recognition.queued_ms, 1),
            compute_ms=round(sum(recognition.compute_ms.values()), 1),
        )

    @contextmanager
    def looking_up(self, step: str) -> Iterator[Note]:
        """The flow waits for somebody else's answer."""
        began_s = time.monotonic()
        with self.trace.span("lookup", step=step) as note:
            yield note
        self._metrics.time("lookup", time.monotonic() - began_s)

    def spoke(self, took_s: float) -> None:
        """The agent began to speak, so long after it was decided."""
        self._metrics.time("prompt_start", took_s)

    def over(self, turns: Sequence[TurnRecord], outcome: str, ending: Ending) -> None:
        """The call is over."""
        if self._journal is None:
            return
        self.turns(turns)
        self._metrics.call(self._flow, outcome, self._journal.duration_ms / 1000)
        self.trace.over(
            outcome=outcome,
            ended_by=ending.by,
            reason=ending.reason,
            close_code=int(ending.close_code),
            turns=len(turns),
        )
