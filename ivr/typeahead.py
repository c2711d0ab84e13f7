"""Keys that come before the question they answer.

Theory of operation: callers who know the dialogue key through it. A key pressed while a question's
own prompt plays answers that question; one that comes before the question was put is *ahead* of it.
A number keyed with one digit too many looks just like that: the ninth of eight digits would be the
answer to "is that right?". So keys are taken in bursts: a key that follows another within `BURST_S`
belongs to the question that the burst began with, unless the next prompt was heard to its end
between them, or a terminating key was pressed, for who does so says that the number was complete.
Which questions take keys that are ahead of
them is for the flow to say (``type_ahead``); by default captures do, where a wrong key can still be
refused, and confirmations do not.

Keys that cannot be taken yet, for the prompt may not be interrupted or the recogniser is still at
work on what was said before them, wait here in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ivr.slot import MAX_KEYS

# From one key to the next of a number that is keyed in one go; people read on after 3 or 4 digits,
# and nobody answers a prompt that began under a second ago. A choice, not a measurement.
BURST_S: Final = 1.0


@dataclass(frozen=True, slots=True, repr=False)  # a key is a digit of the caller's
class Key:
    """One key that was pressed.

    Attributes:
        digit: what it says.
        asked: number of the question that was open when its burst began; None after a terminating
            key, when it is meant for whatever comes next.
    """

    digit: str
    asked: int | None

    def ahead_of(self, question: int) -> bool:
        """Whether its burst began before this question was put."""
        return self.asked is not None and self.asked < question


@dataclass(slots=True, repr=False)
class TypeAhead:
    """The bursts of one call's keys, and the keys that wait.

    Args:
        burst_samples: the longest time from key to key within a burst, samples of stream time.

    State: when the last key came, what its burst began with, and the keys that wait.
    """

    burst_samples: int
    _last_at: int | None = None
    _asked: int | None = None
    _waiting: list[Key] = field(default_factory=list)

    def press(self, digit: str, question: int, clock: int) -> Key:
        """A key, with the question that its burst began with.

        Args:
            digit: the key.
            question: number of the question that is open.
            clock: now, samples of stream time.
        """
        if self._last_at is None or clock - self._last_at > self.burst_samples:
            self._asked = question
        self._last_at = clock
        return Key(digit, self._asked)

    def pause(self) -> None:
        """The question's prompt was heard: the next key begins a burst."""
        self._last_at = None

    def terminate(self) -> None:
        """A terminating key: what follows it is meant for the next question."""
        self._asked = None

    def keep(self, key: Key) -> None:
        """Lets a key wait."""
        if len(self._waiting) < MAX_KEYS:
            self._waiting.append(key)

    def take(self) -> list[Key]:
        """The keys that waited, in order; none waits any more."""
        waiting, self._waiting = self._waiting, []
        return waiting
