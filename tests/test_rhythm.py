"""What a caller's pauses and groups so far say of the next pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.rhythm import ODD, ODD_LEAST_S, ODD_S, WHOLE, WHOLE_S, Pause, Rhythm, rhythm_of

MS = 8


def read(*groups: int, pause_ms: int = 500, gap_ms: int = 100) -> tuple[list[Pause], list[int]]:
    """The pauses and words of a number that is read in groups; a word takes 400 ms."""
    pauses: list[Pause] = []
    words: list[int] = []
    clock = 8000
    for size in groups:
        for place in range(size):
            if words:
                pause = (gap_ms if place else pause_ms) * MS
                pauses.append(Pause(clock, clock + pause))
                clock += pause
            words.append(clock + 100 * MS)
            clock += 400 * MS
    return pauses, words


@pytest.mark.parametrize(
    ("groups", "whole"),
    [
        ((3, 3), True),
        ((3, 3, 3), True),
        ((4, 4), True),
        ((1, 1, 1), True),
        ((1, 1, 2), True),  # who reads digit by digit
        ((3, 1, 2), True),  # these groups are not alike
        ((3, 4), False),
        ((3, 3, 2), False),
        ((4, 2), False),
        ((4, 4, 1), False),
    ],
)
def test_a_group_like_the_first_may_be_followed_by_another(
    groups: tuple[int, ...], whole: bool
) -> None:
    """A shorter or a longer one is the last, most likely."""
    rhythm = rhythm_of(*read(*groups))
    assert rhythm == Rhythm(0.5, whole)


def test_whole_group_is_waited_for_longer_than_an_odd_one() -> None:
    """Both by the caller's own pauses, and by no less than the limit, or 0.7 s."""
    for longest_s in (0.4, 0.8, 1.5):
        whole, odd = Rhythm(longest_s, True), Rhythm(longest_s, False)
        assert whole.wait_s(0.8) == pytest.approx(max(0.8, WHOLE * longest_s + WHOLE_S))
        assert odd.wait_s(0.8) == pytest.approx(max(ODD_LEAST_S, ODD * longest_s + ODD_S))
        assert odd.wait_s(0.8) < whole.wait_s(0.8)


def test_a_flow_that_waits_less_is_not_made_to_wait() -> None:
    """Where a flow says 0.3 s, the shortest wait is that."""
    assert Rhythm(0.2, False).wait_s(0.3) == pytest.approx(0.3)


def test_caller_who_has_not_paused_tells_nothing() -> None:
    """The closures and gaps within a group are no pauses."""
    assert rhythm_of([], []) is None
    assert rhythm_of(*read(8)) is None
    assert rhythm_of(*read(4, 4, pause_ms=170)) is None


def test_noise_around_the_words_is_no_pause() -> None:
    """What passes for speech before the first word and after the last is none of the caller's."""
    pauses, words = read(3, 3)
    noise = [Pause(0, 4000), *pauses, Pause(words[-1] + 4000, words[-1] + 20_000)]
    assert rhythm_of(noise, words) == rhythm_of(pauses, words)


def test_without_times_the_pauses_alone_tell() -> None:
    """A recogniser may not say when the words were spoken."""
    pauses, _ = read(3, 3, 2)
    assert rhythm_of(pauses, []) == Rhythm(0.5, whole=True)


@given(
    groups=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    pause_ms=st.integers(0, 2500),
    gap_ms=st.integers(0, 400),
    limit_s=st.floats(0, 2),
)
def test_after_a_whole_group_a_pause_like_those_before_ends_nothing(
    groups: list[int], pause_ms: int, gap_ms: int, limit_s: float
) -> None:
    """Whatever the rhythm; and after any group what is waited for does not exceed that."""
    rhythm = rhythm_of(*read(*groups, pause_ms=pause_ms, gap_ms=gap_ms))
    if rhythm is None:
        return
    assert len(groups) == 1 or rhythm.longest_s >= pause_ms / 1000
    whole = Rhythm(rhythm.longest_s, whole=True).wait_s(limit_s)
    assert max(limit_s, rhythm.longest_s) < whole or whole == limit_s
    assert rhythm.wait_s(limit_s) <= max(whole, ODD_LEAST_S)
