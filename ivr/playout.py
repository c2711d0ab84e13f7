"""The prompts that were sent, by their marks.

A provider returns a mark when it has played up to it, and a mark may be lost. So the last one of a
turn has a deadline, after which the prompts count as played; nothing else tells how long a prompt
lasts.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.actions import Play
from ivr.flow.machine import Prompt


@dataclass(slots=True)
class Playout:
    """The prompts of one call.

    Args:
        timeout_samples: after which a mark that never came counts as played, in stream time.

    Attributes:
        goodbye: mark of the last prompt of all; None while the dialogue goes on.

    State: how many marks were named, the last one that did not come yet, and its deadline.
    """

    timeout_samples: int
    goodbye: str | None = None
    _named: int = 0
    _deadline: int | None = None
    _last: str | None = None

    def play(self, prompts: tuple[Prompt, ...], clock: int) -> tuple[list[Play], str | None]:
        """The actions that say prompts, and the mark after which all was said.

        None if nothing is being said. Where these prompts are none, it may be one of those before.
        """
        plays = []
        for prompt in prompts:
            self._named += 1
            plays.append(Play(prompt, f"p{self._named}"))
        if plays:
            self._last = plays[-1].mark
            self._deadline = clock + self.timeout_samples
        return plays, self._last

    def played(self, mark: str) -> None:
        """A mark came: with the last one all was said."""
        if mark == self._last:
            self.over()

    def over(self) -> None:
        """The prompts were played, or stopped."""
        self._deadline = self._last = None

    def is_lost(self, clock: int) -> bool:
        """Whether the last mark should have come by now; true once."""
        if self._deadline is None or clock < self._deadline:
            return False
        self.over()
        return True
