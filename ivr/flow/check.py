"""The checks of a flow as a whole: every step is reached, every path ends, every value is there.

Theory of operation: steps are nodes, and what may follow them are edges (`ivr.flow.graph`).
Reachability runs forwards from the start, "can end" backwards from the ends. A circle of steps that
ask nothing would never be left, for nothing but an answer takes time. What a step says on its own
is for `ivr.flow.check_steps`, which variables have a value for `ivr.flow.check_values`.

Every mistake is told, unless it may be but the shadow of another: where steps are named that do not
exist, the ways are not walked.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr.errors import FlowError
from ivr.flow.check_languages import check_languages
from ivr.flow.check_steps import check_steps, check_types
from ivr.flow.check_values import check_values
from ivr.flow.graph import Edge, closure, edges
from ivr.flow.mistakes import unknown
from ivr.flow.model import AskStep, CaptureStep, EndStep, Flow, MessageStep, TransferStep
from ivr.flow.source import Path, Source
from ivr.grammar.lists import keys_of


def check_flow(flow: Flow, source: Source) -> list[FlowError]:
    """What is wrong with a flow: it names what does not exist, cannot be reached or cannot end."""
    found = [*_check_start(flow, source), *check_steps(flow, source)]
    if found:
        return [*found, *_check_said(flow, source)]
    ways = list(edges(flow))
    found = list(_check_targets(flow, ways, source))
    if found:
        return [*found, *_check_said(flow, source)]
    return [
        *_check_said(flow, source),
        *_check_reached(flow, ways, source),
        *_check_ends(flow, ways, source),
        *_check_loops(flow, ways, source),
        *check_values(flow, ways, source),
        *_check_lists(flow, source),
    ]


def _check_said(flow: Flow, source: Source) -> Iterator[FlowError]:
    yield from check_types(flow, source)
    yield from check_languages(flow, source)


def _check_start(flow: Flow, source: Source) -> Iterator[FlowError]:
    if flow.start not in flow.steps:
        yield source.error(("start",), unknown("step", flow.start, flow.steps))


def _check_targets(flow: Flow, ways: list[Edge], source: Source) -> Iterator[FlowError]:
    told = set()
    for way in ways:
        if way.target in flow.steps:
            continue
        path: Path = ("steps", way.origin, *way.path)
        if path not in source.lines:
            path = way.path if way.path == ("on_operator",) else ("defaults", *way.path)
        if path not in told:
            yield source.error(path, unknown("step", way.target, flow.steps))
        told.add(path)


def _check_loops(flow: Flow, ways: list[Edge], source: Source) -> Iterator[FlowError]:
    silent = [
        (way.origin, way.target)
        for way in ways
        if not isinstance(flow.steps[way.origin], AskStep | MessageStep | EndStep)
    ]
    for name in flow.steps:
        after = [target for origin, target in silent if origin == name]
        if name in closure(after, silent):
            yield source.error(
                ("steps", name),
                "a circle of steps leads back here without a question; a call would never leave "
                "it: let it pass a step that asks",
            )


def _check_reached(flow: Flow, ways: list[Edge], source: Source) -> Iterator[FlowError]:
    reached = closure({flow.start}, [(way.origin, way.target) for way in ways])
    for name in flow.steps:
        if name not in reached:
            yield source.error(
                ("steps", name), "never reached; lead to it from another step or remove it"
            )


def _check_ends(flow: Flow, ways: list[Edge], source: Source) -> Iterator[FlowError]:
    ends = {n for n, step in flow.steps.items() if isinstance(step, EndStep | TransferStep)}
    ending = closure(ends, [(way.target, way.origin) for way in ways])
    for name in flow.steps:
        if name not in ending:
            yield source.error(
                ("steps", name), 'no way from here to an end; lead to a step with "end: an_outcome"'
            )


def _check_lists(flow: Flow, source: Source) -> Iterator[FlowError]:
    steps = [step for step in flow.steps.values() if isinstance(step, CaptureStep)]
    used = {key.partition("@")[0] for step in steps for key in keys_of(step.grammar)}
    for name in flow.lists:
        if name not in used:
            yield source.error(
                ("lists", name),
                f"never used; name it in a grammar, as builtin:digits?list={name}, or remove it",
            )
