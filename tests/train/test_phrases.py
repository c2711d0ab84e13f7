"""Phrases: transcripts in the vocabulary, text that says the same, a balanced mixture."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from ivr.asr.tokens import DIGITS, TEENS, TENS, VOCABULARY, ZEROS, decode, encode
from ivr.train import phrases
from ivr.train.ordinary import ordinary_speech, ordinary_words
from ivr.train.phrase_tables import (
    CARRIERS,
    GROUPINGS,
    LETTERS,
    NEAR_NUMBERS,
    ORDINARY,
    TAILS,
)
from ivr.train.phrases import (
    KIND_WEIGHTS,
    KINDS,
    OTHER_WORD,
    Phrase,
    phrase_of,
    sample_phrase,
    spell_number,
    spell_pair,
)

SAMPLE = 6000


@pytest.fixture(scope="module")
def sample() -> list[Phrase]:
    """Many phrases of the default mixture."""
    rng = random.Random(11)
    return [sample_phrase(rng) for _ in range(SAMPLE)]


@pytest.mark.parametrize(
    ("number", "american", "british"),
    [
        (1, "one", "one"),
        (13, "thirteen", "thirteen"),
        (30, "thirty", "thirty"),
        (99, "ninety nine", "ninety nine"),
        (100, "one hundred", "one hundred"),
        (105, "one hundred five", "one hundred and five"),
        (515, "five hundred fifteen", "five hundred and fifteen"),
        (1005, "one thousand five", "one thousand and five"),
        (1150, "one thousand one hundred fifty", "one thousand one hundred and fifty"),
        (
            *(105_215, "one hundred five thousand two hundred fifteen"),
            "one hundred and five thousand two hundred and fifteen",
        ),
    ],
)
def test_numbers_are_spelled_in_both_forms(number: int, american: str, british: str) -> None:
    """American without "and", British with it before the last two digits."""
    assert spell_number(number) == american
    assert spell_number(number, british=True) == british


def test_a_hundred_replaces_only_a_leading_one() -> None:
    """It is "a hundred and five", but never "two thousand a hundred"."""
    assert spell_number(105, british=True, a_hundred=True) == "a hundred and five"
    assert spell_number(2105, british=True, a_hundred=True) == "two thousand one hundred and five"
    assert spell_number(205, a_hundred=True) == "two hundred five"


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    """Six digits are the most that is spelled as one number."""
    with pytest.raises(ValueError, match="not in"):
        spell_number(number)


def test_every_number_to_999_is_spelled_differently() -> None:
    """No two numbers share a reading in one form."""
    for british in (False, True):
        assert len({spell_number(n, british) for n in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "hundred"), (5, "oh five"), (15, "fifteen"), (50, "fifty"), (55, "fifty five")],
)
def test_pairs_are_read_as_in_a_year(number: int, words: str) -> None:
    """Two-digit groups: "nineteen oh five", "nineteen hundred"."""
    assert spell_pair(number) == words


def test_marked_text_gives_transcript_and_text() -> None:
    """Braces become one <other>; the synthesiser's text keeps the punctuation."""
    phrase = phrase_of("{um}, {my number is} four one, five.", "carrier")
    assert phrase == Phrase("<other> four one five", "carrier", "um, my number is four one, five.")


@pytest.mark.parametrize("marked", ["four banana", "", ".,!"])
def test_marked_text_that_cannot_be_labelled_is_refused(marked: str) -> None:
    """An unknown word outside the braces is a mistake here, not an <other>."""
    with pytest.raises(ValueError, match=r"vocabulary|nothing"):
        phrase_of(marked, "digit")


def test_transcripts_survive_the_tokens(sample: list[Phrase]) -> None:
    """Encoding and decoding gives the transcript back: all words known, no run of <other>."""
    for phrase in sample:
        assert decode(encode(phrase.words)) == phrase.words


def test_text_says_what_the_transcript_says(sample: list[Phrase]) -> None:
    """Without ordinary speech the text is the transcript; with it, the numbers are, in order."""
    for phrase in sample:
        spoken = re.findall(r"[a-z]+", phrase.text)
        if OTHER_WORD not in phrase.words:
            assert " ".join(spoken) == phrase.words
        else:
            numeric = [w for w in phrase.words.split() if w != OTHER_WORD]
            assert [w for w in spoken if w in VOCABULARY] == numeric


