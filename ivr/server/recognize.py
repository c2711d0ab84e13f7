"""An utterance on its way to the recogniser and back: whatever goes wrong, the call goes on."""

from __future__ import annotations

import asyncio

import structlog

from ivr.actions import Recognize
from ivr.asr.queue import Urgency
from ivr.errors import IvrError, Overloaded
from ivr.recognition import Recognition
from ivr.server.context import Context

_log = structlog.get_logger(__name__)


async def recognize(context: Context, action: Recognize, call_id: str | None) -> Recognition | None:
    """What was heard; ``None`` where the recogniser could not say: the flow asks again."""
    urgency = Urgency.LOOK if action.provisional else Urgency.ANSWER
    recognizer = context.recognizer
    if context.fittings.recognizer_of is not None:
        recognizer = context.fittings.recognizer_of(call_id)
    try:
        async with asyncio.timeout(context.settings.recognizer.timeout_s):
            return await recognizer.recognize(action.samples, action.grammar, urgency)
    except Overloaded:
        cause = "recognizer_overloaded"
    except TimeoutError:
        cause = "recognizer_timeout"
    except IvrError:
        cause = "recognizer_failed"
    context.metrics.add("failures", cause)
    _log.error(cause, call_id=call_id, provisional=action.provisional)
    return None
