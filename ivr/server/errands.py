"""What a call has done elsewhere: lookups and transfers, logged without their values."""

from __future__ import annotations

import structlog

from ivr.actions import LookUp, Transfer
from ivr.flow.request import Answer
from ivr.server.context import Context

_log = structlog.get_logger(__name__)


async def look_up(context: Context, call_id: str | None, action: LookUp) -> Answer:
    """What a lookup comes to; it raises nothing, and takes no longer than the flow allows."""
    answer = await context.lookups.look_up(action.request)
    context.metrics.add("lookups", answer.reason or answer.cause)
    if answer.reason:
        _log.warning("lookup_failed", call_id=call_id, step=action.step, reason=answer.reason)
    return answer


async def hand_on(context: Context, call_id: str | None, action: Transfer) -> str:
    """Why a call is not handed on; empty where it is."""
    failure = await context.transfers.hand_on(call_id or "", action.number)
    context.metrics.add("transfers", failure or "transferred")
    if failure:
        _log.warning("transfer_failed", call_id=call_id, step=action.step, reason=failure)
    return failure
