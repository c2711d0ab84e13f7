"""What a call asks of its shell, and what it leaves for the record: values only.

A `Call` (`ivr.call`) decides and returns `Action`s; the shell (`ivr.server.media`) carries them
out. The record of the call is made of its `TurnRecord`s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ivr.endpointing.endpointer import EndpointSettings
from ivr.flow.request import Request
from ivr.flow.turn import Prompt
from ivr.recognition import Collected


@dataclass(frozen=True, slots=True)
class Play:
    """Render the prompt and send it, then the mark."""

    prompt: Prompt
    mark: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Stop what is being sent, flush what the provider has buffered."""


@dataclass(frozen=True, slots=True)
class Recognize:
    """Recognise samples [n] int16, 8 kHz, and answer through `Call.recognized` with the same id."""

    utterance_id: int
    samples: NDArray[np.int16]
    grammar: str
    provisional: bool


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask another system, and answer through `Call.looked_up` with the same id."""

    lookup_id: int
    request: Request
    step: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller on, and answer through `Call.transferred` with the same id."""

    transfer_id: int
    number: str = field(repr=False)
    step: str


@dataclass(frozen=True, slots=True)
class StartMessage:
    """Record the caller from now on."""

    message_id: int


@dataclass(frozen=True, slots=True)
class StopMessage:
    """The message is over; answer through `Call.message_taken` with the same id.

    Attributes:
        keep: something was said; else there is nothing to keep.
    """

    message_id: int
    keep: bool


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call: everything was said and heard."""

    reason: str


Action = Play | Clear | Recognize | LookUp | Transfer | StartMessage | StopMessage | Hangup


@dataclass(frozen=True)
class CallSettings:
    """What every call has in common.

    Attributes:
        endpoint: how speech is told from silence.
        mark_timeout_s: stream time after which a mark that never came counts as played; longer
            than any prompt, since a lost mark must not hang a call.
        stall_timeout_s: wall time without a frame after which the stream counts as dead.
        inband_dtmf: hear keys in the audio, for trunks that send no key events. Where they do, each
            key would count twice.
    """

    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    mark_timeout_s: float = 60.0
    stall_timeout_s: float = 15.0
    inband_dtmf: bool = False


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn of the dialogue, for the call record; times in ms of stream time.

    Attributes:
        step: name of the flow's step.
        prompts: what was said to the caller; texts that repeat the caller's number are replaced.
        collected: how the collection ended; None where nothing was asked.
        result: how a lookup or a transfer ended: found, missing, transferred, or why it failed;
            None where there was none.
        sensitive: the value must not be shown or stored in clear.
        prompt_end_ms: when the provider said that the prompt was played, None if it was cut short.
        speech_end_ms: end of the caller's last speech or key.
        decided_ms: when the answer was taken.
        ignored_keys: how many keys answered nothing: pressed at a question without keys, or in one
            go with the number before and ahead of a question that takes no such keys.
        endpointing: what the endpointer decided of the caller's speech, and when: ``started``,
            ``paused``, ``resumed``, ``ended``.
        word_ms: start and end of each of the answer's words; empty where that is not known.
    """

    step: str
    prompts: tuple[str, ...]
    collected: Collected | None
    sensitive: bool = False
    prompt_end_ms: int | None = None
    speech_end_ms: int | None = None
    decided_ms: int | None = None
    ignored_keys: int = 0
    result: str | None = None
    endpointing: tuple[tuple[str, int], ...] = ()
    word_ms: tuple[tuple[int, int], ...] = ()
