"""Flows that call flows: the steps of the called one are put in place of the step that calls it.

Theory of operation: a ``subflow`` step is replaced when the file is read. The called flow's steps
come in under the names ``STEP__THEIRS``, its variables likewise, but for those that are results:
they have the caller's names. The step itself becomes a ``set`` of the called flow's variables, and
its ends lead on as ``ends`` says. What the checks, the drawing and the dialogue see is one flow of
the other kinds, so a called flow is checked on every way of its caller, and a value that was
refused or is sensitive is treated as one everywhere. Each question takes its own file's
``defaults`` along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ivr.errors import FlowError
from ivr.flow.mistakes import unknown
from ivr.flow.model import (
    LANGUAGE,
    AskStep,
    BranchStep,
    ConfirmStep,
    EndStep,
    Flow,
    LookupStep,
    MenuStep,
    SayStep,
    SetStep,
    Step,
    SubflowStep,
    TransferStep,
)
from ivr.flow.parts import Text
from ivr.flow.source import Source
from ivr.flow.text import rename

_STEP_KEYS = (
    *("next", "yes", "no", "on_ambiguous", "on_failure", "on_operator", "otherwise"),
    *("found", "missing", "failed"),
)
_VARIABLE_KEYS = ("capture", "confirm", "record")


def expand(flow: Flow, source: Source, load: Callable[[str, str], Flow]) -> Flow:
    """A flow without ``subflow`` steps.

    Args:
        flow: as its file has it.
        source: of the file, for messages.
        load: reads and checks a called flow, given the step and its file; it is expanded itself.

    Raises:
        FlowError: a called flow is wrong, or does not fit the step that calls it.
    """
    steps: dict[str, Step] = {}
    inner: set[str] = set()
    called: list[Flow] = []
    types: dict[str, str] = {}
    wrong: list[FlowError] = []
    for name, step in flow.steps.items():
        if not isinstance(step, SubflowStep):
            steps[name] = step
            continue
        sub = load(name, step.subflow)
        if mistakes := list(_check_call(flow, name, step, sub, source)):
            wrong += mistakes
            continue
        inside = _Inside(name, step, sub)
        for new, put in inside.steps().items():
            if new in flow.steps and new != name:
                message = f"{name} calls a flow with this step; rename it"
                wrong.append(source.error(("steps", new), message))
            steps[new] = put
            source.lines.setdefault(("steps", new), source.line(("steps", name)))
        inner |= inside.hidden
        types.update(inside.types)
        called.append(sub)
    if wrong:
        raise FlowError.of(wrong)
    if not called:
        return flow
    whole = flow.model_copy(update={"steps": steps, "types": {**flow.types, **types}})
    whole.call(called, inner)
    return whole


def _check_call(
    flow: Flow, name: str, step: SubflowStep, sub: Flow, source: Source
) -> Iterator[FlowError]:
    """What the caller gives, takes and goes on with is what the called flow has."""
    here = ("steps", name)
    yield from _check_alike(flow, name, step, sub, source)
    for argument in step.arguments:
        if argument not in sub.variables:
            yield source.error(
                (*here, "arguments", argument), unknown("variable", argument, sub.variables)
            )
    for variable, text in sub.variables.items():
        if text is None and variable not in step.arguments:
            yield source.error(
                here, f'{step.subflow} needs a value for "{variable}"; add it to arguments'
            )
    made = sub.all_variables() - sub.variables.keys()
    for result, variable in step.results.items():
        if variable not in made:
            yield source.error((*here, "results", result), unknown("variable", variable, made))
    outcomes = {end.end for end in sub.steps.values() if isinstance(end, EndStep)}
    for outcome, follows in step.ends.items():
        if outcome not in outcomes:
            yield source.error((*here, "ends", outcome), unknown("outcome", outcome, outcomes))
        if follows not in flow.steps:
            yield source.error((*here, "ends", outcome), unknown("step", follows, flow.steps))
    for outcome in sorted(outcomes - step.ends.keys()):
        yield source.error(
            (*here, "ends"), f'{step.subflow} can end with "{outcome}"; say which step follows'
        )


def _check_alike(
    flow: Flow, name: str, step: SubflowStep, sub: Flow, source: Source
) -> Iterator[FlowError]:
    """The two flows speak the same languages, and know the results as of the same kinds."""
    if sub.languages != flow.languages:
        spoken = f"[{', '.join(flow.languages)}]"
        yield source.error(
            ("steps", name),
            f'{step.subflow} speaks other languages; write "languages: {spoken}" there',
        )
    for result, variable in step.results.items():
        if result in flow.types and flow.types[result] != sub.kind(variable):
            yield source.error(
                ("types", result), f"{step.subflow} gives it {sub.kind(variable)}; write that"
            )


class _Inside:
    """A called flow with the names that it has in its caller."""

    def __init__(self, name: str, step: SubflowStep, sub: Flow) -> None:
        self._name, self._step, self._sub = name, step, sub
        outside = {variable: result for result, variable in step.results.items()}
        self._variables = {
            variable: outside.get(variable, self._under(variable))
            for variable in sub.all_variables()
        }
        if sub.languages and LANGUAGE in self._variables:  # one call speaks one language
            self._variables[LANGUAGE] = LANGUAGE
        self.hidden = set(self._variables.values()) - step.results.keys() - {LANGUAGE}

    @property
    def types(self) -> dict[str, str]:
        """The kinds of its variables."""
        return {self._variables[name]: kind for name, kind in self._sub.types.items()}

    def steps(self) -> dict[str, Step]:
        """The steps to put in place of the one that calls."""
        given = {**self._sub.variables, **self._step.arguments}
        if self._sub.languages:
            given.pop(LANGUAGE, None)
        entry = SetStep.model_construct(
            set={self._variables[name]: text for name, text in given.items() if text is not None},
            next=self._under(self._sub.start),
        )
        put: dict[str, Step] = {self._name: entry}
        put.update({self._under(name): self._moved(step) for name, step in self._sub.steps.items()})
        return put

    def _under(self, name: str) -> str:
        return f"{self._name}__{name}"

    def _moved(self, step: Step) -> Step:
        if isinstance(step, EndStep):
            follows = self._step.ends[step.end]
            if step.say is None:
                return SetStep.model_construct(set={}, next=follows)
            return SayStep.model_construct(say=self._text(step.say), next=follows)
        changes: dict[str, Any] = {}
        if isinstance(step, AskStep):
            changes.update(self._sub.listening(step).model_dump())
            changes["on_operator"] = step.on_operator or self._sub.on_operator
        if isinstance(step, ConfirmStep):
            changes["no"] = self._sub.after_no(step)
        here = {**dict(step), **changes}
        for key in _STEP_KEYS:
            if here.get(key) is not None:
                changes[key] = self._under(here[key])
        for key in _VARIABLE_KEYS:
            if key in here:
                changes[key] = self._variables[here[key]]
        changes.update(self._texts(here))
        if isinstance(step, MenuStep):
            changes["menu"] = {choice: self._under(to) for choice, to in step.menu.items()}
        changes.update(self._asking(step))
        if isinstance(step, SetStep):
            changes["set"] = {
                self._variables[name]: rename(text, self._variables)
                for name, text in step.set.items()
            }
        if isinstance(step, BranchStep):
            changes["branch"] = [
                case.model_copy(
                    update={
                        "variable": self._variables[case.variable],
                        "next": self._under(case.next),
                    }
                )
                for case in step.branch
            ]
        return step.model_copy(update=changes)

    def _asking(self, step: Step) -> dict[str, Any]:
        """What a lookup asks with and gives, or a transfer dials, by the new names."""
        if isinstance(step, LookupStep):
            return {
                "lookup": step.lookup.renamed(self._variables),
                "results": {self._variables[n]: at for n, at in step.results.items()},
                "sensitive": [self._variables[name] for name in step.sensitive],
            }
        if isinstance(step, TransferStep):
            return {"transfer": rename(step.transfer, self._variables)}
        return {}

    def _texts(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The texts of a step with the new names of the variables."""
        changes: dict[str, Any] = {}
        for key, value in values.items():
            if isinstance(value, Text):
                changes[key] = self._text(value)
            elif isinstance(value, list) and value and isinstance(value[0], Text):
                changes[key] = [self._text(text) for text in value]
        return changes

    def _text(self, text: Text) -> Text:
        spoken = {key: rename(words, self._variables) for key, words in text.by_language.items()}
        words = rename(text.text, self._variables)
        return text.model_copy(update={"text": words, "by_language": spoken})
