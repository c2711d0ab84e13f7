"""Twilio Media Streams, both roles: the server that `ivr` is, and the caller the simulator plays.

Theory of operation: text messages only, one JSON object each, `event` naming its kind; numbers
arrive as strings. The order of a call on the wire:

    connected?  start  ( media | dtmf | mark )*  stop?

`_SERVER_RULES` is that order as a table of (state, event) -> next state or refusal. A message is
parsed and checked in full before the state moves, so a refused message changes nothing. What cannot
harm the call is refused and dropped (one bad frame of audio, an event of next year's API); what
shows that the peer is no provider, or that its stream and ours are no longer the same, is refused
as *fatal* and the socket closes.

Nothing of a message's content goes into an error: a payload is audio, a dtmf message is a digit.

Source: Twilio, "Media Streams - WebSocket messages" and "<Stream>", 2024; SignalWire's and field
deviations as noted where they are allowed for.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from enum import StrEnum
from typing import Any, Final, NoReturn

from ivr.errors import ProtocolError, StateError
from ivr.providers.events import (
    MULAW,
    AgentMessage,
    DtmfReceived,
    Event,
    MarkPlayed,
    MediaReceived,
    SendClear,
    SendMark,
    SendMedia,
    StreamConnected,
    StreamStarted,
    StreamStopped,
)

RATE_HZ: Final = 8000
KEYS: Final = frozenset("0123456789*#ABCD")

# Twilio's ids are 34 characters, SignalWire's UUIDs 36; they become record keys and log fields, so
# they are held to characters that need no quoting anywhere.
_ID = re.compile(r"[A-Za-z0-9._:@+-]{1,128}", re.ASCII)
_MAX_NAME_CHARS: Final = 256  # of a mark; ours are under 40
_MAX_PARAMETERS: Final = 64
_MAX_PARAMETER_CHARS: Final = 4096  # Twilio allows 500 for name and value together
_MAX_TIMESTAMP_DIGITS: Final = 15  # milliseconds: 31,000 years


class _Stage(StrEnum):
    """How far the stream has come."""

    OPENED = "opened"
    CONNECTED = "connected"
    STREAMING = "streaming"
    STOPPED = "stopped"


class _Refuse(StrEnum):
    """A refusal in place of a next stage; the value is the counter's name."""

    SECOND_CONNECTED = "second_connected"
    SECOND_START = "second_start"
    MEDIA_BEFORE_START = "media_before_start"
    DTMF_BEFORE_START = "dtmf_before_start"
    MARK_BEFORE_START = "mark_before_start"
    STOP_BEFORE_START = "stop_before_start"
    AFTER_STOP = "message_after_stop"


_UNPROVEN: Final = frozenset({_Stage.OPENED, _Stage.CONNECTED})

# A repeated `connected` and a straggler after `stop` are harmless; the others mean that the two
# sides do not talk of the same stream.
_HARMLESS: Final = frozenset({_Refuse.SECOND_CONNECTED, _Refuse.AFTER_STOP})

_BEFORE_START: Final[dict[str, _Stage | _Refuse]] = {
    "start": _Stage.STREAMING,
    "media": _Refuse.MEDIA_BEFORE_START,
    "dtmf": _Refuse.DTMF_BEFORE_START,
    "mark": _Refuse.MARK_BEFORE_START,
    "stop": _Refuse.STOP_BEFORE_START,
}
_EVENTS: Final = ("connected", "start", "media", "dtmf", "mark", "stop")
_SERVER_RULES: Final[dict[_Stage, dict[str, _Stage | _Refuse]]] = {
    _Stage.OPENED: {"connected": _Stage.CONNECTED, **_BEFORE_START},
    _Stage.CONNECTED: {"connected": _Refuse.SECOND_CONNECTED, **_BEFORE_START},
    _Stage.STREAMING: {
        "connected": _Refuse.SECOND_CONNECTED,
        "start": _Refuse.SECOND_START,
        "media": _Stage.STREAMING,
        "dtmf": _Stage.STREAMING,
        "mark": _Stage.STREAMING,
        "stop": _Stage.STOPPED,
    },
    _Stage.STOPPED: dict.fromkeys(_EVENTS, _Refuse.AFTER_STOP),
}


