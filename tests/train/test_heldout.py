"""The held-out set: every number once, transcripts and digits that agree, readable files."""

from __future__ import annotations

import csv
import random
import wave
from pathlib import Path

import numpy as np
import pytest

from ivr.grammar.words import natural_reading
from ivr.train import heldout
from ivr.train.clips import RATE_HZ
from ivr.train.evaluate import read_manifest
from ivr.train.heldout import build_heldout, digits_of, heldout_phrases, number_forms
from ivr.train.phrases import phrase_of


def test_heldout_has_every_number_once(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 to 999, then strings with their digits, and speech with none."""
    monkeypatch.setattr(heldout, "GROUP_SIZE", 5)
    monkeypatch.setattr(heldout, "voice_names", lambda _engine: ["x"])
    monkeypatch.setattr(
        heldout, "render", lambda text, _voice: np.full(2000 * len(text.split()), 900, np.int16)
    )
    build_heldout(tmp_path, tone)
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["digits"] for r in rows if r["group"] == "number"] == [str(n) for n in range(1, 1000)]
    assert {r["group"] for r in rows} == {"number", "contrast", "oh", "multiple", "other"}
    contrasts = {int(r["digits"]) for r in rows if r["group"] == "contrast"}
    assert {13, 30, 119, 190, 105, 115, 150} <= contrasts
    assert not {12, 20, 21, 100, 131} & contrasts
    assert all("oh" in r["words"].split() and r["digits"] for r in rows if r["group"] == "oh")
    assert all(not r["digits"] for r in rows if r["group"] == "other")
    assert [item.digits for item in read_manifest(tmp_path / "manifest.csv")] == [
        row["digits"] for row in rows
    ]
    with wave.open(str(tmp_path / rows[0]["file"])) as clip:
        assert (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) == (RATE_HZ, 1, 2)


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("oh nought zero", "000"),
        ("double seven one", "771"),
        ("four triple oh", "4000"),
        ("nine", "9"),
    ],
)
def test_digits_of_a_transcript(words: str, digits: str) -> None:
    """The words "double" and "triple" count for the digit that follows."""
    assert digits_of(words) == digits


def test_every_form_of_a_number_reads_as_that_number() -> None:
    """The grammar's natural reading agrees with the digits that the manifest asks for."""
    for number in range(1, 1000):
        for form in number_forms(number):
            words = phrase_of(form, "number").words
            assert natural_reading(words.split()) == str(number), form


def test_strings_read_as_their_digits() -> None:
    """With "oh" and with "double" likewise."""
    for group, digits, phrase in heldout_phrases(random.Random(4)):
        if group in ("oh", "multiple"):
            assert natural_reading(phrase.words.split()) == digits


def test_the_same_seed_asks_for_the_same() -> None:
    """So that two measurements compare."""
    first, second = (list(heldout_phrases(random.Random("heldout/1"))) for _ in range(2))
    assert first == second
    assert len(first) == 999 + 3 * heldout.GROUP_SIZE
