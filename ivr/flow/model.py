"""What may stand in a call-flow file: one model a kind of step, every key described.

Theory of operation: a step is one of four kinds, told by its leading key: ``capture`` asks for a
value, ``confirm`` asks whether it is right, ``end`` finishes the call, and ``say`` alone speaks and
goes on. The models are strict (no text is taken for a number) and closed (no key is ignored). The
names of the timers are those of VoiceXML 2.x, appendix D.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ivr.errors import ConfigError
from ivr.flow.text import NAME, names, parse_template
from ivr.grammar import parse_grammar
from ivr.grammar.lists import Directory, pin

KIND: Final = " step"  # ends the tags below, so that they cannot be mistaken for keys

Name = Annotated[
    str,
    Field(
        pattern=rf"^{NAME}$",
        description="A name: small letters, digits and underscores, beginning with a letter.",
    ),
]


class Model(BaseModel):
    """What all models here share."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Text(Model):
    """Something to say: a text alone, or ``{text: ..., recording: ...}``."""

    text: str = Field(
        min_length=1, description="The words; {name} and {name:digits} speak a variable."
    )
    recording: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="The name of a WAV or FLAC file in the recordings folder, without suffix;"
        " played instead of the text if it exists. By default <step>.<key> is looked for.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if value is None:
            raise ValueError("there is nothing to say; write the words after the colon")
        return value if isinstance(value, dict) else {"text": value}

    @field_validator("text")
    @classmethod
    def _check_text(cls, value: str) -> str:
        parse_template(value)
        if not value.strip():
            raise ValueError("there is nothing to say; write the words after the colon")
        return value

    @model_validator(mode="after")
    def _check_recording(self) -> Text:
        if self.recording and self.variables:
            raise ValueError(
                "a recording cannot speak a value; leave out the recording or the {placeholder}"
            )
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that the text speaks."""
        return names(parse_template(self.text))


class Listening(Model):
    """How to listen for an answer; each step may override what ``defaults`` says.

    The defaults are those of VoiceXML 2.1 where it names one (confidence 0.5, terminating key #),
    and otherwise what telephony platforms commonly use; replayed calls will tune them.
    """

    bargein: bool = Field(default=True, description="The caller's speech or keys stop the prompt.")
    bargein_by: str = Field(
        default="both",
        pattern="^(both|speech|dtmf)$",
        description="What stops it where bargein is true: both, speech or dtmf.",
    )
    speech: bool = Field(default=True, description="The answer may be spoken.")
    dtmf: bool = Field(default=True, description="The answer may be keyed.")
    no_input_timeout_s: float = Field(
        default=5.0, gt=0, le=60, description="The silence after the prompt until noinput, seconds."
    )
    complete_timeout_s: float = Field(
        default=0.8,
        ge=0,
        le=10,
        description="The silence that ends a complete answer that could go on, seconds.",
    )
    # A caller's pause of 1.5 s, and up to 0.7 s until what follows is heard as speech: with 1.5 s 7
    # of 40 callers who pause for up to 1.5 s were cut off (`ivr bench --endpointing`).
    incomplete_timeout_s: float = Field(
        default=2.2, gt=0, le=10, description="The silence that ends an incomplete answer, seconds."
    )
    max_speech_timeout_s: float = Field(
        default=20.0, gt=0, le=60, description="The longest spoken answer, seconds."
    )
    inter_digit_timeout_s: float = Field(
        default=3.0, gt=0, le=30, description="The longest wait between two keys, seconds."
    )
    term_timeout_s: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="The wait for the terminating key after keys that are complete and cannot go"
        " on, seconds.",
    )
    term_char: str = Field(
        default="#",
        pattern="^[0-9*#]?$",
        description='The key that ends a keyed answer; "" for none.',
    )
    star: str = Field(
        default="delete_last",
        pattern="^(delete_last|restart|none)$",
        description="What the key * does where no answer has it: delete_last, restart or none.",
    )
    type_ahead: str = Field(
        default="capture",
        pattern="^(capture|always|never)$",
        description="Which questions are answered by keys pressed before they were put: capture"
        " (no confirmation), always or never.",
    )
    commands: bool = Field(
        default=True,
        description='The words "repeat", "help", "operator", "start again" and "cancel" are heard.',
    )
    corrections: bool = Field(
        default=True,
        description='Corrections are heard, such as "no, five not nine".',
    )
    confidence_level: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="The confidence, 0 to 1, under which a spoken answer is a nomatch.",
    )
    attempts: int = Field(
        default=3,
        ge=1,
        le=10,
        description="The number of failures (silent, not understood, refused at the confirmation)"
        " that leads to on_failure.",
    )
    on_failure: Name | None = Field(
        default=None, description="The step to go to after the last attempt."
    )

    @model_validator(mode="after")
    def _check_input(self) -> Listening:
        if not (self.speech or self.dtmf):
            raise ValueError("nothing can be answered; let speech or dtmf be true")
        return self


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


class EndStep(Model):
    """Ends the call."""

    end: Name = Field(description="The outcome for the call record, such as completed.")
    say: Text | None = Field(default=None, description="What to say before hanging up.")


def kinds(data: object) -> tuple[str, ...]:
    """The kinds that a step in the file could be, by its keys; one of them in a sound step."""
    keys = data if isinstance(data, dict) else {}
    return tuple(kind for kind in ("capture", "confirm", "end") if kind in keys) or ("say",)


def _tag(data: object) -> str | None:
    if isinstance(data, SayStep | CaptureStep | ConfirmStep | EndStep):
        return type(data).__name__.removesuffix("Step").lower() + KIND
    found = kinds(data)
    return found[0] + KIND if len(found) == 1 else None


Step = Annotated[
    Annotated[SayStep, Tag("say" + KIND)]
    | Annotated[CaptureStep, Tag("capture" + KIND)]
    | Annotated[ConfirmStep, Tag("confirm" + KIND)]
    | Annotated[EndStep, Tag("end" + KIND)],
    Discriminator(_tag),
]
AskStep = CaptureStep | ConfirmStep


class Flow(Model):
    """A checked call flow."""

    flow: Name = Field(description="Its name, for call records.")
    start: Name = Field(description="The first step.")
    variables: dict[Name, str | None] = Field(
        default={},
        description="Variables that are not captured: their text, or nothing where the server gives"
        " it for each call.",
    )
    lists: dict[Name, str] = Field(
        default={},
        description="Files of allowed values for grammars to name, relative to the flow's: a number"
        " a line, or FILE.csv#COLUMN.",
    )
    defaults: Listening = Field(default=Listening(), description="How every step listens.")
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

    def keep(self, directories: Iterable[Directory]) -> None:
        """Hold on to the values of the lists for as long as this flow is used."""
        self._directories = tuple(directories)

    def listening(self, step: AskStep) -> Listening:
        """How a step listens: its own keys over ``defaults`` over the built-in values."""
        own = {key: getattr(step, key) for key in step.model_fields_set & _LISTENING_KEYS}
        return self.defaults.model_copy(update=own)

    def capturers(self, variable: str) -> tuple[str, ...]:
        """The steps that capture a variable."""
        return tuple(
            name
            for name, step in self.steps.items()
            if isinstance(step, CaptureStep) and step.capture == variable
        )

    def after_no(self, step: ConfirmStep) -> str:
        """The step that follows a no."""
        return step.no or self.capturers(step.confirm)[0]


_LISTENING_KEYS: Final = frozenset(Listening.model_fields)
