"""Long answers in pieces: nothing is lost, and the cuts fall into pauses."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ivr.asr.chunks import LONGEST_S, RATE_HZ, SHORTEST_S, cut_long

FRAME = RATE_HZ * 40 // 1000


def noise(seconds: float) -> np.ndarray:
    """Loud noise, int16 at 8 kHz."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal(int(seconds * RATE_HZ)) * 3000).astype(np.int16)


@given(st.floats(0.0, 45.0))
def test_the_pieces_are_the_whole(seconds: float) -> None:
    """In order, none longer than allowed, all but the last whole frames and not too short."""
    samples = noise(seconds)
    pieces = cut_long(samples, 40)
    np.testing.assert_array_equal(np.concatenate(pieces), samples)
    assert all(piece.shape[0] <= LONGEST_S * RATE_HZ for piece in pieces)
    assert all(piece.shape[0] % FRAME == 0 for piece in pieces[:-1])
    assert all(piece.shape[0] >= SHORTEST_S * RATE_HZ for piece in pieces[:-1])


def test_an_ordinary_answer_is_one_piece() -> None:
    """Up to the longest."""
    assert len(cut_long(noise(LONGEST_S), 40)) == 1


def test_the_cut_is_in_the_pause() -> None:
    """A pause of 0.4 s at 7 s; the middle of it, not its edge."""
    samples = noise(14.0)
    samples[7 * RATE_HZ : 7 * RATE_HZ + 3200] = 0
    first, _ = cut_long(samples, 40)
    assert 7.08 <= first.shape[0] / RATE_HZ <= 7.32
