"""What is counted and timed, for ``/metrics``: one table of families, one registry a server.

Theory of operation: `FAMILIES` is the whole list; the reference page is made from it, and a family
that is not in it cannot be counted. What happens is counted where it happens, through `Metrics`;
what *is* (calls on the line, workers alive) is read when somebody asks, by
`ivr.server.gauges`. Label values are names of our own, of flows and of their outcomes: never
anything of a caller's, and never more than `_MAX_VALUES` of a family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import prometheus_client as prometheus
from prometheus_client.registry import Collector

from ivr.actions import TurnRecord
from ivr.errors import StateError
from ivr.recognition import CompletionCause, InputMode, Recognition

# A reason that a peer could choose, or a bank of flows, would let the table grow.
_MAX_VALUES: Final = 512
_OTHER: Final = "other"

# Around what callers notice: 0.2 s after the last digit feels immediate, 2 s feels lost.
_LATENCY_S: Final = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
_COMPUTE_S: Final = (
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
_CALL_S: Final = (5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1800.0)
_CONFIDENCE: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

# The time at which a series began is nothing that anybody charts, and doubles the page.
prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Family:
    """One name in ``/metrics``.

    Attributes:
        name: as Prometheus shows it.
        kind: of Prometheus's types.
        meaning: one sentence, for the page and the reference.
        labels: their names.
        buckets: upper bounds of a histogram.
        read: it is looked up when somebody asks, not counted.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    read: bool = False


FAMILIES: Final = tuple(
    sorted(
        (
            Family("ivr_calls_active", "gauge", "Calls on the line now.", read=True),
            Family("ivr_calls_max", "gauge", "Calls that are taken at most.", read=True),
            Family(
                "ivr_calls_total",
                "counter",
                "Calls that have ended, by flow and outcome.",
                ("flow", "outcome"),
            ),
            Family(
                "ivr_call_duration_seconds",
                "histogram",
                "Length of the calls that have ended.",
                buckets=_CALL_S,
            ),
            Family(
                "ivr_turns_total",
                "counter",
                "Questions that were answered, or not: by why the listening ended, and how the "
                "caller answered (speech, dtmf, both, none).",
                ("cause", "mode"),
            ),
            Family("ivr_reprompts_total", "counter", "Questions that were put again."),
            Family(
                "ivr_turn_confidence_ratio",
                "histogram",
                "Confidence of spoken answers, 0 to 1, those that were not sure enough included.",
                buckets=_CONFIDENCE,
            ),
            Family(
                "ivr_decision_latency_seconds",
                "histogram",
                "From the caller's last speech or key to the decision.",
                buckets=_LATENCY_S,
            ),
            Family(
                "ivr_recognition_queue_seconds",
                "histogram",
                "What an utterance waited for a worker.",
                buckets=_COMPUTE_S,
            ),
            Family(
                "ivr_recognition_compute_seconds",
                "histogram",
                "What a worker took for an utterance.",
                buckets=_COMPUTE_S,
            ),
            Family(
                "ivr_lookups_total",
                "counter",
                "Look-ups of flows: found, missing, or why one failed.",
                ("reason",),
            ),
            Family(
                "ivr_transfers_total",
                "counter",
                "Calls to be handed on: transferred, or why one was not.",
                ("reason",),
            ),
            Family(
                "ivr_lookup_seconds",
                "histogram",
                "What a look-up took, its retries included.",
                buckets=_LATENCY_S,
            ),
            Family(
                "ivr_prompt_render_seconds",
                "histogram",
                "Rendering of a prompt that was not ready yet.",
                buckets=_COMPUTE_S,
            ),
            Family(
                "ivr_prompt_start_seconds",
                "histogram",
                "From the decision to the first audio of the prompt that follows.",
                buckets=_COMPUTE_S,
            ),
            Family(
                "ivr_refusals_total",
                "counter",
                "Calls, requests and messages that were refused, by reason.",
                ("reason",),
            ),
            Family("ivr_failures_total", "counter", "What failed on our side.", ("reason",)),
            Family(
                "ivr_streams_total", "counter", "Media streams, by how they ended.", ("reason",)
            ),
            Family("ivr_flows_served", "gauge", "Flows that calls can ask for.", read=True),
            Family(
                "ivr_flows_stale",
                "gauge",
                "Files of flows that are wrong as they stand; an older version is served.",
                read=True,
            ),
            Family(
                "ivr_flow_reloads_total",
                "counter",
                "Readings of changed flow files: done, failed (a file is wrong), internal (a bug).",
                ("reason",),
            ),
            Family("ivr_webhooks_total", "counter", "The provider's webhooks.", ("reason",)),
            Family("ivr_ready", "gauge", "1 while a new call would be taken.", read=True),
            Family(
                "ivr_recognition_queue_length",
                "gauge",
                "Utterances that wait for a worker now.",
                read=True,
            ),
            Family(
                "ivr_recognition_queue_limit",
                "gauge",
                "Utterances that may wait; further ones are refused.",
                read=True,
            ),
            Family("ivr_workers_configured", "gauge", "Recogniser processes wanted.", read=True),
            Family("ivr_workers_alive", "gauge", "Recogniser processes with a model.", read=True),
            Family("ivr_workers_busy", "gauge", "Recogniser processes at work.", read=True),
            Family(
                "ivr_worker_restarts_total",
                "counter",
                "Recogniser processes that were started in place of others.",
                read=True,
            ),
            Family(
                "ivr_records_waiting", "gauge", "Records that wait for the database.", read=True
            ),
            Family("ivr_records_waiting_bytes", "gauge", "Their size in the spool.", read=True),
            Family("ivr_records_spool_max_bytes", "gauge", "What the spool may hold.", read=True),
            Family(
                "ivr_records_total",
                "counter",
                "Records by what became of them: written; dropped (the spool was full), rejected "
                "(the database will never take them), unsafe (the spool's disk did not), purged.",
                ("result",),
                read=True,
            ),
            Family(
                "ivr_records_database_away_total",
                "counter",
                "Times the database stopped answering.",
                read=True,
            ),
            Family(
                "ivr_results_total",
                "counter",
                "Results for webhook.url: delivered, failed (an attempt), dead (given up).",
                ("result",),
                read=True,
            ),
            Family(
                "ivr_disk_free_bytes",
                "gauge",
                "Free on the disks of records, spool and recordings of calls.",
                ("folder",),
                read=True,
            ),
            Family(
                "ivr_build_info", "gauge", "1; the version as a label.", ("version",), read=True
            ),
        ),
        key=lambda family: family.name,
    )
)
_BY_NAME: Final = {family.name: family for family in FAMILIES}

