"""Spellings in IPA: punctuation stays, accents lose what their languages lack."""

# ruff: noqa: RUF001 - the letters of IPA

from __future__ import annotations

import pytest

from ivr.train.accents import ACCENTS, spell


def test_a_spelling_keeps_its_pauses() -> None:
    """The marks are where they were, the words of a clause in one piece."""
    assert spell("one two, three.") == "wˈʌn tˈuː, θɹˈiː."
    assert spell("oh") == "ˈoʊ"
    assert spell("oh", "en-gb-x-rp") == "ˈəʊ"


@pytest.mark.parametrize(
    ("accent", "spelling"),
    [("fr", "sʁˈi"), ("de", "sʁˈi"), ("el", "θɾˈi"), ("hi", "tʰɾˈiː"), ("it", "tɾˈi")],
)
def test_an_accent_says_three_its_own_way(accent: str, spelling: str) -> None:
    """The word that tells them apart best."""
    assert spell("three", accent=accent) == spelling


def test_accents_stress_teens_at_their_end() -> None:
    """Or fifteen and fifty would be one word."""
    for accent in ACCENTS:
        fifteen, fifty = spell("fifteen", accent=accent), spell("fifty", accent=accent)
        assert fifteen.index("ˈ") > fifty.index("ˈ")


def test_no_accent_lets_words_meet() -> None:
    """Every number keeps a spelling of its own."""
    words = "oh one two three four five six seven eight nine ten eleven twelve thirteen thirty"
    for accent in ACCENTS:
        spellings = {spell(word, accent=accent) for word in words.split()}
        assert len(spellings) == len(words.split())


def test_an_unknown_accent_is_a_mistake_of_ours() -> None:
    """It is not silently none."""
    with pytest.raises(KeyError):
        spell("one", accent="xx")
