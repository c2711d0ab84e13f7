"""What a check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is.

    Attributes:
        name: of what was looked at.
        state: ``fail`` keeps calls from being answered, or their records from being kept; ``warn``
            does not, or could not be looked at.
        said: what was found, in one sentence; no secret.
        cure: what to do; empty where nothing is wrong.
    """

    name: str
    state: State
    said: str
    cure: str = ""

    def document(self) -> dict[str, str]:
        """For machines."""
        return asdict(self)


def ok(name: str, said: str) -> Finding:
    """Nothing is wrong."""
    return Finding(name, "ok", said)


def warn(name: str, said: str, cure: str) -> Finding:
    """Calls are answered all the same."""
    return Finding(name, "warn", said, cure)


def fail(name: str, said: str, cure: str) -> Finding:
    """Calls are not answered, or not kept."""
    return Finding(name, "fail", said, cure)