class TwilioServer:
    """The agent's end of one media stream.

    State: the stage of the stream and its ids; one object a socket, never reused.
    """

    def __init__(self) -> None:
        self._stage = _Stage.OPENED
        self._stream_id = ""

    @property
    def stream_id(self) -> str:
        """The StreamSid of `start`; "" before it."""
        return self._stream_id

    def receive(self, message: str | bytes) -> list[Event]:
        """Read one WebSocket message.

        Args:
            message: a text message; ``bytes`` stands for a binary one, which Twilio forbids.

        Returns:
            What it says: one event, or none for audio of another track or of no length.

        Raises:
            ProtocolError: and nothing else, whatever the message is. Not ``fatal``: the message is
                to be dropped and the stream goes on.
        """
        if isinstance(message, bytes):
            _refuse("binary_message", "Media Streams are text only", fatal=True)
        # A peer that has not started may be anyone; one that has holds a caller who should not lose
        # the call over one broken message.
        body = _parse_object(message, fatal=self._stage in _UNPROVEN)
        event = _event_name(body)
        rules = _SERVER_RULES[self._stage]
        if event not in rules:
            _refuse("unknown_event", f"no known event; known are {', '.join(_EVENTS)}")
        step = rules[event]
        if isinstance(step, _Refuse):
            _refuse(step.value, f"{event} while {self._stage.value}", fatal=step not in _HARMLESS)
        events = self._read(event, body)
        self._stage = step
        return events

    def send_media(self, payload: bytes) -> str:
        """A message that plays audio after what was sent before.

        Args:
            payload: mu-law bytes, 8 kHz, any number.

        Raises:
            StateError: before `start`, when the stream has no id yet.
        """
        # Base64 and the checked id need no escaping: this runs for every chunk of every prompt.
        data = base64.b64encode(payload).decode("ascii")
        return f'{{"event":"media","streamSid":"{self._sid()}","media":{{"payload":"{data}"}}}}'

    def send_mark(self, name: str) -> str:
        """A message that asks for `MarkPlayed` when the audio before it was played."""
        return _dump({"event": "mark", "streamSid": self._sid(), "mark": {"name": name}})

    def send_clear(self) -> str:
        """A message that drops what is not yet played."""
        return _dump({"event": "clear", "streamSid": self._sid()})

    def _sid(self) -> str:
        if not self._stream_id:
            raise StateError("nothing can be sent before the stream's start message")
        return self._stream_id

    def _read(self, event: str, body: dict[str, Any]) -> list[Event]:
        if event == "connected":
            return [StreamConnected()]
        if event == "start":
            started = _read_start(body)
            self._stream_id = started.stream_id
            return [started]
        # SignalWire leaves the top-level streamSid out of media and stop.
        if body.get("streamSid", self._stream_id) != self._stream_id:
            _refuse("wrong_stream", f"{event} for another stream than the one started")
        if event == "stop":
            return [StreamStopped()]
        inner = _section(body, event)
        if event == "media":
            return _read_media(inner)
        if event == "dtmf":
            return [DtmfReceived(_read_key(inner))]
        return [MarkPlayed(_read_mark_name(inner))]


class TwilioCaller:
    """The provider's end of one media stream, for the simulator and the tests.

    State: the sequence number, and the audio sent so far, from which the timestamps follow.
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._chunk = 0
        self._sent_samples = 0
        self._stream_id = ""
        self._call_id = ""
        self._account_id = ""

    def connected(self) -> str:
        """The first message of the socket."""
        return _dump({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(
        self,
        call_id: str,
        stream_id: str,
        parameters: dict[str, str] | None = None,
        *,
        account_id: str = "AC00000000000000000000000000000000",
    ) -> str:
        """The message that opens the stream.

        Args:
            call_id: CallSid, as given to the voice webhook.
            stream_id: StreamSid, the caller's choice.
            parameters: those of the TwiML, the call token among them.
            account_id: AccountSid.
        """
        self._call_id, self._stream_id, self._account_id = call_id, stream_id, account_id
        start = {
            "streamSid": stream_id,
            "accountSid": account_id,
            "callSid": call_id,
            "tracks": ["inbound"],
            "customParameters": parameters or {},
            "mediaFormat": {"encoding": MULAW, "sampleRate": RATE_HZ, "channels": 1},
        }
        return self._message("start", start)

    def media(self, payload: bytes) -> str:
        """A message with the caller's audio: mu-law, 8 kHz, any number of bytes."""
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(self._sent_samples * 1000 // RATE_HZ),
            "payload": base64.b64encode(payload).decode("ascii"),
        }
        self._sent_samples += len(payload)
        return self._message("media", media)

    def dtmf(self, digit: str) -> str:
        """A message with one key."""
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> str:
        """A message that says that a mark's audio was played or flushed."""
        return self._message("mark", {"name": name})

    def stop(self) -> str:
        """The last message: the caller hung up."""
        return self._message("stop", {"accountSid": self._account_id, "callSid": self._call_id})

    def receive(self, message: str | bytes) -> list[AgentMessage]:
        """Read one message of the server's.

        Raises:
            ProtocolError: and nothing else; a real provider would end the stream.
        """
        if isinstance(message, bytes):
            _refuse("binary_message", "Media Streams are text only", fatal=True)
        body = _parse_object(message, fatal=True)
        event = _event_name(body)
        if event not in {"media", "mark", "clear"}:
            _refuse("unknown_event", "the agent sends media, mark or clear")
        if body.get("streamSid") != self._stream_id:
            _refuse("wrong_stream", f"{event} for another stream than the one started")
        if event == "clear":
            return [SendClear()]
        inner = _section(body, event)
        if event == "mark":
            return [SendMark(_read_mark_name(inner))]
        return [SendMedia(_read_payload(inner))]

    def _message(self, event: str, inner: dict[str, Any]) -> str:
        self._sequence += 1
        return _dump(
            {
                "event": event,
                "sequenceNumber": str(self._sequence),
                "streamSid": self._stream_id,
                event: inner,
            }
        )


