"""How long a caller may pause, and how often what was said so far is looked at.

Theory of operation: in a pause the recogniser looks at the utterance twice, after a short silence
and after a longer one (`ivr.endpointing`); each look says what the answer is if the caller says no
more. The question's own limits (`ivr.collection`) say how long to wait then; here they are refined:

* An answer that cannot grow needs no timeout, but a little silence: a word that was made of two, or
  of a breath, shows while the caller speaks on within a group. `SURE_S` of it where the recogniser
  is sure, `LIKELY_S` where it is not quite.
* Callers who read a number in groups pause alike. Who has paused for longer than the limit allows
  is waited for a little longer than that.

A look costs a recognition. The one after the short silence is left out while another is under way,
and until `LOOK_SHARE` times the last one's duration is over: a call takes a quarter of a core at
most, and on a machine that is slow or busy it looks less often. The one after the longer silence is
never left out, but waits for the one under way.

The numbers were set by `ivr bench --endpointing` on the speakers of `tuning.csv`
(docs/explanation/endpointing.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.recognition import Recognition

SAMPLES_PER_MS: Final = 8
# Of 641 looks between digits of a known length none was complete with more than 0.07, of those
# after the last digit 69 of 82 with more than 0.9; in noise at 15 dB some lay at 0.5 to 0.6.
SURE: Final = 0.9
SURE_S: Final = 0.16  # the look after 80 ms of silence and 60 ms of computing, in whole frames
LIKELY_S: Final = 0.3  # the longest gap within a group is about 0.26 s
# Over this caller's longest pause. Of 110 callers of `tuning.csv` whose pauses vary by a fifth
# 6.4 % are cut off with 1.3 and 0.05 s (median 970 ms), 2.7 % with 1.3 and 0.2 s, or 1.5 and 0.1 s
# (1,130 and 1,160 ms); of the first 40 12.5 % with `complete_timeout_s` alone (810 ms).
RHYTHM: Final = 1.3
RHYTHM_S: Final = 0.1
LOOK_SHARE: Final = 4


@dataclass
class Patience:
    """What is known of a caller's pauses within one question; positions are samples of stream time.

    Attributes:
        longest_pause: that was followed by more speech; from the end of speech to the moment when
            it was heard again.
        under_way: the utterance id of the look under way, whether its answer still counts or not.
        asked_at: when it was asked for.
        look_again_at: when a look after a short silence may be had again.
        unseen: samples of the longer silence, to be looked at when the look under way is over.
        sure: the last look was sure of an answer that cannot grow.
    """

    longest_pause: int = 0
    under_way: int | None = None
    asked_at: int = 0
    look_again_at: int = 0
    unseen: NDArray[np.int16] | None = None
    sure: bool = False

    def resumed(self, pause: int) -> None:
        """The caller went on after a pause of so many samples."""
        self.longest_pause = max(self.longest_pause, pause)

    def forget(self) -> None:
        """The looks so far are worthless."""
        self.unseen, self.sure = None, False

    def may_look(self, clock: int) -> bool:
        """Whether a look after a short silence may be had now."""
        return self.under_way is None and clock >= self.look_again_at

    def asked(self, utterance_id: int, clock: int) -> None:
        """The recogniser was asked; an older look that is under way is worthless."""
        self.under_way, self.asked_at = utterance_id, clock

    def answered(self, utterance_id: int, wall_ms: float) -> None:
        """It took so long; also where nobody needs the answer any more."""
        if utterance_id == self.under_way:
            self.under_way = None
            self.look_again_at = self.asked_at + int(LOOK_SHARE * wall_ms * SAMPLES_PER_MS)

    def take_unseen(self) -> NDArray[np.int16] | None:
        """The samples to look at next, if the longer silence came during the last look."""
        unseen, self.unseen = self.unseen, None
        return unseen

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
        self.sure = limit_s is None and heard.confidence >= SURE
        if limit_s is None:
            needed_s = SURE_S if self.sure else LIKELY_S
            return None if silence >= needed_s * 1000 * SAMPLES_PER_MS else needed_s
        if not self.longest_pause:
            return limit_s
        rhythm_s = RHYTHM * self.longest_pause / SAMPLES_PER_MS / 1000 + RHYTHM_S
        return max(limit_s, min(rhythm_s, longest_s))
