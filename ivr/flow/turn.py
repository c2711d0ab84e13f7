"""What a dialogue tells its call: what to say, how to listen, how it ends; values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ivr.flow.request import Request
from ivr.recognition import InputMode, Unclear


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt that speaks values.

    Attributes:
        text: words of the flow, or a value in its spoken form.
        recording: name of a recording of the flow's words; None for a value.
    """

    text: str = field(repr=False)
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to say to the caller.

    Attributes:
        text: the words, values filled in.
        recording: name of a recording that may be played instead, without suffix.
        personal: the text holds what the caller said or who they are: never cached on disk, never
            logged, never shown by `repr`.
        language: as the flow names it; None is the configured voice's own.
        pieces: where the text speaks values, what it is made of, in order.
        sensitive: it speaks a value that is sensitive; never in a recording of the call.
    """

    text: str
    recording: str | None = None
    personal: bool = False
    language: str | None = None
    pieces: tuple[Piece, ...] = field(default=(), compare=False)
    sensitive: bool = field(default=False, compare=False)

    def __repr__(self) -> str:
        shown = "<personal>" if self.personal else repr(self.text)
        return f"Prompt({shown}, recording={self.recording!r})"


BEEP: Final = Prompt("", recording="beep")
"""The tone before a message."""


@dataclass(frozen=True, slots=True)
class Collect:
    """How to listen for one answer; the keys are described in `ivr.flow.schema.Listening`.

    Attributes:
        confirms: it asks whether a value is right.
        refused: values that the caller has said no to.
        earlier: what was heard at the same question before, values with confidences.
        groups: sizes of the groups that can be asked for one by one; empty where none can.
        unclear: where just one group is asked for, the digits around it.
        attempt: how often the question was asked, this time included.
    """

    step: str
    grammar: str
    bargein: bool
    speech: bool
    dtmf: bool
    no_input_timeout_s: float
    complete_timeout_s: float
    incomplete_timeout_s: float
    max_speech_timeout_s: float
    inter_digit_timeout_s: float
    term_char: str
    confidence_level: float
    sensitive: bool = False
    confirms: bool = False
    term_timeout_s: float = 0.0
    star: str = "delete_last"
    type_ahead: str = "capture"
    bargein_by: str = "both"
    commands: bool = False
    corrections: bool = False
    refused: frozenset[str] = field(default=frozenset(), repr=False)

    def barges_in(self, mode: InputMode) -> bool:
        """Whether input of this mode stops the prompt."""
        return self.bargein and self.bargein_by in ("both", mode)

    earlier: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    groups: tuple[int, ...] = ()
    unclear: Unclear | None = field(default=None, repr=False)
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class End:
    """The call is over once the prompts were said.

    Attributes:
        outcome: for the call record: the flow's own word, or ``gave_up``, ``transferred`` or
            ``hangup``.
        variables: captured (and where asked for, confirmed) values and those given at the start.
    """

    outcome: str
    variables: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Ask another system, while the prompts are said.

    Attributes:
        request: what to ask.
        longest_s: the longest that the answer can take.
        results: the variables that it gives, and where in the answer each is found.
    """

    step: str
    request: Request
    longest_s: float
    results: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller on to another telephone, once the prompts were said.

    Attributes:
        number: whom to call.
    """

    step: str
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """Take a message once the prompts were said, the last of them the tone.

    Attributes:
        max_s: its longest.
        silence_s: that ends it.
    """

    step: str
    max_s: float
    silence_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Say the prompts in order, then one of the others: exactly one of them is there."""

    prompts: tuple[Prompt, ...]
    collect: Collect | None = None
    lookup: Lookup | None = None
    transfer: Transfer | None = None
    message: Message | None = None
    end: End | None = None
