"""The tree of candidates' beginnings: nothing is lost, nothing is computed twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ivr.asr.prefix_tree import UNSEEN, PrefixTree
from ivr.asr.tokens import EOT, SOT

CANDIDATES = st.lists(
    st.lists(st.integers(4, 8), max_size=6).map(tuple), min_size=1, max_size=8, unique=True
)


def test_shared_beginnings_are_one_node() -> None:
    """Three readings that part at the third word: five beginnings instead of eight."""
    tree = PrefixTree.of([(5, 6, 7), (5, 6), (5, 8)])
    assert tree.tokens.tolist() == [SOT, 5, 6, 7, 8]
    assert tree.places.tolist() == [0, 1, 2, 3, 2]
    assert tree.predictions.shape == (3, 4)


@given(CANDIDATES)
def test_each_token_is_predicted_behind_what_came_before(
    candidates: list[tuple[int, ...]],
) -> None:
    """A node sees the path to it and no other, and every candidate ends with the end token."""
    tree = PrefixTree.of(candidates)
    paths = []
    for node, row in enumerate(tree.mask):
        seen = np.flatnonzero(row == 0.0)
        assert set(np.unique(row)) <= {0.0, np.float32(UNSEEN)}
        assert tree.places[node] == len(seen) - 1
        paths.append(tuple(tree.tokens[seen[np.argsort(tree.places[seen])]].tolist()))
    assert len(set(paths)) == len(paths)
    for row, ids in enumerate(candidates):
        for place, token in enumerate((*ids, EOT)):
            prediction = tree.predictions[row, place]
            assert paths[tree.parents[prediction]] == (SOT, *ids[:place])
            assert tree.following[prediction] == token


@given(CANDIDATES)
def test_scores_come_back_by_candidate(candidates: list[tuple[int, ...]]) -> None:
    """In order, nothing behind the end of each."""
    tree = PrefixTree.of(candidates)
    scores = -1.0 - np.arange(tree.parents.shape[0], dtype=np.float32)
    laid = tree.by_candidate(scores)
    for row, ids in enumerate(candidates):
        places = len(ids) + 1
        assert laid[row, :places].tolist() == [scores[p] for p in tree.predictions[row, :places]]
        assert not laid[row, places:].any()
