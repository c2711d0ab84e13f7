"""What can be listened to of a stream: its wire, what the call was told, what it did.

`ivr serve --capture` writes it down (`ivr.server.capture`); a test learns from it what was said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ivr.actions import Action, CallSettings
from ivr.call import Call
from ivr.flow.request import Answer
from ivr.providers.events import StreamStarted
from ivr.recognition import Recognition
from ivr.server.flows import Served


class Tap:
    """One stream's listener; as it is, nobody's. No method may raise, wait or take long."""

    def received(self, clock_ms: int, message: str | bytes) -> None:
        """A message of the provider, before it is read."""

    def started(self, started: StreamStarted, served: Served, settings: CallSettings) -> None:
        """The last message has begun a call that follows this flow."""

    def sent(self, clock_ms: int, message: str) -> None:
        """A message to the provider."""

    def heard(
        self, clock_ms: int, utterance_id: int, recognition: Recognition | None, took_ms: float
    ) -> None:
        """The call is told of a recognition."""

    def looked_up(self, clock_ms: int, lookup_id: int, answer: Answer) -> None:
        """The call is told what a lookup came to."""

    def transferred(self, clock_ms: int, transfer_id: int, failure: str) -> None:
        """The call is told that it was handed on, or why not."""

    def message_taken(self, clock_ms: int, message_id: int, recording_id: str | None) -> None:
        """The call is told where a message is kept."""

    def ticked(self, clock_ms: int, stalled_s: float) -> None:
        """The call is told that nothing comes any more."""

    def did(self, call: Call, actions: Sequence[Action]) -> None:
        """What the call did upon what it was told last."""

    def ended(self, document: Mapping[str, Any]) -> None:
        """The stream is over; its record, empty where there was no call."""
