"""The bank's HTTP API, as a flow's ``lookup`` steps ask it.

    POST /identify                              {"account", "pin"} -> status, tries_left
    GET  /accounts/{account}                    first_name, last_name, product, balance
    GET  /accounts/{account}/other              account, product, balance
    GET  /accounts/{account}/transactions/{n}   day, text, amount, direction, next; 1 is the newest
    GET  /accounts/{account}/card               last_four, status
    PUT  /accounts/{account}/card               {"status": "blocked" or "active"}
    POST /transfers                             {"from", "to", "amount"} -> status, transfer
    PUT  /transfers/{transfer}                  {"status": "done"} -> status, balance
    POST /payments                              {"card", "expiry", "code", "amount"} -> status
    GET  /meters/{meter}                        last_reading
    POST /meters/{meter}/readings               {"reading", "sure"} -> status, used
    GET  /appointments/{reference}              first_name, day, time, place, status
    PUT  /appointments/{reference}              {"status"}, or {"slot"} to move it
    GET  /slots/{n}                             slot, day, time, next; 1 is the soonest

404 where there is no such thing, 400 where a request is none, both as problem+json (RFC 9457);
401 without the bearer token, where the bank has one. POSTs take an ``Idempotency-Key``; what is
asked again under one is done once. SQLite is asked in a thread, and nothing is logged: requests
hold PINs and cards.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from ivr.simulate.bank.books import Books
from ivr.simulate.bank.ledger import Ledger
from ivr.simulate.bank.office import Office

_LEDGER: Final = web.AppKey("ledger", Ledger)
_OFFICE: Final = web.AppKey("office", Office)

_MAX_BODY_BYTES: Final = 8192
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_AMOUNT: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{2})?")
_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2])[0-9]{2}")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _BadRequestError(Exception):
    """The request is none; the message says what is wrong, without its values."""


def create_bank(path: Path, token: str | None = None) -> web.Application:
    """The bank over a file; nothing is started.

    Args:
        path: of its SQLite file, made where there is none.
        token: bearer token that requests must show; ``None`` for none.
    """
    books = Books(path)

    @web.middleware
    async def answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if token is not None and not hmac.compare_digest(shown, f"Bearer {token}".encode()):
            return _problem(401, "send `Authorization: Bearer` with the bank's token")
        try:
            return await handler(request)
        except _BadRequestError as error:
            return _problem(400, str(error))

    app = web.Application(middlewares=[answer], client_max_size=_MAX_BODY_BYTES)
    app[_LEDGER], app[_OFFICE] = Ledger(books), Office(books)
    app.add_routes(
        [
            web.post("/identify", _identify),
            web.get("/accounts/{account}", _account),
            web.get("/accounts/{account}/other", _other_account),
            web.get("/accounts/{account}/transactions/{place}", _transaction),
            web.get("/accounts/{account}/card", _card),
            web.put("/accounts/{account}/card", _set_card),
            web.post("/transfers", _prepare_transfer),
            web.put("/transfers/{transfer}", _do_transfer),
            web.post("/payments", _pay),
            web.get("/meters/{meter}", _meter),
            web.post("/meters/{meter}/readings", _read_meter),
            web.get("/appointments/{reference}", _appointment),
            web.put("/appointments/{reference}", _set_appointment),
            web.get("/slots/{place}", _slot),
        ]
    )
    return app


# -- money -----------------------------------------------------------------------------------------


async def _identify(request: web.Request) -> web.Response:
    body = await _body(request)
    account, pin = _text(body, "account", _DIGITS), _text(body, "pin", _DIGITS)
    return await _tell(request.app[_LEDGER].identify, account, pin)


async def _account(request: web.Request) -> web.Response:
    return await _tell(request.app[_LEDGER].account, request.match_info["account"])


async def _other_account(request: web.Request) -> web.Response:
    return await _tell(request.app[_LEDGER].other_account, request.match_info["account"])


async def _transaction(request: web.Request) -> web.Response:
    account, place = request.match_info["account"], _number(request, "place")
    return await _tell(request.app[_LEDGER].transaction, account, max(place, 1))


async def _card(request: web.Request) -> web.Response:
    return await _tell(request.app[_LEDGER].card, request.match_info["account"])


async def _set_card(request: web.Request) -> web.Response:
    status = _text(await _body(request), "status", re.compile("active|blocked"))
    return await _tell(request.app[_LEDGER].set_card, request.match_info["account"], status)


async def _prepare_transfer(request: web.Request) -> web.Response:
    body = await _body(request)
    source, target = _text(body, "from", _DIGITS), _text(body, "to", _DIGITS)
    cents, key = _cents(body), request.headers.get("Idempotency-Key")
    return await _tell(request.app[_LEDGER].prepare_transfer, source, target, cents, key)


async def _do_transfer(request: web.Request) -> web.Response:
    _text(await _body(request), "status", re.compile("done"))
    return await _tell(request.app[_LEDGER].do_transfer, _number(request, "transfer"))


async def _pay(request: web.Request) -> web.Response:
    body = await _body(request)
    card, code = _text(body, "card", _DIGITS), _text(body, "code", _DIGITS)
    expiry, cents = _text(body, "expiry", _EXPIRY), _cents(body)
    key = request.headers.get("Idempotency-Key")
    return await _tell(request.app[_LEDGER].pay, card, expiry, code, cents, key)


# -- meters and appointments -----------------------------------------------------------------------


async def _meter(request: web.Request) -> web.Response:
    return await _tell(request.app[_OFFICE].meter, request.match_info["meter"])


async def _read_meter(request: web.Request) -> web.Response:
    body = await _body(request)
    reading = int(_text(body, "reading", re.compile("[0-9]{1,9}")))
    sure = _text(body, "sure", re.compile("yes|no")) == "yes"
    number = request.match_info["meter"]
    return await _tell(lambda: request.app[_OFFICE].read_meter(number, reading, sure=sure))


async def _appointment(request: web.Request) -> web.Response:
    return await _tell(request.app[_OFFICE].appointment, request.match_info["reference"])


async def _set_appointment(request: web.Request) -> web.Response:
    body, reference = await _body(request), request.match_info["reference"]
    if "slot" in body:
        slot = int(_text(body, "slot", re.compile("[0-9]{1,9}")))
        return await _tell(request.app[_OFFICE].move_appointment, reference, slot)
    status = _text(body, "status", re.compile("confirmed|cancelled"))
    return await _tell(request.app[_OFFICE].set_appointment, reference, status)


async def _slot(request: web.Request) -> web.Response:
    return await _tell(request.app[_OFFICE].slot, max(_number(request, "place"), 1))


# -- requests and answers --------------------------------------------------------------------------


async def _tell(ask: Callable[..., dict[str, Any] | None], *arguments: object) -> web.Response:
    answer = await asyncio.to_thread(ask, *arguments)
    if answer is None:
        return _problem(404, "there is no such thing")
    return web.json_response(answer, headers={"Cache-Control": "no-store"})


def _problem(status: int, detail: str) -> web.Response:
    title = {400: "bad request", 401: "not authorised", 404: "not found"}[status]
    body = {"title": title, "status": status, "detail": detail}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/problem+json"
    )


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise _BadRequestError("the body is no JSON") from None
    if not isinstance(body, dict):
        raise _BadRequestError("the body is no JSON object")
    return body


def _text(body: dict[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = body.get(key)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise _BadRequestError(f"{key}: a text of the form {form.pattern} is wanted")
    return value


def _cents(body: dict[str, Any]) -> int:
    cents = int(Decimal(_text(body, "amount", _AMOUNT)) * 100)
    if cents == 0:
        raise _BadRequestError("amount: more than nothing is wanted")
    return cents


def _number(request: web.Request, key: str) -> int:
    text = request.match_info[key]
    if not re.fullmatch("[0-9]{1,9}", text):
        raise _BadRequestError(f"{key}: a number is wanted")
    return int(text)
