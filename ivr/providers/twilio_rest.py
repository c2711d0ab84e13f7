"""Twilio's REST API, the part that places calls: what is sent, and what its answers mean.

Values only: the shell sends them.

Source: Twilio, "Call resource", "Make outbound phone calls", 2024.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from ivr.errors import ProtocolError

EVENTS: Final = ("initiated", "ringing", "answered", "completed")
# Twilio's own words for how far a call has come.
STATUSES: Final = (
    *("queued", "initiated", "ringing", "in-progress"),
    *("completed", "busy", "no-answer", "failed", "canceled"),
)


@dataclass(frozen=True, slots=True)
class CallPlaced:
    """Twilio has taken the call.

    Attributes:
        call_id: its CallSid.
        status: of `STATUSES`.
    """

    call_id: str
    status: str


@dataclass(frozen=True, slots=True)
class CallRefused:
    """Twilio has not taken the call.

    Attributes:
        status: of HTTP.
        code: Twilio's number of the error; 0 where it gave none.
    """

    status: int
    code: int


def place_form(
    to: str, caller_id: str, voice_url: str, status_url: str, ring_s: int
) -> list[tuple[str, str]]:
    """The form that places a call.

    Args:
        to: E.164.
        caller_id: a number of the account, E.164.
        voice_url: is asked what to do when the call is answered.
        status_url: is told how far the call has come.
        ring_s: seconds to let it ring.
    """
    return [
        ("To", to),
        ("From", caller_id),
        ("Url", voice_url),
        ("Method", "POST"),
        ("StatusCallback", status_url),
        ("StatusCallbackMethod", "POST"),
        *(("StatusCallbackEvent", event) for event in EVENTS),
        ("Timeout", str(ring_s)),
    ]


def read_answer(status: int, body: bytes) -> CallPlaced | CallRefused:
    """What Twilio answered.

    Args:
        status: of HTTP.
        body: at most what the shell cares to read.

    Raises:
        ProtocolError: it is no answer of Twilio's.
    """
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ProtocolError("bad_json", f"the answer with status {status} is no JSON object")
    if status >= 400:
        code = answer.get("code")
        # Not the message: it repeats the number that was called.
        return CallRefused(status, code if isinstance(code, int) else 0)
    sid, state = answer.get("sid"), answer.get("status")
    if not isinstance(sid, str) or not sid or state not in STATUSES:
        raise ProtocolError("missing_field", "the answer has no sid or no known status")
    return CallPlaced(sid, state)
