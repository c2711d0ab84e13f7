"""A message that the caller leaves: when it begins, and when it is over.

Theory of operation: it begins when the tone was played, and is over after so much silence, at any
key, or at its longest. Times are samples of stream time. What is said is not looked at: whether
there is speech is all that counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.actions import TurnRecord
from ivr.collection import samples_of, shown
from ivr.flow.turn import Message, Prompt


@dataclass(slots=True)
class Taking:
    """One message.

    Attributes:
        number: its id, from 1.
        message: how it is taken.
        prompts: that were said before it.
        last_mark: of the tone; None if there was none to play.
        began: when the tone had been played; None before.
        quiet_since: when the caller was last heard, or the tone was over.
        spoke: something was said.
        deadline: when it has not been kept after all; None until it is over.
    """

    number: int
    message: Message
    prompts: tuple[Prompt, ...]
    last_mark: str | None
    began: int | None = None
    quiet_since: int = 0
    spoke: bool = False
    deadline: int | None = None

    @property
    def listens(self) -> bool:
        """Whether what comes in is part of the message."""
        return self.began is not None and self.deadline is None

    def begin(self, clock: int) -> None:
        """The tone was played."""
        self.began = self.quiet_since = clock

    def hear(self, clock: int, *, in_speech: bool) -> bool:
        """Take a frame; whether the message is over with it."""
        if not self.listens or self.began is None:
            return False
        if in_speech:
            self.spoke, self.quiet_since = True, clock
        silent = clock - self.quiet_since >= samples_of(self.message.silence_s)
        return silent or clock - self.began >= samples_of(self.message.max_s)

    def record(self, result: str, clock_ms: int) -> TurnRecord:
        """The turn as the call's record has it."""
        said = tuple(prompt for prompt in self.prompts if prompt.text)
        step = self.message.step
        return TurnRecord(step, shown(said), None, decided_ms=clock_ms, result=result)
