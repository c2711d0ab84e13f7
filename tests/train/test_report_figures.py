"""The page's figures, counted by hand; intervals against their published formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.train.alignment import GAP
from ivr.train.report_figures import (
    DIGITS,
    Share,
    by_group,
    by_length,
    by_snr,
    confusion,
    mistakes,
)
from tests.train.outcomes import outcome, report_of


def test_intervals_of_known_shares() -> None:
    """Wilson's, to three digits; of none and of all files they do not shrink to a point."""
    assert Share("", 81, 263).interval == pytest.approx((0.255, 0.366), abs=5e-4)  # Newcombe 1998
    assert Share("", 0, 20).interval == pytest.approx((0.0, 0.161), abs=5e-4)
    assert Share("", 29, 29).interval == pytest.approx((0.883, 1.0), abs=5e-4)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_an_interval_holds_its_share(files: int, part: float) -> None:
    """And lies between 0 and 1."""
    share = Share("", round(part * files), files)
    low, high = share.interval
    assert 0 <= low <= share.value + 1e-9
    assert share.value - 1e-9 <= high <= 1


def test_confusions_are_counted_from_the_alignment() -> None:
    """Changed, missing and inserted digits, each in its cell."""
    matrix = confusion([outcome("415", "495"), outcome("77", "7"), outcome("5", "59")])
    assert matrix.symbols == (*DIGITS, GAP)
    assert matrix.counts == {
        ("4", "4"): 1,
        ("1", "9"): 1,
        ("5", "5"): 2,
        ("7", "7"): 1,
        ("7", GAP): 1,
        (GAP, "9"): 1,
    }
    assert matrix.mistakes == [(GAP, "9", 1), ("1", "9", 1), ("7", GAP, 1)]


def test_only_answers_to_numbers_are_confused() -> None:
    """An unanswered number is counted apart; a number out of nothing is a false accept."""
    matrix = confusion([outcome("415", ""), outcome("415", "415", 0.4), outcome("", "7")])
    assert not matrix.counts
    assert matrix.unanswered == 2


def test_yes_and_no_are_symbols_where_they_occur() -> None:
    """Behind the digits, before the gap."""
    matrix = confusion([outcome("yes", "no"), outcome("no", "9")])
    assert matrix.symbols == (*DIGITS, "yes", "no", GAP)
    assert matrix.counts["yes", "no"] == matrix.counts["no", "9"] == 1


def test_shares_by_group_leave_out_files_without_a_number() -> None:
    """And those without a group."""
    made = [
        outcome("1", "1", group="b"),
        outcome("1", "2", group="b"),
        outcome("1", "1", group="a"),
        outcome("", "", group="noise"),
        outcome("1", "1"),
    ]
    assert by_group(made) == [Share("a", 1, 1), Share("b", 1, 2)]


def test_shares_by_length_are_in_order_of_length() -> None:
    """Of digits; yes and no have none. An unsure answer is not right."""
    made = [
        outcome("1234567890", "1234567890"),
        outcome("12", "12", 0.4),
        outcome("1", "1"),
        outcome("yes", "yes"),
    ]
    assert by_length(made) == [
        Share("1 digit", 1, 1),
        Share("2 digits", 0, 1),
        Share("10 digits", 1, 1),
    ]


def test_few_levels_of_noise_are_told_as_they_are() -> None:
    """Noisiest first; files whose noise is unknown are left out."""
    made = [outcome("1", "1", snr_db=db) for db in (10.0, -2.5, 10.0, None)]
    assert by_snr(made) == [Share("-2.5 dB", 1, 1), Share("10 dB", 2, 2)]
    assert by_snr([outcome("1", "1")]) == []


def test_many_levels_of_noise_are_put_into_bands() -> None:
    """Of 5 dB, the lower edge in the band."""
    made = [outcome("1", "1", snr_db=db / 2) for db in range(-4, 40)]
    shares = by_snr(made)
    assert [share.label for share in shares] == [
        *("-5 to 0 dB", "0 to 5 dB", "5 to 10 dB", "10 to 15 dB", "15 to 20 dB")
    ]
    assert [share.files for share in shares] == [4, 10, 10, 10, 10]


@pytest.mark.parametrize(
    ("said", "value", "confidence", "words", "kind"),
    [
        ("", "7", 0.9, "seven", "a number where none was said"),
        ("415", "495", 0.9, "", "1 changed"),
        ("415", "41", 0.9, "", "1 missing"),
        ("415", "41599", 0.9, "", "2 too many"),
        ("12345", "923456", 0.9, "", "1 changed, 1 too many"),
        ("yes", "no", 0.9, "no", "1 changed"),
        ("415", "415", 0.4, "", "right, but not sure enough"),
        ("415", "4", 0.4, "", "wrong and not sure enough"),
        ("415", "", 0.0, "<other>", "words, but no number"),
        ("415", "", 0.0, " ", "nothing heard"),
    ],
)
def test_a_mistake_is_told_without_its_digits(
    said: str, value: str, confidence: float, words: str, kind: str
) -> None:
    """What went wrong, in a few words."""
    (mistake,) = mistakes([outcome(said, value, confidence, words=words)])
    assert mistake.kind == kind


def test_taken_answers_come_first_the_surest_before_the_others() -> None:
    """They are what a flow would have acted on."""
    made = [
        outcome("1", "", file="silent"),
        outcome("1", "2", 0.6, file="unsure"),
        outcome("1", "1", file="right"),
        outcome("", "", file="nothing said"),
        outcome("1", "2", 0.99, file="sure"),
        outcome("1", "2", 0.4, file="refused"),
    ]
    report = report_of(*made)
    names = [str(mistake.outcome.item.file) for mistake in mistakes(report.outcomes)]
    assert names == ["sure", "unsure", "refused", "silent"]
