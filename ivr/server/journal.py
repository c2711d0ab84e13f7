"""A call's record while it lasts: the document that is stored and that the API returns.

The document holds what the caller said as the flow lets it be kept (`ivr.records.protection`): it
is protected here, before it goes anywhere. The log line of the same call holds causes, lengths and
confidences only.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from ivr.actions import TurnRecord
from ivr.call import Call
from ivr.flow.model import CaptureStep, ConfirmStep, MessageStep
from ivr.flow.schema import Flow
from ivr.providers.events import StreamStarted
from ivr.records.protection import Keyring
from ivr.server.endings import Ending

_log = structlog.get_logger(__name__)

_STRICTER: Final = ("plain", "encrypted", "hash", "masked")  # each shows less than the one before


class Keeping:
    """How a flow keeps each value.

    Args:
        flow: that the calls follow.
        keyring: for values that are kept as hash or encrypted.

    Raises:
        ConfigError: the flow wants a key, or a package, that is not there.

    Attributes:
        flow: its name.
    """

    def __init__(self, flow: Flow, keyring: Keyring) -> None:
        self.flow = flow.flow
        self._keyring = keyring
        captures = {
            name: step for name, step in flow.steps.items() if isinstance(step, CaptureStep)
        }
        for step in captures.values():
            keyring.check(step.kept)
        if flow.record or any(isinstance(step, MessageStep) for step in flow.steps.values()):
            keyring.check("encrypted")
        self._variables = {
            variable: strictest(flow.kept(variable)) for variable in flow.all_variables()
        }
        self._steps = {name: step.kept for name, step in captures.items()}
        for name, asked in flow.steps.items():
            if isinstance(asked, ConfirmStep):  # a correction says digits of the value
                self._steps[name] = self._variables.get(asked.confirm, "plain")

    @property
    def plain(self) -> bool:
        """Whether the flow lets everything be kept in clear."""
        kept = {*self._steps.values(), *self._variables.values()}
        return kept <= {"plain"}

    def is_plain(self, step: str) -> bool:
        """Whether what is said at a step is kept in clear."""
        return self._steps.get(step, "plain") == "plain"

    def of_turn(self, turn: TurnRecord) -> str:
        """How what was said in a turn is kept."""
        return self._steps.get(turn.step, "masked" if turn.sensitive else "plain")

    def variables(self, call: Call, record_id: str) -> dict[str, str]:
        """The flow's variables; a protected value stays so, whatever holds it."""
        said = {
            turn.collected.value: self.of_turn(turn)
            for turn in call.turns
            if turn.collected is not None and turn.collected.value is not None
        }
        return {
            name: self._keyring.keep(
                value,
                strictest([self._variables.get(name, "plain"), said.get(value, "plain")]),
                record_id,
            )
            for name, value in call.variables.items()
        }

    def turn(self, turn: TurnRecord, record_id: str) -> dict[str, Any]:
        """A turn as the record has it."""
        fields = dataclasses.asdict(turn)
        collected, kept = fields["collected"], self.of_turn(turn)
        if collected is None:
            return fields
        del collected["correction"]  # it is among the words
        del collected["unclear"]  # what it knows is of use to the next question only
        if kept == "plain":
            return fields
        # One star a word, so that a reader still sees that something of some length was said.
        collected["words"] = "*" * len(collected["words"].split())
        if collected["value"] not in (None, "yes", "no"):  # a yes to a secret number is none
            collected["value"] = self._keyring.keep(collected["value"], kept, record_id)
        collected["alternatives"] = ["*" * len(value) for value in collected["alternatives"]]
        collected["n_best"] = [("*" * len(value), sure) for value, sure in collected["n_best"]]
        return fields


def strictest(kept: Iterable[str]) -> str:
    """The way of keeping that shows least; plain where there is none."""
    return max(kept, key=_STRICTER.index, default="plain")


class Journal:
    """The facts of one call that the call itself does not know: names, times, how it ended.

    Args:
        started: the stream's first event.
        keeping: how the flow keeps values.
        version: of the flow.
        owner: of the API key that the call was placed with; ``None`` for one that came in.
    """

    def __init__(
        self,
        started: StreamStarted,
        keeping: Keeping,
        version: str = "",
        owner: str | None = None,
    ) -> None:
        self.call_id = started.call_id
        self._keeping = keeping
        self._version = version
        self.owner = owner
        self._stream_id = started.stream_id
        self.record_id = uuid.uuid4().hex
        self.started_at = _utc_now()
        self._ended_at: str | None = None
        self._began_s = time.monotonic()
        self._duration_ms: int | None = None

    def names(self, flow: str) -> dict[str, Any]:
        """What the call is called, for those who watch it."""
        return {
            "call_id": self.call_id,
            "record_id": self.record_id,
            "started_at": self.started_at,
            "flow": flow,
        }

    def stop(self) -> None:
        """Note the time of the end."""
        self._ended_at = _utc_now()
        self._duration_ms = self.duration_ms

    @property
    def duration_ms(self) -> int:
        """Of the call, so far or in all."""
        if self._duration_ms is not None:
            return self._duration_ms
        return round((time.monotonic() - self._began_s) * 1000)

    def document(
        self,
        call: Call,
        ending: Ending | None,
        refusals: Mapping[str, int],
        recordings: Sequence[dict[str, Any]] = (),
    ) -> dict[str, Any]:
        """The record as it stands.

        Args:
            call: source of turns, outcome and variables.
            ending: ``None`` while the call goes on.
            refusals: how many messages were refused, by reason.
            recordings: of the call, as the record has them.
        """
        return {
            "record_id": self.record_id,
            "call_id": self.call_id,
            "stream_id": self._stream_id,
            "provider": "twilio",
            "flow": self._keeping.flow,
            "flow_version": self._version,
            "owner": self.owner,
            "started_at": self.started_at,
            "ended_at": self._ended_at,
            "duration_ms": self._duration_ms,
            "status": "in-progress" if self._ended_at is None else "ended",
            "ending": ending.document() if ending is not None else None,
            "outcome": call.outcome,
            "variables": self._keeping.variables(call, self.record_id),
            "turns": [self._keeping.turn(turn, self.record_id) for turn in call.turns],
            "refusals": dict(refusals),
            "recordings": list(recordings),
        }

    def log_end(self, document: Mapping[str, Any], turns: Sequence[TurnRecord]) -> None:
        """Write the call's one line: what happened, nothing of what was said."""
        ending = document["ending"] or {}
        _log.info(
            "call_ended",
            call_id=self.call_id,
            by=ending.get("by"),
            reason=ending.get("reason"),
            close_code=ending.get("close_code"),
            outcome=document["outcome"],
            duration_ms=document["duration_ms"],
            turns=[_turn_summary(turn) for turn in turns],
            refusals=document["refusals"],
        )


def _utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _turn_summary(turn: TurnRecord) -> dict[str, Any]:
    collected = turn.collected
    return {
        "step": turn.step,
        "cause": collected.cause if collected else None,
        "mode": collected.mode if collected else None,
        "length": len(collected.value or "") if collected else 0,
        "confidence": round(collected.confidence, 3) if collected else 0.0,
        "latency_ms": collected.latency_ms if collected else None,
    }
