"""The provider's HTTP side: ask the server what to do with a call, and read its record afterwards.

Theory of operation: a real call begins with a webhook. The provider posts the call's ids as a
form, and the server answers with TwiML, which names the media socket and the token that opens
it. The simulated caller goes the same way, so that a demo exercises the webhook too. Where it knows
the auth token it signs the webhook and the socket's upgrade, as the provider does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

import aiohttp

from ivr.errors import ConfigError, IvrError
from ivr.providers.twilio_signature import SIGNATURE_HEADER, sign

HTTP_TIMEOUT_S: Final = 10.0
RECORD_TIMEOUT_S: Final = 5.0  # a record is written within milliseconds of the hang-up
RECORD_POLL_S: Final = 0.1
MAX_TWIML_CHARS: Final = 64 * 1024  # Twilio's own limit

# The names that ivr's own refusals have, and their cures.
_REASON = re.compile(r"[a-z_]{1,40}(: [a-z0-9_ ,?]{1,500})?")


class CallRefused(IvrError):  # noqa: N818 - it is what happened, as in house.md's Overloaded
    """The server did not take the call, or could not be reached."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server to call.

    Attributes:
        url: its address, such as ``http://127.0.0.1:8080``.
        auth_token: the Twilio auth token to sign with, if it checks signatures.
        api_key: a key of its API with calls:read and numbers:read, if it asks for one.
        flow: which of its flows is called; its own choice if none is named.
    """

    url: str
    auth_token: str | None = None
    api_key: str | None = None
    flow: str | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError("--server: must start with http:// or https://")


@dataclass(frozen=True, slots=True)
class Stream:
    """Where the call's audio goes.

    Attributes:
        url: the media socket, ``ws://`` or ``wss://``.
        parameters: what the start message carries, the call token among it.
        auth_token: the Twilio auth token to sign the upgrade with, if the server checks signatures.
    """

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    auth_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(("ws://", "wss://")):
            raise ConfigError("--url: must start with ws:// or wss://")

    @property
    def headers(self) -> dict[str, str]:
        """What the upgrade bears beside what every WebSocket's does."""
        if self.auth_token is None:
            return {}
        return {SIGNATURE_HEADER: sign(self.auth_token, self.url)}


async def announce_call(server: Server, call_id: str, flow: str | None = None) -> Stream:
    """Post the voice webhook.

    Args:
        server: who answers.
        call_id: the provider's name of the call (CallSid).
        flow: the name of the flow to call; ``None`` for the server's default.

    Returns:
        The media stream that the TwiML connects the call to.

    Raises:
        CallRefused: no server there, a refusal, or TwiML without a stream; the message says which.
    """
    url = server.url.rstrip("/") + "/voice"
    if flow is not None:
        url += f"?flow={quote(flow)}"
    form = {"CallSid": call_id, "From": "+15550100", "To": "+15550199", "CallStatus": "ringing"}
    headers = {}
    if server.auth_token is not None:
        headers[SIGNATURE_HEADER] = sign(server.auth_token, url, form.items())
    timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=form, headers=headers) as response,
        ):
            text = await response.text()
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError) as error:
        cure = "is it running? start it with: ivr serve"
        raise CallRefused(f"no answer from {url} ({type(error).__name__}); {cure}") from error
    if status != 200:
        raise refusal(url, status, text)
    return replace(read_twiml(text), auth_token=server.auth_token)


def refusal(url: str, status: int, body: str) -> CallRefused:
    """The error for a bad HTTP status, with the server's reason where that is one of ours."""
    reason = f": {body}" if _REASON.fullmatch(body) else ""
    return CallRefused(f"{url} refused the call with HTTP status {status}{reason}")


def read_twiml(text: str) -> Stream:
    """Find the media stream in a TwiML answer.

    Raises:
        CallRefused: not XML, or no ``<Connect><Stream url=...>`` in it.
    """
    if len(text) > MAX_TWIML_CHARS or "<!" in text:  # no doctype: entities could grow without end
        raise CallRefused("the webhook's answer is not TwiML")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - checked above
    except ElementTree.ParseError as error:
        raise CallRefused("the webhook's answer is not TwiML") from error
    stream = root.find("./Connect/Stream")
    if stream is None or not stream.get("url"):
        verbs = ", ".join(child.tag for child in root) or "nothing"
        raise CallRefused(f"the webhook connects no stream; it says: {verbs}")
    parameters = {
        parameter.get("name", ""): parameter.get("value", "")
        for parameter in stream.findall("Parameter")
    }
    return Stream(stream.get("url", ""), parameters)


async def fetch_record(server: Server, call_id: str) -> dict[str, Any] | None:
    """Read a call's record once the call is over.

    Args:
        server: who answered the call.
        call_id: as announced.

    Returns:
        The record as the API returns it, waited for until it has an end; ``None`` if there is none
        within `RECORD_TIMEOUT_S`.
    """
    url = f"{server.url.rstrip('/')}/v1/calls/{call_id}"
    headers = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    deadline = asyncio.get_running_loop().time() + RECORD_TIMEOUT_S
    timeout = aiohttp.ClientTimeout(total=RECORD_TIMEOUT_S)
    record: dict[str, Any] | None = None
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with session.get(url) as response:
                    body = await response.json() if response.status == 200 else None
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                body = None  # asked again below; a server that is gone has no record
            record = body if isinstance(body, dict) else record
            if record is not None and record.get("ended_at"):
                break
            await asyncio.sleep(RECORD_POLL_S)
    return record
