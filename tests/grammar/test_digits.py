"""The digit acceptors against brute force."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar.digits import Length, Number, accepts, can_grow, run

SHORT_STRINGS = ["".join(p) for n in range(4) for p in product("0123456789", repeat=n)]


def is_number(digits: str, minimum: int, maximum: int | None) -> bool:
    """The oracle: canonical decimal within the bounds."""
    if not digits or str(int(digits)) != digits:
        return False
    return minimum <= int(digits) and (maximum is None or int(digits) <= maximum)


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [
        (1, 999),
        (0, 9),
        (0, 0),
        (1, 12),
        (7, 7),
        (95, 105),
        (100, 999),
        (30, 31),
        (0, 500),
        (12, 123),
    ],
)
def test_number_agrees_with_int_on_every_short_string(minimum: int, maximum: int) -> None:
    """All strings up to three digits: accepted if and only if the integer says so."""
    acceptor = Number(minimum, maximum)
    for digits in SHORT_STRINGS:
        assert accepts(acceptor, digits) == is_number(digits, minimum, maximum), digits


@pytest.mark.parametrize(("minimum", "maximum"), [(1, 999), (0, 9), (95, 105), (30, 31), (12, 123)])
def test_number_is_alive_exactly_while_it_can_be_completed(minimum: int, maximum: int) -> None:
    """A prefix is refused if and only if no number within the bounds begins with it."""
    acceptor = Number(minimum, maximum)
    numbers = [str(value) for value in range(minimum, maximum + 1)]
    proper = {number[:end] for number in numbers for end in range(len(number))}
    beginnings = proper.union(numbers)
    for digits in SHORT_STRINGS:
        completable = digits in beginnings
        assert (run(acceptor, acceptor.start, digits) is not None) == completable, digits
        assert can_grow(acceptor, digits) == (digits in proper), digits


BOUND = st.integers(0, 10**12)


@given(BOUND, BOUND, BOUND)
def test_number_agrees_with_int_on_large_bounds(one: int, other: int, value: int) -> None:
    """Twelve-digit bounds, far beyond what could be enumerated."""
    minimum, maximum = sorted((one, other))
    assert accepts(Number(minimum, maximum), str(value)) == (minimum <= value <= maximum)


@given(BOUND, BOUND)
def test_the_bounds_are_included(one: int, other: int) -> None:
    """Both ends are accepted, their outer neighbours are not."""
    minimum, maximum = sorted((one, other))
    acceptor = Number(minimum, maximum)
    assert accepts(acceptor, str(minimum))
    assert accepts(acceptor, str(maximum))
    assert not accepts(acceptor, str(maximum + 1))
    assert minimum == 0 or not accepts(acceptor, str(minimum - 1))


@given(BOUND, st.integers(0, 10**15))
def test_without_a_maximum_every_larger_number_is_accepted(minimum: int, value: int) -> None:
    """Only the lower bound counts, and every number can grow but zero."""
    acceptor = Number(minimum)
    assert accepts(acceptor, str(value)) == (value >= minimum)
    assert can_grow(acceptor, str(value)) == (value != 0)


@given(st.text("0123456789", max_size=14), st.integers(0, 10**6))
def test_leading_zeros_are_refused(digits: str, minimum: int) -> None:
    """A number with a zero before it is dead, not merely incomplete."""
    assert run(Number(minimum), Number.start, "0" + "1" + digits) is None


@given(st.integers(1, 12), st.integers(0, 12), st.text("0123456789", max_size=30))
def test_length_counts(minimum: int, more: int, digits: str) -> None:
    """Acceptance and growth follow from the count alone."""
    bounded, unbounded = Length(minimum, minimum + more), Length(minimum)
    assert accepts(bounded, digits) == (minimum <= len(digits) <= minimum + more)
    assert can_grow(bounded, digits) == (len(digits) < minimum + more)
    assert accepts(unbounded, digits) == (len(digits) >= minimum)
    assert can_grow(unbounded, digits)


def test_states_are_few() -> None:
    """A million numbers share a handful of states, so memoised tables stay small."""
    acceptor = Number(1, 999_999)
    reached = {run(acceptor, acceptor.start, str(value)) for value in range(1, 1_000_000, 997)}
    assert len(reached) < 30


@pytest.mark.parametrize("keys", ["4a", "*", "#1", "1 ", "٤", "²"])
def test_only_the_ten_digits_are_digits(keys: str) -> None:
    """Keys that are no digit, and digits of other scripts, are not accepted and cannot grow."""
    assert not accepts(Length(), keys)
    assert not can_grow(Length(), keys)
