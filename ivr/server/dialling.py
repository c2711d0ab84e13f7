"""Placing calls through the provider's REST API."""

from __future__ import annotations

from typing import Final

import aiohttp
from yarl import URL

from ivr.config import Settings
from ivr.errors import IvrError, ProtocolError
from ivr.providers.twilio_rest import CallPlaced, CallRefused, place_form, read_answer
from ivr.server.twilio_account import TwilioAccount

_TIMEOUT_S: Final = 10.0
_MAX_BYTES: Final = 65_536


class NotAskedError(IvrError):
    """The provider was not reached: nothing has happened."""


class NoAnswerError(IvrError):
    """The provider was asked and did not answer: the call may have been placed."""


class Dialler:
    """Places calls.

    Args:
        settings: who calls, and the address that the provider calls back.
        account: of the provider; its owner closes it.
    """

    def __init__(self, settings: Settings, account: TwilioAccount) -> None:
        self._settings = settings
        self._account = account

    @property
    def missing(self) -> tuple[str, ...]:
        """The settings that are needed and not there."""
        twilio = self._settings.twilio
        needed = {
            "twilio.account_sid": twilio.account_sid,
            "twilio.auth_token": twilio.auth_token,
            "twilio.from_number": twilio.from_number,
            "server.public_url": self._settings.server.public_url,
        }
        return tuple(name for name, value in needed.items() if value is None)

    async def place(
        self, to: str, flow: str, placed_id: str, ring_s: int
    ) -> CallPlaced | CallRefused:
        """Ask the provider to call somebody.

        Args:
            to: whom, E.164.
            flow: that answers.
            placed_id: of ours, for when the provider calls back.
            ring_s: seconds to let it ring.

        Raises:
            NotAskedError: the provider was not reached.
            NoAnswerError: it was, and gave no answer that can be read.
        """
        twilio, server = self._settings.twilio, self._settings.server
        home = URL((server.public_url or "").rstrip("/"))
        named = {"flow": flow, "placed": placed_id}
        voice_url = (home / "voice").with_query(named)
        status_url = (home / "voice" / "status").with_query({"placed": placed_id})
        form = place_form(to, twilio.from_number or "", str(voice_url), str(status_url), ring_s)
        try:
            async with self._account.post(
                "Calls.json", form=form, timeout_s=_TIMEOUT_S
            ) as response:
                return read_answer(response.status, await response.content.read(_MAX_BYTES))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotAskedError(f"no connection ({type(error).__name__})") from None
        except (aiohttp.ClientError, OSError, TimeoutError, ProtocolError) as error:
            raise NoAnswerError(f"no answer that can be read ({type(error).__name__})") from None