def test_text_holds_nothing_an_engine_would_read_aloud(sample: list[Phrase]) -> None:
    """Only letters and marks that make pauses or a melody."""
    for phrase in sample:
        assert re.fullmatch(r"[a-z' ,.;?!]+", phrase.text), phrase.text


def test_ordinary_speech_holds_no_number() -> None:
    """No vocabulary word and no homophone of one: either would be a wrong label."""
    homophones = (
        "to too for fore ate won know knows ooh owe nor knot cent sense plus minus aye tens fours"
    )
    forbidden = {*VOCABULARY, *homophones.split()}
    for entry in (*NEAR_NUMBERS, *ORDINARY, *LETTERS, *CARRIERS, *TAILS):
        assert not forbidden & set(re.findall(r"[a-z]+", entry)), entry


def test_ordinary_speech_is_varied() -> None:
    """A few hundred different phrases."""
    assert len({*NEAR_NUMBERS, *ORDINARY, *CARRIERS}) > 400


def test_random_speech_holds_no_number() -> None:
    """Nor what sounds like one; and nearly every draw is another."""
    assert not {*VOCABULARY, "to", "won", "someone", "fourth", "tree"} & set(ordinary_words())
    rng = random.Random(3)
    drawn = [ordinary_speech(rng) for _ in range(500)]
    assert max(len(speech.split()) for speech in drawn) == 7
    assert len({speech for speech in drawn if " " in speech}) > 350


def test_mixture_follows_the_weights(sample: list[Phrase]) -> None:
    """Kinds come as often as asked."""
    counts = Counter(phrase.kind for phrase in sample)
    total = sum(KIND_WEIGHTS.values())
    for kind, weight in KIND_WEIGHTS.items():
        assert counts[kind] / SAMPLE == pytest.approx(weight / total, abs=0.02)


def test_mixture_is_what_training_needs(sample: list[Phrase]) -> None:
    """Over half hold words that human recordings lack; every word of the vocabulary occurs."""
    words = [set(phrase.words.split()) for phrase in sample]
    plain = {*DIGITS, *ZEROS, OTHER_WORD}
    assert sum(bool(w - plain) for w in words) / SAMPLE > 0.5
    assert 0.09 < sum(w == {OTHER_WORD} for w in words) / SAMPLE < 0.15
    assert set().union(*words) >= set(VOCABULARY[3:])


def test_teens_and_tens_are_balanced_where_they_stand_alone() -> None:
    """Fifteen alone comes as often as fifty alone."""
    rng = random.Random(2)
    alone = Counter(sample_phrase(rng, {"contrast": 1.0}).words for _ in range(SAMPLE))
    for teen, ten in zip(TEENS[3:], TENS[1:], strict=True):
        assert 0.6 < alone[teen] / alone[ten] < 1.6


def test_digit_strings_have_all_lengths_and_repeats(sample: list[Phrase]) -> None:
    """2 to 19 digits; runs such as 7777 are there."""
    strings = [phrase.words.split() for phrase in sample if phrase.kind == "string"]
    assert {len(words) for words in strings} == set(range(2, 20))
    runs = [w for w in strings if any(len(set(w[i : i + 4])) == 1 for i in range(len(w) - 3))]
    assert len(runs) > 0.01 * len(strings)


def test_groupings_add_up() -> None:
    """Each grouping has as many digits as it is listed for."""
    for length, groupings in GROUPINGS.items():
        assert {sum(sizes) for sizes in groupings} == {length}


def test_same_generator_same_phrases() -> None:
    """Nothing but the generator decides."""
    first, second = random.Random(5), random.Random(5)
    assert [sample_phrase(first) for _ in range(200)] == [sample_phrase(second) for _ in range(200)]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_can_be_drawn_alone(kind: str) -> None:
    """Weights select kinds; each makes valid phrases."""
    rng = random.Random(7)
    drawn = [sample_phrase(rng, {kind: 1.0}) for _ in range(300)]
    assert {phrase.kind for phrase in drawn} == {kind}
    assert len({phrase.words for phrase in drawn}) > (0 if kind == "other" else 9)


def test_unknown_kind_is_an_error() -> None:
    """A misspelt weight does not go unnoticed."""
    with pytest.raises(KeyError):
        sample_phrase(random.Random(1), {"strings": 1.0})
    assert set(KIND_WEIGHTS) == set(phrases.KINDS)
