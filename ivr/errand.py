"""What a call waits for that is no answer of the caller's: a lookup under way."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.actions import TurnRecord
from ivr.collection import shown
from ivr.flow.request import Answer
from ivr.flow.turn import Prompt


@dataclass(frozen=True, slots=True)
class Errand:
    """A lookup that was asked for and not answered yet.

    Attributes:
        number: its id, from 1.
        step: of the flow.
        prompts: that are said meanwhile.
        deadline: when it has failed, samples of stream time.
    """

    number: int
    step: str
    prompts: tuple[Prompt, ...]
    deadline: int

    def record(self, answer: Answer, clock_ms: int) -> TurnRecord:
        """The turn as the call's record has it: how the lookup ended, and nothing of what it was.

        Args:
            answer: what came of it.
            clock_ms: now.
        """
        result = f"{answer.cause}: {answer.reason}" if answer.reason else str(answer.cause)
        return TurnRecord(self.step, shown(self.prompts), None, decided_ms=clock_ms, result=result)
