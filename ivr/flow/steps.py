"""The steps of a call flow: one model a kind, every key described.

Theory of operation: the kind of a step is told by its leading key: ``capture`` asks for a value,
``confirm`` asks whether it is right, ``menu`` asks which way to go, ``lookup`` asks another system,
``record`` takes a message, ``transfer`` hands the caller on, ``set`` gives variables a value,
``branch`` looks at them, ``subflow`` goes through another flow, ``end`` finishes the call, and
``say`` alone speaks and goes on. What the steps are made of is in `ivr.flow.parts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from ivr.errors import ConfigError
from ivr.flow.lookup import Source
from ivr.flow.parts import KIND, Listening, Model, Name, Template, Text
from ivr.flow.text import names, parse_template
from ivr.grammar import parse_grammar
from ivr.grammar.lists import pin

YES_NO: Final = ("yes", "no")
UNCLEAR_PLACES: Final = ("heard", "group")  # what the text for an unclear group speaks besides
KEYS: Final = ("*", "#")  # that are no digits
BOOLEAN: Final = "builtin:boolean"
# E.164, with a country's code; or a SIP address without parameters.
DIALLED: Final = re.compile(
    r"\+[1-9][0-9]{5,14}|sips?:[A-Za-z0-9._~+-]{1,64}@[A-Za-z0-9.:-]{1,128}"
)
_LONGEST_CHOICE: Final = 4  # digits; what is longer is a number to capture


class SayStep(Model):
    """Speaks and goes on."""

    say: Text = Field(description="What to say.")
    next: Name = Field(description="The step that follows.")


class _AskStep(Listening):
    prompt: Text = Field(description="The question.")
    no_input: list[Text] = Field(
        default=[],
        description="What to say when the caller was silent, first time, second time, ...; the last"
        " one repeats, and without any the prompt does.",
    )
    no_match: list[Text] = Field(
        default=[], description="Likewise, when the caller was not understood."
    )
    help: Text | None = Field(
        default=None, description="What to say to a caller who asks for help; else the prompt."
    )
    on_operator: Name | None = Field(
        default=None,
        description="The step to go to when the caller asks for the operator; else the flow's.",
    )


class CaptureStep(_AskStep):
    """Asks for a value and keeps it in a variable."""

    capture: Name = Field(description="The variable that takes the value.")
    grammar: str = Field(description="What is accepted, such as builtin:digits?length=8.")
    rejected: list[Text] = Field(
        default=[],
        description="Likewise, when the caller said no to the value at its confirmation.",
    )
    groups: list[Annotated[int, Field(ge=1, le=20)]] = Field(
        default=[],
        description="How the number is read in groups: their sizes, for unclear.",
    )
    unclear: Text | None = Field(
        default=None,
        description="What to say when just one group was not understood; {heard} speaks the groups"
        " that were, {group} is which was not. Only that group is asked for then.",
    )
    restarted: Text | None = Field(
        default=None,
        description="What to say to a caller who wants to start again; else the prompt.",
    )
    sensitive: bool = Field(
        default=False, description="The value is shown and stored to nobody in clear (cards, PINs)."
    )
    store: str | None = Field(
        default=None,
        pattern="^(masked|hash|encrypted|plain)$",
        description="How the call record keeps the value: masked, hash, encrypted or plain; masked"
        " where it is sensitive, else plain.",
    )
    next: Name = Field(description="The step that follows a value.")
    on_ambiguous: Name | None = Field(
        default=None,
        description="The step that follows a value whose words have another reading just as"
        " natural; else next.",
    )

    @model_validator(mode="after")
    def _check_store(self) -> CaptureStep:
        if self.sensitive and self.store == "plain":
            raise ValueError(
                "a sensitive value cannot be stored plain; give masked, hash or encrypted"
            )
        return self

    @property
    def kept(self) -> str:
        """How the call record keeps the value: masked, hash, encrypted or plain."""
        return self.store or ("masked" if self.sensitive else "plain")

    @field_validator("grammar")
    @classmethod
    def _check_grammar(cls, value: str, info: ValidationInfo) -> str:
        """The lists that it names are the file's; from here on it has their keys."""
        try:
            pinned = pin(value, info.context or {})
            parse_grammar(pinned)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return pinned


class ConfirmStep(_AskStep):
    """Asks whether a captured value is right, by yes or no, or the keys 1 and 2."""

    confirm: Name = Field(description="The variable to confirm.")
    yes: Name = Field(description="The step that follows a yes.")
    no: Name | None = Field(
        default=None,
        description="The step that follows a no; without it, the one that captured the value.",
    )


