"""The search over pieces, with a decoder that says what the test wants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.asr.model_files import StockPieces
from ivr.asr.piece_search import Found, piece_search
from ivr.grammar.grammar import parse_grammar

TEXTS = ("", "", "", "", " four", " 4", "1", "41", ",", " forty", "teen", " yes", " for")
SOT, NO_TIMES, END, NO_SPEECH = range(4)
PIECES = StockPieces(TEXTS, prompt=(SOT, NO_TIMES), end=END, no_speech=NO_SPEECH)
NATURAL = "builtin:natural"


class Scripted:
    """A decoder that gives each beginning of a text the next pieces of a script.

    Args:
        script: by the pieces' texts so far: probability by piece; the rest is not ours.
        silence: probability that nobody speaks.
    """

    def __init__(self, script: dict[str, dict[str, float]], silence: float = 0.0) -> None:
        self._script, self._silence = script, silence
        self._fed: list[list[int]] = [[]]

    def step(self, pieces: list[int], parents: list[int]) -> NDArray[np.float32]:
        """As `StockDecoder.step`."""
        self._fed = [
            [*self._fed[parent], piece] for piece, parent in zip(pieces, parents, strict=True)
        ]
        return np.array([self._log_probs(fed) for fed in self._fed], np.float32)

    def _log_probs(self, fed: list[int]) -> NDArray[np.float64]:
        probabilities = np.full(len(TEXTS), 1e-9)
        if fed == [SOT]:
            probabilities[NO_SPEECH] = max(self._silence, 1e-9)
        else:
            assert fed[:2] == [SOT, NO_TIMES]
            text = "".join(TEXTS[piece] for piece in fed[2:])
            for piece, probability in self._script.get(text, {}).items():
                probabilities[TEXTS.index(piece) if piece else END] = probability
        return np.log(probabilities)


def find(script: dict[str, dict[str, float]], uri: str = NATURAL, silence: float = 0.0) -> Found:
    """What the search finds of a script."""
    decoder = Scripted(script, silence)
    return piece_search(decoder, PIECES, parse_grammar(uri), beam=4, longest=8)


def said(found: Found) -> list[str]:
    """The answers, best first."""
    return [" ".join(answer.words) for answer in found.answers]


def test_best_answer_comes_first() -> None:
    """With the product of its pieces' probabilities."""
    found = find({"": {" four": 0.7, " yes": 0.2}, " four": {"": 0.9}, " yes": {"": 0.5}})
    assert said(found) == ["four", "yes"]
    assert math.exp(found.answers[0].score) == pytest.approx(0.63, rel=1e-3)
    assert found.answered == pytest.approx(0.73, rel=1e-3)
    assert found.no_speech == pytest.approx(0.0, abs=1e-6)
    assert found.end_at_once == pytest.approx(0.0, abs=1e-6)


def test_every_spelling_counts_as_having_answered() -> None:
    """One half writes "four", the other "4": each is half as likely, and an answer is sure."""
    script = {"": {" four": 0.5, " 4": 0.5}, " four": {"": 1.0}, " 4": {"": 0.5, ",": 0.5}}
    found = find({**script, " 4,": {"": 1.0}})
    assert said(found) == ["four", "four", "four"]
    assert found.answered == pytest.approx(1.0, abs=1e-3)


def test_a_spelling_that_was_dropped_counts_like_those_that_were_not() -> None:
    """A beam of one follows the likelier spelling alone, and still knows that an answer is sure."""
    script = {"": {" four": 0.6, " 4": 0.4}, " four": {"": 0.9}, " 4": {"": 0.9}}
    found = piece_search(Scripted(script), PIECES, parse_grammar(NATURAL), beam=1, longest=8)
    assert said(found) == ["four"]
    assert math.exp(found.answers[0].score) == pytest.approx(0.9, rel=1e-3)
    assert found.answered == pytest.approx(0.9, rel=1e-3)


def test_a_long_answer_is_not_beaten_by_its_beginning() -> None:
    """Written in more ways than the beam holds, each of them less likely than the short text."""
    ways = {" 4": 0.3, ",": 0.2, "1": 0.2, " four": 0.2}
    script = {"": {" 4": 1.0}, " 4": {**ways, "": 0.1}}
    for first in ways:
        script[f" 4{first}"] = {**ways, "": 0.1}
        for second in ways:
            script[f" 4{first}{second}"] = {"": 1.0}
    found = piece_search(Scripted(script), PIECES, parse_grammar(NATURAL), beam=2, longest=8)
    scores = {" ".join(a.words): math.exp(a.score) for a in reversed(found.answers)}
    assert scores["four"] == pytest.approx(0.1, rel=1e-2)
    assert scores["four four four"] > 2 * scores["four"]


