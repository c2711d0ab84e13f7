"""What may stand in a call-flow file: its steps (`ivr.flow.steps`) and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, PrivateAttr, model_validator

from ivr.flow.parts import Language, Listening, Model, Name, Text
from ivr.flow.steps import (
    BOOLEAN,
    KINDS,
    AskStep,
    BranchStep,
    CaptureStep,
    Case,
    ConfirmStep,
    EndStep,
    LookupStep,
    MenuStep,
    MessageStep,
    SayStep,
    SetStep,
    Step,
    SubflowStep,
    TransferStep,
    kinds,
)
from ivr.flow.text import names, parse_template
from ivr.flow.values import TEXT, kind_of_grammar
from ivr.grammar.lists import Directory

__all__ = [
    "BOOLEAN",
    "KINDS",
    "AskStep",
    "BranchStep",
    "CaptureStep",
    "Case",
    "ConfirmStep",
    "EndStep",
    "Flow",
    "Listening",
    "LookupStep",
    "MenuStep",
    "MessageStep",
    "SayStep",
    "SetStep",
    "Step",
    "SubflowStep",
    "TransferStep",
    "kinds",
]


LANGUAGE: Final = "language"  # the variable that says which language is spoken
Kind = Annotated[str, Field(pattern="^(text|digits|number|amount|date|boolean)$")]


class Flow(Model):
    """A checked call flow."""

    flow: Name = Field(description="Its name, for call records.")
    start: Name = Field(description="The first step.")
    variables: dict[Name, str | None] = Field(
        default={},
        description="Variables that are not captured: their text, or nothing where the server gives"
        " it for each call.",
    )
    types: dict[Name, Kind] = Field(
        default={},
        description="Of what kind the values of variables are that are not captured: text, digits,"
        " number, amount, date or boolean; text where nothing is said.",
    )
    languages: list[Language] = Field(
        default=[],
        description="The languages that texts are in, the first the default, such as [en, es]; the"
        " variable language says which is spoken.",
    )
    lists: dict[Name, str] = Field(
        default={},
        description="Files of allowed values for grammars to name, relative to the flow's: a number"
        " a line, or FILE.csv#COLUMN.",
    )
    defaults: Listening = Field(default=Listening(), description="How every step listens.")
    record: bool = Field(
        default=False, description="Calls are recorded, but for what is said in sensitive steps."
    )
    announcement: Text | None = Field(
        default=None, description="What to say first, where calls are recorded."
    )
    on_operator: Name | None = Field(
        default=None, description="The step to go to when the caller asks for the operator."
    )
    max_turns: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Questions in one call before it gives up: no call is endless.",
    )
    steps: dict[Name, Step] = Field(min_length=1, description="The steps, by name.")
    # What the lists hold, for as long as a call runs this flow (`ivr.grammar.lists`).
    _directories: tuple[Directory, ...] = PrivateAttr(default=())
    _inner: frozenset[str] = PrivateAttr(default=frozenset())
    _files: frozenset[Path] = PrivateAttr(default=frozenset())

    def come_from(self, files: Iterable[Path]) -> None:
        """Remember files that this flow was read from."""
        self._files |= frozenset(files)

    @property
    def files(self) -> frozenset[Path]:
        """What it was read from: its file, those of the flows that it calls, its lists."""
        return self._files

    @model_validator(mode="after")
    def _check_announcement(self) -> Flow:
        if self.announcement is not None and not self.record:
            raise ValueError('an announcement says that calls are recorded; add "record: true"')
        if self.announcement is not None and self.announcement.variables:
            raise ValueError("an announcement speaks no value; leave out the {placeholder}")
        return self

    def keep(self, directories: Iterable[Directory]) -> None:
        """Hold on to the values of the lists for as long as this flow is used."""
        self._directories += tuple(directories)

    def call(self, called: Iterable[Flow], inner: Iterable[str]) -> None:
        """Take in what other flows hold, and remember the variables that are theirs alone."""
        for flow in called:
            self.keep(flow._directories)
            self.come_from(flow.files)
        self._inner = frozenset(inner)

    @property
    def inner(self) -> frozenset[str]:
        """Variables of called flows that are no results: the record does not have them."""
        return self._inner

    def all_variables(self) -> frozenset[str]:
        """Every variable that can have a value in some call."""
        made = set(self.variables)
        for step in self.steps.values():
            if isinstance(step, CaptureStep):
                made.add(step.capture)
            if isinstance(step, SetStep):
                made.update(step.set)
            if isinstance(step, LookupStep):
                made.update(step.results)
            if isinstance(step, MessageStep):
                made.add(step.record)
        return frozenset(made)

    def listening(self, step: AskStep) -> Listening:
        """How a step listens: its own keys over ``defaults`` over the built-in values."""
        own = {key: getattr(step, key) for key in step.model_fields_set & _LISTENING_KEYS}
        if isinstance(step, MenuStep):  # a key that is a choice does nothing else
            own.update({"term_char": ""} if "#" in step.menu else {})
            own.update({"star": "none"} if "*" in step.menu else {})
        return self.defaults.model_copy(update=own)

    def operator(self, step: AskStep) -> str | None:
        """The step to go to when the caller asks for the operator; None where nobody is there."""
        return step.on_operator or self.on_operator

    def capturers(self, variable: str) -> tuple[str, ...]:
        """The steps that capture a variable."""
        return tuple(
            name
            for name, step in self.steps.items()
            if isinstance(step, CaptureStep) and step.capture == variable
        )

    def captures(self, variable: str) -> tuple[CaptureStep, ...]:
        """Those steps themselves."""
        steps = (self.steps[name] for name in self.capturers(variable))
        return tuple(step for step in steps if isinstance(step, CaptureStep))

    def setters(self, variable: str) -> tuple[str, ...]:
        """The steps that set a variable."""
        return tuple(
            name
            for name, step in self.steps.items()
            if isinstance(step, SetStep) and variable in step.set
        )

    def lookers(self, variable: str) -> tuple[str, ...]:
        """The steps that look a variable up."""
        return tuple(
            name
            for name, step in self.steps.items()
            if isinstance(step, LookupStep) and variable in step.results
        )

    def kept(self, variable: str) -> frozenset[str]:
        """How the call record keeps a variable, by each step that gives it a value."""
        looked_up = (self.steps[name] for name in self.lookers(variable))
        secret = any(isinstance(s, LookupStep) and variable in s.sensitive for s in looked_up)
        return frozenset(
            [step.kept for step in self.captures(variable)] + ["masked"] * secret or ["plain"]
        )

    def language(self, values: Mapping[str, str]) -> str | None:
        """The language that is spoken now; None where the flow names none."""
        chosen = values.get(LANGUAGE)
        return chosen if chosen in self.languages else next(iter(self.languages), None)

    def kind(self, variable: str) -> str:
        """The kind of a variable's values (`ivr.flow.values`)."""
        if (declared := self.types.get(variable)) is not None:
            return declared
        kinds = {kind_of_grammar(step.grammar) for step in self.captures(variable)}
        return kinds.pop() if len(kinds) == 1 else TEXT

    def said_by_caller(self) -> frozenset[str]:
        """Variables that hold what a caller said or keyed, or what was made of it."""
        said = {step.capture for step in self.steps.values() if isinstance(step, CaptureStep)}
        sets = [step.set for step in self.steps.values() if isinstance(step, SetStep)]
        while True:
            copies = {
                variable
                for texts in sets
                for variable, text in texts.items()
                if not said.isdisjoint(names(parse_template(text)))
            }
            if copies <= said:
                return frozenset(said)
            said |= copies

    def after_no(self, step: ConfirmStep) -> str:
        """The step that follows a no."""
        return step.no or self.capturers(step.confirm)[0]


_LISTENING_KEYS: Final = frozenset(Listening.model_fields)