def _refuse(reason: str, detail: str, *, fatal: bool = False) -> NoReturn:
    # `from None`: the causes (UnicodeError, JSONDecodeError) quote the message, which may hold
    # digits.
    raise ProtocolError(reason, detail, fatal=fatal) from None


def _parse_object(message: str, *, fatal: bool) -> dict[str, Any]:
    try:
        body = json.loads(message)
    except (ValueError, RecursionError):  # ValueError: also a number of more than 4,300 digits
        _refuse("bad_json", "the message is not JSON", fatal=fatal)
    if not isinstance(body, dict):
        _refuse("bad_json", "the message is not a JSON object", fatal=fatal)
    return body


def _event_name(body: dict[str, Any]) -> str:
    event = body.get("event")
    if not isinstance(event, str):
        _refuse("no_event", "the message names no event")
    return event


def _section(body: dict[str, Any], name: str) -> dict[str, Any]:
    inner = body.get(name)
    if not isinstance(inner, dict):
        _refuse(f"bad_{name}", f"the message has no object {name!r}", fatal=name == "start")
    return inner


def _read_start(body: dict[str, Any]) -> StreamStarted:
    inner = _section(body, "start")
    stream_id = inner.get("streamSid", body.get("streamSid"))
    if body.get("streamSid", stream_id) != stream_id:
        _refuse("bad_start", "two different streamSid", fatal=True)
    form = inner.get("mediaFormat")
    if form is not None:
        _check_media_format(form)
    return StreamStarted(
        call_id=_read_id(inner.get("callSid"), "callSid"),
        stream_id=_read_id(stream_id, "streamSid"),
        parameters=_read_parameters(inner.get("customParameters")),
        encoding=MULAW,
        rate_hz=RATE_HZ,
    )


def _read_id(value: object, name: str) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        _refuse("bad_start", f"{name} is missing or not an identifier", fatal=True)
    return value


def _check_media_format(form: object) -> None:
    # Numbers may be strings. Other codecs and rates are other providers' dialects.
    if not isinstance(form, dict):
        _refuse("bad_start", "mediaFormat is not an object", fatal=True)
    asked = (form.get("encoding", MULAW), form.get("sampleRate", RATE_HZ), form.get("channels", 1))
    if tuple(str(part) for part in asked) != (MULAW, str(RATE_HZ), "1"):
        _refuse("unsupported_media", f"only {MULAW}, {RATE_HZ} Hz, 1 channel", fatal=True)


def _read_parameters(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MAX_PARAMETERS:
        _refuse("bad_start", "customParameters is no object, or too large a one", fatal=True)
    for name, text in value.items():
        if not isinstance(text, str) or not _is_clean(name) or not _is_clean(text):
            _refuse("bad_start", "a customParameter is not a short text", fatal=True)
    return dict(value)


def _is_clean(text: str) -> bool:
    # JSON can smuggle lone surrogates in, which no UTF-8 log or database takes.
    try:
        return len(text.encode("utf-8")) <= _MAX_PARAMETER_CHARS
    except UnicodeEncodeError:
        return False


def _read_media(inner: dict[str, Any]) -> list[Event]:
    # The agent's own audio comes back where a stream was asked for both tracks.
    if inner.get("track", "inbound") != "inbound":
        return []
    payload = _read_payload(inner)
    if not payload:
        return []
    return [MediaReceived(payload, _read_timestamp_ms(inner.get("timestamp")))]


def _read_payload(inner: dict[str, Any]) -> bytes:
    data = inner.get("payload")
    if not isinstance(data, str):
        _refuse("bad_media", "the message has no payload")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        _refuse("bad_base64", "the payload is not base64")


def _read_timestamp_ms(value: object) -> int | None:
    # Advisory: the call's clock is the audio itself, so a bad timestamp is not worth a frame.
    text = str(value) if isinstance(value, int | str) else ""
    if text.isascii() and text.isdigit() and len(text) <= _MAX_TIMESTAMP_DIGITS:
        return int(text)
    return None


def _read_key(inner: dict[str, Any]) -> str:
    digit = inner.get("digit")
    if not isinstance(digit, str) or digit.upper() not in KEYS:
        _refuse("bad_dtmf", "the message has no key of a telephone")
    return digit.upper()


def _read_mark_name(inner: dict[str, Any]) -> str:
    name = inner.get("name")
    if not isinstance(name, str) or len(name) > _MAX_NAME_CHARS or not _is_clean(name):
        _refuse("bad_mark", "the mark has no usable name")
    return name


def _dump(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))
