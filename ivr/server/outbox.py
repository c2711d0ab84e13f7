"""What the agent says, on its way to the provider: in order, a little ahead, stopped at once.

Theory of operation: one task sends; `play`, `clear` and `hangup` only put things in its way. A
prompt is rendered from the moment it is queued, so that the second is ready when the first was
sent. It goes out in pieces of `CHUNK_MS`, at most `send_ahead_s` before it is due at the caller's
ear: more would only fill buffers, and a barge-in would throw it away. When that is, the stream's
pace says (`ivr.server.pace`). Every piece waits for the socket, so a provider that does not read
holds up its own call and no memory.

`clear` cancels the prompt being sent between two pieces and drops those behind it, marks included:
what is not sent needs no mark. The clear message then goes out before anything newer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ivr.flow.machine import Prompt
from ivr.server.pace import Pace, WallPace

RATE_HZ: Final = 8000
CHUNK_MS: Final = 400  # 3,200 bytes of mu-law: few messages, and a barge-in is sent within one
_CHUNK_BYTES: Final = RATE_HZ * CHUNK_MS // 1000


class Dialect(Protocol):
    """The sending half of a provider's dialect."""

    def send_media(self, payload: bytes) -> str:
        """A message that plays audio."""

    def send_mark(self, name: str) -> str:
        """A message that asks to be told when the audio before it was played."""

    def send_clear(self) -> str:
        """A message that drops what is not yet played."""


class Tap(Protocol):
    """What is told of all that goes out: the recording of the call."""

    def say(self, payload: bytes, *, private: bool) -> None:
        """Audio that is sent; `private` where it speaks a sensitive value."""

    def clear(self) -> None:
        """What is not yet played is dropped."""


@dataclass(eq=False)
class _Said:
    """A prompt in the queue: its payload as it will be, and the mark that follows it.

    `asked_at_s` is the loop time at which it was wanted; ``None`` where it follows another.
    """

    payload: asyncio.Task[bytes]
    mark: str
    private: bool
    asked_at_s: float | None


@dataclass(frozen=True)
class _Cleared:
    pass


@dataclass(frozen=True)
class _HungUp:
    reason: str


class Outbox:
    """The sending side of one stream.

    Args:
        dialect: writes the messages.
        send: sends one text message, and returns when the socket can take the next.
        render: mu-law of a prompt, 8 kHz; it may fail, and the prompt is then skipped.
        send_ahead_s: how much audio may be sent before it is due.
        begun: told how long the first audio took, seconds, whenever the agent begins to speak.
        pace: whose time that is; the wall's by default.

    Attributes:
        tap: told of all that goes out, if anybody wants to know.
    """

    def __init__(
        self,
        dialect: Dialect,
        send: Callable[[str], Awaitable[None]],
        render: Callable[[Prompt], Awaitable[bytes]],
        send_ahead_s: float,
        begun: Callable[[float], None] = lambda _: None,
        *,
        pace: Pace | None = None,
    ) -> None:
        self._dialect = dialect
        self._send = send
        self._render = render
        self._send_ahead_s = send_ahead_s
        self._begun = begun
        self._pace = pace or WallPace()
        self._queue: deque[_Said | _Cleared | _HungUp] = deque()
        self._wake = asyncio.Event()
        self._current: asyncio.Task[None] | None = None
        self.tap: Tap | None = None
        self._due_s = 0.0  # time at which all that was sent will have been played

    def play(self, prompt: Prompt, mark: str) -> None:
        """Say a prompt after those before it, then ask for its mark."""
        follows = self._current is not None or any(isinstance(one, _Said) for one in self._queue)
        asked_at_s = None if follows else asyncio.get_running_loop().time()
        payload = asyncio.ensure_future(self._payload(prompt))
        self._put(_Said(payload, mark, prompt.sensitive, asked_at_s))

    def clear(self) -> None:
        """Stop saying anything, here and at the provider."""
        hangups = [item for item in self._queue if isinstance(item, _HungUp)]
        self._drop_prompts()
        self._due_s = 0.0
        self._put(_Cleared())
        for item in hangups:
            self._put(item)

    def hangup(self, reason: str) -> None:
        """Let `run` end once all that was put in before is sent."""
        self._put(_HungUp(reason))

    def _put(self, item: _Said | _Cleared | _HungUp) -> None:
        self._queue.append(item)
        self._pace.busy()
        self._wake.set()

    def _drop_prompts(self) -> None:
        for item in self._queue:
            if isinstance(item, _Said):
                item.payload.cancel()
        self._queue.clear()
        if self._current is not None:
            self._current.cancel()
            self._current = None

    async def run(self) -> str:
        """Send until `hangup`.

        Returns:
            The reason given there.

        Raises:
            Exception: whatever ``send`` raises.
        """
        try:
            while True:
                await self._wake.wait()
                while self._queue:
                    item = self._queue.popleft()
                    if isinstance(item, _HungUp):
                        return item.reason
                    if isinstance(item, _Cleared):
                        if self.tap is not None:
                            self.tap.clear()
                        await self._send(self._dialect.send_clear())
                    else:
                        await self._say_unless_cleared(item)
                self._wake.clear()
                self._pace.rest()
        finally:
            self._drop_prompts()

    async def _say_unless_cleared(self, said: _Said) -> None:
        saying = self._current = asyncio.ensure_future(self._say(said))
        # `wait` tells our own cancellation, which it raises, from that of the prompt by `clear`.
        await asyncio.wait({saying})
        self._current = None
        if saying.cancelled():
            said.payload.cancel()
        else:
            saying.result()

    async def _say(self, said: _Said) -> None:
        payload = await said.payload
        for offset in range(0, len(payload), _CHUNK_BYTES):
            chunk = payload[offset : offset + _CHUNK_BYTES]
            await self._wait_until_due(len(chunk) / RATE_HZ)
            if self.tap is not None:
                self.tap.say(chunk, private=said.private)
            await self._send(self._dialect.send_media(chunk))
            if offset == 0 and said.asked_at_s is not None:
                self._begun(asyncio.get_running_loop().time() - said.asked_at_s)
        await self._send(self._dialect.send_mark(said.mark))

    async def _wait_until_due(self, chunk_s: float) -> None:
        due_s = max(self._due_s, self._pace.now_s())
        self._due_s = due_s + chunk_s
        await self._pace.wait_until(due_s - self._send_ahead_s)

    async def _payload(self, prompt: Prompt) -> bytes:
        return await self._render(prompt)