def test_what_lies_outside_the_grammar_is_not_lost() -> None:
    """Speech that is no number is not followed, but counts against an answer."""
    found = find({"": {" four": 0.1}, " four": {"": 0.4}})
    assert said(found) == ["four"]
    assert found.answered == pytest.approx(0.04, rel=1e-3)


def test_the_beginning_of_a_word_that_never_comes_is_no_answer() -> None:
    """A "for" could have become "forty", and is known not to have when it ends as it is."""
    found = find({"": {" for": 0.9, " four": 0.1}, " for": {"": 1.0}, " four": {"": 1.0}})
    assert said(found) == ["four"]
    assert found.answered == pytest.approx(0.1, rel=1e-3)


def test_an_answer_too_short_for_the_question_is_outside() -> None:
    """Two digits wanted: an end after the first is outside, though the search goes on."""
    script = {"": {" 4": 1.0}, " 4": {"": 0.99, "1": 0.01}, " 41": {"": 1.0}}
    found = find(script, "builtin:digits?length=2")
    assert said(found) == ["four one"]
    assert found.answered == pytest.approx(0.01, rel=1e-3)


def test_silence_and_an_empty_text_are_told_apart() -> None:
    """Neither is counted as speech outside the grammar."""
    found = find({"": {"": 0.5, " four": 0.5}, " four": {"": 1.0}}, silence=0.2)
    assert found.no_speech == pytest.approx(0.2, rel=1e-3)
    assert found.end_at_once == pytest.approx(0.5, rel=1e-3)
    assert found.answered == pytest.approx(1.0, abs=1e-3)


def test_nothing_that_answers_gives_no_answer() -> None:
    """Nor does a decoder that has nothing of ours to say."""
    assert find({"": {" for": 1.0}, " for": {"": 1.0}}).answers == ()
    assert find({}).answers == ()


def test_a_word_in_pieces_is_one_word() -> None:
    """A "four" that "teen" follows is fourteen."""
    found = find({"": {" four": 1.0}, " four": {"teen": 0.9, "": 0.1}, " fourteen": {"": 1.0}})
    assert said(found) == ["fourteen", "four"]


def test_a_runaway_repeat_ends() -> None:
    """A decoder that would write the same for ever is stopped; shorter answers stay."""

    class Endless(Scripted):
        def _log_probs(self, fed: list[int]) -> NDArray[np.float64]:
            probabilities = np.full(len(TEXTS), 1e-9)
            probabilities[[TEXTS.index(" 4"), END]] = 0.9, 0.1
            return np.log(probabilities)

    found = piece_search(Endless({}), PIECES, parse_grammar(NATURAL), beam=4, longest=8)
    assert found.answers
    assert max(len(answer.words) for answer in found.answers) <= 7


class Noise(Scripted):
    """A decoder that writes anything."""

    def __init__(self, seed: int) -> None:
        super().__init__({})
        self._rng = np.random.default_rng(seed)

    def _log_probs(self, fed: list[int]) -> NDArray[np.float64]:
        probabilities: NDArray[np.float64] = self._rng.dirichlet(np.full(len(TEXTS), 0.3))
        return np.log(np.maximum(probabilities, 1e-12))


@given(st.integers(0, 10_000), st.sampled_from(["digits?length=3", "number?max=45", "boolean"]))
@settings(max_examples=60)
def test_nothing_outside_the_grammar_comes_out(seed: int, uri: str) -> None:
    """Whatever the decoder says, answers are accepted ones and probabilities are some."""
    grammar = parse_grammar(f"builtin:{uri}")
    found = piece_search(Noise(seed), PIECES, grammar, beam=4, longest=8)
    for answer in found.answers:
        state = grammar.walk(answer.words)
        assert state is not None
        assert state.complete
        assert answer.score <= 1e-3
    assert 0.0 <= found.end_at_once <= 1.0
    assert 0.0 <= found.answered <= 1.0
