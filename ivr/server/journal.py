"""A call's record while it lasts: the document that is stored and that the API returns.

The document holds what the caller said, in clear unless the flow marks the step as sensitive; the
log line of the same call holds causes, lengths and confidences only.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from ivr.actions import TurnRecord
from ivr.call import Call
from ivr.providers.events import StreamStarted

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended.

    Attributes:
        by: who ended it: the ``caller`` hung up, the ``agent`` (our flow) was done, the
            ``provider`` went away, or the ``server`` closed it.
        reason: a stable name: ``stop``, the flow's outcome, ``connection_lost``, a refusal's
            reason.
        close_code: of the WebSocket; 1006 where it just broke.
    """

    by: Literal["caller", "agent", "provider", "server"]
    reason: str
    close_code: int

    def document(self) -> dict[str, Any]:
        """As the record has it."""
        return {"by": self.by, "reason": self.reason, "close_code": int(self.close_code)}


class Journal:
    """The facts of one call that the call itself does not know: names, times, how it ended.

    Args:
        started: the stream's first event.
    """

    def __init__(self, started: StreamStarted) -> None:
        self.call_id = started.call_id
        self._stream_id = started.stream_id
        self._record_id = uuid.uuid4().hex
        self._started_at = _utc_now()
        self._ended_at: str | None = None
        self._began_s = time.monotonic()
        self._duration_ms: int | None = None

    def stop(self) -> None:
        """Note the time of the end."""
        self._ended_at = _utc_now()
        self._duration_ms = round((time.monotonic() - self._began_s) * 1000)

    def document(
        self, call: Call, ending: Ending | None, refusals: Mapping[str, int]
    ) -> dict[str, Any]:
        """The record as it stands.

        Args:
            call: source of turns, outcome and variables.
            ending: ``None`` while the call goes on.
            refusals: how many messages were refused, by reason.
        """
        return {
            "record_id": self._record_id,
            "call_id": self.call_id,
            "stream_id": self._stream_id,
            "provider": "twilio",
            "started_at": self._started_at,
            "ended_at": self._ended_at,
            "duration_ms": self._duration_ms,
            "status": "in-progress" if self._ended_at is None else "ended",
            "ending": ending.document() if ending is not None else None,
            "outcome": call.outcome,
            "variables": _variables(call),
            "turns": [_turn(turn) for turn in call.turns],
            "refusals": dict(refusals),
        }

    def log_end(self, document: Mapping[str, Any]) -> None:
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
            turns=[_turn_summary(turn) for turn in document["turns"]],
            refusals=document["refusals"],
        )


def _utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _variables(call: Call) -> dict[str, str]:
    """The flow's variables; the value of a sensitive step stays as stars, whatever holds it."""
    secret = {turn.collected.value for turn in call.turns if turn.sensitive and turn.collected}
    return {
        name: "*" * len(value) if value in secret or name in call.sensitive else value
        for name, value in call.variables.items()
    }


def _turn(turn: TurnRecord) -> dict[str, Any]:
    fields = dataclasses.asdict(turn)
    collected = fields["collected"]
    if collected is not None:
        del collected["correction"]  # it is among the words
        del collected["unclear"]  # what it knows is of use to the next question only
        if turn.sensitive:
            _mask(collected)
    return fields


def _mask(collected: dict[str, Any]) -> None:
    """Put stars for what was said; a yes or no to a secret number is none."""
    # One star a word, so that a reader still sees that something of some length was said.
    collected["words"] = "*" * len(collected["words"].split())
    if collected["value"] not in (None, "yes", "no"):
        collected["value"] = "*" * len(collected["value"])
    collected["alternatives"] = ["*" * len(value) for value in collected["alternatives"]]
    collected["n_best"] = [("*" * len(value), sure) for value, sure in collected["n_best"]]


def _turn_summary(turn: Mapping[str, Any]) -> dict[str, Any]:
    collected = turn["collected"] or {}
    return {
        "step": turn["step"],
        "cause": collected.get("cause"),
        "mode": collected.get("mode"),
        "length": len(collected.get("value") or ""),
        "confidence": round(collected.get("confidence", 0.0), 3),
        "latency_ms": collected.get("latency_ms"),
    }
