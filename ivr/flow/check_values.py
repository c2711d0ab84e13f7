"""Whether every variable has a value where it is used, whichever way a call came there.

Theory of operation: a forward data-flow analysis. What is certain at a step is what is certain on
*every* way to it, so the sets begin full and shrink until nothing changes. A capture adds its
variable on the way out and takes it away on the way in and on failure; a no at the confirmation
takes it away as well; a lookup adds its results where it found something, and takes them away where
not; a set adds, and a branch knows on each way what its tests have told. `ivr.flow.machine` does
exactly the same with the values.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr.errors import FlowError
from ivr.flow.graph import Edge
from ivr.flow.mistakes import unknown
from ivr.flow.model import (
    BranchStep,
    CaptureStep,
    Case,
    ConfirmStep,
    Flow,
    LookupStep,
    MessageStep,
    SetStep,
    Step,
    TransferStep,
)
from ivr.flow.source import Source
from ivr.flow.steps import UNCLEAR_PLACES, texts
from ivr.flow.text import names, parse_template


def check_values(flow: Flow, ways: list[Edge], source: Source) -> Iterator[FlowError]:
    """Where a variable is used that could have no value."""
    certain = _certain(flow, ways)
    for name, step in flow.steps.items():
        if isinstance(step, ConfirmStep) and step.confirm not in certain[name]:
            yield source.error(("steps", name, "confirm"), _absent(flow, step.confirm))
        for place, text in texts(step):
            for variable in text.variables:
                if variable not in certain[name] and not (
                    place == ("unclear",) and variable in UNCLEAR_PLACES
                ):
                    yield source.error(("steps", name, *place), _absent(flow, variable))
        yield from _check_asked(flow, name, step, certain[name], source)
        if isinstance(step, SetStep):
            yield from _check_copied(flow, name, step, certain[name], source)
        if isinstance(step, BranchStep):
            yield from _check_tested(flow, name, step, certain[name], source)


def _check_asked(
    flow: Flow, name: str, step: Step, known: frozenset[str], source: Source
) -> Iterator[FlowError]:
    """What a lookup is asked with, or a transfer dials, has a value."""
    used: tuple[str, ...] = ()
    if isinstance(step, LookupStep):
        used = tuple(dict.fromkeys(step.lookup.variables()))
    if isinstance(step, TransferStep):
        used = names(parse_template(step.transfer))
    for variable in used:
        if variable not in known:
            key = "lookup" if isinstance(step, LookupStep) else "transfer"
            yield source.error(("steps", name, key), _absent(flow, variable))


def _check_copied(
    flow: Flow, name: str, step: SetStep, known: frozenset[str], source: Source
) -> Iterator[FlowError]:
    """What a set step's texts speak has a value, if only by the text before."""
    for variable, said in step.set.items():
        for spoken in names(parse_template(said)):
            if spoken not in known:
                yield source.error(("steps", name, "set", variable), _absent(flow, spoken))
        known |= {variable}


def _check_tested(
    flow: Flow, name: str, step: BranchStep, known: frozenset[str], source: Source
) -> Iterator[FlowError]:
    """Only ``empty`` may look at a variable that could have no value."""
    every = flow.all_variables()
    for index, case in enumerate(step.branch):
        here = ("steps", name, "branch", index)
        if case.variable not in every:
            yield source.error((*here, "if"), unknown("variable", case.variable, every))
        if case.variable not in known and case.empty is None:
            yield source.error((*here, "if"), _absent(flow, case.variable))
        known = _after_case(case, known, taken=False)


def _absent(flow: Flow, variable: str) -> str:
    if flow.capturers(variable):
        return (
            f'"{variable}" has no value yet on some way to this step; capture it before on every '
            "way, or do not speak it here"
        )
    if flow.lookers(variable):
        return (
            f'"{variable}" has no value yet on some way to this step; look it up before on every '
            'way, or give it a text under "variables:"'
        )
    if flow.setters(variable):
        return (
            f'"{variable}" has no value yet on some way to this step; set it before on every way, '
            'or give it a text under "variables:"'
        )
    return unknown("variable", variable, flow.all_variables())


def _certain(flow: Flow, ways: list[Edge]) -> dict[str, frozenset[str]]:
    """For each step, the variables that hold a value whichever way the call came there."""
    given = frozenset(flow.variables)
    certain = dict.fromkeys(flow.steps, flow.all_variables())
    certain[flow.start] = given
    changed = True
    while changed:
        changed = False
        for name, step in flow.steps.items():
            if isinstance(step, CaptureStep) and step.capture in certain[name]:
                certain[name] -= {step.capture}
                changed = True
        for way in ways:
            narrowed = certain[way.target] & _after(flow, way, certain[way.origin])
            if narrowed != certain[way.target]:
                certain[way.target] = narrowed
                changed = True
    return certain


def _after(flow: Flow, way: Edge, before: frozenset[str]) -> frozenset[str]:
    """The variables with a value when a step is left by one of its edges."""
    step, key = flow.steps[way.origin], way.path[0]
    if isinstance(step, CaptureStep | MessageStep):
        given = step.capture if isinstance(step, CaptureStep) else step.record
        has_value = key in ("next", "on_ambiguous")
        return before | {given} if has_value else before - {given}
    if isinstance(step, ConfirmStep) and key != "yes":
        return before - {step.confirm}
    if isinstance(step, SetStep):
        return before.union(step.set)
    if isinstance(step, LookupStep):
        results = frozenset(step.results)
        return before | results if key == "found" else before - (results - flow.variables.keys())
    if isinstance(step, BranchStep):
        taken = way.path[1] if key == "branch" else None
        for index, case in enumerate(step.branch):
            if index == taken:
                return _after_case(case, before, taken=True)
            before = _after_case(case, before, taken=False)
    return before


def _after_case(case: Case, before: frozenset[str], *, taken: bool) -> frozenset[str]:
    """What a case has told: any test but ``empty: true`` holds for a value alone."""
    has_value = not case.empty if taken else case.empty
    return before | {case.variable} if has_value else before
