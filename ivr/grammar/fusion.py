"""What was heard twice: the answer that both hearings agree on.

Theory of operation: a caller who is asked again says the same number again, and the recogniser errs
in other places. So each hearing is a list of accepted values with a confidence, and the confidence
that a value was said is that of either hearing being right about it: ``1 - (1 - p)(1 - q)``. A
value that was heard only the first time does not come back: it was not sure enough then. Where a
caller contradicts what was heard first, the confidences add up to more than 1 and are scaled down.

The rule takes the hearings for independent, which two hearings of one voice are not quite; a
confirmation should follow, as after any answer.
"""

from __future__ import annotations

from collections.abc import Sequence

Values = Sequence[tuple[str, float]]  # accepted values with confidences, best first


def fuse(heard: Values, earlier: Values) -> tuple[tuple[str, float], ...]:
    """The values of the second hearing, each as sure as both hearings make it.

    Args:
        heard: values of the second hearing, none twice.
        earlier: values of the first.

    Returns:
        The surest first; of equals, the one that came first in `heard`.
    """
    before = dict(earlier)
    joined = [(value, 1.0 - (1.0 - p) * (1.0 - before.get(value, 0.0))) for value, p in heard]
    contradicted = [q for value, q in earlier if value not in dict(heard)]
    total = max(1.0, sum(p for _, p in joined) + sum(contradicted))
    ranked = sorted(joined, key=lambda item: -item[1])
    return tuple((value, p / total) for value, p in ranked)
