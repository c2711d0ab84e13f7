"""What was said beside what was heard: the cheapest alignment of two strings of symbols."""

from __future__ import annotations

from collections.abc import Sequence

GAP = ""  # stands beside a symbol that was inserted or deleted


def align(expected: Sequence[str], heard: Sequence[str]) -> list[tuple[str, str]]:
    """The cheapest alignment (Levenshtein); of equally cheap ones, that with most substitutions.

    Returns:
        Pairs of an expected symbol and what was heard for it: `GAP` on the left of an insertion, on
        the right of a deletion.
    """
    # costs[i][j]: of turning the first i expected symbols into the first j heard ones.
    costs = [list(range(len(heard) + 1))]
    for i, wanted in enumerate(expected, start=1):
        above, row = costs[-1], [i]
        for j, got in enumerate(heard, start=1):
            row.append(min(above[j - 1] + (wanted != got), row[j - 1] + 1, above[j] + 1))
        costs.append(row)
    pairs = []
    i, j = len(expected), len(heard)
    while i or j:
        cost = costs[i][j]
        if i and j and cost == costs[i - 1][j - 1] + (expected[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((expected[i], heard[j]))
        elif j and cost == costs[i][j - 1] + 1:
            j -= 1
            pairs.append((GAP, heard[j]))
        else:
            i -= 1
            pairs.append((expected[i], GAP))
    return pairs[::-1]


def edits(expected: Sequence[str], heard: Sequence[str]) -> tuple[int, int, int]:
    """Substitutions, insertions and deletions of the cheapest alignment."""
    pairs = align(expected, heard)
    insertions = sum(wanted == GAP for wanted, _ in pairs)
    deletions = sum(got == GAP for _, got in pairs)
    wrong = sum(wanted != got for wanted, got in pairs)
    return wrong - insertions - deletions, insertions, deletions
