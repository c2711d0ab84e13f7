"""Beam search over the pieces of a stock Whisper, held to a grammar, with what it leaves out.

Theory of operation: the decoder gives the log-probability of every next piece, its whole vocabulary
counted. The search follows only pieces that spell answers the grammar accepts (`ivr.asr.spelling`),
and ends a row only where the answer is complete. What it does not follow is not lost: the rows are
the branches of a tree, and from its leaves back to its root the search adds up how likely the
decoder thought that an accepted answer was said at all. There are more ways to write sixteen digits
than any beam can hold; so a branch that was dropped for others counts as they turned out, for an
answer too. Otherwise "eight" would beat every string that begins with it: it has few spellings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.asr.model_files import StockPieces
from ivr.asr.spelling import Spelled, begin, end, spell
from ivr.grammar.grammar import Grammar

# What is that far below the best (natural log) holds less than a thousandth of it: a row below the
# best finished one, a piece below the best piece that may follow.
HOPELESS = 7.0
# A row that stayed inside the grammar by less than a millionth is no answer, whatever follows.
UNHEARD = 14.0


class Decoder(Protocol):
    """The decoder of one recording, which remembers what it was fed."""

    def step(self, pieces: list[int], parents: list[int]) -> NDArray[np.float32]:
        """Feeds one more piece to each row.

        Args:
            pieces: [rows], the piece of each.
            parents: [rows], which row of the step before each goes on; [0] at the first.

        Returns:
            [rows, n_pieces] float32, log-probability of every next piece.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer in one spelling.

    Attributes:
        words: the spoken words; at least one.
        score: its log-probability, given that the text is not empty; spellings that were not
            followed counted.
    """

    words: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        answers: best first, spellings apart; maybe none.
        no_speech: probability (0..1) of Whisper's own sign that nobody speaks.
        end_at_once: probability (0..1) that the text is empty.
        answered: probability (0..1) that an accepted answer was said, given that the text is not
            empty; spellings that were not followed counted.
    """

    answers: tuple[Answer, ...]
    no_speech: float
    end_at_once: float
    answered: float


@dataclass(slots=True)
class _Row:
    """A beginning of an answer, a branch of the tree.

    Attributes:
        spelled: what it spells.
        score: log-probability of its pieces.
        weight: the same, and of the pieces that were dropped for its own.
        probability: that of its last piece, after those before.
        kept: log-probability of having stayed inside the grammar up to here.
        ended: probability that it ends here, where it is an answer.
        inside: probability that it ends as an answer or goes on inside the grammar.
        followed: the ways to go on that the beam took.
    """

    spelled: Spelled
    score: float = 0.0
    weight: float = 0.0
    probability: float = 1.0
    kept: float = 0.0
    ended: float = 0.0
    inside: float = 0.0
    followed: list[_Row] = field(default_factory=list)

    def share_out(self) -> None:
        """Gives the rows that follow the weight of those that were dropped for them."""
        taken = sum(row.probability for row in self.followed)
        for row in self.followed:
            share = row.probability / taken * (self.inside - self.ended)
            row.weight = self.weight + math.log(max(share, 1e-30))

    def answered(self) -> float:
        """Probability that an accepted answer begins like this, given that it does begin so."""
        taken = sum(row.probability for row in self.followed)
        came_out = sum(row.probability * row.answered() for row in self.followed)
        dropped = max(0.0, self.inside - self.ended - taken)
        return self.ended + came_out + dropped * (came_out / taken if taken else 1.0)


def piece_search(
    decoder: Decoder, pieces: StockPieces, grammar: Grammar, *, beam: int, longest: int
) -> Found:
    """The most probable answers of one recording.

    Args:
        decoder: fed with nothing yet.
        pieces: what each of its pieces writes.
        grammar: what an answer must be.
        beam: rows kept after each piece.
        longest: pieces of an answer at most, its end included.
    """
    log_probs = decoder.step([pieces.prompt[0]], [0])
    no_speech = math.exp(log_probs[0, pieces.no_speech])
    for piece in pieces.prompt[1:]:
        log_probs = decoder.step([piece], [0])
    end_at_once = math.exp(log_probs[0, pieces.end])
    # An end at once is told apart, and never counted as leaving the grammar.
    log_probs = log_probs - np.float32(math.log(max(1.0 - end_at_once, 1e-9)))
    root = _Row(begin(grammar))
    rows, answers = [root], list[Answer]()
    for left in range(longest - 1, -1, -1):
        ways: list[tuple[_Row, int, int]] = []
        for number, row in enumerate(rows):
            words, grown = _go_on(grammar, pieces, row, log_probs[number], beam)
            if words:
                answers.append(Answer(words, row.weight + float(log_probs[number, pieces.end])))
            ways += [(longer, piece, number) for longer, piece in grown]
        ways = [way for way in ways if way[0].kept > -UNHEARD]
        ways = sorted(ways, key=lambda way: way[0].score, reverse=True)[:beam]
        for longer, _, number in ways:
            rows[number].followed.append(longer)
        for row in rows:
            row.share_out()
        worthwhile = max((answer.score for answer in answers), default=-math.inf) - HOPELESS
        ways = [way for way in ways if way[0].weight > worthwhile]
        if not ways or not left:
            break
        rows = [longer for longer, _, _ in ways]
        log_probs = decoder.step([piece for _, piece, _ in ways], [number for _, _, number in ways])
    ranked = sorted(answers, key=lambda answer: answer.score, reverse=True)
    return Found(tuple(ranked), no_speech, end_at_once, min(1.0, root.answered()))


def _go_on(
    grammar: Grammar, pieces: StockPieces, row: _Row, log_probs: NDArray[np.float32], beam: int
) -> tuple[tuple[str, ...], list[tuple[_Row, int]]]:
    """The words of a row if it may end here, and its best `beam` ways to go on by their pieces."""
    state = end(grammar, row.spelled)
    row.ended = math.exp(log_probs[pieces.end]) if state is not None else 0.0
    row.inside = row.ended
    ways: list[tuple[Spelled, int, float]] = []
    for piece in np.argsort(-log_probs).tolist():
        log_prob = float(log_probs[piece])
        if ways and log_prob < ways[0][2] - HOPELESS:
            break
        text = pieces.texts[piece]
        spelled = spell(grammar, row.spelled, text) if text else None
        if spelled is not None:
            row.inside += math.exp(log_prob)
            ways.append((spelled, piece, log_prob))
    kept = row.kept + math.log(min(1.0, max(row.inside, 1e-30)))
    grown = [
        (
            _Row(spelled, row.score + log_prob, probability=math.exp(log_prob), kept=kept),
            piece,
        )
        for spelled, piece, log_prob in ways[:beam]
    ]
    return state.words if state is not None else (), grown
