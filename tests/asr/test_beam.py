"""The CTC beam search against a sum over all paths, and held to grammars."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ivr.asr.beam import MIN_LOG_PROB, align, beam_search
from ivr.asr.tokens import BLANK, OTHER, TOKEN_ID, VOCABULARY, decode, encode
from ivr.grammar.grammar import Grammar, parse_grammar

EVERYTHING = 100_000  # a beam that drops nothing
# float32 log-probabilities, summed in float64 on both sides in different orders.
TOLERANCE = 1e-6
ABSENT = 1e-9  # the probability of a word that a matrix does not mention; never tried

Found = dict[tuple[int, ...], float]


def matrix(*frames: dict[str, float]) -> NDArray[np.float32]:
    """[n_frames, vocabulary] log-probabilities; what a frame leaves over is blank."""
    probs = np.full((len(frames), len(VOCABULARY)), ABSENT)
    for row, frame in zip(probs, frames, strict=True):
        for word, probability in frame.items():
            row[TOKEN_ID[word]] = probability
        if "<blank>" not in frame:
            row[BLANK] = max(ABSENT, 1.0 - sum(frame.values()))
    log_probs: NDArray[np.float32] = np.log(probs).astype(np.float32)
    return log_probs


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """The words of a CTC path: repeats merged, then blanks dropped."""
    return tuple(token for token, _ in itertools.groupby(path) if token != BLANK)


def sum_of_paths(log_probs: NDArray[np.float32]) -> Found:
    """The oracle: every path through the tokens that may occur, summed by what it spells."""
    live = np.flatnonzero((log_probs > MIN_LOG_PROB).any(axis=0)).tolist()
    live = sorted({BLANK, *live})
    rows = log_probs.astype(np.float64)
    total: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(live, repeat=len(rows)):
        score = sum(rows[frame, token] for frame, token in enumerate(path))
        total[collapse(path)] += math.exp(score)
    return {tokens: math.log(probability) for tokens, probability in total.items()}


def accepted(grammar: Grammar, tokens: tuple[int, ...]) -> bool:
    """The oracle of acceptance: an answer, with other speech around it but not within."""
    first = next((i for i, token in enumerate(tokens) if token != OTHER), len(tokens))
    words = [VOCABULARY[token] for token in tokens[first:]]
    while words and words[-1] == VOCABULARY[OTHER]:
        words.pop()
    if VOCABULARY[OTHER] in words:
        return False
    state = grammar.walk(words)
    return state is not None and state.complete


def texts(found: list[tuple[tuple[int, ...], float]]) -> list[str]:
    """The words of each sequence."""
    return [decode(list(tokens)) for tokens, _ in found]


@st.composite
def matrices(draw: st.DrawFn, words: tuple[str, ...], max_frames: int = 5) -> NDArray[np.float32]:
    """Random frames over a few words and blank, none of them certain or negligible."""
    frames = []
    for _ in range(draw(st.integers(1, max_frames))):
        weights = [draw(st.integers(1, 50)) for _ in (*words, "<blank>")]
        shares = [weight / sum(weights) for weight in weights]
        frames.append(dict(zip((*words, "<blank>"), shares, strict=True)))
    return matrix(*frames)


# -- the free search -------------------------------------------------------------------------------


@given(matrices(("one", "five")))
@settings(max_examples=60)
def test_wide_beam_is_the_sum_over_all_paths(log_probs: NDArray[np.float32]) -> None:
    """With nothing dropped, every sequence has exactly the probability of all its paths."""
    found = dict(beam_search(log_probs, beam=EVERYTHING))
    expected = sum_of_paths(log_probs)
    possible = {tokens for tokens, score in found.items() if score > MIN_LOG_PROB * 100}
    assert possible == set(expected)
    for tokens, score in expected.items():
        assert found[tokens] == pytest.approx(score, abs=TOLERANCE)


@given(matrices(("one", "five", "<other>"), max_frames=4))
@settings(max_examples=40)
def test_probabilities_of_all_sequences_make_one(log_probs: NDArray[np.float32]) -> None:
    """Nothing is counted twice, nothing is lost."""
    found = beam_search(log_probs, beam=EVERYTHING)
    assert sum(math.exp(score) for _, score in found) == pytest.approx(1.0, abs=1e-5)


@given(matrices(("one", "five", "nine")), st.integers(1, 8))
@settings(max_examples=60)
def test_narrow_beam_never_overrates(log_probs: NDArray[np.float32], beam: int) -> None:
    """A small beam loses paths; it invents none, keeps to its width, and is in order."""
    found = beam_search(log_probs, beam=beam)
    expected = sum_of_paths(log_probs)
    assert 1 <= len(found) <= beam
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    for tokens, score in found:
        assert score <= expected[tokens] + TOLERANCE


def test_sum_over_paths_beats_the_best_path() -> None:
    """Two middling paths of one word outweigh the single best path, which is silence."""
    log_probs = matrix({"one": 0.4}, {"one": 0.4})
    # blank-blank 0.36; one by three paths 0.64.
    assert texts(beam_search(log_probs)) == ["one", ""]
    assert beam_search(log_probs)[0][1] == pytest.approx(math.log(0.64), abs=TOLERANCE)


def test_true_repeats_are_kept() -> None:
    """Seven seven seven seven: the blanks between make four words of them."""
    seven, gap = {"seven": 0.98}, {"<blank>": 0.98, "seven": 0.01}
    log_probs = matrix(seven, gap, seven, gap, seven, gap, seven)
    assert texts(beam_search(log_probs))[0] == "seven seven seven seven"


def test_held_word_is_one_word() -> None:
    """A word that fills many frames is said once."""
    assert texts(beam_search(matrix(*[{"seven": 0.98}] * 6)))[0] == "seven"


def test_repeat_needs_a_blank_between() -> None:
    """Two frames are too few for a word twice: it is not even a candidate."""
    found = dict(beam_search(matrix({"two": 0.9}, {"two": 0.9}), beam=EVERYTHING))
    assert found.get(tuple(encode("two two")), -math.inf) < MIN_LOG_PROB * 100


def test_different_words_need_no_blank() -> None:
    """Fluent speech leaves no gap."""
    assert texts(beam_search(matrix({"four": 0.99}, {"one": 0.99})))[0] == "four one"


def test_sure_blanks_change_nothing() -> None:
    """Long silence in front, between and behind costs no word and no order."""
    silence = {"<blank>": 0.9999}
    four, one = {"four": 0.7, "five": 0.2}, {"one": 0.6, "nine": 0.3}
    short = beam_search(matrix(four, silence, one), beam=50)
    long = beam_search(
        matrix(*[silence] * 40, four, *[silence] * 40, one, *[silence] * 40), beam=50
    )
    assert [tokens for tokens, _ in long[:6]] == [tokens for tokens, _ in short[:6]]
    for (_, a), (_, b) in zip(short[:6], long[:6], strict=True):
        assert a == pytest.approx(b, abs=0.02)


def test_sure_blank_separates_repeats() -> None:
    """The frames that the search passes over still part one word from the next."""
    nine = {"nine": 0.99}
    found = beam_search(matrix(nine, {"<blank>": 0.99999}, nine))
    assert texts(found)[0] == "nine nine"


def test_negligible_words_are_not_tried() -> None:
    """What has less than one in ten thousand in every frame is no candidate."""
    log_probs = matrix({"one": 0.5, "six": 5e-5}, {"one": 0.5, "six": 5e-5})
    assert not any("six" in text for text in texts(beam_search(log_probs, beam=EVERYTHING)))


def test_no_frames_are_no_words() -> None:
    """Nothing was heard, surely."""
    assert beam_search(np.zeros((0, len(VOCABULARY)), np.float32)) == [((), 0.0)]


def test_silence_is_no_words() -> None:
    """The empty sequence comes first where everything is blank."""
    tokens, score = beam_search(matrix(*[{"<blank>": 0.9999}] * 20))[0]
    assert tokens == ()
    assert score == pytest.approx(20 * math.log(0.9999), abs=1e-4)


# -- held to a grammar -----------------------------------------------------------------------------

GRAMMARS = {
    "builtin:digits?length=2": ("one", "twenty", "<other>"),
    "builtin:digits?minlength=1;maxlength=3": ("five", "double", "<other>"),
    "builtin:number?min=1;max=150": ("one", "hundred", "five"),
    "builtin:boolean": ("yes", "no", "<other>"),
    "builtin:digits?length=3|builtin:boolean": ("seven", "no", "<other>"),
}


@given(st.data())
@settings(max_examples=80)
def test_constrained_search_gives_all_accepted_sequences_and_no_other(data: st.DataObject) -> None:
    """A wide beam held to a grammar is the free sum over paths, filtered by acceptance."""
    uri = data.draw(st.sampled_from(sorted(GRAMMARS)))
    log_probs = data.draw(matrices(GRAMMARS[uri], max_frames=4))
    grammar = parse_grammar(uri)
    found = dict(beam_search(log_probs, beam=EVERYTHING, grammar=grammar))
    expected = {
        tokens: score
        for tokens, score in sum_of_paths(log_probs).items()
        if accepted(grammar, tokens)
    }
    possible = {tokens for tokens, score in found.items() if score > MIN_LOG_PROB * 100}
    assert possible == set(expected)
    for tokens, score in expected.items():
        assert found[tokens] == pytest.approx(score, abs=TOLERANCE)


@given(st.data(), st.integers(1, 8))
@settings(max_examples=80)
def test_constrained_search_emits_only_accepted_strings(data: st.DataObject, beam: int) -> None:
    """However narrow the beam and wild the frames, what comes out is an answer."""
    uri = data.draw(st.sampled_from(sorted(GRAMMARS)))
    words = data.draw(
        st.lists(st.sampled_from(VOCABULARY[OTHER:]), min_size=1, max_size=6, unique=True)
    )
    log_probs = data.draw(matrices(tuple(words), max_frames=12))
    grammar = parse_grammar(uri)
    found = beam_search(log_probs, beam=beam, grammar=grammar)
    assert all(accepted(grammar, tokens) for tokens, _ in found)
    assert len(found) <= beam


def test_grammar_rescues_the_answer_from_a_likelier_one() -> None:
    """The question knows that it asked for digits: "four" is heard where "for" would be "no"."""
    log_probs = matrix({"no": 0.6, "four": 0.3}, {"<blank>": 0.95}, {"one": 0.9})
    assert texts(beam_search(log_probs))[0] == "no one"
    held = beam_search(log_probs, grammar=parse_grammar("builtin:digits?length=2"))
    assert texts(held)[0] == "four one"


def test_grammar_keeps_repeats_apart_from_length() -> None:
    """Exactly four sevens where four are asked for, though three are likelier."""
    seven, gap = {"seven": 0.98}, {"<blank>": 0.9, "seven": 0.09}
    log_probs = matrix(seven, gap, seven, gap, seven, {"<blank>": 0.3, "seven": 0.69}, seven)
    held = beam_search(log_probs, grammar=parse_grammar("builtin:digits?length=4"))
    assert texts(held)[0] == "seven seven seven seven"


def test_other_speech_may_stand_around_an_answer() -> None:
    """Someone who says "Erm, four one, please" has answered."""
    other, gap = {"<other>": 0.95}, {"<blank>": 0.98}
    log_probs = matrix(other, gap, {"four": 0.9}, gap, {"one": 0.9}, gap, other)
    held = beam_search(log_probs, grammar=parse_grammar("builtin:digits?length=2"))
    assert texts(held)[0] == "<other> four one <other>"


def test_other_speech_within_an_answer_is_not_followed() -> None:
    """What "four, erm, one" hides could be a digit: the held search does not go through it."""
    log_probs = matrix({"four": 0.99}, {"<other>": 0.99}, {"one": 0.99})
    held = beam_search(log_probs, grammar=parse_grammar("builtin:digits?length=2"))
    assert all("<other>" not in text for text in texts(held))


def test_nothing_after_closing_speech() -> None:
    """After "five please" no further digit is taken, though the grammar could go on."""
    log_probs = matrix({"five": 0.99}, {"<other>": 0.99}, {"six": 0.99})
    held = beam_search(log_probs, grammar=parse_grammar("builtin:digits"))
    assert "five <other> six" not in texts(held)


def test_nothing_accepted_is_an_empty_list() -> None:
    """Silence is no answer to a question about digits."""
    log_probs = matrix(*[{"<blank>": 0.9999}] * 5)
    assert beam_search(log_probs, grammar=parse_grammar("builtin:digits?length=4")) == []


# -- where the words were --------------------------------------------------------------------------


def best_path(log_probs: NDArray[np.float32], tokens: tuple[int, ...]) -> tuple[int, ...]:
    """The oracle: the most probable of all paths that spell the tokens."""
    live = sorted({BLANK, *tokens})
    paths = (
        path for path in itertools.product(live, repeat=len(log_probs)) if collapse(path) == tokens
    )
    return max(paths, key=lambda path: sum(log_probs[f, t] for f, t in enumerate(path)))


@given(
    matrices(("one", "five"), max_frames=6), st.lists(st.sampled_from(["one", "five"]), min_size=1)
)
@settings(max_examples=80)
def test_alignment_is_the_best_path(log_probs: NDArray[np.float32], words: list[str]) -> None:
    """Each word's frames are those of the most probable path."""
    tokens = tuple(encode(" ".join(words)))
    repeats = sum(a == b for a, b in itertools.pairwise(tokens))
    if len(tokens) + repeats > len(log_probs):
        return  # does not fit
    places = align(log_probs, tokens)
    path = [BLANK] * len(log_probs)
    for token, (start, end, probability) in zip(tokens, places, strict=True):
        assert 0 <= start < end <= len(log_probs)
        path[start:end] = [token] * (end - start)
        mean = float(np.exp(log_probs[start:end, token].mean()))
        assert probability == pytest.approx(mean, rel=1e-5)
    assert collapse(tuple(path)) == tokens
    best = best_path(log_probs, tokens)
    score = sum(float(log_probs[f, t]) for f, t in enumerate(path))
    assert score == pytest.approx(sum(float(log_probs[f, t]) for f, t in enumerate(best)), abs=1e-4)


def test_alignment_of_plain_words() -> None:
    """Two words, with the frames that they were said in."""
    four, one, gap = {"four": 0.9}, {"one": 0.8}, {"<blank>": 0.98}
    log_probs = matrix(gap, four, four, gap, one, gap)
    assert [place[:2] for place in align(log_probs, tuple(encode("four one")))] == [(1, 3), (4, 5)]


def test_alignment_of_repeats() -> None:
    """The same word twice has two places, a blank between."""
    nine, gap = {"nine": 0.9}, {"<blank>": 0.98}
    places = align(matrix(nine, nine, gap, nine), tuple(encode("nine nine")))
    assert [place[:2] for place in places] == [(0, 2), (3, 4)]


def test_alignment_of_a_word_that_fills_the_audio() -> None:
    """No blank is needed around a word."""
    (place,) = align(matrix({"six": 0.9}, {"six": 0.9}), tuple(encode("six")))
    assert place[:2] == (0, 2)
    assert place[2] == pytest.approx(0.9, abs=1e-5)


def test_alignment_of_one_frame() -> None:
    """The shortest audio that holds a word."""
    assert align(matrix({"six": 0.7}), tuple(encode("six")))[0][:2] == (0, 1)
