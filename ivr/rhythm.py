"""What a caller's pauses so far say of the next one: is he done, or between two groups?

Theory of operation: who reads a number in groups pauses alike between them, and makes the groups
equal, but for the last one, which takes what is left:

    four one five   five zero zero   one two      three, three, two
                  ^                ^         ^
                  pause            a group as long as the first: another may follow
                                             shorter than the first: the end, most likely

So two things tell how long to wait: the longest of the caller's own pauses, and whether the group
that he has just spoken is as long as those before. In the middle of a group he may stop as well,
but not for as long as between two. Where his groups are not alike, or have one digit each, they
tell nothing.

The pauses are those between words that were heard. Noise can pass for speech before the first and
after the last, and what lies between it is no pause of the caller's. A pause ends where the speech
that follows begins, not where it is known to be speech, some 60 to 250 ms later.

The constants were set on the speakers of `tuning.csv` (docs/explanation/endpointing.md), with
perfect recognition: of 194 callers whose pauses vary by a fifth none is cut off, and half are
decided within 770 ms; of 198 whose pauses are even 25, and 890 ms. With 1.3 times the longest pause
alone it was 3 and 1,060 ms, 29 and 1,470 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

RATE_HZ: Final = 8000

# A pause as long as this share of the longest lies between two groups.
BETWEEN_GROUPS: Final = 0.6
SHORTEST_S: Final = 0.18  # and no pause between groups is shorter
# After a group like those before, over the longest pause. With 0.25 s one caller in 194 is cut off.
WHOLE: Final = 1.6
WHOLE_S: Final = 0.3
# After a group of another length; never less than 0.7 s, for some stop within a group. With the
# whole of the longest pause half are decided within 870 ms, and no fewer are cut off.
ODD: Final = 0.7
ODD_S: Final = 0.1
ODD_LEAST_S: Final = 0.7


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence that was followed by more speech; samples of stream time.

    Attributes:
        begin: end of the speech before it.
        end: where speech begins again.
    """

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a caller reads a number.

    Attributes:
        longest_s: his longest pause between words.
        whole: his last group is as long as those before; True as well where that is not known.
    """

    longest_s: float
    whole: bool

    def wait_s(self, limit_s: float) -> float:
        """How long to wait for more, where nothing but the rhythm tells whether it comes.

        Args:
            limit_s: what to wait where nothing is known of the caller.
        """
        if self.whole:
            return max(limit_s, WHOLE * self.longest_s + WHOLE_S)
        return max(min(limit_s, ODD_LEAST_S), ODD * self.longest_s + ODD_S)


def rhythm_of(pauses: Sequence[Pause], words: Sequence[int]) -> Rhythm | None:
    """The rhythm of a caller who has paused between words.

    Args:
        pauses: in order.
        words: where each word that was heard was spoken, samples; empty where that is not known.

    Returns:
        None where he has not paused for `SHORTEST_S` yet.
    """
    if words:
        pauses = [pause for pause in pauses if words[0] < pause.begin < words[-1]]
    longest = max((pause.end - pause.begin for pause in pauses), default=0)
    if longest < SHORTEST_S * RATE_HZ:
        return None
    if not words:
        return Rhythm(longest / RATE_HZ, whole=True)
    shortest = max(BETWEEN_GROUPS * longest, SHORTEST_S * RATE_HZ)
    between = [pause for pause in pauses if pause.end - pause.begin >= shortest]
    ends = sorted({sum(word < pause.begin for word in words) for pause in between} | {0})
    sizes = {end - start for start, end in pairwise(ends)}
    last = len(words) - ends[-1]
    alike = len(sizes) == 1 and sizes != {1}
    return Rhythm(longest / RATE_HZ, whole=not alike or last in sizes)
