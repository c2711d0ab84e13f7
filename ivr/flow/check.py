"""The checks of a flow as a whole: every step is reached, every path ends, every value is there.

Theory of operation: steps are nodes, and what may follow them are edges (`ivr.flow.graph`).
Reachability runs forwards from the start, "can end" backwards from the ends. A circle of steps that
ask nothing would never be left, for nothing but an answer takes time. Which variables hold a value
is a forward
data-flow analysis: what is certain at a step is what is certain on *every* way to it, so the sets
begin full and shrink until nothing changes. A capture adds its variable on the way out and takes it
away on the way in and on failure; a no at the confirmation takes it away as well; a set adds, and a
branch knows on each way what its tests have told. `ivr.flow.machine` does exactly the same with the
values.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr.flow.branch import bounds, is_number
from ivr.flow.graph import Edge, closure, edges
from ivr.flow.mistakes import unknown
from ivr.flow.model import (
    AskStep,
    BranchStep,
    CaptureStep,
    Case,
    ConfirmStep,
    EndStep,
    Flow,
    LookupStep,
    SetStep,
)
from ivr.flow.parts import Text
from ivr.flow.source import Path, Source
from ivr.flow.text import names, parse_template
from ivr.grammar.lists import keys_of

_NO_NUMBERS = tuple(f"builtin:{kind}" for kind in ("boolean", "date", "expiry", "natural"))
UNCLEAR_PLACES = ("heard", "group")  # what the text for an unclear group can speak besides


def check_flow(flow: Flow, source: Source) -> None:
    """Refuse a flow that names what does not exist, cannot be reached or cannot end.

    Raises:
        FlowError: the first mistake found.
    """
    if flow.start not in flow.steps:
        raise source.error(("start",), unknown("step", flow.start, flow.steps))
    for name, step in flow.steps.items():
        if isinstance(step, AskStep):
            _check_asking(flow, name, step, source)
        if isinstance(step, SetStep):
            _check_setting(flow, name, step, source)
        if isinstance(step, LookupStep):
            _check_results(flow, name, step, source)
        if isinstance(step, BranchStep):
            _check_numbers(flow, name, step, source)
    ways = list(edges(flow))
    for way in ways:
        if way.target not in flow.steps:
            path: Path = ("steps", way.origin, *way.path)
            if path not in source.lines:
                path = way.path if way.path == ("on_operator",) else ("defaults", *way.path)
            raise source.error(path, unknown("step", way.target, flow.steps))
    _check_reached(flow, ways, source)
    _check_ends(flow, ways, source)
    _check_loops(flow, ways, source)
    _check_values(flow, ways, source)
    _check_lists(flow, source)


def texts(step: object) -> Iterator[tuple[Path, Text]]:
    """Every text that a step can say, with its place in the step: ``("no_input", 0)``."""
    for key in ("say", "prompt", "help", "restarted", "unclear"):
        if isinstance(text := getattr(step, key, None), Text):
            yield (key,), text
    for key in ("no_input", "no_match", "rejected"):
        for index, text in enumerate(getattr(step, key, ())):
            yield (key, index), text


def _check_asking(flow: Flow, name: str, step: AskStep, source: Source) -> None:
    here = ("steps", name)
    listening = flow.listening(step)
    if not (listening.speech or listening.dtmf):
        raise source.error(here, "nothing can be answered; let speech or dtmf be true")
    if listening.on_failure is None:
        raise source.error(
            here,
            'nothing follows the last failure; add "on_failure: a_step" here or to defaults',
        )
    for key in ("no_input", "no_match", "rejected"):
        said = len(getattr(step, key, ()))
        if said >= listening.attempts:
            raise source.error(
                (*here, key, listening.attempts - 1),
                f"never spoken: the attempt number {listening.attempts} is the last; "
                f"raise attempts to {said + 1} or remove the text",
            )
    if isinstance(step, CaptureStep) and step.unclear is not None and len(step.groups) < 2:
        raise source.error(
            (*here, "unclear"), 'there are no groups to tell apart; add "groups: [4, 4]" beside it'
        )
    if isinstance(step, CaptureStep) and step.capture in flow.variables:
        raise source.error(
            (*here, "capture"), f'"{step.capture}" stands in variables as well; rename one of them'
        )
    if isinstance(step, ConfirmStep):
        capturers = flow.capturers(step.confirm)
        if not capturers:
            known = [
                other.capture for other in flow.steps.values() if isinstance(other, CaptureStep)
            ]
            raise source.error(
                (*here, "confirm"), unknown("captured variable", step.confirm, known)
            )
        if step.no is None and len(capturers) > 1:
            raise source.error(
                here,
                f'{" and ".join(capturers)} capture it; say with "no: a_step" where to ask again',
            )


def _check_setting(flow: Flow, name: str, step: SetStep, source: Source) -> None:
    for variable, text in step.set.items():
        here = ("steps", name, "set", variable)
        if capturers := flow.capturers(variable):
            raise source.error(
                here, f"{' and '.join(capturers)} captures it as well; rename one of the variables"
            )
        for spoken in names(parse_template(text)):
            kept = flow.kept(spoken) - {"plain"}
            if kept:
                raise source.error(
                    here,
                    f'"{spoken}" is kept {min(kept)} and a copy of it would be kept plain; leave '
                    "it out of this text",
                )


def _check_results(flow: Flow, name: str, step: LookupStep, source: Source) -> None:
    for variable in step.results:
        if capturers := flow.capturers(variable):
            raise source.error(
                ("steps", name, "results", variable),
                f"{' and '.join(capturers)} captures it as well; rename one of the variables",
            )


def _check_numbers(flow: Flow, name: str, step: BranchStep, source: Source) -> None:
    """Bounds are for variables that can hold a number."""
    for index, case in enumerate(step.branch):
        if not (keys := bounds(case)):
            continue
        texts_set = [
            other.set[case.variable]
            for other in flow.steps.values()
            if isinstance(other, SetStep) and case.variable in other.set
        ]
        texts_set += filter(None, [flow.variables.get(case.variable)])
        wrong = [text for text in texts_set if "{" not in text and not is_number(text)]
        wrong += [
            kind
            for capture in flow.captures(case.variable)
            for kind in _NO_NUMBERS
            if kind in capture.grammar
        ]
        if wrong:
            raise source.error(
                ("steps", name, "branch", index, keys[0]),
                f'"{case.variable}" can be no number ({wrong[0]}); test it with equals or in',
            )


def _check_loops(flow: Flow, ways: list[Edge], source: Source) -> None:
    silent = [
        (way.origin, way.target)
        for way in ways
        if not isinstance(flow.steps[way.origin], AskStep | EndStep)
    ]
    for name in flow.steps:
        after = [target for origin, target in silent if origin == name]
        if name in closure(after, silent):
            raise source.error(
                ("steps", name),
                "a circle of steps leads back here without a question; a call would never leave "
                "it: let it pass a step that asks",
            )


def _check_reached(flow: Flow, ways: list[Edge], source: Source) -> None:
    reached = closure({flow.start}, [(way.origin, way.target) for way in ways])
    for name in flow.steps:
        if name not in reached:
            raise source.error(
                ("steps", name), "never reached; lead to it from another step or remove it"
            )


def _check_ends(flow: Flow, ways: list[Edge], source: Source) -> None:
    ends = {name for name, step in flow.steps.items() if isinstance(step, EndStep)}
    ending = closure(ends, [(way.target, way.origin) for way in ways])
    for name in flow.steps:
        if name not in ending:
            raise source.error(
                ("steps", name), 'no way from here to an end; lead to a step with "end: an_outcome"'
            )


def _check_values(flow: Flow, ways: list[Edge], source: Source) -> None:
    certain = _certain(flow, ways)
    for name, step in flow.steps.items():
        if isinstance(step, ConfirmStep) and step.confirm not in certain[name]:
            raise source.error(("steps", name, "confirm"), _absent(flow, step.confirm))
        for place, text in texts(step):
            for variable in text.variables:
                if variable not in certain[name] and not (
                    place == ("unclear",) and variable in UNCLEAR_PLACES
                ):
                    raise source.error(("steps", name, *place), _absent(flow, variable))
        if isinstance(step, LookupStep):
            for variable in step.lookup.variables():
                if variable not in certain[name]:
                    raise source.error(("steps", name, "lookup"), _absent(flow, variable))
        if isinstance(step, SetStep):
            _check_copied(flow, name, step, certain[name], source)
        if isinstance(step, BranchStep):
            _check_tested(flow, name, step, certain[name], source)


def _check_copied(
    flow: Flow, name: str, step: SetStep, known: frozenset[str], source: Source
) -> None:
    """What a set step's texts speak has a value, if only by the text before."""
    for variable, said in step.set.items():
        for spoken in names(parse_template(said)):
            if spoken not in known:
                raise source.error(("steps", name, "set", variable), _absent(flow, spoken))
        known |= {variable}


def _check_tested(
    flow: Flow, name: str, step: BranchStep, known: frozenset[str], source: Source
) -> None:
    """Only ``empty`` may look at a variable that could have no value."""
    every = flow.all_variables()
    for index, case in enumerate(step.branch):
        here = ("steps", name, "branch", index)
        if case.variable not in every:
            raise source.error((*here, "if"), unknown("variable", case.variable, every))
        if case.variable not in known and case.empty is None:
            raise source.error((*here, "if"), _absent(flow, case.variable))
        known = _after_case(case, known, taken=False)


def _check_lists(flow: Flow, source: Source) -> None:
    steps = [step for step in flow.steps.values() if isinstance(step, CaptureStep)]
    used = {key.partition("@")[0] for step in steps for key in keys_of(step.grammar)}
    for name in flow.lists:
        if name not in used:
            raise source.error(
                ("lists", name),
                f"never used; name it in a grammar, as builtin:digits?list={name}, or remove it",
            )


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
    if isinstance(step, CaptureStep):
        has_value = key in ("next", "on_ambiguous")
        return before | {step.capture} if has_value else before - {step.capture}
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
