"""What the API takes and answers, as models: the handlers use them and OpenAPI is made of them."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from ivr.flow.model import Listening
from ivr.line import END_SILENCE_MS

Probability = Annotated[float, Field(ge=0, le=1)]
Grammar = Annotated[str, Field(min_length=1, max_length=500)]

NATURAL = "builtin:natural"


class Answered(BaseModel):
    """What the server answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(BaseModel):
    """What a client sends: a misspelt name is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _example(**fields: str) -> ConfigDict:
    """What a client could send, for the description."""
    return ConfigDict(**Asked.model_config, json_schema_extra={"examples": [{**fields}]})


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="`urn:ivr:problem:` and a stable name.")
    title: str = Field(description="The name, for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The cause and the cure.")
    request_id: str = Field(description="Of this request; the log has it, too.")


class SpokenWord(Answered):
    """A word with its place in the recording."""

    word: str = Field(description="As the recogniser writes it.")
    start_ms: int | None = Field(description="From the start of the recording.")
    end_ms: int | None = Field(description="From the start of the recording.")
    confidence: Probability


class Alternative(Answered):
    """One way to hear a recording."""

    digits: str = Field(description="What the grammar makes of the words; empty for nothing.")
    words: str = Field(description="What was said.")
    probability: Probability = Field(description="Among the alternatives that were weighed.")


class Model(Answered):
    """The recogniser's model."""

    name: str
    sha256: dict[str, str] = Field(description="Hex digest of each of its files.")


class Transcription(Answered):
    """What was heard in one recording."""

    success: bool = Field(description="Whether an answer was accepted: `digits` is not empty.")
    digits: str = Field(description="The accepted answer: digits, `yes` or `no`; or empty.")
    raw_text: str = Field(description="All that was heard, in words.")
    request_id: str = Field(description="Of this request; also in the header X-Request-Id.")
    filename: str = Field(description="As it was sent.")
    confidence: Probability = Field(description="Of the answer, also of one that was not accepted.")
    words: list[SpokenWord]
    n_best: list[Alternative] = Field(description="The likeliest ways to hear it, best first.")
    grammar: str = Field(description="The question's grammar.")
    model: Model | None
    duration_ms: int = Field(ge=0, description="Of the recording.")


class Failure(Answered):
    """A recording of a batch that could not be used."""

    success: Literal[False] = False
    digits: Literal[""] = ""
    raw_text: Literal[""] = ""
    request_id: str
    filename: str
    error: ProblemDocument


class Batch(Answered):
    """What was heard in several recordings: a result each, in the order sent."""

    success: bool = Field(description="Whether every recording could be used.")
    request_id: str
    results: list[Transcription | Failure]


class Question(Asked):
    """How to hear a recording."""

    grammar: Grammar = Field(
        default=NATURAL,
        description="Grammar of the question, as in flows: `builtin:digits?length=8`, "
        "`builtin:boolean`, `builtin:natural`.",
    )
    confidence_level: Probability = Field(
        default=Listening().confidence_level, description="Answers below it are not accepted."
    )


class Address(Question):
    """Where a recording is."""

    model_config = _example(
        audio_url="https://audio.example.com/answer.wav", grammar="builtin:digits?length=8"
    )

    audio_url: str = Field(
        min_length=8,
        max_length=2000,
        pattern="^https?://",
        description="On a host that `api.fetch_hosts` allows.",
    )


class Upload(Question):
    """A form with recordings."""

    file: Annotated[str, Field(json_schema_extra={"format": "binary"})] = Field(
        description="A recording: wav, webm, mp3, ogg, m4a, flac. Several of them are a batch."
    )


def _moment(text: str) -> str:
    """A time as the records have it."""
    try:
        # A plus sign that was not escaped arrives as a space.
        at = datetime.datetime.fromisoformat(text.replace(" ", "+"))
        if at.tzinfo is None:
            raise ValueError
        return at.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise ValueError("must be ISO 8601 with a zone, such as 2026-01-31T12:00:00Z") from None


