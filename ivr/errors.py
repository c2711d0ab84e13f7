"""The exception tree of `ivr`.

    IvrError
    ├── ConfigError        configuration, manifest or command line: the user's to mend
    │   └── FlowError      a call-flow file, with file and line
    ├── ProtocolError      the peer broke the wire protocol; all that a dialect may raise
    ├── AudioError         a recording that cannot be decoded
    ├── ModelError         the model is missing, altered or of the wrong kind
    ├── StateError         our own bug: a method called in a state that forbids it
    └── Overloaded         no capacity now; refusing beats growing latency

noinput and nomatch are values (`ivr.recognition.CompletionCause`), never exceptions. No message may
hold digits that a caller spoke or keyed.
"""

from __future__ import annotations

from collections.abc import Sequence


class IvrError(Exception):
    """Every error that `ivr` raises on purpose."""


class ConfigError(IvrError):
    """The user's file or option is wrong; the message names the place and the cure."""


class FlowError(ConfigError):
    """A call-flow file is wrong; the message names file and line.

    Args:
        message: of the first mistake.
        line: of it, from 1; 0 where it has none.
        others: mistakes in the same file that are told beside it.
    """

    def __init__(self, message: str, line: int = 0, others: Sequence[FlowError] = ()) -> None:
        super().__init__(message)
        self.line = line
        self.others = tuple(others)

    @classmethod
    def of(cls, mistakes: Sequence[FlowError]) -> FlowError:
        """Several mistakes as one error, which says the first; all have their own message once."""
        first, *others = {str(mistake): mistake for mistake in mistakes}.values()
        return cls(str(first), first.line, others)

    @property
    def mistakes(self) -> tuple[FlowError, ...]:
        """All of them, in the order of the file."""
        return tuple(sorted((self, *self.others), key=lambda mistake: mistake.line))


class ProtocolError(IvrError):
    """The peer sent what the protocol forbids.

    Args:
        reason: a short stable name for counters and records, such as ``bad_json``.
        detail: one sentence for the log; never the payload itself.
        fatal: whether the stream cannot go on (close with 1002/1003/1008/1009).
    """

    def __init__(self, reason: str, detail: str = "", *, fatal: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.fatal = fatal


class AudioError(IvrError):
    """A recording cannot be read or decoded."""


class ModelError(IvrError):
    """The model is missing, altered or of the wrong kind."""


class StateError(IvrError):
    """A method was called in a state that forbids it: a bug in `ivr`."""


class Overloaded(IvrError):  # noqa: N818 - it is what happened
    """There is no capacity for this now."""
