"""CTC prefix beam search, free or held exactly to a grammar.

Theory of operation: CTC gives, for each encoder frame, the probability of every word and of the
blank. Many frame-by-frame paths spell the same words; the search keeps the most probable word
sequences (prefixes) and sums over the paths of each (Graves 2006; Hannun et al. 2014). With a
grammar, a prefix also carries the grammar's state, and a word that would kill the state is never
appended: what comes out is accepted or nothing. True repeats (7777) survive because the blank
between them is a frame of its own; runaway repeats cannot happen because every word needs frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.asr.tokens import BLANK, OTHER, VOCABULARY
from ivr.grammar.grammar import Grammar, State

NEVER = -1e30
# A word below this probability in a frame is not tried there: it bounds the work of a
# frame. The value is a choice, not a measurement.
MIN_LOG_PROB = math.log(1e-4)
MAX_CANDIDATES = 10
# A frame that is blank with this much certainty moves no word.
SURE_BLANK = math.log(0.9995)


@dataclass(slots=True)
class _Prefix:
    """Log-probabilities of a word sequence, ending in blank and in its last word, and its state."""

    blank: float
    word: float
    state: State | None

    @property
    def total(self) -> float:
        return _add(self.blank, self.word)


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b <= NEVER else a + math.log1p(math.exp(b - a))


def beam_search(
    log_probs: NDArray[np.float32], *, beam: int = 8, grammar: Grammar | None = None
) -> list[tuple[tuple[int, ...], float]]:
    """The most probable word sequences.

    Args:
        log_probs: [n_frames, vocabulary] float32, CTC log-probabilities.
        beam: prefixes kept after each frame.
        grammar: where given, only beginnings of accepted answers are followed, and only accepted
            answers are returned. ``<other>`` may stand before and after an answer, not within.

    Returns:
        Token ids and total log-probability, best first; empty only with a grammar that accepts none
        of the sequences followed.
    """
    start = grammar.start() if grammar else None
    beams: dict[tuple[int, ...], _Prefix] = {(): _Prefix(0.0, NEVER, start)}
    candidates = _candidates(log_probs)
    for frame, tokens in zip(log_probs.tolist(), candidates, strict=True):
        blank = frame[BLANK]
        if not tokens:
            for prefix in beams.values():
                prefix.blank, prefix.word = prefix.total + blank, NEVER
            continue
        grown = _step(beams, frame, tokens, grammar)
        best = sorted(grown.items(), key=lambda item: item[1].total, reverse=True)
        beams = dict(best[:beam])
    found = list(beams.items())
    if grammar is not None:
        found = [item for item in found if item[1].state is not None and item[1].state.complete]
    scored = [(tokens, prefix.total) for tokens, prefix in found]
    return sorted(scored, key=lambda item: item[1], reverse=True)


def _candidates(log_probs: NDArray[np.float32]) -> list[list[int]]:
    """For each frame the words worth trying; none where the frame is surely blank."""
    likely = log_probs > MIN_LOG_PROB
    # Noise can make a frame undecided between all words: bounded, or a cough costs half a second.
    floor = np.partition(log_probs, -MAX_CANDIDATES, axis=1)[:, -MAX_CANDIDATES, None]
    likely &= log_probs >= floor
    likely[:, :OTHER] = False  # the blank and the marks of start and end are no words
    likely[log_probs[:, BLANK] > SURE_BLANK] = False
    result: list[list[int]] = [[] for _ in range(log_probs.shape[0])]
    for frame, token in zip(*np.nonzero(likely), strict=True):
        result[frame].append(int(token))
    return result


def _step(
    beams: dict[tuple[int, ...], _Prefix],
    frame: list[float],
    tokens: list[int],
    grammar: Grammar | None,
) -> dict[tuple[int, ...], _Prefix]:
    grown: dict[tuple[int, ...], _Prefix] = {}
    for words, prefix in beams.items():
        total = prefix.total
        same = grown.get(words)
        if same is None:
            same = grown[words] = _Prefix(NEVER, NEVER, prefix.state)
        same.blank = _add(same.blank, total + frame[BLANK])
        last = words[-1] if words else -1
        if last >= 0:
            same.word = _add(same.word, prefix.word + frame[last])
        for token in tokens:
            # A repeat needs a blank between; without one it is the same word, held longer.
            gain = (prefix.blank if token == last else total) + frame[token]
            if gain <= NEVER:
                continue
            longer = (*words, token)
            entry = grown.get(longer)
            if entry is None:
                state = prefix.state
                if grammar is not None:
                    state = _advance(grammar, state, words, token)
                    if state is None:
                        continue
                entry = grown[longer] = _Prefix(NEVER, NEVER, state)
            entry.word = _add(entry.word, gain)
    return grown


def _advance(
    grammar: Grammar, state: State | None, words: tuple[int, ...], token: int
) -> State | None:
    """The grammar's state after one more word; None where no accepted answer goes on like this."""
    if state is None:
        return None
    if token == OTHER:
        # After an answer has begun, <other> may only close it.
        begun = any(word != OTHER for word in words)
        return state if not begun or state.complete else None
    closed = words and words[-1] == OTHER and any(word != OTHER for word in words)
    return None if closed else grammar.advance(state, VOCABULARY[token])


def align(log_probs: NDArray[np.float32], tokens: tuple[int, ...]) -> list[tuple[int, int, float]]:
    """Where each word of a sequence was said, by the best CTC path (Viterbi).

    Args:
        log_probs: [n_frames, vocabulary] float32.
        tokens: token ids, at least one, that fit into the frames.

    Returns:
        For each token: first frame, frame after its last, mean probability (0..1) over its frames.
    """
    n_states = 2 * len(tokens) + 1
    labels = [BLANK] * n_states
    labels[1::2] = tokens
    # A word may follow the one before without a blank, unless the two are the same.
    skips = [at % 2 == 1 and at > 1 and labels[at] != labels[at - 2] for at in range(n_states)]
    # Plain lists: at two dozen states a frame, numpy's calls would cost six times their work.
    emit = log_probs[:, labels].tolist()
    score = [emit[0][at] if at < 2 else NEVER for at in range(n_states)]
    back: list[list[int]] = []
    for frame in emit[1:]:
        before, moves = score, []
        score = []
        for at, own in enumerate(frame):
            best, move = before[at], 0
            if at and before[at - 1] > best:
                best, move = before[at - 1], 1
            if skips[at] and before[at - 2] > best:
                best, move = before[at - 2], 2
            score.append(best + own)
            moves.append(move)
        back.append(moves)
    state = n_states - 1 if score[-1] >= score[-2] else n_states - 2
    frames: list[list[int]] = [[] for _ in tokens]
    for at in range(len(emit) - 1, -1, -1):
        if state % 2:
            frames[state // 2].append(at)
        if at:
            state -= back[at - 1][state]
    result = []
    for token, held in zip(tokens, frames, strict=True):
        if not held:
            result.append((0, 0, 0.0))
            continue
        mean = float(np.exp(log_probs[held, token].mean()))
        result.append((held[-1], held[0] + 1, mean))
    return result
