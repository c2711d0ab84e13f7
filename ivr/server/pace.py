"""Whose time a stream keeps: the wall's in a live call, the line's in a simulated one.

Theory of operation: a call decides in stream time (`ivr.call`), but what surrounds it takes time
of the wall: a prompt is rendered, an utterance recognised, audio sent when it is nearly due. Live,
that time is what it is: `WallPace`. A simulated call has to come out the same on any machine, in
real time and as fast as it goes, so there all of it is counted on the line: `LinePace`. The line
waits for the machine, never the other way round:

- The line comes to a moment with each frame that is received, and `settle` holds the next one back
  until everything is done that is due by then.
- What was put out to be done (`Errand`: a recognition) counts as having taken `errand_ms`,
  whether it took the machine more or less, and is answered at that moment of the line, in the order
  in which it was given.
- Prompts are rendered in no time, and sent as the line comes to need them.

`Lines.settled` is how the caller at the other end of the socket knows that it may speak on.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Errand(Protocol):
    """Something that was put out to be done."""

    async def returned(self) -> float:
        """Wait until it counts as done; returns the milliseconds that it counts as having taken."""

    def over(self) -> None:
        """It was answered, or given up."""


class Pace(Protocol):
    """The time of one stream."""

    def now_s(self) -> float:
        """Seconds since any fixed moment."""

    async def wait_until(self, at_s: float) -> None:
        """Wait until `now_s` is so much."""

    def errand(self, took_ms: int | None = None) -> Errand:
        """Note that something is put out to be done from now on.

        Args:
            took_ms: what it counts as taking on a line of its own time; ``None`` as usual there.
        """

    def busy(self) -> None:
        """There is something to send."""

    def rest(self) -> None:
        """All is sent that was to be sent by now."""

    def started(self, call_id: str) -> None:
        """The stream is that of this call."""

    def sent(self) -> None:
        """A message went out."""

    async def settle(self, clock_ms: int) -> None:
        """The line has come to this moment: finish what is due."""

    def took(self) -> None:
        """A message is dealt with, and all that followed from it."""

    def over(self) -> None:
        """The stream is over."""


class WallPace:
    """The time of a live call: nothing waits for anything."""

    def now_s(self) -> float:
        """The event loop's clock."""
        return asyncio.get_running_loop().time()

    async def wait_until(self, at_s: float) -> None:
        """Sleep."""
        if (wait_s := at_s - self.now_s()) > 0:
            await asyncio.sleep(wait_s)

    def errand(self, took_ms: int | None = None) -> _WallErrand:  # noqa: ARG002
        """It takes as long as it takes."""
        return _WallErrand()

    def busy(self) -> None:
        """Nobody waits for that."""

    rest = sent = took = over = busy

    def started(self, call_id: str) -> None:
        """Nobody asks for it."""

    async def settle(self, clock_ms: int) -> None:
        """Nothing is held back."""


class _WallErrand:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    async def returned(self) -> float:
        return (self._loop.time() - self._began_s) * 1000

    def over(self) -> None:
        return


class LinePace:
    """The time of a simulated call: that of its audio.

    Args:
        errand_ms: what an errand counts as having taken, milliseconds of the line.
        lines: told of the stream once its call is known.

    Invariant: what the call is told, and at which of its frames, does not depend on how long
        anything took.
    """

    def __init__(self, errand_ms: int, lines: Lines) -> None:
        self._errand_ms = errand_ms
        self._lines = lines
        self._now_ms = 0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._errands: list[_LineErrand] = []
        self._resting = asyncio.Event()
        self._resting.set()
        self._taken = self._sent = 0
        self._over = False
        self._changed = asyncio.Event()

    def now_s(self) -> float:
        """Stream time."""
        return self._now_ms / 1000

    async def wait_until(self, at_s: float) -> None:
        """Wait for the line."""
        if at_s <= self.now_s():
            return
        sleeper = (at_s, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        self.rest()
        try:
            await sleeper[1]
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def errand(self, took_ms: int | None = None) -> _LineErrand:
        """It is answered when the line has gone on by so much, or by `errand_ms`."""
        took_ms = self._errand_ms if took_ms is None else took_ms
        errand = _LineErrand(self._now_ms + took_ms, took_ms, self._errands)
        self._errands.append(errand)
        return errand

    def busy(self) -> None:
        """There is something to send."""
        self._resting.clear()

    def rest(self) -> None:
        """All is sent that was to be sent by now."""
        self._resting.set()

    def started(self, call_id: str) -> None:
        """From now on the caller's end can find this one."""
        self._lines.add(call_id, self)

    def sent(self) -> None:
        """A message went out."""
        self._sent += 1

    async def settle(self, clock_ms: int) -> None:
        """The line has come to this moment: finish what is due, one after the other."""
        self._now_ms = clock_ms
        for sleeper in [each for each in self._sleepers if each[0] <= self.now_s()]:
            self._sleepers.remove(sleeper)
            if not sleeper[1].done():
                self.busy()
                sleeper[1].set_result(None)
        while True:
            await self._resting.wait()
            due = [errand for errand in self._errands if errand.due_ms <= clock_ms]
            if not due:
                return
            await due[0].answer()

    def took(self) -> None:
        """A message is dealt with, and all that followed from it."""
        self._taken += 1
        self._changed.set()

    def over(self) -> None:
        """The stream is over: nobody needs to wait for it any more."""
        self._over = True
        self._changed.set()

    async def settled(self, messages: int) -> int | None:
        """Wait until this end is through with the caller's messages.

        Args:
            messages: how many the caller has sent so far.

        Returns:
            How many have gone to the caller by then; None where the stream is over.
        """
        while self._taken < messages and not self._over:
            self._changed.clear()
            await self._changed.wait()
        return None if self._over else self._sent


class Lines:
    """The streams of a server whose calls are all simulated, as the callers' ends find them.

    Args:
        errand_ms: what a recognition counts as having taken, milliseconds of the line.
    """

    def __init__(self, errand_ms: int) -> None:
        self._errand_ms = errand_ms
        self._lines: dict[str, asyncio.Future[LinePace]] = {}

    def make(self) -> LinePace:
        """The pace of a new stream."""
        return LinePace(self._errand_ms, self)

    def add(self, call_id: str, line: LinePace) -> None:
        """A stream has started."""
        self._line(call_id).set_result(line)

    async def settled(self, call_id: str, messages: int) -> int | None:
        """Wait until the server is through with a call's messages, see `LinePace.settled`."""
        return await (await self._line(call_id)).settled(messages)

    def forget(self, call_id: str) -> None:
        """The call is over at both ends."""
        self._lines.pop(call_id, None)

    def _line(self, call_id: str) -> asyncio.Future[LinePace]:
        if call_id not in self._lines:
            self._lines[call_id] = asyncio.get_running_loop().create_future()
        return self._lines[call_id]


class _LineErrand:
    """One errand of a `LinePace`."""

    def __init__(self, due_ms: int, took_ms: int, errands: list[_LineErrand]) -> None:
        self.due_ms = due_ms
        self._took_ms = took_ms
        self._errands = errands
        self._due = asyncio.Event()
        self._answered = asyncio.Event()

    async def returned(self) -> float:
        await self._due.wait()
        return float(self._took_ms)

    async def answer(self) -> None:
        """Let it come back now, and wait until it has."""
        self._due.set()
        await self._answered.wait()

    def over(self) -> None:
        if self in self._errands:
            self._errands.remove(self)
        self._answered.set()
