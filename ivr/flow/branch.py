"""Which way a ``branch`` takes: the first case whose tests all hold, else the rest.

Values are text. ``equals`` and ``in`` compare them as they are; the bounds compare numbers,
exactly, and hold for no text that is no number. A variable without a value is empty, and no other
test holds for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from ivr.flow.model import BranchStep, Case

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_BOUNDS: Final[dict[str, Callable[[Decimal, Decimal], bool]]] = {
    "above": Decimal.__gt__,
    "below": Decimal.__lt__,
    "at_least": Decimal.__ge__,
    "at_most": Decimal.__le__,
}


def follow(step: BranchStep, values: Mapping[str, str]) -> str:
    """The step that follows.

    Args:
        step: the branch.
        values: of the variables that have one.
    """
    return next((case.next for case in step.branch if holds(case, values)), step.otherwise)


def holds(case: Case, values: Mapping[str, str]) -> bool:
    """Whether all tests of a case hold."""
    value = values.get(case.variable, "")
    if not value:
        return case.empty is True  # which no other test stands beside
    if case.empty:
        return False
    if case.equals is not None and value != case.equals:
        return False
    if case.one_of is not None and value not in case.one_of:
        return False
    return _within(case, value)


def bounds(case: Case) -> tuple[str, ...]:
    """The keys of a case that compare numbers."""
    return tuple(key for key in _BOUNDS if getattr(case, key) is not None)


def is_number(value: str) -> bool:
    """Whether a value can be compared with a bound."""
    return _NUMBER.fullmatch(value) is not None


def _within(case: Case, value: str) -> bool:
    keys = bounds(case)
    if not keys:
        return True
    return is_number(value) and all(
        _BOUNDS[key](Decimal(value), Decimal(str(getattr(case, key)))) for key in keys
    )
