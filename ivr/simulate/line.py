"""How a simulated caller keeps time: with the wall, with the agent, or with both.

Theory of operation: a provider sends a frame every 20 ms, whatever the agent is doing. That is
what a caller does who has only an address (`ivr call`, `ivr demo`). A caller whose agent says when
it is through (`Lockstep`) sends the next frame only then, and so hears the same and says the same
on any machine; whether it also keeps to the wall's 20 ms is then a matter of who listens.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol


class Lockstep(Protocol):
    """An agent that says when it is through with what the caller has sent."""

    async def settled(self, call_id: str, messages: int) -> int | None:
        """Wait for the agent.

        Args:
            call_id: of the call.
            messages: how many the caller has sent so far.

        Returns:
            How many messages the agent has sent by then; ``None`` once its stream is over.
        """


@dataclass(frozen=True, slots=True)
class Timing:
    """How a call is timed.

    Attributes:
        real_time: frames leave 20 ms apart; otherwise as soon as they may.
        lockstep: the agent is waited for; ``None`` where it cannot say.
    """

    real_time: bool = True
    lockstep: Lockstep | None = None

    def __post_init__(self) -> None:
        if not self.real_time and self.lockstep is None:
            raise ValueError("a call can only run fast in step with its agent")


class Traffic:
    """The messages of one socket, counted, so that both ends can be known to be level.

    Attributes:
        sent: messages to the agent.
    """

    def __init__(self, call_id: str, lockstep: Lockstep | None) -> None:
        self.sent = 0
        self._call_id = call_id
        self._lockstep = lockstep
        self._heard = 0
        self._changed = asyncio.Event()

    def heard(self) -> None:
        """A message of the agent was dealt with."""
        self._heard += 1
        self._changed.set()

    async def level(self, listening: asyncio.Task[None]) -> None:
        """Wait until the agent has dealt with all that was sent, and we with what it said to it.

        Args:
            listening: ends when the socket closes; then nothing is waited for any more.
        """
        if self._lockstep is None:
            return
        work = asyncio.ensure_future(self._until_level(self._lockstep))
        try:
            await asyncio.wait({work, listening}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and work.result() is False:
                await asyncio.wait({listening})
        finally:
            work.cancel()

    async def _until_level(self, lockstep: Lockstep) -> bool:
        """Whether the call goes on."""
        while True:
            sent = self.sent
            answered = await lockstep.settled(self._call_id, sent)
            if answered is None:
                return False
            while self._heard < answered:
                self._changed.clear()
                await self._changed.wait()
            if self.sent == sent:  # no mark went back meanwhile
                return True
