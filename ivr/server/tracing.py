"""Traces of calls for an OpenTelemetry collector; off unless `telemetry.endpoint` is set.

Theory of operation: a call is a trace. Its root span lasts as long as the call; below it is a span
a turn, and below each turn the recognitions, look-ups and prompts that happened in it:

    call ── turn ── recognise
         │       └─ prompt
         └─ turn ── lookup

Attributes are names of our own and of flows, lengths, causes, confidences and times: never what was
said, and no exception's text. Spans are sent by a thread of the SDK. Where tracing is off nothing
of OpenTelemetry is imported, and `NO_TRACE` does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from ivr import __version__
from ivr.actions import TurnRecord
from ivr.config import TelemetrySettings
from ivr.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

_EXPORT_TIMEOUT_S: Final = 5.0  # a collector that is away must not hold up the end of the server

Fact = str | int | float | bool


class Note(Protocol):
    """Adds attributes to a span that has begun."""

    def __call__(self, **facts: Fact | None) -> None:
        """Add what is known by now; ``None`` is left out."""


class Trace(Protocol):
    """The trace of one call."""

    @property
    def trace_id(self) -> str | None:
        """For the log: 32 hexadecimal digits; ``None`` where nothing is traced."""

    def span(self, name: str, **facts: Fact | None) -> AbstractContextManager[Note]:
        """Something that takes time within the current turn."""

    def turn(self, turn: TurnRecord) -> None:
        """A turn is over, the next begins."""

    def over(self, **facts: Fact | None) -> None:
        """The call is over."""


class _NoTrace:
    trace_id: str | None = None

    def __init__(self) -> None:
        self._nothing: AbstractContextManager[Note] = nullcontext(_no_note)

    def span(self, name: str, **facts: Fact | None) -> AbstractContextManager[Note]:  # noqa: ARG002
        return self._nothing

    def turn(self, turn: TurnRecord) -> None:
        pass

    def over(self, **facts: Fact | None) -> None:
        pass


def _no_note(**facts: Fact | None) -> None:
    pass


NO_TRACE: Final[Trace] = _NoTrace()


class Tracing:
    """Begins the trace of each call.

    Args:
        settings: where to, how many.
        exporter: instead of the one that sends to the collector, for tests.

    Raises:
        ConfigError: the extra is not installed.

    State: the SDK's provider and its thread, until `close`.
    """

    def __init__(self, settings: TelemetrySettings, exporter: SpanExporter | None = None) -> None:
        self._tracer: Tracer | None = None
        if settings.endpoint is None and exporter is None:
            return
        try:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only when wanted
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import TraceIdRatioBased  # noqa: PLC0415

            exporter = exporter or _exporter(settings)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"telemetry.endpoint needs the package {error.name}; install it with "
                "pip install 'ivr[otel]'"
            ) from None
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(settings.sample_ratio),
            resource=Resource.create(
                {"service.name": settings.service_name, "service.version": __version__}
            ),
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("ivr", __version__)

    def call(self, record_id: str, flow: str) -> Trace:
        """The trace of a call that begins.

        Args:
            record_id: our own id of it.
            flow: the flow's name.
        """
        return NO_TRACE if self._tracer is None else _Trace(self._tracer, record_id, flow)

    async def close(self) -> None:
        """Send what was not sent yet, as far as the collector takes it."""
        if self._tracer is not None:
            await asyncio.to_thread(self._provider.shutdown)
            self._tracer = None


def _exporter(settings: TelemetrySettings) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    headers = settings.headers.get_secret_value() if settings.headers is not None else ""
    pairs = [pair.partition("=") for pair in headers.split(",") if pair.strip()]
    return OTLPSpanExporter(
        endpoint=f"{(settings.endpoint or '').rstrip('/')}/v1/traces",
        headers={name.strip(): value.strip() for name, _, value in pairs},
        timeout=_EXPORT_TIMEOUT_S,
    )


class _Trace:
    """A call that is traced."""

    def __init__(self, tracer: Tracer, record_id: str, flow: str) -> None:
        from opentelemetry.trace import format_trace_id, set_span_in_context  # noqa: PLC0415

        self._tracer = tracer
        self._within = set_span_in_context
        self._call = tracer.start_span(
            "call", attributes={"ivr.record_id": record_id, "ivr.flow": flow}
        )
        self.trace_id: str | None = format_trace_id(self._call.get_span_context().trace_id)
        self._turns = 0
        self._turn: Span | None = None

    def _open_turn(self) -> Span:
        # Begun by the first thing in it, the prompt as a rule: after the last there is none.
        if self._turn is None:
            self._turns += 1
            self._turn = self._tracer.start_span(
                "turn", self._within(self._call), attributes={"ivr.turn": self._turns}
            )
        return self._turn

    @contextmanager
    def span(self, name: str, **facts: Fact | None) -> Iterator[Note]:
        span = self._tracer.start_span(
            name, self._within(self._open_turn()), attributes=_named(facts)
        )

        def note(**more: Fact | None) -> None:
            span.set_attributes(_named(more))

        try:
            yield note
        finally:
            span.end()

    def turn(self, turn: TurnRecord) -> None:
        collected = turn.collected
        facts: dict[str, Fact | None] = {"step": turn.step}
        if collected is not None:
            facts |= {
                "cause": collected.cause.value,
                "mode": collected.mode.value if collected.mode is not None else None,
                "length": len(collected.value or ""),
                "confidence": round(collected.confidence, 3),
                "latency_ms": collected.latency_ms,
                "attempt": collected.attempt,
                "barged_in": collected.barged_in,
            }
        span = self._open_turn()
        span.set_attributes(_named(facts))
        if collected is not None:  # the last turn says goodbye, and lasts as long as the call
            span.end()
            self._turn = None

    def over(self, **facts: Fact | None) -> None:
        if self._turn is not None:
            self._turn.end()
        self._call.set_attributes(_named(facts))
        self._call.end()


def _named(facts: dict[str, Fact | None]) -> dict[str, Fact]:
    return {f"ivr.{name}": value for name, value in facts.items() if value is not None}
