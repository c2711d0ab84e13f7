"""The checks of each step on its own: what its keys say together, and the kinds of its values."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.errors import FlowError
from ivr.flow.branch import bounds, is_number
from ivr.flow.mistakes import unknown
from ivr.flow.model import (
    AskStep,
    BranchStep,
    CaptureStep,
    ConfirmStep,
    Flow,
    LookupStep,
    SetStep,
    TransferStep,
)
from ivr.flow.parts import Text
from ivr.flow.source import Source
from ivr.flow.steps import UNCLEAR_PLACES, texts
from ivr.flow.text import FITTING, Placeholder, names, parse_template, placeholders
from ivr.flow.values import TEXT, is_canonical

_NO_NUMBERS = tuple(f"builtin:{kind}" for kind in ("boolean", "date", "expiry", "natural"))


def check_steps(flow: Flow, source: Source) -> Iterator[FlowError]:
    """What is wrong with steps by themselves."""
    for name, step in flow.steps.items():
        if isinstance(step, AskStep):
            yield from _check_asking(flow, name, step, source)
        if isinstance(step, SetStep):
            yield from _check_setting(flow, name, step, source)
        if isinstance(step, LookupStep):
            yield from _check_results(flow, name, step, source)
        if isinstance(step, TransferStep):
            yield from _check_dialled(flow, name, step, source)
        if isinstance(step, BranchStep):
            yield from _check_numbers(flow, name, step, source)


def check_types(flow: Flow, source: Source) -> Iterator[FlowError]:
    """Where a value is of another kind than it is used as."""
    every = flow.all_variables()
    for name, kind in flow.types.items():
        here = ("types", name)
        if capturers := flow.capturers(name):
            yield source.error(here, f"{capturers[0]} captures it: its grammar says it; remove it")
        elif name not in every:
            yield source.error(here, unknown("variable", name, every))
        constant = flow.variables.get(name)
        if constant is not None and not is_canonical(kind, constant):
            yield source.error(("variables", name), f"is no {kind}; {_WRITTEN[kind]}")
    for name, step in flow.steps.items():
        for place, text in texts(step):
            for spoken in _spoken(text):
                if spoken.name not in every:
                    if place != ("unclear",) or spoken.name not in UNCLEAR_PLACES:
                        message = unknown("variable", spoken.name, every)
                        yield source.error(("steps", name, *place), message)
                elif (kind := flow.kind(spoken.name)) not in FITTING[spoken.form]:
                    yield source.error(
                        ("steps", name, *place),
                        f'"{spoken.name}" is {kind} and cannot be spoken as {spoken.form}; '
                        + _cure(flow, spoken),
                    )
        if isinstance(step, SetStep):
            yield from _check_set_types(flow, name, step, source)


def _cure(flow: Flow, spoken: Placeholder) -> str:
    if flow.capturers(spoken.name) or spoken.name in flow.types:
        return f"write {{{spoken.name}}}"
    return f'say its kind with "types: {{{spoken.name}: {FITTING[spoken.form][0]}}}"'


def _spoken(text: Text) -> Iterator[Placeholder]:
    for words in text.versions():
        yield from placeholders(parse_template(words))


_WRITTEN = {
    "digits": "write the digits 0 to 9 alone",
    "number": "write a number such as 12 or -3.5",
    "amount": "write it with two digits after the point, as 12.50",
    "date": "write it as 1969-06-23",
    "boolean": "write yes or no",
}


def _check_set_types(flow: Flow, name: str, step: SetStep, source: Source) -> Iterator[FlowError]:
    for variable, text in step.set.items():
        kind = flow.types.get(variable, TEXT)
        template = parse_template(text)
        spoken = placeholders(template)
        copied = len(template) == 1 and spoken and flow.kind(spoken[0].name) == kind
        if kind == TEXT or copied or (not spoken and is_canonical(kind, text)):
            continue
        cure = f"copy a variable of this kind, or {_WRITTEN[kind]}"
        yield source.error(("steps", name, "set", variable), f'"{variable}" is {kind}; {cure}')


def _check_asking(flow: Flow, name: str, step: AskStep, source: Source) -> Iterator[FlowError]:
    here = ("steps", name)
    listening = flow.listening(step)
    if not (listening.speech or listening.dtmf):
        yield source.error(here, "nothing can be answered; let speech or dtmf be true")
    if listening.on_failure is None:
        yield source.error(
            here,
            'nothing follows the last failure; add "on_failure: a_step" here or to defaults',
        )
    for key in ("no_input", "no_match", "rejected"):
        said = len(getattr(step, key, ()))
        if said >= listening.attempts:
            yield source.error(
                (*here, key, listening.attempts - 1),
                f"never spoken: the attempt number {listening.attempts} is the last; "
                f"raise attempts to {said + 1} or remove the text",
            )
    if isinstance(step, CaptureStep) and step.unclear is not None and len(step.groups) < 2:
        yield source.error(
            (*here, "unclear"), 'there are no groups to tell apart; add "groups: [4, 4]" beside it'
        )
    if isinstance(step, CaptureStep) and step.capture in flow.variables:
        yield source.error(
            (*here, "capture"), f'"{step.capture}" stands in variables as well; rename one of them'
        )
    if isinstance(step, ConfirmStep):
        capturers = flow.capturers(step.confirm)
        if not capturers:
            known = [
                other.capture for other in flow.steps.values() if isinstance(other, CaptureStep)
            ]
            yield source.error(
                (*here, "confirm"), unknown("captured variable", step.confirm, known)
            )
        if step.no is None and len(capturers) > 1:
            yield source.error(
                here,
                f'{" and ".join(capturers)} capture it; say with "no: a_step" where to ask again',
            )


def _check_setting(flow: Flow, name: str, step: SetStep, source: Source) -> Iterator[FlowError]:
    for variable, text in step.set.items():
        here = ("steps", name, "set", variable)
        if capturers := flow.capturers(variable):
            yield source.error(
                here, f"{' and '.join(capturers)} captures it as well; rename one of the variables"
            )
        for spoken in names(parse_template(text)):
            kept = flow.kept(spoken) - {"plain"}
            if kept:
                yield source.error(
                    here,
                    f'"{spoken}" is kept {min(kept)} and a copy of it would be kept plain; leave '
                    "it out of this text",
                )


def _check_results(flow: Flow, name: str, step: LookupStep, source: Source) -> Iterator[FlowError]:
    for variable in step.results:
        if capturers := flow.capturers(variable):
            yield source.error(
                ("steps", name, "results", variable),
                f"{' and '.join(capturers)} captures it as well; rename one of the variables",
            )


def _check_dialled(
    flow: Flow, name: str, step: TransferStep, source: Source
) -> Iterator[FlowError]:
    """A caller who could say any number would telephone at our cost."""
    said = flow.said_by_caller().intersection(names(parse_template(step.transfer)))
    if said and not step.from_caller:
        yield source.error(
            ("steps", name, "transfer"),
            f'"{min(said)}" is what the caller says; look the number up, or write "from_caller: '
            'true"',
        )


def _check_numbers(flow: Flow, name: str, step: BranchStep, source: Source) -> Iterator[FlowError]:
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
            yield source.error(
                ("steps", name, "branch", index, keys[0]),
                f'"{case.variable}" can be no number ({wrong[0]}); test it with equals or in',
            )
