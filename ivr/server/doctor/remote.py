"""What is reached over the network: the provider's account, our own public address, the clock.

Theory of operation: requests for what is there, nothing that changes anything. The public address
is tried as the provider would: a media socket, signed where signatures are checked, which is closed
before it starts a call. The clock is compared with the `Date` of whoever answers, so that no time
server is needed; that header has whole seconds, and the answer took its time.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from yarl import URL

from ivr.config import Settings
from ivr.providers.twilio_signature import SIGNATURE_HEADER, sign
from ivr.server.doctor.findings import Finding, fail, ok, warn
from ivr.server.signature import websocket_url

TIMEOUT_S: Final = 8.0
_SKEW_WARN_S: Final = 5.0
_SKEW_FAIL_S: Final = 120.0  # receivers of webhooks commonly refuse what is older than some minutes

_UNREACHED: Final = (aiohttp.ClientError, OSError, TimeoutError)


class Remote:
    """The checks over one client.

    Args:
        settings: have the addresses and the secrets.
        client: sends the requests.
        clock: seconds since 1970.

    State: the skews seen so far, by host.
    """

    def __init__(
        self,
        settings: Settings,
        client: aiohttp.ClientSession,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._skews_s: dict[str, float] = {}

    async def look(self) -> list[Finding]:
        """All of it."""
        found = [await self._account()]
        found += await self._public_url()
        return [*found, self._look_at_clock()]

    # -- the provider -----------------------------------------------------------------------------

    async def _account(self) -> Finding:
        twilio = self._settings.twilio
        if twilio.account_sid is None or twilio.auth_token is None:
            return warn(
                "twilio",
                "credentials were not tried",
                "set twilio.account_sid and IVR_TWILIO__AUTH_TOKEN to have them checked",
            )
        url = f"{twilio.api_url.rstrip('/')}/2010-04-01/Accounts/{twilio.account_sid}.json"
        login = f"{twilio.account_sid}:{twilio.auth_token.get_secret_value()}"
        headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
        try:
            async with self._client.get(url, headers=headers, allow_redirects=False) as response:
                self._note_date(response)
                status = response.status
                body = await response.json(content_type=None) if status == 200 else {}
        except _UNREACHED as error:
            return warn(
                "twilio",
                f"{twilio.api_url} was not reached: {type(error).__name__}",
                "let this machine reach it over HTTPS; calls are answered without it",
            )
        except ValueError:
            return warn("twilio", f"{twilio.api_url} answered no JSON", "check twilio.api_url")
        return _judged(status, body.get("status") if isinstance(body, dict) else None)

    # -- ourselves, from outside ------------------------------------------------------------------

    async def _public_url(self) -> list[Finding]:
        url = self._settings.server.public_url
        if url is None:
            cure = "set server.public_url to the https address that the provider calls"
            return [warn("public_url", "none is set: fine for trials on this machine", cure)]
        base = url.rstrip("/")
        found = [await self._livez(base), await self._media(websocket_url(base) + "/media")]
        if not base.startswith("https://"):
            cure = "put a proxy with a certificate in front: see deploy/"
            found.append(warn("public_url", "calls would travel unencrypted", cure))
        return found

    async def _livez(self, base: str) -> Finding:
        try:
            async with self._client.get(base + "/livez", allow_redirects=False) as response:
                self._note_date(response)
                status, text = response.status, await response.text()
        except aiohttp.ClientConnectorCertificateError:
            cure = "renew the certificate: the provider refuses it as well"
            return fail("public_url", f"the certificate of {base} is not trusted", cure)
        except _UNREACHED as error:
            return fail(
                "public_url",
                f"{base} was not reached: {type(error).__name__}",
                "check name, firewall and proxy; some networks do not reach their own public "
                "address, so try from outside as well",
            )
        except UnicodeDecodeError:
            status, text = 0, ""
        if status == 200 and '"alive"' in text:
            return ok("public_url", f"{base}/livez answers")
        if status in (403, 404):  # a proxy that forwards /voice and /media only is as it should be
            return ok("public_url", f"{base} answers, and does not forward /livez")
        return fail(
            "public_url",
            f"{base}/livez answered status {status}: not this server",
            "start `ivr serve`, and let the proxy forward to server.host and server.port",
        )

    async def _media(self, url: str) -> Finding:
        token = self._settings.twilio.auth_token
        headers = {} if token is None else {SIGNATURE_HEADER: sign(token.get_secret_value(), url)}
        try:
            async with self._client.ws_connect(url, headers=headers):
                pass
        except aiohttp.WSServerHandshakeError as error:
            return _refused(url, error.status)
        except _UNREACHED as error:
            cure = "check name, firewall, certificate and proxy"
            return fail("media_socket", f"{url} was not reached: {type(error).__name__}", cure)
        return ok("media_socket", f"{url} opens")

    # -- the clock --------------------------------------------------------------------------------

    def _note_date(self, response: aiohttp.ClientResponse) -> None:
        try:
            then_s = parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return
        # The header is cut to the second: half of one is the likeliest rest.
        self._skews_s[response.url.host or ""] = self._clock() - (then_s + 0.5)

    def _look_at_clock(self) -> Finding:
        # Our own address may be this very machine, which always agrees with itself.
        own = URL(self._settings.server.public_url or "").host
        skews = {host: skew for host, skew in self._skews_s.items() if host != own}
        if not skews:
            return warn(
                "clock",
                "was not compared: nobody else answered",
                "let the system keep it by NTP: timedatectl",
            )
        host, skew_s = max(skews.items(), key=lambda item: abs(item[1]))
        said = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} {host}"
        cure = "let the system keep it by NTP: timedatectl set-ntp true"
        if abs(skew_s) >= _SKEW_FAIL_S:
            return fail("clock", said, cure)
        return warn("clock", said, cure) if abs(skew_s) >= _SKEW_WARN_S else ok("clock", said)


def _judged(status: int, state: str | None) -> Finding:
    """What the account's answer says."""
    if status in (401, 403, 404):
        return fail(
            "twilio",
            f"the account refuses the credentials (status {status})",
            "compare twilio.account_sid and IVR_TWILIO__AUTH_TOKEN with the console; signatures"
            " are made with the same token, so no call would be let in",
        )
    if status != 200:
        return warn("twilio", f"the account answered status {status}", "try again later")
    if state != "active":
        return fail("twilio", f"the account is {state}", "see Twilio's console")
    return ok("twilio", "the account takes the credentials and is active")


def _refused(url: str, status: int) -> Finding:
    if status == 403:
        return fail(
            "media_socket",
            f"{url} refuses our own signature",
            "server.public_url must be the address that the provider uses, scheme and path "
            "included, and the running server must have the same auth token",
        )
    if status == 503:
        return warn("media_socket", f"{url} takes no call now", "look at /readyz of the server")
    return fail(
        "media_socket",
        f"{url} answered status {status} to a WebSocket",
        "let the proxy forward Upgrade and Connection: see deploy/nginx and deploy/caddy",
    )


async def look_outside(settings: Settings) -> list[Finding]:
    """Every check over the network."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        found = await Remote(settings, client).look()
        await asyncio.sleep(0)  # closed connections are let go of in a later turn
    return found
