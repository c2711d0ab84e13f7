"""What of a call is recorded: the whole of it, where the flow says so, and messages that are left.

Theory of operation: a recording each (`ivr.server.recorder`), all fed from the same line. The media
pump tells of what comes in, the outbox of what goes out; the call says when a message begins and
when it is over. What is wrong with a recording shows in the call's record, nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from ivr.providers.events import DtmfReceived, Event, MediaReceived
from ivr.server.recorder import AudioDisk, Recorder


class Tape:
    """The recordings of one call.

    Args:
        disk: to write to.
        record_id: of the call.
        day: that it began.
        whole: the call is recorded.
    """

    def __init__(self, disk: AudioDisk, record_id: str, day: str, *, whole: bool) -> None:
        self._disk = disk
        self._record_id = record_id
        self._day = day
        self._whole = Recorder(disk, record_id, day) if whole else None
        self._message: Recorder | None = None
        self._kept: list[Recorder] = []

    def documents(self) -> list[dict[str, Any]]:
        """As the call's record has them."""
        all_of_it = (self._whole, *self._kept, self._message)
        return [recorder.document() for recorder in all_of_it if recorder is not None]

    def take(self, event: Event, *, private: bool) -> None:
        """What came from the caller; `private` where a sensitive answer may be in it."""
        if isinstance(event, MediaReceived):
            if self._whole is not None:
                self._whole.hear(event.payload, private=private)
            if self._message is not None:
                self._message.hear(event.payload, private=private)
        elif isinstance(event, DtmfReceived) and self._whole is not None:
            self._whole.key()

    def say(self, payload: bytes, *, private: bool) -> None:
        """What is sent to the caller; `private` where it speaks a sensitive value."""
        if self._whole is not None:
            self._whole.say(payload, private=private)

    def clear(self) -> None:
        """What was sent and not yet heard is dropped."""
        if self._whole is not None:
            self._whole.clear()

    def start_message(self, number: int) -> None:
        """Record the caller for a message as well."""
        name = f"{self._record_id}-m{number}"
        self._message = Recorder(self._disk, name, self._day, "message", channels=1)

    async def stop_message(self, *, keep: bool) -> str | None:
        """End the message.

        Returns:
            The name of its recording; None where there is nothing to keep, or it was not kept.
        """
        recorder = self._message
        if recorder is None:
            return None
        await recorder.stop()
        self._message = None
        if keep:
            self._kept.append(recorder)
            return None if recorder.failed else recorder.recording_id
        if (path := recorder.path) is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(path.unlink, missing_ok=True)
        return None

    async def stop(self) -> None:
        """End everything; a message that was being left is kept."""
        if self._whole is not None:
            await self._whole.stop()
        await self.stop_message(keep=True)
