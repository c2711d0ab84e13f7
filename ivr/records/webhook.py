"""Results leave by signed webhook: an outbox in the same database, and the task that empties it.

Theory of operation: the transaction that writes a call's end puts its result into the outbox as
well, so there is a result exactly where there is an ended call. A task takes what is due, says so
in the row before it sends (the row is not due again before that request must be over, so two
servers on one database send it once), and notes how it went. Delivery is at least once: a crash
between the answer and the note sends again, with the same id.

    pending -- 2xx                     --> delivered
    pending -- anything else           --> pending, due after first_retry_s * 2^(n-1), at most
                                           last_retry_s, times 0.5 to 1
    pending -- the last of `attempts`  --> dead, until `ivr records retry`

What is signed is ``TIMESTAMP.BODY`` with HMAC-SHA256; the header is ``Ivr-Signature:
t=TIMESTAMP,v1=HEX``. The timestamp is that of the attempt, so an old request cannot be replayed.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import RowMapping

from ivr.config import WebhookSettings
from ivr.errors import ConfigError
from ivr.records.database import Database
from ivr.records.rows import Document
from ivr.records.tables import outbox

_log = structlog.get_logger(__name__)

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"

_AT_ONCE: Final = 16
_POLL_S: Final = 5.0  # for results whose time has come, and those of other servers
_SLACK_S: Final = 5.0  # over the timeout of a request, until another server may try


def sign(secret: str, timestamp_s: int, body: str) -> str:
    """The value of ``Ivr-Signature``."""
    signed = hmac.new(secret.encode(), f"{timestamp_s}.{body}".encode(), hashlib.sha256)
    return f"t={timestamp_s},v1={signed.hexdigest()}"


def result_row(document: Document) -> dict[str, Any]:
    """The outbox's row for an ended call."""
    event_id = f"{document['record_id']}.ended"
    body = {"id": event_id, "type": "call.ended", "call": document}
    return {
        "event_id": event_id,
        "record_id": document["record_id"],
        "state": PENDING,
        "attempts": 0,
        "due_at": utc(0.0),
        "body": json.dumps(body, separators=(",", ":")),
    }


def delay_s(settings: WebhookSettings, attempts: int, lot: float) -> float:
    """Seconds until the next attempt.

    Args:
        settings: first and longest wait.
        attempts: made so far, 1 or more.
        lot: 0 to 1, so that many results do not come back all at once.
    """
    full = min(settings.first_retry_s * 2.0 ** (attempts - 1), settings.last_retry_s)
    return full * (0.5 + lot / 2)


def utc(in_s: float) -> str:
    """A time from now, as the tables have it."""
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=in_s)
    return then.isoformat(timespec="milliseconds")


class Courier:
    """Empties the outbox.

    Args:
        settings: where to, how often; `url` is set.
        database: with the outbox, open.
        counts: ``delivered``, ``failed`` (attempts), ``dead`` are added to it.
        lot: 0 to 1 for the jitter.

    State: one task between `start` and `close`.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        database: Database,
        counts: Counter[str],
        lot: Callable[[], float] = random.random,
    ) -> None:
        if settings.url is None or settings.secret is None:
            raise ConfigError("webhook.url needs webhook.secret, which signs what is sent")
        self._url = settings.url
        self._secret = settings.secret.get_secret_value()
        self._settings = settings
        self._database = database
        self._counts = counts
        self._lot = lot
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._deliver_all())

    def wake(self) -> None:
        """There is a new result."""
        self._news.set()

    async def close(self) -> None:
        """Stop; what was not delivered is, by the next process."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _deliver_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        async with aiohttp.ClientSession(timeout=timeout) as client:
            while True:
                self._news.clear()
                try:
                    due = await self._due()
                    await asyncio.gather(*(self._deliver(client, row) for row in due))
                except Exception as error:  # noqa: BLE001 - the next round may do better
                    due = []
                    _log.warning("results_not_sent", cause=type(error).__name__)
                if len(due) < _AT_ONCE:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_S):
                            await self._news.wait()

    async def _due(self) -> list[RowMapping]:
        query = (
            sa.select(outbox)
            .where(outbox.c.state == PENDING, outbox.c.due_at <= utc(0.0))
            .order_by(outbox.c.due_at)
            .limit(_AT_ONCE)
        )
        async with self._database.begin() as connection:
            return list((await connection.execute(query)).mappings())

    async def _deliver(self, client: aiohttp.ClientSession, row: RowMapping) -> None:
        if not await self._claim(row):
            return
        error = await self._send(client, row)
        attempts = row["attempts"] + 1
        news: dict[str, Any]
        if error is None:
            # The record has it all; a second copy would only be one more place to purge.
            outcome, news = "delivered", {"state": DELIVERED, "body": "", "error": None}
        elif attempts >= self._settings.attempts:
            _log.error("result_given_up", record_id=row["record_id"], cause=error)
            outcome, news = "dead", {"state": DEAD, "error": error}
        else:
            wait_s = delay_s(self._settings, attempts, self._lot())
            outcome, news = "failed", {"due_at": utc(wait_s), "error": error}
        async with self._database.begin() as connection:
            await connection.execute(
                outbox.update()
                .where(outbox.c.event_id == row["event_id"])
                .values(attempts=attempts, **news)
            )
        self._counts[outcome] += 1

    async def _claim(self, row: RowMapping) -> bool:
        """Make it ours until the request must be over; False where another server was quicker."""
        until = utc(self._settings.timeout_s + _SLACK_S)
        async with self._database.begin() as connection:
            changed = await connection.execute(
                outbox.update()
                .where(
                    outbox.c.event_id == row["event_id"],
                    outbox.c.state == PENDING,
                    outbox.c.due_at == row["due_at"],
                )
                .values(due_at=until)
            )
            return bool(changed.rowcount)

    async def _send(self, client: aiohttp.ClientSession, row: RowMapping) -> str | None:
        """Send it; why it failed, or ``None``."""
        body: str = row["body"]
        headers = {
            "Content-Type": "application/json",
            "Ivr-Event-Id": row["event_id"],
            "Ivr-Signature": sign(self._secret, int(time.time()), body),
        }
        try:
            # A redirect would send callers' data to an address that nobody configured.
            async with client.post(
                self._url, data=body.encode(), headers=headers, allow_redirects=False
            ) as response:
                return None if 200 <= response.status < 300 else f"status {response.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return type(error).__name__
