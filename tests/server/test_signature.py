"""The upgrade of a media socket: with an auth token configured, only Twilio's is taken."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from ivr.providers.twilio_signature import sign
from ivr.simulate.caller import place_call
from ivr.simulate.script import Keys, Script, WaitPrompt
from ivr.simulate.webhook import Server, Stream

AUTH = "12345"
HOST = "ivr.example.com"
MEDIA = f"wss://{HOST}/media"


async def upgrade_status(bench: Any, signature: str | None) -> int:
    """The HTTP status of an upgrade with this signature; 101 where the socket opens."""
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    try:
        await bench.line(headers=headers)
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status
    return 101


@pytest.mark.parametrize(
    ("public_url", "signature", "status"),
    [
        (f"https://{HOST}", sign(AUTH, MEDIA), 101),
        (f"https://{HOST}/", sign(AUTH, MEDIA), 101),
        (f"https://{HOST}/ivr", sign(AUTH, f"wss://{HOST}/ivr/media"), 101),
        (f"http://{HOST}", sign(AUTH, f"ws://{HOST}/media"), 101),
        (f"https://{HOST}:8443", sign(AUTH, f"wss://{HOST}:8443/media"), 101),
        (f"https://{HOST}:8443", sign(AUTH, MEDIA), 101),  # Twilio leaves some ports out
        (f"https://{HOST}", sign("54321", MEDIA), 403),
        (f"https://{HOST}", sign(AUTH, f"https://{HOST}/media"), 403),
        (f"https://{HOST}", sign(AUTH, f"wss://{HOST}:8443/media"), 403),
        (f"https://{HOST}", sign(AUTH, MEDIA, [("CallSid", "CA1")]), 403),
        (f"https://{HOST}", sign(AUTH, f"https://{HOST}/voice"), 403),
        (f"https://{HOST}", "é" * 28, 403),
        (f"https://{HOST}", "", 403),
        (f"https://{HOST}", None, 403),
    ],
)
def test_upgrade_must_be_signed_where_a_token_is_configured(
    kit: Any, public_url: str, signature: str | None, status: int
) -> None:
    """The right address with the right token opens the socket; all else is a counted 403."""

    async def scenario() -> None:
        server = {"public_url": public_url}
        async with kit.serving(server=server, twilio={"auth_token": AUTH}) as bench:
            assert await upgrade_status(bench, signature) == status
            assert bench.count("bad_signature") == (status == 403)
            assert len(bench.context.streams) == (status == 101)

    kit.run(scenario)


def test_refusal_of_an_upgrade_has_a_name(kit: Any) -> None:
    """A plain request shows it: the signature is looked at before anything else is."""

    async def scenario() -> None:
        server = {"public_url": f"https://{HOST}", "max_calls": 1}
        async with kit.serving(server=server, twilio={"auth_token": AUTH}) as bench:
            bench.context.draining = True
            response = await bench.client.get(bench.url + "/media")
            assert response.status == 403
            assert await response.text() == "bad_signature"
            assert bench.count("draining") == 0

    kit.run(scenario)


def test_without_an_auth_token_nothing_is_checked(kit: Any) -> None:
    """A trial on one machine needs no signature, and a wrong one does no harm."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert await upgrade_status(bench, None) == 101
            assert await upgrade_status(bench, "wrong") == 101

    kit.run(scenario)


def test_simulated_caller_signs_webhook_and_upgrade(kit: Any) -> None:
    """A caller who knows the auth token gets through both checks, and has its call."""

    async def scenario() -> None:
        async with kit.serving(twilio={"auth_token": AUTH}) as bench:
            settings = bench.context.settings
            server = settings.server.model_copy(update={"public_url": bench.url})
            bench.context.settings = settings.model_copy(update={"server": server})
            script = Script(name="keys", steps=(WaitPrompt(settle_s=0.1), Keys(keys="4155")))
            result = await place_call(script, {}, Server(bench.url, AUTH))
            assert result.failure is None
            assert result.record is not None
            assert result.record["outcome"] == "completed"
            assert bench.count("bad_signature") == 0
            media = bench.url.replace("http://", "ws://") + "/media"
            stranger = await place_call(script, {}, None, Stream(media))
            assert stranger.failure is not None
            assert stranger.failure.endswith("HTTP status 403: bad_signature")
            assert bench.count("bad_signature") == 1

    kit.run(scenario)