def _check_choice(value: str) -> str:
    digits = value.isascii() and value.isdecimal() and len(value) <= _LONGEST_CHOICE
    if not digits and value not in (*YES_NO, *KEYS):
        raise ValueError(
            f'"{value}" cannot be chosen; write what is said or keyed: a number of up to '
            f"{_LONGEST_CHOICE} digits, yes or no, * or #"
        )
    return value


Choice = Annotated[
    str,
    AfterValidator(_check_choice),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]{1,4}|yes|no|[*#])$"}),
]


class MenuStep(_AskStep):
    """Asks which way to go."""

    menu: dict[Choice, Name] = Field(
        min_length=1,
        description="The choices and the step that each leads to. A choice is a number, said or"
        " keyed, yes or no, or the key * or #.",
    )

    @property
    def grammar(self) -> str:
        """What is accepted: numbers, keys, and yes or no where one of them is a choice."""
        keys = [choice for choice in self.menu if choice in KEYS]
        numbers = [choice for choice in self.menu if choice not in (*YES_NO, *KEYS)]
        accepted = [f"builtin:digits?values={','.join(numbers)}"] if numbers else []
        accepted += [f"builtin:keys?values={','.join(keys)}"] if keys else []
        both = len(numbers) + len(keys)
        return "|".join([*accepted, BOOLEAN] if both < len(self.menu) else accepted)


class SetStep(Model):
    """Gives variables a value and goes on."""

    set: dict[Name, Template] = Field(
        min_length=1,
        description="The variables and their texts, in this order; {name} and {name:digits} put in"
        " a variable.",
    )
    next: Name = Field(description="The step that follows.")


class Case(Model):
    """One way out of a branch: it is taken where all its tests hold."""

    variable: Name = Field(alias="if", description="The variable to test.")
    equals: str | None = Field(default=None, description="The text that it must be.")
    one_of: list[str] | None = Field(
        default=None, alias="in", min_length=1, description="The texts of which it must be one."
    )
    empty: bool | None = Field(
        default=None,
        description="Whether it must have no value, or one without a character; true or false.",
    )
    above: float | None = Field(default=None, description="The number that it must be over.")
    below: float | None = Field(default=None, description="The number that it must be under.")
    at_least: float | None = Field(default=None, description="The least number that it may be.")
    at_most: float | None = Field(default=None, description="The greatest number that it may be.")
    next: Name = Field(description="The step that follows where all of it holds.")

    @model_validator(mode="after")
    def _check_tests(self) -> Case:
        tests = self.model_fields_set - {"variable", "next"}
        if not tests:
            raise ValueError(
                "nothing is tested; add equals, in, empty, above, below, at_least or at_most"
            )
        if self.empty and len(tests) > 1:
            raise ValueError("what is empty has no other property; leave out the other tests")
        return self


class BranchStep(Model):
    """Goes the way of the first case that holds."""

    branch: list[Case] = Field(
        min_length=1, description="The cases; the first that holds is taken."
    )
    otherwise: Name = Field(alias="else", description="The step that follows where none holds.")


class SubflowStep(Model):
    """Goes through another flow; `ivr.flow.subflow` puts its steps here."""

    subflow: str = Field(min_length=1, description="The other flow's file, relative to this one.")
    arguments: dict[Name, Template] = Field(
        default={},
        description="Texts for the other flow's variables; {name} and {name:digits} put in one of"
        " this flow's.",
    )
    results: dict[Name, Name] = Field(
        default={},
        description="Variables of this flow, and those of the other that they are.",
    )
    ends: dict[Name, Name] = Field(
        min_length=1, description="The other flow's outcomes, and the step that follows each."
    )


Path = Annotated[str, Field(pattern=r"^(\.|[^.\s]+(\.[^.\s]+)*)$")]


