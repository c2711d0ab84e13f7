"""From pieces of text to spoken words: every way to write a number, and nothing but."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asr.spelling import MARKS, Spelled, begin, end, spell
from ivr.asr.tokens import DIGITS, TENS, VOCABULARY
from ivr.grammar.grammar import Grammar, parse_grammar

NATURAL = parse_grammar("builtin:natural")
FOUR_DIGITS = parse_grammar("builtin:digits?length=4")


def read(grammar: Grammar, *texts: str) -> Spelled | None:
    """What some pieces spell, one after the other."""
    spelled: Spelled | None = begin(grammar)
    for text in texts:
        if spelled is None:
            return None
        spelled = spell(grammar, spelled, text)
    return spelled


def words(grammar: Grammar, *texts: str) -> str | None:
    """The words that some pieces spell if nothing follows; None where that is no answer."""
    spelled = read(grammar, *texts)
    state = end(grammar, spelled) if spelled is not None else None
    return " ".join(state.words) if state is not None else None


@pytest.mark.parametrize(
    "texts",
    [
        (" four", " one", " five", " five"),
        (" 4155",),
        (" 4", "15", "5", "."),
        (" 4", ",", " 1", ",", " 5", ",", " 5"),
        ("41", "-", "55"),
        (" Four", ".", " ONE", " f", "ive", "...", " five", "!"),
        (" 41:55",),
    ],
)
def test_spellings_of_one_answer(texts: tuple[str, ...]) -> None:
    """Digits, words and pieces of words, with marks between them, come to the same words."""
    assert words(FOUR_DIGITS, *texts) == "four one five five"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ((" four", "teen"), "fourteen"),
        ((" four", " ten"), "four ten"),
        ((" twenty", "-", "five"), "twenty five"),
        ((" one", " hundred", " and", " 5"), "one hundred and five"),
        ((" 105",), "one zero five"),
        ((" n", "ope"), "nope"),
    ],
)
def test_a_word_ends_where_something_else_begins(texts: tuple[str, ...], wanted: str) -> None:
    """Letters that follow letters belong to the same word."""
    assert words(NATURAL, *texts) == wanted


@pytest.mark.parametrize(
    "texts",
    [
        (" backward",),
        (" twentyfive",),
        (" four", "th"),
        (" 50", "%"),
        (" $", "5"),
        (" ٤",),  # a digit, but of another script
        (" née",),
    ],
)
def test_other_text_is_no_answer(texts: tuple[str, ...]) -> None:
    """Words, symbols and scripts outside the vocabulary."""
    assert words(NATURAL, *texts) is None


def test_what_cannot_be_completed_is_dropped_at_once() -> None:
    """A fifth digit, and the beginning of a word that the question does not accept."""
    assert read(FOUR_DIGITS, " 4155", " ") is not None
    assert read(FOUR_DIGITS, " 4155", "2") is None
    assert read(FOUR_DIGITS, " ye") is None
    assert read(NATURAL, " ye") is not None


def test_half_an_answer_does_not_end() -> None:
    """Too few digits, or half a word."""
    assert words(FOUR_DIGITS, " 415") is None
    assert words(NATURAL, " f") is None
    assert words(NATURAL) is None


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*VOCABULARY[4:], "th", "ir", "teen", "fif", "z"]),
        st.text("0123456789", min_size=1, max_size=3),
        st.text(MARKS, min_size=1, max_size=2),
        st.text(max_size=2),
    ),
    max_size=8,
)


@given(TEXTS, st.sampled_from(["digits?length=4", "number?max=999", "boolean", "natural"]))
def test_only_accepted_words_come_out(texts: list[str], uri: str) -> None:
    """Whatever pieces come: the end of a spelling is an answer of the grammar."""
    grammar = parse_grammar(f"builtin:{uri}")
    heard = words(grammar, *texts)
    if heard is not None:
        state = grammar.walk(heard.split())
        assert state is not None
        assert state.complete


@given(st.lists(st.sampled_from([*DIGITS, *TENS]), min_size=1, max_size=6), st.data())
def test_pieces_may_be_cut_anywhere(spoken: list[str], data: st.DataObject) -> None:
    """The same text says the same, in however many pieces it comes."""
    text = " ".join(spoken)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert words(NATURAL, *pieces) == words(NATURAL, text) == text
