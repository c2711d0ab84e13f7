"""Results by webhook: signed, tried again, given up in the end, and sent once each."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from ivr.config import RecordSettings, WebhookSettings
from ivr.errors import ConfigError
from ivr.records import webhook as webhook_module
from ivr.records.database import Database
from ivr.records.store import CallStore
from ivr.records.webhook import delay_s, sign
from tests.records.calls import ended, record, until

SECRET = "a secret of the test"


@dataclass
class Receiver:
    """A receiver that answers from a script; the last answer repeats."""

    script: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    port: int = 0

    async def take(self, request: web.Request) -> web.Response:
        """Note a request, and answer."""
        self.got.append((dict(request.headers), await request.text()))
        status = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    @property
    def events(self) -> list[str]:
        """The ids of what came."""
        return [headers["Ivr-Event-Id"] for headers, _ in self.got]


@asynccontextmanager
async def receiving(*script: int) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(list(script) or [200])
    app = web.Application()
    app.add_routes([web.post("/{any:.*}", receiver.take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


def webhook(port: int, **changes: Any) -> WebhookSettings:
    """Settings of an impatient sender."""
    return WebhookSettings.model_validate(
        {
            "url": f"http://127.0.0.1:{port}/results",
            "secret": SECRET,
            "first_retry_s": 0.05,
            "last_retry_s": 0.1,
            "timeout_s": 2.0,
            **changes,
        }
    )


@asynccontextmanager
async def sending(settings: RecordSettings, hook: WebhookSettings) -> AsyncIterator[CallStore]:
    """An open store that sends results."""
    store = CallStore(settings, hook)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "_POLL_S", 0.05)


async def states(settings: RecordSettings) -> list[tuple[str, int, str | None]]:
    """State, attempts and error of what is in the outbox."""
    database = Database(settings)
    await database.open()
    async with database.begin() as connection:
        rows = await connection.execute(
            text("SELECT state, attempts, error FROM outbox ORDER BY event_id")
        )
        found = [tuple(row) for row in rows]
    await database.close()
    return found  # type: ignore[return-value]


def test_ended_call_is_sent_once_and_signed(lasting: RecordSettings) -> None:
    """What a receiver has to check is checked here as it would."""

    async def main() -> None:
        async with receiving() as receiver, sending(lasting, webhook(receiver.port)) as store:
            await store.put(record(1, status="in-progress", turns=[]))
            await store.put(ended(1))
            await store.put(ended(1))  # replayed
            await until(lambda: store.counts["delivered"] == 1)
            await asyncio.sleep(0.2)
        ((headers, body),) = receiver.got
        assert headers["Content-Type"] == "application/json"
        assert headers["Ivr-Event-Id"] == "r1.ended"
        assert json.loads(body) == {"id": "r1.ended", "type": "call.ended", "call": ended(1)}
        found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["Ivr-Signature"])
        assert found
        signed = f"{found[1]}.{body}".encode()
        assert found[2] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert await states(lasting) == [("delivered", 1, None)]

    asyncio.run(main())


def test_failed_attempts_are_repeated(lasting: RecordSettings) -> None:
    """Errors and redirects are tried again, with the same id."""

    async def main() -> None:
        async with (
            receiving(500, 404, 302, 204) as receiver,
            sending(lasting, webhook(receiver.port)) as store,
        ):
            await store.put(ended(1))
            await until(lambda: store.counts["delivered"] == 1)
            assert receiver.events == ["r1.ended"] * 4
            assert store.counts["failed"] == 3

    asyncio.run(main())


def test_result_is_dead_after_the_last_attempt(lasting: RecordSettings) -> None:
    """It is given up, and kept for a person to look at."""

    async def main() -> None:
        async with (
            receiving(500) as receiver,
            sending(lasting, webhook(receiver.port, attempts=3)) as store,
        ):
            await store.put(ended(1))
            await until(lambda: store.counts["dead"] == 1)
            await asyncio.sleep(0.3)
            assert len(receiver.got) == 3
        assert await states(lasting) == [("dead", 3, "status 500")]

    asyncio.run(main())


def test_receiver_that_is_away_gets_it_later(lasting: RecordSettings) -> None:
    """What one process could not deliver, the next one does."""

    async def main() -> None:
        async with receiving() as receiver:
            port = receiver.port
        async with sending(lasting, webhook(port)) as store:
            await store.put(ended(1))
            await until(lambda: store.counts["failed"] >= 1)
        async with receiving() as receiver, sending(lasting, webhook(receiver.port)) as store:
            await until(lambda: store.counts["delivered"] == 1)
            assert receiver.events == ["r1.ended"]

    asyncio.run(main())


def test_two_servers_on_one_database_send_each_result_once(lasting: RecordSettings) -> None:
    """Whoever claims a result first sends it."""

    async def main() -> None:
        async with receiving() as receiver:
            hook = webhook(receiver.port)
            async with sending(lasting, hook) as one, sending(lasting, hook) as two:
                await asyncio.gather(*((one, two)[n % 2].put(ended(n)) for n in range(20)))
                await until(lambda: one.counts["delivered"] + two.counts["delivered"] == 20)
                await asyncio.sleep(0.2)
            assert sorted(receiver.events) == sorted(f"r{n}.ended" for n in range(20))

    asyncio.run(main())


def test_waits_grow_and_are_drawn() -> None:
    """5, 10, 20 s ... up to the longest, of which a half to the whole."""
    settings = WebhookSettings()
    assert [delay_s(settings, n, 1.0) for n in (1, 2, 3, 4)] == [5.0, 10.0, 20.0, 40.0]
    assert delay_s(settings, 1, 0.0) == 2.5
    assert delay_s(settings, 99, 1.0) == 3600.0


def test_signature_of_the_documentation() -> None:
    """The example that docs/reference/webhook.md gives to check one's own code against."""
    assert sign("whsec_0123456789abcdef", 1764057600, '{"id":"r1.ended"}') == (
        "t=1764057600,v1=113ef5ca9c30ade6b25529e1e03e08b107d492c08b67c69980b475569629534d"
    )


def test_address_without_a_secret_is_refused() -> None:
    """Nothing leaves unsigned."""
    with pytest.raises(ConfigError, match=r"webhook\.secret"):
        CallStore(RecordSettings(path=None), WebhookSettings(url="http://localhost/x"))
