"""What travels on a provider's media socket, with the provider's spelling taken off.

Theory of operation: each provider writes the same few facts in its own JSON. A dialect
(`ivr.providers.twilio`, ...) turns its messages into the events below and the events below into its
messages, so that `ivr.call` never sees JSON and a new provider is one new file. Both directions are
here, because each dialect plays both roles: the server's and, for the simulator and the tests, the
provider's.

Audio stays as the wire has it (G.711 bytes): the call decodes it, once.
"""

from __future__ import annotations

from dataclasses import dataclass

MULAW = "audio/x-mulaw"
"""G.711 mu-law, one byte a sample; the name that Twilio and SignalWire use."""


@dataclass(frozen=True, slots=True)
class StreamConnected:
    """The provider has opened the socket; nothing is known of the call yet."""


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The call's audio begins.

    Attributes:
        call_id: the provider's name of the call (Twilio's CallSid); printable ASCII.
        stream_id: the provider's name of this stream (Twilio's StreamSid); printable ASCII.
        parameters: what our own webhook attached to the stream, the call token among it.
        encoding: of every later payload, e.g. ``audio/x-mulaw``.
        rate_hz: of every later payload.
    """

    call_id: str
    stream_id: str
    parameters: dict[str, str]
    encoding: str = MULAW
    rate_hz: int = 8000


@dataclass(frozen=True, slots=True)
class MediaReceived:
    """A piece of the caller's audio.

    Attributes:
        payload: G.711 bytes, of any length above 0 (20 ms = 160 bytes is usual, not promised).
        timestamp_ms: the provider's clock since the start of the stream; ``None`` where it gave
            none.
    """

    payload: bytes
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """The caller pressed a key.

    Attributes:
        digit: one of ``0123456789*#ABCD``. Personal data: never log it.
    """

    digit: str


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """The audio sent before the mark was played, or flushed by a clear."""

    name: str


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The provider ended the stream: the caller hung up, or the call moved on."""


@dataclass(frozen=True, slots=True)
class SendMedia:
    """Audio for the caller, to be played after what was sent before it.

    Attributes:
        payload: G.711 bytes of any length.
    """

    payload: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """A request for `MarkPlayed` once the audio sent before it was played."""

    name: str


@dataclass(frozen=True, slots=True)
class SendClear:
    """Drop the audio that is not yet played, and return its marks."""


Event = StreamConnected | StreamStarted | MediaReceived | DtmfReceived | MarkPlayed | StreamStopped
"""What a provider tells the server."""

AgentMessage = SendMedia | SendMark | SendClear
"""What the server tells a provider."""