_Measured = prometheus.Counter | prometheus.Histogram


class Metrics:
    """The measurements of one server.

    State: one registry, so that two servers in a process do not share counts; how many values each
    label has. Times may be noted from any thread, the rest from the event loop only.
    """

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self._measured = {
            family.name: _make(family, self.registry) for family in FAMILIES if not family.read
        }
        self._values: dict[str, set[tuple[str, ...]]] = {}
        # Of the server's own process: the workers are processes of their own.
        prometheus.ProcessCollector(registry=self.registry)

    def add(self, family: str, *values: str) -> None:
        """Count one of a family, such as ``refusals``, with the values of its labels.

        Raises:
            StateError: no counter of that name.
        """
        name = f"ivr_{family}_total"
        counter = self._measured.get(name)
        if not isinstance(counter, prometheus.Counter):
            raise StateError(f"{name} is not in the list of metrics (ivr.server.metrics)")
        if not values:
            counter.inc()
            return
        known = self._values.setdefault(name, set())
        if values not in known and len(known) >= _MAX_VALUES:
            values = (_OTHER,) * len(values)
        known.add(values)
        counter.labels(*values).inc()

    def get(self, family: str, *values: str) -> int:
        """How often that was counted; 0 if never."""
        labels = dict(zip(_BY_NAME[f"ivr_{family}_total"].labels, values, strict=True))
        return int(self.registry.get_sample_value(f"ivr_{family}_total", labels) or 0)

    def time(self, family: str, seconds: float) -> None:
        """Note how long something took: ``decision_latency``, ``prompt_render``, ..."""
        self._observe(f"ivr_{family}_seconds", max(0.0, seconds))

    def _observe(self, name: str, value: float) -> None:
        histogram = self._measured[name]
        if isinstance(histogram, prometheus.Histogram):
            histogram.observe(value)

    # -- the values of a call, taken apart ---------------------------------------------------------

    def turn(self, turn: TurnRecord) -> None:
        """Count a turn of the dialogue that is over."""
        collected = turn.collected
        if collected is None:
            return
        mode = collected.mode.value if collected.mode is not None else "none"
        self.add("turns", collected.cause.value, mode)
        if collected.attempt > 1:
            self.add("reprompts")
        if collected.latency_ms is not None:
            self.time("decision_latency", collected.latency_ms / 1000)
        spoken = collected.mode in (InputMode.SPEECH, InputMode.BOTH)
        if spoken and collected.cause in (CompletionCause.SUCCESS, CompletionCause.NO_MATCH):
            self._observe("ivr_turn_confidence_ratio", collected.confidence)

    def call(self, flow: str, outcome: str, duration_s: float) -> None:
        """Count a call that is over."""
        self.add("calls", flow, outcome)
        self.time("call_duration", duration_s)

    def recognition(self, recognition: Recognition) -> None:
        """Note what an utterance waited and took."""
        self.time("recognition_queue", recognition.queued_ms / 1000)
        self.time("recognition_compute", sum(recognition.compute_ms.values()) / 1000)

    # -- the page ---------------------------------------------------------------------------------

    def register(self, collector: Collector) -> None:
        """Let something be asked for what is, whenever somebody reads the page."""
        self.registry.register(collector)

    def page(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type.

        Args:
            accept: the request's header; OpenMetrics is given to whoever asks for it.
        """
        encode, content_type = prometheus.exposition.choose_encoder(accept)
        return encode(self.registry), content_type


def _make(family: Family, registry: prometheus.CollectorRegistry) -> _Measured:
    if family.kind == "histogram":
        return prometheus.Histogram(
            family.name, family.meaning, family.labels, buckets=family.buckets, registry=registry
        )
    return prometheus.Counter(family.name, family.meaning, family.labels, registry=registry)
