"""How a stream ends: what each refusal closes with, what the peer's close amounts to, the goodbye.

What is not fatal is counted and dropped, up to `_MAX_REFUSALS`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from ivr.server.metrics import Metrics

_log = structlog.get_logger(__name__)

CLOSE_TIMEOUT_S: Final = 2.0  # for the peer's half of the closing handshake
_MAX_REFUSALS: Final = 100  # two seconds of nothing but bad frames: no provider, or a broken one

_CLOSE_CODES: Final[dict[str, int]] = {
    "binary_message": WSCloseCode.UNSUPPORTED_DATA,  # 1003
    "bad_json": WSCloseCode.INVALID_TEXT,  # 1007
    "unsupported_media": WSCloseCode.UNSUPPORTED_DATA,  # 1003
}
_DEFAULT_CLOSE_CODE: Final = WSCloseCode.PROTOCOL_ERROR  # 1002: out of order, or incomplete

# What aiohttp found wrong below the dialect, by the code it has closed with.
_FRAME_REFUSALS: Final[dict[int, str]] = {
    WSCloseCode.MESSAGE_TOO_BIG: "message_too_big",  # 1009
    WSCloseCode.INVALID_TEXT: "bad_utf8",  # 1007
}


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


LOST: Final = Ending("provider", "connection_lost", WSCloseCode.ABNORMAL_CLOSURE)


def of_error(error: Exception, metrics: Metrics, call_id: str | None) -> Ending:
    """How a stream ends of an exception: its socket broke, or this is our bug."""
    if isinstance(error, ConnectionError):
        return LOST
    metrics.add("failures", "internal")
    # Not the error's text: it may hold what the caller said.
    places = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    _log.error("internal_error", call_id=call_id, cause=type(error).__name__, places=places[-6:])
    return Ending("server", "internal_error", WSCloseCode.INTERNAL_ERROR)


class Refusals:
    """The messages of one stream that were refused.

    Args:
        metrics: of the server.

    State: how many there were, by reason.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many there were, by reason."""
        return self._counts

    def add(self, reason: str, detail: str, call_id: str | None, *, fatal: bool) -> Ending | None:
        """Count one; how the stream ends of it, where it does."""
        self._count(reason)
        if self._counts[reason] == 1:  # a flood of one kind is one line in the log, and a count
            _log.warning("refused", reason=reason, detail=detail, fatal=fatal, call_id=call_id)
        if fatal:
            return Ending("server", reason, _CLOSE_CODES.get(reason, _DEFAULT_CLOSE_CODE))
        if self._counts.total() > _MAX_REFUSALS:
            self._metrics.add("refusals", "too_many_refusals")
            return Ending("server", "too_many_refusals", WSCloseCode.POLICY_VIOLATION)
        return None

    def closed_by_peer(self, message: WSMessage) -> Ending:
        """How the stream ended, by the last that its socket gave: neither text nor bytes."""
        if message.type is WSMsgType.CLOSE:
            return Ending("provider", "closed_without_stop", int(message.data or 1005))
        error = message.data
        if message.type is WSMsgType.ERROR and isinstance(error, WebSocketError):
            # aiohttp has sent the close frame already.
            reason = _FRAME_REFUSALS.get(error.code, "bad_frame")
            self._count(reason)
            return Ending("server", reason, error.code)
        return LOST

    def _count(self, reason: str) -> None:
        self._metrics.add("refusals", reason)
        self._counts[reason] += 1


async def close(
    socket: web.WebSocketResponse,
    transport: asyncio.Transport | None,
    ending: Ending,
    call_id: str | None,
) -> None:
    """Close the socket politely, or cut it off where the peer does not even take a goodbye."""
    try:
        async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
            if ending.close_code != WSCloseCode.ABNORMAL_CLOSURE:
                await socket.close(code=ending.close_code, message=ending.reason.encode())
    except (OSError, TimeoutError):
        _log.info("close_unanswered", call_id=call_id)
    else:
        if socket.close_code != WSCloseCode.ABNORMAL_CLOSURE:
            return
    if transport is not None:
        transport.abort()  # or what it never read would stay in our buffers