class LookupStep(Model):
    """Asks another system; what it answers goes into variables."""

    lookup: Source = Field(description="Whom to ask, and what: http, sql, csv or call.")
    results: dict[Name, Path] = Field(
        default={},
        description="Variables, and where in the answer each is found: keys and places in lists,"
        ' from 0, with dots between them, as in accounts.0.balance; "." is the whole answer.',
    )
    sensitive: list[Name] = Field(
        default=[],
        description="Those of the results that are shown and stored to nobody in clear.",
    )
    say: Text | None = Field(default=None, description="What the caller hears meanwhile.")
    found: Name = Field(description="The step that follows an answer.")
    missing: Name | None = Field(
        default=None,
        description="The step that follows where there is no such thing; else that of failed.",
    )
    failed: Name = Field(
        description="The step that follows where no answer came in time, or one that cannot be"
        " used."
    )

    @model_validator(mode="after")
    def _check_sensitive(self) -> LookupStep:
        for name in self.sensitive:
            if name not in self.results:
                raise ValueError(f'sensitive names "{name}", which is none of the results')
        return self

    @property
    def after_missing(self) -> str:
        """The step that follows where there is no such thing."""
        return self.missing or self.failed


class TransferStep(Model):
    """Hands the caller on to another telephone, which ends the call here."""

    transfer: Template = Field(
        description="The number, as +15550100 or sip:desk@example.com; {name} puts in a variable."
    )
    from_caller: bool = Field(
        default=False,
        description="Whether the number may be made of what the caller said or keyed.",
    )
    say: Text | None = Field(default=None, description="What the caller hears before.")
    failed: Name = Field(description="The step that follows where the call could not be handed on.")

    @field_validator("transfer")
    @classmethod
    def _check_number(cls, value: str) -> str:
        if not names(parse_template(value)) and not DIALLED.fullmatch(value):
            raise ValueError(
                "must be a number with + and the country's code, in quotes, or sip:NAME@HOST"
            )
        return value


class MessageStep(Model):
    """Takes a message that the caller leaves."""

    record: Name = Field(description="The variable that takes the name of the recording.")
    prompt: Text = Field(description="What to say before the tone.")
    max_s: float = Field(default=120.0, gt=0, le=600, description="The longest message, seconds.")
    silence_s: float = Field(
        default=3.0, gt=0, le=30, description="The silence that ends the message, seconds."
    )
    next: Name = Field(description="The step that follows a message.")
    on_failure: Name = Field(
        description="The step that follows where nothing was said, or it could not be kept."
    )


class EndStep(Model):
    """Ends the call."""

    end: Name = Field(description="The outcome for the call record, such as completed.")
    say: Text | None = Field(default=None, description="What to say before hanging up.")


def texts(step: object) -> Iterator[tuple[tuple[str | int, ...], Text]]:
    """Every text that a step can say, with its place in the step: ``("no_input", 0)``."""
    for key in ("say", "prompt", "help", "restarted", "unclear"):
        if isinstance(text := getattr(step, key, None), Text):
            yield (key,), text
    for key in ("no_input", "no_match", "rejected"):
        for index, text in enumerate(getattr(step, key, ())):
            yield (key, index), text


def kinds(data: object) -> tuple[str, ...]:
    """The kinds that a step in the file could be, by its keys; one of them in a sound step."""
    keys = data if isinstance(data, dict) else {}
    return tuple(kind for kind in KINDS if kind in keys and kind != "say") or ("say",)


def _tag(data: object) -> str | None:
    for kind, model in KINDS.items():
        if isinstance(data, model):
            return kind + KIND
    found = kinds(data)
    return found[0] + KIND if len(found) == 1 else None


KINDS: Final[dict[str, type[Model]]] = {
    "capture": CaptureStep,
    "confirm": ConfirmStep,
    "menu": MenuStep,
    "lookup": LookupStep,
    "transfer": TransferStep,
    "record": MessageStep,
    "set": SetStep,
    "branch": BranchStep,
    "subflow": SubflowStep,
    "end": EndStep,
    "say": SayStep,
}
Step = Annotated[
    Annotated[SayStep, Tag("say" + KIND)]
    | Annotated[CaptureStep, Tag("capture" + KIND)]
    | Annotated[ConfirmStep, Tag("confirm" + KIND)]
    | Annotated[MenuStep, Tag("menu" + KIND)]
    | Annotated[LookupStep, Tag("lookup" + KIND)]
    | Annotated[TransferStep, Tag("transfer" + KIND)]
    | Annotated[MessageStep, Tag("record" + KIND)]
    | Annotated[SetStep, Tag("set" + KIND)]
    | Annotated[BranchStep, Tag("branch" + KIND)]
    | Annotated[SubflowStep, Tag("subflow" + KIND)]
    | Annotated[EndStep, Tag("end" + KIND)],
    Discriminator(_tag),
]
AskStep = CaptureStep | ConfirmStep | MenuStep