Moment = Annotated[
    str, AfterValidator(_moment), Field(max_length=40, json_schema_extra={"format": "date-time"})
]
CallStatus = Literal["in-progress", "ended"]


class CallsQuery(Asked):
    """Which calls to list."""

    limit: int = Field(default=50, ge=1, le=200, description="The newest so many.")
    cursor: str | None = Field(
        default=None, max_length=200, description="The `next_cursor` of the page before."
    )
    since: Moment | None = Field(default=None, description="Started at this time or later.")
    until: Moment | None = Field(default=None, description="Started before this time.")
    outcome: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern="^[^\\x00-\\x1f]*$",
        description="What the flow made of it.",
    )
    status: CallStatus | None = None


class Ending(Answered):
    """How a call ended."""

    by: str = Field(description="`caller`, `agent`, `provider` or `server`.")
    reason: str
    close_code: int = Field(description="Of the WebSocket.")


class CallSummary(Answered):
    """A call in a list: nothing that was said."""

    record_id: str
    call_id: str
    stream_id: str | None
    flow: str | None
    started_at: str
    ended_at: str | None
    duration_ms: int | None
    status: str | None
    ending: Ending | None
    outcome: str | None


class CallPage(Answered):
    """Some calls, the newest first."""

    calls: list[CallSummary]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class CallRecord(BaseModel):
    """A call's record; see docs/reference/call-record.md for all of its fields."""

    model_config = ConfigDict(extra="allow")

    record_id: str
    call_id: str
    started_at: str
    status: str | None = None
    outcome: str | None = None
    variables: dict[str, str] = {}
    turns: list[dict[str, JsonValue]] = []


class CallRequest(Asked):
    """A call to place."""

    model_config = _example(to="+15550100123", flow="account_id")

    to: str = Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="Whom to call, E.164: +15550100.")
    flow: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The flow that answers; the default one where it is left out.",
    )
    ring_s: int = Field(default=30, ge=5, le=600, description="Seconds to let it ring.")


class PlacedCall(Answered):
    """A call that was placed and has no record yet, or never will have one."""

    placed_id: str
    call_id: str | None = Field(description="The provider's, once it has given one.")
    flow: str
    status: str = Field(
        description="`placing`, `unknown` (the provider did not answer), `queued`, `initiated`, "
        "`ringing`, `in-progress`, `completed`, `busy`, `no-answer`, `failed`, `canceled`, "
        "`refused`."
    )
    placed_at: str
    updated_at: str


class FlowSummary(Answered):
    """A flow that answers calls."""

    name: str
    version: str = Field(description="A digest of all that shapes a call.")
    default: bool = Field(description="Whether it answers calls that name no flow.")
    start: str = Field(description="Its first step.")


class FlowList(Answered):
    """The flows that answer calls."""

    flows: list[FlowSummary]


class FlowStep(Answered):
    """A step of a flow."""

    name: str
    kind: str = Field(description="Its leading key: `capture`, `confirm`, `menu`, `end`, ...")
    texts: list[str] = Field(description="What it says or does, in short.")


class FlowWay(Answered):
    """A way from a step to another."""

    origin: str
    target: str
    when: str = Field(description="Empty where it is the only way.")
    aside: bool = Field(description="Taken by failures or for the operator.")


class FlowDetail(FlowSummary):
    """A flow with its steps."""

    steps: list[FlowStep]
    ways: list[FlowWay]
    mermaid: str = Field(description="The flow as a Mermaid flowchart.")


class StreamStart(Question):
    """The first message of a stream."""

    encoding: Literal["mulaw", "pcm_s16le"] = Field(
        description="Of the audio, mono at 8 kHz: G.711 mu-law, or 16-bit little-endian samples."
    )
    partial: bool = Field(default=True, description="Whether to tell what is heard so far.")
    end_silence_ms: int = Field(
        default=END_SILENCE_MS,
        ge=200,
        le=5000,
        description="Silence that ends an utterance, milliseconds.",
    )
