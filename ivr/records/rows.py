"""Call records to rows and back: a document is taken apart for the tables and put together again.

A document (``docs/reference/call-record.md``) is JSON; only ``record_id``, ``call_id`` and
``started_at`` are always there, the rest is as far as the call has come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

Document = dict[str, Any]
"""One call record as JSON has it."""

Row = dict[str, Any]

_ENDED: Final = 1 << 32  # above any number of turns: an end outweighs what came before it


def revision(document: Document) -> int:
    """How far a call has come: turns, and whether it ended."""
    return len(document.get("turns") or ()) + (_ENDED if document.get("status") == "ended" else 0)


def call_row(document: Document) -> Row:
    """The row of a call."""
    ending = document.get("ending") or {}
    # The turns' place in the document is kept, so that it comes back as it was.
    rest = {key: None if key == "turns" else value for key, value in document.items()}
    return {
        "record_id": document["record_id"],
        "call_id": document["call_id"],
        "started_at": document["started_at"],
        "document": _dump(rest),
        "revision": revision(document),
        "status": document.get("status"),
        "ended_at": document.get("ended_at"),
        "duration_ms": document.get("duration_ms"),
        "outcome": document.get("outcome"),
        "ended_by": ending.get("by"),
        "ended_reason": ending.get("reason"),
        "owner": document.get("owner"),
    }


def turn_rows(document: Document) -> list[Row]:
    """The rows of a call's turns, numbered from 0."""
    rows = []
    for number, turn in enumerate(document.get("turns") or ()):
        collected = turn.get("collected") or {}
        rows.append(
            {
                "record_id": document["record_id"],
                "number": number,
                "step": turn.get("step"),
                "cause": collected.get("cause"),
                "mode": collected.get("mode"),
                "value": collected.get("value"),
                "confidence": collected.get("confidence"),
                "latency_ms": collected.get("latency_ms"),
                "attempt": collected.get("attempt"),
                "sensitive": turn.get("sensitive"),
                "document": _dump(turn),
            }
        )
    return rows


def document_of(call: str, turns: Iterable[str]) -> Document:
    """The record again, from the call's document and its turns' in order."""
    document: Document = json.loads(call)
    if "turns" in document:
        document["turns"] = [json.loads(turn) for turn in turns]
    return document


def _dump(value: object) -> str:
    # ASCII, so that whatever a provider sends can be stored: lone surrogates and NUL as well.
    return json.dumps(value)
