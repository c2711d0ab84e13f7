"""``POST /v1/calls``: an outgoing call, placed through the provider.

The provider rings; when it is answered it asks ``/voice`` what to do, as for any call, and the flow
begins. ``GET /v1/calls/{id}`` tells how far it has come: the provider reports to
``/voice/status``.
"""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import parse_qsl

import structlog
from aiohttp import web

from ivr.providers.twilio_rest import STATUSES, CallRefused
from ivr.records.placed import Placed, PlacedStore, new_placed
from ivr.server.access import Principal, authorize
from ivr.server.api.bodies import checked, no_query, read_json, reply
from ivr.server.api.models import CallRequest, PlacedCall
from ivr.server.context import CONTEXT
from ivr.server.dialling import Dialler, NoAnswerError, NotAskedError
from ivr.server.problems import Problem
from ivr.server.signature import is_signed

_log = structlog.get_logger(__name__)

_MAX_KEY: Final = 255

PLACED: Final = web.AppKey("placed", PlacedStore)
DIALLER: Final = web.AppKey("dialler", Dialler)


async def post_call(request: web.Request) -> web.Response:
    """Handle ``POST /v1/calls``."""
    principal = await authorize(request, "calls:write")
    no_query(request)
    asked = checked(CallRequest, await read_json(request))
    placed = await _note(request, principal, asked)
    if placed.status == "placing":
        await _place(request, placed, asked)
        placed = await request.app[PLACED].get(placed.placed_id) or placed
    location = f"/v1/calls/{placed.call_id or placed.placed_id}"
    return reply(shown(placed), 201, Location=location)


async def _place(request: web.Request, placed: Placed, asked: CallRequest) -> None:
    """Ask the provider, and note what came of it.

    Raises:
        Problem: 502 or 504.
    """
    store = request.app[PLACED]
    try:
        answer = await request.app[DIALLER].place(
            asked.to, placed.flow, placed.placed_id, asked.ring_s
        )
    except NotAskedError as error:
        await store.forget(placed.placed_id)
        raise Problem(502, "provider-unreachable", f"{error}; nothing was placed") from None
    except NoAnswerError as error:
        await store.note(placed.placed_id, "unknown")
        detail = f"{error}; the call may have been placed: ask for {placed.placed_id}"
        raise Problem(504, "provider-timeout", detail, placed_id=placed.placed_id) from None
    if isinstance(answer, CallRefused):
        await store.note(placed.placed_id, "refused")
        raise _refusal(answer)
    await store.note(placed.placed_id, answer.status, answer.call_id)
    _log.info("call_placed", call_id=answer.call_id)


async def note_status(request: web.Request) -> web.Response:
    """Handle ``POST /voice/status``: the provider tells how far a placed call has come."""
    context = request.app[CONTEXT]
    try:
        fields = parse_qsl((await request.read()).decode("ascii"), max_num_fields=200)
    except ValueError:
        return web.Response(status=400, text="bad_webhook")
    if not is_signed(request, context.settings, fields):
        context.metrics.add("refusals", "bad_signature")
        return web.Response(status=403, text="bad_signature")
    told, placed_id = dict(fields), request.query.get("placed", "")
    if told.get("CallStatus") not in STATUSES:
        return web.Response(status=400, text="bad_webhook")
    await request.app[PLACED].note(placed_id, told["CallStatus"], told.get("CallSid"))
    return web.Response(status=204)


async def _note(request: web.Request, principal: Principal, asked: CallRequest) -> Placed:
    """Write down a call that is about to be placed; or the one that was, with the same key.

    Raises:
        Problem: 400, 404, 409, 422 or 501.
    """
    context = request.app[CONTEXT]
    missing = request.app[DIALLER].missing
    if missing:
        raise Problem(501, "not-configured", f"placing calls needs {', '.join(missing)}")
    served = context.flows.served(asked.flow)
    if served is None:
        raise Problem(404, "no-such-flow", "no flow of this server has this name")
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem(400, "bad-idempotency-key", f"1 to {_MAX_KEY} printable ASCII characters")
    said = json.dumps([asked.to, served.name, asked.ring_s])
    new = new_placed(principal.owner, served.name, key, said)
    placed = await request.app[PLACED].add(new)
    if placed.placed_id == new.placed_id:
        return placed
    if placed.fingerprint != new.fingerprint:
        raise Problem(
            422, "idempotency-key-reused", "this Idempotency-Key was used for another call"
        )
    if placed.status == "placing":
        raise Problem(
            409, "being-placed", "this call is being placed now", headers={"Retry-After": "1"}
        )
    return placed


def shown(placed: Placed) -> PlacedCall:
    """A placed call as the API tells it."""
    return PlacedCall(
        placed_id=placed.placed_id,
        call_id=placed.call_id,
        flow=placed.flow,
        status=placed.status,
        placed_at=placed.placed_at,
        updated_at=placed.updated_at,
    )


def _refusal(answer: CallRefused) -> Problem:
    code = f"https://www.twilio.com/docs/api/errors/{answer.code}" if answer.code else "no code"
    return Problem(
        502,
        "provider-refused",
        f"the provider refused the call with status {answer.status}: {code}",
        provider_code=answer.code,
    )
