"""What `/metrics` looks up when it is read: calls, workers, records, disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ivr import __version__
from ivr.server.context import Context
from ivr.server.metrics import FAMILIES, Family
from ivr.server.readiness import Readiness

_RECORDS: Final = ("written", "dropped", "rejected", "unsafe", "purged")
_RESULTS: Final = ("delivered", "failed", "dead")

_Values = dict[tuple[str, ...], float]


class Gauges(Collector):
    """The families that are read rather than counted, each from the one place that knows.

    Args:
        context: of the server.
        readiness: has looked at the disk, and knows whether a call would be taken.
    """

    def __init__(self, context: Context, readiness: Readiness) -> None:
        self._context = context
        self._readiness = readiness

    def describe(self) -> Iterator[Metric]:
        """The families without values, so that a registry need not ask for them."""
        for family in FAMILIES:
            if family.read:
                yield _metric(family, {})

    def collect(self) -> Iterator[Metric]:
        """The families with what is so now."""
        values = {**self._calls(), **self._workers(), **self._records()}
        for family in FAMILIES:
            if family.read:
                yield _metric(family, values[family.name])

    def _calls(self) -> dict[str, _Values]:
        context = self._context
        return {
            "ivr_calls_active": {(): len(context.calls)},
            "ivr_calls_max": {(): context.settings.server.max_calls},
            "ivr_flows_served": {(): len(context.flows.names())},
            "ivr_flows_stale": {(): len(context.flows.broken)},
            "ivr_ready": {(): self._readiness.last_ready},
            "ivr_disk_free_bytes": {
                (name,): free for name, free in self._readiness.free_bytes.items()
            },
            "ivr_build_info": {(__version__,): 1},
        }

    def _workers(self) -> dict[str, _Values]:
        state = self._context.recognizer.state()
        return {
            "ivr_workers_configured": {(): state.workers},
            "ivr_workers_alive": {(): state.alive},
            "ivr_workers_busy": {(): state.busy},
            "ivr_worker_restarts_total": {(): state.restarts},
            "ivr_recognition_queue_length": {(): state.waiting},
            "ivr_recognition_queue_limit": {(): state.queue_limit},
        }

    def _records(self) -> dict[str, _Values]:
        store = self._context.store
        return {
            "ivr_records_waiting": {(): store.waiting},
            "ivr_records_waiting_bytes": {(): store.waiting_bytes},
            "ivr_records_spool_max_bytes": {(): self._context.settings.records.spool_max_bytes},
            "ivr_records_total": {(name,): store.counts[name] for name in _RECORDS},
            "ivr_records_database_away_total": {(): store.counts["away"]},
            "ivr_results_total": {(name,): store.counts[name] for name in _RESULTS},
        }


def _metric(family: Family, values: _Values) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.meaning, labels=family.labels)
    for labels, value in values.items():
        metric.add_metric(labels, float(value))
    return metric
