"""Whether a stream that has started may be a call: its token, a place, a flow."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import WSCloseCode

from ivr.providers.events import StreamStarted
from ivr.server.context import Context
from ivr.server.endings import Ending
from ivr.server.flows import Served
from ivr.server.tokens import TokenVerdict


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that is taken.

    Attributes:
        served: the flow that it follows.
        owner: of the API key that it was placed with; ``None`` for one that came in.
        caller: who calls, masked; ``None`` where that is not known.
    """

    served: Served
    owner: str | None
    caller: str | None


def admit(context: Context, started: StreamStarted) -> Admitted | Ending:
    """Take the call, or say how its stream ends; a token is good once."""
    token = context.tokens.redeem(started.parameters.get("token", ""), started.call_id)
    accepted = token.verdict is TokenVerdict.ACCEPTED
    refusal = None if accepted else token.verdict.value
    # The webhook may have been answered before the last place was taken, or the flow removed.
    refusal = refusal or context.refusal()
    served = context.flows.served(token.flow)
    if refusal is None and served is not None:
        return Admitted(served, token.owner, token.caller)
    refusal = refusal or "unknown_flow"
    context.metrics.add("refusals", refusal)
    code = WSCloseCode.TRY_AGAIN_LATER if accepted else WSCloseCode.POLICY_VIOLATION
    return Ending("server", refusal, code)
