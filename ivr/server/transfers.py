"""Handing a caller on to another telephone, which only the provider can do.

Theory of operation: there are two ways. With the account's id and token the call is told over the
provider's REST API to dial: it answers at once whether it will. Without, the stream is closed; the
provider goes on with what the voice webhook had said behind it, which is to ask at
``/voice/after`` what is next, and is told there. Whether it asks cannot be known when the stream is
closed, so that way has no failure that a flow could see, and it must be this server that is asked.

Sources: Twilio, "Call resource: update a call", "TwiML <Dial>", "TwiML <Redirect>", 2024.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final
from xml.sax.saxutils import escape

import aiohttp

from ivr.flow.model import Flow, TransferStep
from ivr.server.twilio_account import TwilioAccount

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>'
HANG_UP: Final = f"{_HEAD}<Response><Hangup/></Response>"
_ATTEMPTS: Final = 2
_TIMEOUT_S: Final = 5.0  # of one attempt; the call's own limit is 20 s
_WAIT_S: Final = 0.5
_CALL_GONE: Final = 404
_MOST_WAITING: Final = 1000  # who hangs up while the stream closes leaves one behind


class Transfers:
    """Hands calls on.

    Args:
        account: of the provider; its owner closes it.

    State: numbers of calls whose stream is closed and whose provider has not asked yet.
    """

    def __init__(self, account: TwilioAccount) -> None:
        self._account = account
        self._waiting: OrderedDict[str, str] = OrderedDict()

    def asks_after(self, flow: Flow) -> bool:
        """Whether the provider must ask what is next when the stream of such a call is closed."""
        transfers = any(isinstance(step, TransferStep) for step in flow.steps.values())
        return transfers and not self._account.known

    async def hand_on(self, call_id: str, number: str) -> str:
        """Have a call dial a number.

        Returns:
            Why it does not, a stable name; empty where it does.
        """
        if not self._account.known:
            self._waiting[call_id] = number
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)
            return ""
        failure = await self._update(call_id, number)
        for _ in range(1, _ATTEMPTS):
            if failure not in ("timeout", "unreachable", "status_429", "status_503"):
                break
            await asyncio.sleep(_WAIT_S)
            failure = await self._update(call_id, number)
        return failure

    def after(self, call_id: str) -> str:
        """What a call whose stream is closed is to do next, as TwiML; told once."""
        number = self._waiting.pop(call_id, None)
        return HANG_UP if number is None else dial(number)

    async def _update(self, call_id: str, number: str) -> str:
        try:
            async with self._account.post(
                "Calls", f"{call_id}.json", form=[("Twiml", dial(number))], timeout_s=_TIMEOUT_S
            ) as response:
                status = response.status
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError):
            return "unreachable"
        if status == _CALL_GONE:
            return "call_gone"
        return "" if 200 <= status < 300 else f"status_{status}"


def dial(number: str) -> str:
    """TwiML that calls a number, or a SIP address."""
    noun = "Sip" if number.startswith(("sip:", "sips:")) else "Number"
    return f"{_HEAD}<Response><Dial><{noun}>{escape(number)}</{noun}></Dial></Response>"
