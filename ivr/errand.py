"""What a call waits for that is no answer of the caller's: a lookup or a transfer.

Theory of operation: a lookup begins at once, while its prompts are said; a transfer when its
prompts were heard, for nothing of ours is heard after it. The shell that does it keeps the time;
the deadline in stream time is the net under it, so that no call waits for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ivr.actions import LookUp, Transfer, TurnRecord
from ivr.collection import samples_of, shown
from ivr.errors import StateError
from ivr.flow.turn import Prompt, Turn

GRACE_S: Final = 5.0  # for a shell that is late
TRANSFER_S: Final = 20.0  # what a provider may take, attempts included


@dataclass(slots=True)
class Errand:
    """Something that was asked for, or will be when the prompts were heard, and is not done yet.

    Attributes:
        number: its id, from 1.
        action: what the shell is to do.
        prompts: that are said.
        longest: the longest that it may take, samples of stream time.
        after: the mark that it waits for; None once it has begun.
        deadline: when it has failed, samples of stream time; None until it has begun.
    """

    number: int
    action: LookUp | Transfer
    prompts: tuple[Prompt, ...]
    longest: int
    after: str | None = None
    deadline: int | None = None

    @classmethod
    def of(cls, turn: Turn, number: int, mark: str | None) -> Errand:
        """The errand of a turn.

        Args:
            turn: looks up or transfers.
            number: its id.
            mark: after which its prompts were heard; None where nothing is said.

        Raises:
            StateError: the turn does neither.
        """
        if turn.lookup is not None:
            lookup = turn.lookup
            action = LookUp(number, lookup.request, lookup.step)
            return cls(number, action, turn.prompts, samples_of(lookup.longest_s + GRACE_S))
        if turn.transfer is None:
            raise StateError("a turn collects, looks up, transfers or ends")
        handing = Transfer(number, turn.transfer.number, turn.transfer.step)
        return cls(number, handing, turn.prompts, samples_of(TRANSFER_S + GRACE_S), mark)

    def begin(self, clock: int) -> LookUp | Transfer:
        """What the shell is to do now."""
        self.after, self.deadline = None, clock + self.longest
        return self.action

    def is_late(self, clock: int) -> bool:
        """Whether it should have been done by now."""
        return self.deadline is not None and clock >= self.deadline

    def record(self, result: str, clock_ms: int) -> TurnRecord:
        """The turn as the call's record has it: how it ended, and nothing of what it was.

        Args:
            result: found, missing, transferred, or why it failed.
            clock_ms: now.
        """
        prompts = shown(self.prompts)
        return TurnRecord(self.action.step, prompts, None, decided_ms=clock_ms, result=result)
