"""What a call has done elsewhere: recognitions, lookups, transfers, messages.

Theory of operation: each is done off the pump's path and comes back as a `Tell`: what to tell the
call, by the pump, once the errand counts as done (`ivr.server.pace`) and only if the stream is
still there. So a call is told of nothing behind its end, and there is one place that performs.
What is logged of an errand holds none of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from aiohttp import WSCloseCode

from ivr.actions import Action, LookUp, Recognize, StopMessage, Transfer
from ivr.call import Call
from ivr.server.context import Context, Known
from ivr.server.endings import Ending
from ivr.server.observer import Observer
from ivr.server.recognize import recognize
from ivr.server.witnesses import Witnesses

_log = structlog.get_logger(__name__)

TRANSFERRED: Final = Ending("agent", "transferred", WSCloseCode.OK)

# Given the milliseconds that the errand counts as having taken: what the call does upon its answer.
Tell = Callable[[float], list[Action]]


class Errands:
    """Runs errands for one call.

    Args:
        context: of the server.
        call: is told of their answers.
        call_id: the provider's id of it.
        observer: measures them.
        witnesses: hear what the call is told.
        end: ends the stream.
    """

    def __init__(
        self,
        context: Context,
        call: Call,
        call_id: str,
        *,
        observer: Observer,
        witnesses: Witnesses,
        end: Callable[[Ending], None],
    ) -> None:
        self._context = context
        self._call = call
        self._call_id = call_id
        self._observer = observer
        self._witnesses = witnesses
        self._end = end

    async def recognize(self, action: Recognize) -> Tell:
        """Have an utterance recognised."""
        with self._observer.recognising(action) as note:
            recognition = await recognize(self._context, action, self._call_id)
            if recognition is not None:
                self._observer.recognised(recognition, note)

        def tell(took_ms: float) -> list[Action]:
            self._witnesses.heard(action.utterance_id, recognition, took_ms)
            return self._call.recognized(action.utterance_id, recognition, took_ms)

        return tell

    def look_up(self, action: LookUp) -> tuple[Coroutine[Any, Any, Tell], int | None]:
        """A lookup to be made, and what it counts as taking on a line of its own time."""
        known = self._context.fittings.known(self._call_id, action)
        return self._look_up(action, known), known.took_ms if known is not None else None

    async def _look_up(self, action: LookUp, known: Known | None) -> Tell:
        """Look something up; it raises nothing, and takes no longer than the flow allows."""
        with self._observer.looking_up(action.step) as note:
            if known is not None:
                answer = known.answer
            else:
                answer = await self._context.lookups.look_up(action.request)
            self._context.metrics.add("lookups", answer.reason or answer.cause)
            if answer.reason:
                self._failed("lookup_failed", action.step, answer.reason)
            note(cause=str(answer.cause), reason=answer.reason)

        def tell(_: float) -> list[Action]:
            self._witnesses.looked_up(action.lookup_id, answer)
            return self._call.looked_up(action.lookup_id, answer)

        return tell

    async def hand_on(self, action: Transfer) -> Tell:
        """Hand the call on; the stream is over where that worked."""
        failure = await self._context.transfers.hand_on(self._call_id, action.number)
        self._context.metrics.add("transfers", failure or "transferred")
        if failure:
            self._failed("transfer_failed", action.step, failure)

        def tell(_: float) -> list[Action]:
            self._witnesses.transferred(action.transfer_id, failure)
            actions = self._call.transferred(action.transfer_id, failure)
            if not failure:
                self._end(TRANSFERRED)
            return actions

        return tell

    async def keep_message(self, action: StopMessage) -> Tell:
        """End the message that the caller leaves, and keep it or not."""
        name = await self._witnesses.stop_message(keep=action.keep)

        def tell(_: float) -> list[Action]:
            self._witnesses.message_taken(action.message_id, name)
            return self._call.message_taken(action.message_id, name)

        return tell

    def _failed(self, event: str, step: str, reason: str) -> None:
        _log.warning(event, call_id=self._call_id, step=step, reason=reason)
