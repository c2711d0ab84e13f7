"""What the steps of a flow are made of: names, texts, how to listen.

Theory of operation: the models are strict (no text is taken for a number) and closed (no key is
ignored), and every key is described: the reference, the JSON Schema and the error messages speak
with those words. The names of the timers are those of VoiceXML 2.x, appendix D.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ivr.flow.text import NAME, names, parse_template

KIND: Final = " step"  # ends the tags of the unions, so that they cannot be mistaken for keys

Name = Annotated[
    str,
    Field(
        pattern=rf"^{NAME}$",
        description="A name: small letters, digits and underscores, beginning with a letter.",
    ),
]


def _check_template(value: str) -> str:
    parse_template(value)
    return value


Template = Annotated[str, AfterValidator(_check_template)]


class Model(BaseModel):
    """What all models here share."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def file_keys(cls) -> dict[str, FieldInfo]:
        """The keys as the file has them: ``if`` and ``in`` are no names in Python."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}


LANGUAGE: Final = r"[a-z]{2}(-[a-z]{2})?"
Language = Annotated[str, Field(pattern=f"^{LANGUAGE}$")]


class Text(Model):
    """Something to say: a text, one for each language, or ``{text: ..., recording: ...}``."""

    text: str = Field(
        min_length=1, description="The words; {name} and {name:digits} speak a variable."
    )
    by_language: dict[Language, Annotated[str, Field(min_length=1)]] = Field(
        default={},
        description="The words in each of the flow's languages, in place of text; without a"
        " recording these alone will do: {en: Hello., es: Hola.}",
    )
    recording: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="The name of a WAV or FLAC file in the recordings folder, without suffix;"
        " played instead of the text if it exists. By default <step>.<key> is looked for.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What `_from_text` takes, for the JSON Schema."""
        words = {"type": "string", "minLength": 1}
        languages = {"type": "object", "patternProperties": {f"^{LANGUAGE}$": words}}
        return {"anyOf": [words, {**languages, "minProperties": 1}, handler(schema)]}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if value is None:
            raise ValueError("there is nothing to say; write the words after the colon")
        if not isinstance(value, dict):
            return {"text": value}
        if value and all(re.fullmatch(LANGUAGE, str(key)) for key in value):
            value = {"by_language": value}
        spoken = value.get("by_language")
        if isinstance(spoken, dict) and spoken and "text" not in value:
            return {**value, "text": next(iter(spoken.values()))}
        return value

    @field_validator("text")
    @classmethod
    def _check_text(cls, value: str) -> str:
        parse_template(value)
        if not value.strip():
            raise ValueError("there is nothing to say; write the words after the colon")
        return value

    @field_validator("by_language")
    @classmethod
    def _check_languages(cls, value: dict[str, str]) -> dict[str, str]:
        for words in value.values():
            cls._check_text(words)
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
        """The variables that the text speaks, in whichever language."""
        spoken = (name for words in self.versions() for name in names(parse_template(words)))
        return tuple(dict.fromkeys(spoken)) if self.by_language else tuple(spoken)

    def versions(self) -> tuple[str, ...]:
        """The words in each language that there is."""
        return tuple(self.by_language.values()) or (self.text,)

    def words(self, language: str | None) -> str:
        """The words in a language."""
        return self.by_language.get(language or "", self.text)


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
