"""Candidates as the tree of their beginnings, so that the decoder computes each beginning once.

Theory of operation: sixteen readings of one utterance differ in a word or two. The decoder sees
their distinct beginnings side by side, a node each; a node attends to its ancestors and itself, so
what it predicts is what it would predict in a row of its own (tree attention, as in speculative
decoding: Miao et al. 2023, "SpecInfer"). Each token of each candidate is then one prediction: at
the node of what came before it, of that token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.asr.tokens import EOT, SOT

UNSEEN = -1e4  # added to an attention score: as good as minus infinity, and no NaN in int8 graphs


@dataclass(frozen=True)
class PrefixTree:
    """The beginnings of some candidates, and where each of their tokens is predicted.

    Attributes:
        tokens: [n_nodes] int64, the last token of each beginning; the first is SOT.
        places: [n_nodes] int64, how many tokens come before it.
        mask: [n_nodes, n_nodes] float32, 0 where the row's node attends to the column's, else
            `UNSEEN`.
        parents: [n_predictions] int64, the node that predicts...
        following: [n_predictions] int64, ...this token.
        predictions: [n_candidates, longest + 1] int64, the prediction of each token of each
            candidate, EOT included; -1 behind its end.
    """

    tokens: NDArray[np.int64]
    places: NDArray[np.int64]
    mask: NDArray[np.float32]
    parents: NDArray[np.int64]
    following: NDArray[np.int64]
    predictions: NDArray[np.int64]

    @classmethod
    def of(cls, candidates: Sequence[tuple[int, ...]]) -> PrefixTree:
        """The tree of candidates, token ids without SOT and EOT; at least one."""
        nodes: dict[tuple[int, ...], int] = {(): 0}
        asked: dict[tuple[int, int], int] = {}
        width = max(len(ids) for ids in candidates) + 1
        predictions = np.full((len(candidates), width), -1, np.int64)
        for row, ids in enumerate(candidates):
            for place, token in enumerate((*ids, EOT)):
                node = nodes.setdefault(ids[:place], len(nodes))
                predictions[row, place] = asked.setdefault((node, token), len(asked))
        mask = np.full((len(nodes), len(nodes)), UNSEEN, np.float32)
        for ids, node in nodes.items():
            if ids:
                mask[node] = mask[nodes[ids[:-1]]]
            mask[node, node] = 0.0
        return cls(
            tokens=np.array([(SOT, *ids)[-1] for ids in nodes], np.int64),
            places=np.array([len(ids) for ids in nodes], np.int64),
            mask=mask,
            parents=np.array([node for node, _ in asked], np.int64),
            following=np.array([token for _, token in asked], np.int64),
            predictions=predictions,
        )

    def by_candidate(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores [n_predictions] as [n_candidates, longest + 1], zero behind the end of each."""
        return np.asarray(np.append(scores, np.float32(0.0))[self.predictions], dtype=np.float32)
