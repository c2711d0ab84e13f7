"""The stock engine's N-best list: answers by value, and what speaks against any."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asr.model_files import Decoding
from ivr.asr.piece_search import Answer, Found
from ivr.asr.stock import rank
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret
from ivr.recognition import Recognition

NATURAL = parse_grammar("builtin:natural")
PLAIN = Decoding(off_grammar_penalty=0.0)


def found(answers: dict[str, float], answered: float = 1.0, **rest: float) -> Found:
    """What a search found: probability by words."""
    ranked = tuple(
        Answer(tuple(words.split()), math.log(probability))
        for words, probability in sorted(answers.items(), key=lambda item: -item[1])
    )
    return Found(ranked, rest.get("no_speech", 0.0), rest.get("end_at_once", 0.0), answered)


def probabilities(heard: Found, decoding: Decoding = PLAIN) -> dict[str, float]:
    """Probability by text, in the order of the list."""
    hypotheses, _ = rank(heard, NATURAL, decoding)
    return {hypothesis.text: math.exp(hypothesis.score) for hypothesis in hypotheses}


def test_spellings_of_a_value_are_one_answer() -> None:
    """Its likeliest words stand for it, with the probability of all."""
    listed = probabilities(found({"fifteen": 0.3, "one five": 0.2, "fifty": 0.4}))
    assert list(listed) == ["fifteen", "fifty", ""]
    assert listed["fifteen"] == pytest.approx(5 / 9)
    assert listed["fifty"] == pytest.approx(4 / 9)


def test_speech_outside_the_grammar_is_the_empty_answers() -> None:
    """What the decoder would rather have written counts against every answer."""
    listed = probabilities(found({"four": 0.02, "five": 0.01}, answered=0.2))
    assert list(listed) == ["", "four", "five"]
    assert listed[""] == pytest.approx(0.8)
    assert listed["four"] == pytest.approx(0.2 * 2 / 3)


def test_the_penalty_is_what_callers_say_rarely() -> None:
    """Of ten times as rare, a tenth is left to speech outside the grammar."""
    decoding = replace(PLAIN, off_grammar_penalty=math.log(10))
    listed = probabilities(found({"four": 0.02}, answered=0.2), decoding)
    assert listed["four"] == pytest.approx(0.2 / 0.28)


def test_an_empty_text_is_an_empty_answer() -> None:
    """No penalty makes silence rarer."""
    decoding = replace(PLAIN, off_grammar_penalty=9.0)
    assert probabilities(found({"four": 0.1}, end_at_once=0.7), decoding)[""] > 0.69


@pytest.mark.parametrize(
    ("no_speech", "answered", "empty"), [(0.9, 0.05, 0.9), (0.5, 0.05, 0.0), (0.9, 0.9, 0.0)]
)
def test_whispers_sign_counts_where_no_answer_is_likely(
    no_speech: float, answered: float, empty: float
) -> None:
    """Its rule: a strong sign, and an unlikely text."""
    decoding = replace(PLAIN, off_grammar_penalty=30.0)
    listed = probabilities(found({"four": 0.1}, answered, no_speech=no_speech), decoding)
    assert (listed[""] > 0.5) == (empty > 0.5)


def test_nothing_found_is_the_empty_answer() -> None:
    """Sure of itself, and no answer to any question."""
    hypotheses, confidence = rank(Found((), 0.1, 0.1, 0.4), NATURAL, PLAIN)
    assert [hypothesis.text for hypothesis in hypotheses] == [""]
    assert confidence > 0.99
    recognition = Recognition(hypotheses, confidence, audio_ms=0)
    assert interpret(NATURAL, recognition) is None


def test_the_list_is_bounded() -> None:
    """n_best answers, and the empty one."""
    many = found(dict.fromkeys(("one", "two", "three", "four", "five", "six"), 0.1))
    assert len(probabilities(many, replace(PLAIN, n_best=3))) == 4


def test_calibration_moves_the_confidence_alone() -> None:
    """The curve changes how sure the engine says it is, not what it heard."""
    heard = found({"four": 0.6, "five": 0.3})
    cautious = replace(PLAIN, confidence_slope=0.0, confidence_offset=math.log(0.25 / 0.75))
    assert rank(heard, NATURAL, cautious)[1] == pytest.approx(0.25)
    assert rank(heard, NATURAL, cautious)[0] == rank(heard, NATURAL, PLAIN)[0]


@given(
    st.dictionaries(
        st.sampled_from(["four", "five", "fifteen", "one five", "yes", "yeah", "no"]),
        st.floats(1e-6, 1.0),
    ),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_any_find_makes_a_distribution(
    answers: dict[str, float], answered: float, no_speech: float, end_at_once: float
) -> None:
    """Best first, no two the same, summing to one; the empty answer is always among them."""
    heard = found(answers, answered, no_speech=no_speech, end_at_once=end_at_once)
    hypotheses, confidence = rank(heard, NATURAL, Decoding())
    scores = [hypothesis.score for hypothesis in hypotheses]
    assert scores == sorted(scores, reverse=True)
    assert sum(map(math.exp, scores)) == pytest.approx(1.0, abs=1e-6)
    assert "" in {hypothesis.text for hypothesis in hypotheses}
    assert 0.0 <= confidence <= 1.0
