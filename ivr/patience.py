"""How long a caller may pause, and how often what was said so far is looked at.

Theory of operation: in a pause the recogniser looks at the utterance twice, after a short silence
and after a longer one (`ivr.endpointing`); each look says what the answer is if the caller says no
more. The question's own limits (`ivr.collection`) say how long to wait then; here they are refined:

* An answer that cannot grow needs no timeout, but a little silence: a word that was made of two, or
  of a breath, shows while the caller speaks on within a group. `SURE_S` of it where the recogniser
  is sure, `LIKELY_S` where it is not quite.
* Callers who read a number in groups pause alike: how long to wait for more is told by the pauses
  and the groups so far (`ivr.rhythm`).

What the endpointer takes for speech may be noise: a tap, a fan, the street. The recogniser knows
better, for noise has no words. So it looks while speech goes on as well, and where the last word
was spoken long ago, and no word came since the speech began again, the caller has been silent since
that word (`silent_since`).

A look costs a recognition. The one after the short silence is left out while another is under way,
and until `LOOK_SHARE` times the last one's duration is over, one in passing until `PASSING_SHARE`
times its like's is: a call takes a quarter of a core at most, and on a machine that is slow or busy
it looks less often. The one after the longer silence is never left out, but waits for the one under
way; so does the one after the short silence where that is one in passing.

The numbers were set by `ivr bench --endpointing` on the speakers of `tuning.csv`
(docs/explanation/endpointing.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.recognition import Recognition
from ivr.rhythm import Pause, Rhythm, rhythm_of

SAMPLES_PER_MS: Final = 8
# Of 641 looks between digits of a known length none was complete with more than 0.07, of those
# after the last digit 69 of 82 with more than 0.9; in noise at 15 dB some lay at 0.5 to 0.6.
SURE: Final = 0.9
SURE_S: Final = 0.16  # the look after 80 ms of silence and 60 ms of computing, in whole frames
LIKELY_S: Final = 0.3  # the longest gap within a group is about 0.26 s
# From the moment at which the recogniser has a word to its end: 350 ms in the middle, 590 in 95 of
# 100 cases. Where nothing can follow an answer its last word may still be sounding.
WORD_TAIL: Final = 600 * SAMPLES_PER_MS
LAST_WORD_TAIL: Final = 350 * SAMPLES_PER_MS
# Speech that is a word has been heard as one by then; where none can follow, there is less to fear.
WORD: Final = 500 * SAMPLES_PER_MS
NO_WORD: Final = 240 * SAMPLES_PER_MS
# Longer than a digit, so that a caller who speaks fluently is not looked at in vain.
LONG_WORD: Final = 700 * SAMPLES_PER_MS
# From look to look while the caller speaks on: a noise that never stops must not hold up an answer,
# and a look that is under way when he pauses costs 120 ms.
NEXT_LOOK: Final = 1500 * SAMPLES_PER_MS
LOOK_SHARE: Final = 6
PASSING_SHARE: Final = 12


@dataclass
class Patience:
    """What is known of a caller's pauses within one question; positions are samples of stream time.

    Attributes:
        pauses: that were followed by more speech.
        spoke_at: when it was last known that speech begins, or begins again.
        under_way: the utterance id of the look under way, whether its answer still counts or not.
        asked_at: when it was asked for.
        looked_from: where the samples begin that were looked at last.
        looked_to: where they end.
        passing: it is of speech that goes on.
        look_again_at: when a look after a short silence may be had again.
        pass_again_at: when one of speech that goes on may.
        due_at: when the silence since the last word is long enough; None while no word is known.
        unseen: samples of the longer silence, to be looked at when the look under way is over.
        closed: the last look had an answer that cannot grow.
        sure: and it was sure of it.
    """

    pauses: list[Pause] = field(default_factory=list)
    spoke_at: int = 0
    under_way: int | None = None
    asked_at: int = 0
    looked_from: int = 0
    looked_to: int = 0
    passing: bool = False
    look_again_at: int = 0
    pass_again_at: int = 0
    due_at: int | None = None
    unseen: NDArray[np.int16] | None = None
    closed: bool = False
    sure: bool = False

    def resumed(self, begin: int, end: int) -> None:
        """The caller went on after a pause."""
        self.pauses.append(Pause(begin, end))

    def forget(self) -> None:
        """The looks so far are worthless."""
        self.unseen, self.sure = None, False

    def may_look(self, clock: int) -> bool:
        """Whether a look after a short silence may be had now."""
        return self.under_way is None and clock >= self.look_again_at

    def may_look_next(self, clock: int) -> bool:
        """Whether one may be had when that in passing is over which is under way."""
        return self.under_way is not None and self.passing and clock >= self.look_again_at

    def looks_in_passing(self, clock: int) -> bool:
        """Whether to look at speech that goes on: it may be noise."""
        since_last = clock - max(self.asked_at, self.spoke_at)
        due = since_last >= NEXT_LOOK or (self.due_at is not None and clock >= self.due_at)
        long = 0 if self.closed else LONG_WORD
        if not due or clock - self.spoke_at < long or self.under_way is not None:
            return False
        return clock >= self.pass_again_at

    def asked(self, utterance_id: int, clock: int, start: int, end: int) -> None:
        """The recogniser was asked; an older look that is under way is worthless."""
        self.under_way, self.asked_at, self.passing = utterance_id, clock, False
        self.looked_from, self.looked_to = start, end

    def answered(self, utterance_id: int, wall_ms: float) -> bool:
        """It took so long; also where nobody needs the answer any more.

        Returns:
            Whether it was the last that was asked for.
        """
        if utterance_id != self.under_way:
            return False
        self.under_way = None
        took = int(wall_ms * SAMPLES_PER_MS)
        if self.passing:
            self.pass_again_at = self.asked_at + PASSING_SHARE * took
        else:
            self.look_again_at = self.asked_at + LOOK_SHARE * took
        return True

    def take_unseen(self) -> NDArray[np.int16] | None:
        """The samples to look at next, if the longer silence came during the last look."""
        unseen, self.unseen = self.unseen, None
        return unseen

    def silent_since(self, heard: Recognition, *, closed: bool) -> int | None:
        """Where the caller fell silent, by the words of the last look; None without their times.

        Args:
            heard: the look.
            closed: it is an answer that cannot grow.
        """
        self.closed, self.sure = closed, closed and heard.confidence >= SURE
        words = heard.best.words
        if not words or not words[-1].end_ms:
            return None
        tail = LAST_WORD_TAIL if closed else WORD_TAIL
        return self.looked_from + words[-1].end_ms * SAMPLES_PER_MS + tail

    @property
    def heard_out(self) -> bool:
        """Whether the last look had enough of what began last: a word would be among its words.

        After an answer that is sure and cannot grow nothing that begins is a part of it.
        """
        return self.sure or self.looked_to - self.spoke_at >= (NO_WORD if self.closed else WORD)

    def wait_s(
        self, limit_s: float | None, longest_s: float, heard: Recognition, silence: int
    ) -> float | None:
        """How long the pause may be after a look.

        Args:
            limit_s: by the question's limits; None where the answer cannot grow.
            longest_s: what an incomplete answer may take.
            heard: the look.
            silence: samples of it so far.

        Returns:
            None where the answer can be taken now.
        """
        if limit_s is None:
            needed_s = SURE_S if heard.confidence >= SURE else LIKELY_S
            return None if silence >= needed_s * 1000 * SAMPLES_PER_MS else needed_s
        rhythm = self.rhythm(heard)
        if rhythm is None or limit_s >= longest_s:
            return limit_s
        return min(rhythm.wait_s(limit_s), longest_s)

    def rhythm(self, heard: Recognition) -> Rhythm | None:
        """How the caller reads the number that the last look has heard a part of."""
        words = heard.best.words
        timed = bool(words) and words[-1].end_ms > 0
        starts = [self.looked_from + word.start_ms * SAMPLES_PER_MS for word in words]
        return rhythm_of(self.pauses, starts if timed else ())
