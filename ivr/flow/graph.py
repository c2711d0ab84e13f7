"""The flow as a graph: steps are nodes, what may follow them are edges.

The checks (`ivr.flow.check`) and the drawing walk the same edges, so what is drawn is what was
checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ivr.flow.model import (
    AskStep,
    BranchStep,
    CaptureStep,
    ConfirmStep,
    Flow,
    LookupStep,
    MenuStep,
    MessageStep,
    SayStep,
    SetStep,
    TransferStep,
)
from ivr.flow.source import Path


class Edge(NamedTuple):
    """A way from one step to the next.

    Attributes:
        origin: the step that it leaves.
        target: the step that follows; of an unchecked flow it may not exist.
        path: the key in the step that leads there: ``("next",)``, ``("menu", "1")``.
    """

    origin: str
    target: str
    path: Path


def edges(flow: Flow) -> Iterator[Edge]:  # noqa: PLR0912 - one branch a kind of step
    """Every way that a call can take, in the order of the file."""
    for name, step in flow.steps.items():
        if isinstance(step, SayStep | CaptureStep | SetStep):
            yield Edge(name, step.next, ("next",))
        if isinstance(step, ConfirmStep):
            yield Edge(name, step.yes, ("yes",))
            yield Edge(name, flow.after_no(step), ("no",))
        if isinstance(step, MenuStep):
            for choice, target in step.menu.items():
                yield Edge(name, target, ("menu", choice))
        if isinstance(step, LookupStep):
            yield Edge(name, step.found, ("found",))
            yield Edge(name, step.after_missing, ("missing",))
            yield Edge(name, step.failed, ("failed",))
        if isinstance(step, TransferStep):
            yield Edge(name, step.failed, ("failed",))
        if isinstance(step, MessageStep):
            yield Edge(name, step.next, ("next",))
            yield Edge(name, step.on_failure, ("on_failure",))
        if isinstance(step, BranchStep):
            for index, case in enumerate(step.branch):
                yield Edge(name, case.next, ("branch", index, "next"))
            yield Edge(name, step.otherwise, ("else",))
        if isinstance(step, CaptureStep) and step.on_ambiguous is not None:
            yield Edge(name, step.on_ambiguous, ("on_ambiguous",))
        if isinstance(step, AskStep):
            yield Edge(name, flow.listening(step).on_failure or "", ("on_failure",))
            operator = flow.operator(step)
            if operator is not None and flow.listening(step).commands:
                yield Edge(name, operator, ("on_operator",))


def closure(start: Iterable[str], arrows: Iterable[tuple[str, str]]) -> set[str]:
    """Everything that can be reached from some steps along arrows, themselves included."""
    follow: dict[str, list[str]] = {}
    for origin, target in arrows:
        follow.setdefault(origin, []).append(target)
    reached, waiting = set(start), list(start)
    while waiting:
        for target in follow.get(waiting.pop(), ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached
