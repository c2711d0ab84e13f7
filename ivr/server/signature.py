"""Whether a request comes from the provider: its signature, where an auth token is configured."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

from aiohttp import web

from ivr.config import Settings
from ivr.providers.twilio_signature import SIGNATURE_HEADER, sign


def is_signed(
    request: web.Request,
    settings: Settings,
    fields: Iterable[tuple[str, str]] = (),
    *,
    websocket: bool = False,
) -> bool:
    """Whether a request bears the provider's signature; any does where no auth token is set.

    Args:
        request: a webhook, or the upgrade of a media socket.
        settings: have the auth token and the public address.
        fields: of the webhook's form; an upgrade has none.
        websocket: it is an upgrade, whose address the provider knows as ``wss://``.
    """
    auth_token = settings.twilio.auth_token
    if auth_token is None:
        return True
    given = request.headers.get(SIGNATURE_HEADER, "").encode("utf-8", "surrogateescape")
    # The address comes from the configuration: behind a proxy, Host and scheme are others'. The
    # path is taken as sent, since a re-encoded one has another signature.
    public_url = (settings.server.public_url or "").rstrip("/")
    url = (websocket_url(public_url) if websocket else public_url) + request.raw_path
    # Twilio signs some addresses without their port.
    secret, listed = auth_token.get_secret_value(), list(fields)
    right = [sign(secret, form, listed).encode() for form in (url, _without_port(url))]
    return any(hmac.compare_digest(given, signature) for signature in right)


def websocket_url(url: str) -> str:
    """The same address for a WebSocket: ``wss://`` for ``https://``, ``ws://`` for ``http://``."""
    return "ws" + url.removeprefix("http")


def _without_port(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=re.sub(r":\d+$", "", parts.netloc)))
