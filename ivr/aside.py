"""What a call does where nothing is asked: a lookup, a transfer, a message; one at a time.

Theory of operation: a call (`ivr.call`) hands over a turn without a question, with the mark of its
prompts, and tells when they were heard, each key and each frame. What is under way is an `Errand`
or a `Taking`; once it is over it is in the record, and the call goes on with the dialogue.
"""

from __future__ import annotations

from typing import Final

from ivr.actions import Action, LookUp, StartMessage, StopMessage, TurnRecord
from ivr.collection import SAMPLES_PER_MS, samples_of
from ivr.ear import Ear
from ivr.errand import Errand
from ivr.flow.turn import Turn
from ivr.message import Taking
from ivr.playout import Playout

_KEEPING_S: Final = 10.0  # for the shell to put a message away


class Aside:
    """The errands and messages of one call.

    Args:
        ear: of the call; what was said over a message's tone is none of it.
        playout: of the call.
        turns: the call's record, to which what is over is added.

    State: the errand or the message under way, and how many of each there were.
    """

    def __init__(self, ear: Ear, playout: Playout, turns: list[TurnRecord]) -> None:
        self._ear = ear
        self._playout = playout
        self._turns = turns
        self._errands = 0
        self._messages = 0
        self.errand: Errand | None = None
        self.taking: Taking | None = None

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self.errand is not None or self.taking is not None

    @property
    def state(self) -> str:
        """What is under way; ``leaving`` where nothing is."""
        if self.taking is not None:
            return "recording"
        if self.errand is not None:
            return "looking-up" if isinstance(self.errand.action, LookUp) else "transferring"
        return "leaving"

    def begin(self, turn: Turn, mark: str | None, clock: int) -> list[Action]:
        """Takes a turn that asks nothing: a message, or something that is done elsewhere.

        Args:
            turn: whose prompts are being said.
            mark: after which they were heard; None where nothing is said.
            clock: now, samples of stream time.
        """
        if turn.message is not None:
            self._messages += 1
            self.taking = Taking(self._messages, turn.message, turn.prompts, mark)
            return []
        # Keys wait meanwhile; speech answers nothing: none was asked.
        self._errands += 1
        self.errand = Errand.of(turn, self._errands, mark)
        return [] if self.errand.after else [self.errand.begin(clock)]

    def mark_played(self, name: str, clock: int) -> list[Action]:
        """What waited for this mark begins."""
        if self.errand is not None and name == self.errand.after:
            return [self.errand.begin(clock)]
        if self.taking is not None and name == self.taking.last_mark:
            return self._start_message(self.taking, clock)
        return []

    def prompts_over(self, clock: int) -> list[Action]:
        """The mark that is waited for was lost."""
        if self.taking is not None:
            return self._start_message(self.taking, clock)
        if self.errand is not None and self.errand.after is not None:
            return [self.errand.begin(clock)]
        return []

    def hear(self, clock: int) -> list[Action]:
        """Takes a frame: a message may be over with it."""
        if self.taking is None or not self.taking.hear(clock, in_speech=self._ear.in_speech):
            return []
        return self.stop_message(self.taking, clock)

    def _start_message(self, taking: Taking, clock: int) -> list[Action]:
        self._playout.over()
        self._ear.close()  # what was said over the tone
        taking.begin(clock)
        return [StartMessage(taking.number)]

    def stop_message(self, taking: Taking, clock: int) -> list[Action]:
        """The message is over; the shell puts it away."""
        taking.deadline = clock + samples_of(_KEEPING_S)
        return [StopMessage(taking.number, taking.spoke)]

    def returned(self, number: int, result: str, clock: int) -> bool:
        """Whether the errand that came back is the one under way; it is in the record then."""
        errand = self.errand
        if errand is None or errand.number != number:
            return False
        self.errand = None
        self._turns.append(errand.record(result, clock // SAMPLES_PER_MS))
        return True

    def kept(self, number: int, recording_id: str | None, clock: int) -> bool:
        """Whether the message that was put away is the one under way; it is in the record then."""
        taking = self.taking
        if taking is None or taking.number != number:
            return False
        lost = "not kept" if taking.spoke else "nothing said"
        self._message_over(taking, "kept" if recording_id else lost, clock)
        return True

    def abandon(self, clock: int) -> None:
        """Nobody waits for what is under way any more."""
        if self.errand is not None:
            self.returned(self.errand.number, "failed: hangup", clock)
        if self.taking is not None:
            self._message_over(self.taking, "hangup", clock)

    def _message_over(self, taking: Taking, result: str, clock: int) -> None:
        self.taking = None
        self._turns.append(taking.record(result, clock // SAMPLES_PER_MS))
