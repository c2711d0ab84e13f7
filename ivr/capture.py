"""A call's capture: what came over the wire and what the call made of it, a JSON object a line.

    {"capture": 1, "call_id": .., "flow": .., "flow_version": .., "settings": {..}, ..}
    {"ms": 0, "in": ".."}                                a message of the provider, as it came
    {"ms": 0, "did": [{"play": "p1", "text": ..}]}       what the call did upon it
    {"ms": 0, "out": ".."}                               a message to the provider
    {"ms": 2340, "heard": {"id": 1, "took_ms": 83.1, "recognition": {..}}}
    {"ms": 2340, "decided": {"step": "ask", "cause": "success", ..}}
    {"ms": 9000, "ended": {"by": "agent", ..}}           or {"cut": why} where the file stops before

``ms`` is stream time: milliseconds of audio that the call had dealt with. The lines stand in the
order in which things happened, so the call can be repeated from them (`ivr.testing.replay`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from ivr.actions import (
    Action,
    CallSettings,
    Clear,
    Hangup,
    LookUp,
    Play,
    Recognize,
    StartMessage,
    StopMessage,
    Transfer,
    TurnRecord,
)
from ivr.endpointing.endpointer import EndpointSettings
from ivr.errors import ConfigError
from ivr.flow.request import Answer, LookupCause
from ivr.recognition import Hypothesis, Recognition, Word

FORMAT: Final = 1

_DECIMAL: Final = "$decimal"

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a capture.

    Attributes:
        number: in the file, from 1.
        ms: stream time.
        kind: ``in``, ``out``, ``did``, ``heard``, ``looked_up``, ``transferred``, ``message``,
            ``decided``, ``ticked``, ``ended`` or ``cut``.
        value: what it says.
    """

    number: int
    ms: int
    kind: str
    value: Any


@dataclass(frozen=True, slots=True, repr=False)  # it holds what the caller said
class Capture:
    """A capture that was read.

    Attributes:
        head: the first line.
        lines: the others.
    """

    head: Mapping[str, Any]
    lines: tuple[Line, ...]

    @property
    def settings(self) -> CallSettings:
        """Those of the call."""
        fields = dict(self.head["settings"])
        return CallSettings(**{**fields, "endpoint": EndpointSettings(**fields["endpoint"])})

    @property
    def cut(self) -> str | None:
        """Why the file stops before the call did; ``None`` where it does not."""
        last = self.lines[-1] if self.lines else None
        if last is not None and last.kind == "ended":
            return None
        return str(last.value) if last is not None and last.kind == "cut" else "the server died"


def head(call_id: str, stream_id: str, settings: CallSettings, **more: object) -> Item:
    """The first line of a call's capture."""
    named = {"call_id": call_id, "stream_id": stream_id, **more}
    return {"capture": FORMAT, **named, "settings": asdict(settings)}


def action_item(action: Action) -> Item:  # noqa: PLR0911 - one a kind of action
    """An action as a capture has it."""
    match action:
        case Play(prompt=prompt, mark=mark):
            return {"play": mark, "text": prompt.text, "personal": prompt.personal}
        case Clear():
            return {"clear": True}
        case Recognize():
            return {
                "recognize": action.utterance_id,
                "samples": int(action.samples.size),
                "grammar": action.grammar,
                "provisional": action.provisional,
            }
        case LookUp():
            return {"look_up": action.lookup_id, "step": action.step}
        case Transfer():
            return {"transfer": action.transfer_id}
        case StartMessage():
            return {"start_message": action.message_id}
        case StopMessage():
            return {"stop_message": action.message_id, "keep": action.keep}
        case Hangup(reason=reason):
            return {"hangup": reason}


def turn_item(turn: TurnRecord) -> Item:
    """A decision as a capture has it."""
    item: Item = {"step": turn.step, "sensitive": turn.sensitive, "result": turn.result}
    if (collected := turn.collected) is not None:
        item |= {
            "cause": str(collected.cause),
            "mode": None if collected.mode is None else str(collected.mode),
            "value": collected.value,
            "words": collected.words,
            "confidence": round(collected.confidence, 3),
        }
    return item


def recognition_item(recognition: Recognition | None) -> Item | None:
    """What was heard, as a capture has it."""
    return None if recognition is None else asdict(recognition)


def recognition_of(item: Mapping[str, Any] | None) -> Recognition | None:
    """What was heard, out of a capture."""
    if item is None:
        return None
    hypotheses = tuple(
        Hypothesis(tuple(Word(**word) for word in each["words"]), each["score"])
        for each in item["hypotheses"]
    )
    return Recognition(hypotheses, item["confidence"], item["audio_ms"])


def answer_item(answer: Answer) -> Item:
    """What a lookup came to, as a capture has it."""
    return {"cause": str(answer.cause), "reason": answer.reason, "data": _plain(answer.data)}


def answer_of(item: Mapping[str, Any]) -> Answer:
    """What a lookup came to, out of a capture."""
    return Answer(LookupCause(item["cause"]), _exact(item["data"]), item["reason"])


def _plain(data: Any) -> Any:
    """Data as JSON has it; an exact number keeps its digits under a key of its own."""
    if isinstance(data, Decimal):
        return {_DECIMAL: str(data)}
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(value) for value in data] if isinstance(data, list) else data


def _exact(data: Any) -> Any:
    if isinstance(data, dict):
        if data.keys() == {_DECIMAL}:
            return Decimal(data[_DECIMAL])
        return {key: _exact(value) for key, value in data.items()}
    return [_exact(value) for value in data] if isinstance(data, list) else data


def read_capture(path: Path) -> Capture:
    """Read a capture.

    Raises:
        ConfigError: the file cannot be read or is no capture; the message says which line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            lines = list(_parse(path, file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{path}: cannot be read ({reason}); give a capture file") from error
    if not lines or lines[0][1].get("capture") != FORMAT:
        raise ConfigError(
            f"{path}:1: no capture of format {FORMAT}; ivr serve --capture DIR writes one a call"
        )
    try:
        capture = Capture(lines[0][1], tuple(_line(*numbered) for numbered in lines[1:]))
        assert capture.settings is not None  # noqa: S101 - it can be made of the first line
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a whole capture; was it edited?") from error
    return capture


def _parse(path: Path, file: Iterator[str]) -> Iterator[tuple[int, Item]]:
    for number, text in enumerate(file, start=1):
        try:
            item = json.loads(text)
        except ValueError:
            if not text.endswith("\n"):
                return  # the server died while it wrote
            raise ConfigError(f"{path}:{number}: not a line of a capture") from None
        if not isinstance(item, dict):
            raise ConfigError(f"{path}:{number}: not a line of a capture")
        yield number, item


def _line(number: int, item: Item) -> Line:
    kind, value = next((key, value) for key, value in item.items() if key != "ms")
    return Line(number, int(item["ms"]), kind, value)
