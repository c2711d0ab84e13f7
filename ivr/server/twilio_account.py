"""The provider's REST API, as the account that the configuration names."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from ivr.config import TwilioSettings

_CONNECT_S: Final = 5.0
_VERSION: Final = "2010-04-01"


class TwilioAccount:
    """Posts to the API.

    Args:
        settings: of the account.

    State: a session, from the first request to `close`.
    """

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    @property
    def known(self) -> bool:
        """Whether the account's id and token are configured."""
        return self._settings.account_sid is not None and self._settings.auth_token is not None

    @asynccontextmanager
    async def post(
        self, *path: str, form: Sequence[tuple[str, str]], timeout_s: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Post a form, and give the answer as it begins.

        Args:
            path: below the account.
            form: of the request.
            timeout_s: for all of it, reading included.

        Raises:
            TimeoutError: it took longer.
            aiohttp.ClientError: no connection, or a broken one.
        """
        settings = self._settings
        secret = settings.auth_token.get_secret_value() if settings.auth_token else ""
        account = settings.account_sid or ""
        url = URL(settings.api_url) / _VERSION / "Accounts" / account
        for part in path:
            url /= part
        async with (
            asyncio.timeout(timeout_s),
            self._opened().post(
                url,
                data=list(form),
                headers={"Authorization": _basic(account, secret)},
                allow_redirects=False,
            ) as response,
        ):
            yield response

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
            self._session = aiohttp.ClientSession(
                timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


def _basic(user: str, secret: str) -> str:
    """The header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
