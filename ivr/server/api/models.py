"""What the API takes and answers, as models: the handlers use them and OpenAPI is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ivr.flow.model import Listening

Probability = Annotated[float, Field(ge=0, le=1)]
Grammar = Annotated[str, Field(min_length=1, max_length=500)]

NATURAL = "builtin:natural"


class Answered(BaseModel):
    """What the server answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(BaseModel):
    """What a client sends: a misspelt name is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


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

    audio_url: str = Field(
        min_length=8,
        max_length=2000,
        pattern="^https?://",
        description="On a host that `api.fetch_hosts` allows.",
    )


class Upload(Question):
    """A form with recordings."""

    file: Annotated[str, Field(json_schema_extra={"contentMediaType": "audio/*"})] = Field(
        description="A recording: wav, webm, mp3, ogg, m4a, flac. Several of them are a batch."
    )
