"""The vocabulary: what the recogniser can write, and how it is numbered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asr.tokens import (
    BLANK,
    DIGITS,
    EOT,
    OTHER,
    SOT,
    SPECIALS,
    TEENS,
    TENS,
    TOKEN_ID,
    VOCABULARY,
    ZEROS,
    decode,
    encode,
)
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.words import OTHER as OTHER_WORD

# The ids that models in the field were trained with. To add a word, append it here too.
TRAINED_WITH = """
<blank> <sot> <eot> <other>
zero one two three four five six seven eight nine oh nought
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty thirty forty fifty sixty seventy eighty ninety
hundred thousand and a double triple point dot dollars cents
yes no yeah nope correct repeat help operator cancel stop
start again not last star pound hash
"""


def test_order_is_that_of_trained_models() -> None:
    """A word inserted or moved would make every trained model write nonsense."""
    words = TRAINED_WITH.split()
    assert list(VOCABULARY[: len(words)]) == words


def test_specials_have_their_places() -> None:
    """The constants point to the tokens that they are named for."""
    assert VOCABULARY[:4] == SPECIALS
    assert [VOCABULARY[i] for i in (BLANK, SOT, EOT, OTHER)] == list(SPECIALS)
    assert VOCABULARY[OTHER] == OTHER_WORD


def test_no_word_is_there_twice() -> None:
    """Every word has one id."""
    assert len(TOKEN_ID) == len(VOCABULARY)
    assert all(VOCABULARY[index] == word for word, index in TOKEN_ID.items())


@pytest.mark.parametrize("uri", ["builtin:natural", "builtin:number?max=99999", "builtin:boolean"])
def test_vocabulary_has_what_grammars_accept(uri: str) -> None:
    """A grammar does not wait for a word that the recogniser could never write."""
    common = {"zero", "one", "hundred", "yes", "no"} & parse_grammar(uri).words
    assert common
    assert common <= set(VOCABULARY)


def test_grammar_knows_every_word_of_a_number() -> None:
    """And the recogniser writes no word of a number that the grammar cannot read."""
    known = parse_grammar("builtin:natural").words
    assert {*DIGITS, *ZEROS, *TEENS, *TENS, "hundred", "thousand", "double", "triple"} <= known


def test_encode_numbers_the_words() -> None:
    """Words become their ids in order, repeats included."""
    assert encode("seven seven oh") == [TOKEN_ID["seven"], TOKEN_ID["seven"], TOKEN_ID["oh"]]


def test_encode_writes_one_other_for_a_run_of_unknown_words() -> None:
    """A stretch of foreign speech is one stretch, however many words it had."""
    four = TOKEN_ID["four"]
    assert encode("well it is four please") == [OTHER, four, OTHER]


def test_encode_of_nothing_is_nothing() -> None:
    """An empty transcript has no tokens."""
    assert encode("  ") == []


def test_decode_leaves_specials_out() -> None:
    """Blank, start and end are no words; `<other>` is heard."""
    four = TOKEN_ID["four"]
    assert decode([SOT, BLANK, four, OTHER, EOT]) == "four <other>"


@given(st.lists(st.sampled_from(VOCABULARY[OTHER + 1 :])))
def test_decode_is_the_inverse_of_encode(words: list[str]) -> None:
    """What was written can be read back, word for word."""
    assert decode(encode(" ".join(words))).split() == words
