"""The bank over HTTP, as flows ask it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rich.console import Console

from ivr.errors import ConfigError
from ivr.simulate.bank.command import run_bank, serving_bank
from ivr.simulate.bank.seed import APPOINTMENTS, CUSTOMERS, METERS

ALICE = CUSTOMERS[0]
CHECKING, SAVINGS = (account.number for account in ALICE.accounts)
REFERENCE = APPOINTMENTS[0].reference

Ask = Callable[..., Awaitable[tuple[int, Any]]]


def with_bank(
    folder: Path, scenario: Callable[[Ask], Awaitable[None]], token: str | None = None
) -> None:
    """Run a scenario with something that asks a bank."""

    async def main() -> None:
        path = folder / "bank.sqlite3"
        async with serving_bank(path, 0, token) as url, aiohttp.ClientSession(url) as client:

            async def ask(method: str, path: str, **options: Any) -> tuple[int, Any]:
                async with client.request(method, path, **options) as response:
                    return response.status, await response.json(content_type=None)

            await scenario(ask)

    asyncio.run(main())


def test_every_address_answers(tmp_path: Path) -> None:
    """All that a flow asks for, one after the other."""
    payment = {"card": "4532015112830366", "expiry": "1230", "code": "417", "amount": "25.00"}
    transfer = {"from": CHECKING, "to": SAVINGS, "amount": "50"}
    asked: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("POST", "/identify", {"account": CHECKING, "pin": ALICE.pin}, {"status": "ok"}),
        ("GET", f"/accounts/{CHECKING}", None, {"first_name": "Alice", "balance": "1250.75"}),
        ("GET", f"/accounts/{CHECKING}/other", None, {"account": SAVINGS}),
        ("GET", f"/accounts/{CHECKING}/transactions/2", None, {"text": "City Transit"}),
        ("GET", f"/accounts/{CHECKING}/card", None, {"last_four": "1109", "status": "active"}),
        ("PUT", f"/accounts/{CHECKING}/card", {"status": "blocked"}, {"status": "blocked"}),
        ("POST", "/transfers", transfer, {"status": "prepared", "transfer": "1"}),
        ("PUT", "/transfers/1", {"status": "done"}, {"status": "done", "balance": "1200.75"}),
        ("POST", "/payments", payment, {"status": "approved", "reference": "900001"}),
        ("GET", f"/meters/{METERS[0][0]}", None, {"last_reading": 31_405}),
        (
            *("POST", f"/meters/{METERS[0][0]}/readings", {"reading": "31500", "sure": "no"}),
            {"status": "accepted", "used": 95},
        ),
        ("GET", f"/appointments/{REFERENCE}", None, {"first_name": "Alice", "status": "open"}),
        ("PUT", f"/appointments/{REFERENCE}", {"status": "confirmed"}, {"status": "confirmed"}),
        ("GET", "/slots/1", None, {"slot": 1, "day": "2026-12-07"}),
        ("PUT", f"/appointments/{REFERENCE}", {"slot": "1"}, {"day": "2026-12-07"}),
    ]

    async def scenario(ask: Ask) -> None:
        for method, path, body, wanted in asked:
            status, answer = await ask(method, path, json=body)
            assert status == 200, path
            assert wanted.items() <= answer.items(), path

    with_bank(tmp_path, scenario)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/accounts/00000000", None, 404),
        ("GET", "/accounts/00000000/card", None, 404),
        ("GET", "/slots/99", None, 404),
        ("GET", "/slots/next", None, 400),
        ("POST", "/identify", {"account": CHECKING}, 400),
        ("POST", "/identify", {"account": CHECKING, "pin": 2580}, 400),
        ("POST", "/identify", ["pin"], 400),
        ("POST", "/transfers", {"from": CHECKING, "to": SAVINGS, "amount": "0.00"}, 400),
        ("POST", "/transfers", {"from": CHECKING, "to": SAVINGS, "amount": "-5"}, 400),
        ("PUT", "/transfers/1", {"status": "done"}, 404),
        ("PUT", f"/accounts/{CHECKING}/card", {"status": "gold"}, 400),
        ("PUT", "/appointments/000000", {"slot": "1"}, 404),
    ],
)
def test_what_cannot_be_is_told(
    tmp_path: Path, method: str, path: str, body: Any, status: int
) -> None:
    """A problem document with the cause, and none of the values."""

    async def scenario(ask: Ask) -> None:
        got, answer = await ask(method, path, json=body)
        assert got == status
        assert answer["status"] == status
        assert ALICE.pin not in str(answer)

    with_bank(tmp_path, scenario)


def test_body_that_is_no_json_is_told(tmp_path: Path) -> None:
    """Neither nothing nor half a text is a request."""

    async def scenario(ask: Ask) -> None:
        for data in (b"", b"{", b"\xff"):
            assert (await ask("POST", "/identify", data=data))[0] == 400

    with_bank(tmp_path, scenario)


def test_what_is_asked_twice_is_done_once(tmp_path: Path) -> None:
    """A request that is sent again under its key changes nothing."""
    body = {"from": CHECKING, "to": SAVINGS, "amount": "50.00"}

    async def scenario(ask: Ask) -> None:
        keyed = {"json": body, "headers": {"Idempotency-Key": "one"}}
        first, second = [await ask("POST", "/transfers", **keyed) for _ in range(2)]
        assert first == second
        await asyncio.gather(
            *(ask("PUT", "/transfers/1", json={"status": "done"}) for _ in range(4))
        )
        assert (await ask("GET", f"/accounts/{CHECKING}"))[1]["balance"] == "1200.75"

    with_bank(tmp_path, scenario)


def test_bank_with_a_token_wants_it(tmp_path: Path) -> None:
    """Whoever does not show it is told nothing."""

    async def scenario(ask: Ask) -> None:
        path = f"/accounts/{CHECKING}"
        assert (await ask("GET", path))[0] == 401
        assert (await ask("GET", path, headers={"Authorization": "Bearer no"}))[0] == 401
        assert (await ask("GET", path, headers={"Authorization": "Bearer secret"}))[0] == 200

    with_bank(tmp_path, scenario, token="secret")


def test_port_in_use_is_told(tmp_path: Path) -> None:
    """With the cure, before anything is printed."""

    async def main() -> None:
        async with serving_bank(tmp_path / "a.sqlite3", 0) as url:
            port = int(re.findall(r"\d+$", url)[0])
            with pytest.raises(ConfigError, match="--port"):
                async with serving_bank(tmp_path / "b.sqlite3", port):
                    pass

    asyncio.run(main())


def test_file_needs_its_folder(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(ConfigError, match="none"):
        run_bank(0, tmp_path / "none" / "bank.sqlite3", Console())
