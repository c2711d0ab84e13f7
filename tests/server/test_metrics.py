"""What is counted and timed: in one list, in Prometheus's names, with nothing of a caller's."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from ivr.errors import StateError
from ivr.server.metrics import FAMILIES, Metrics
from ivr.server.metrics_page import page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
UNITS = ("_seconds", "_bytes", "_ratio", "_total")


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and label values."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parse(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def read(bench: Any, accept: str = "") -> str:
    """The page of a server."""
    response = await bench.client.get(bench.url + "/metrics", headers={"Accept": accept})
    assert response.status == 200
    text: str = await response.text()
    return text


def test_the_reference_is_current() -> None:
    """The page of the documentation is what the code says."""
    assert REFERENCE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_follow_the_conventions(family: Any) -> None:
    """A prefix, base units, `_total` for counters and only for them; a sentence says what it is."""
    assert re.fullmatch(r"ivr_[a-z][a-z_]*", family.name)
    assert (family.kind == "counter") == family.name.endswith("_total")
    assert family.kind != "histogram" or family.name.endswith(UNITS)
    assert bool(family.buckets) == (family.kind == "histogram")
    assert family.meaning.endswith(".")
    assert not re.search(r"_(ms|milliseconds|percent|mb)\b", family.name)


def test_what_the_code_counts_is_in_the_list() -> None:
    """A name that is not would end the call that first counts it."""
    package = REFERENCE.parents[2] / "ivr"
    text = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    counted = {f"ivr_{name}_total" for name in re.findall(r"metrics\.add\(\s*\"(\w+)\"", text)}
    assert len(counted) > 5
    assert counted <= {family.name for family in FAMILIES}


def test_page_has_what_the_list_has(kit: Any) -> None:
    """Nothing is shown that is not in the list, and all that is in it is shown."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            text = await read(bench)
            shown = set(re.findall(r"^# TYPE (ivr_\w+) ", text, re.MULTILINE))
            assert shown == {family.name for family in FAMILIES}
            assert "process_resident_memory_bytes" in text
            assert "_created" not in text

    kit.run(scenario)


def test_a_call_is_measured_from_end_to_end(kit: Any, speech: bytes) -> None:
    """Silence, then an answer to the question put again: counts, times and confidence."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.say(line.caller.mark(await line.mark()))
            assert samples(await read(bench))["ivr_calls_active"] == {(): 1.0}
            await line.silence(1.5)
            await line.say(line.caller.mark(await line.mark(2)))
            await line.hear(speech)
            await line.say(line.caller.mark(await line.mark(3)))
            await line.closed()
            await bench.ended()
            found = samples(await read(bench))
            assert found["ivr_calls_active"] == {(): 0.0}
            assert found["ivr_calls_total"] == {("pin", "completed"): 1.0}
            assert found["ivr_call_duration_seconds_count"] == {(): 1.0}
            assert found["ivr_turns_total"] == {
                ("no-input-timeout", "none"): 1.0,
                ("success", "speech"): 1.0,
            }
            assert found["ivr_reprompts_total"] == {(): 1.0}
            assert found["ivr_turn_confidence_ratio_count"] == {(): 1.0}
            assert found["ivr_decision_latency_seconds_count"] == {(): 1.0}
            assert found["ivr_prompt_start_seconds_count"] == {(): 3.0}
            assert found["ivr_prompt_render_seconds_count"] == {(): 3.0}
            assert found["ivr_recognition_queue_seconds_count"][()] >= 1
            assert found["ivr_recognition_compute_seconds_count"][()] >= 1
            assert found["ivr_webhooks_total"] == {("answered",): 1.0}
            assert found["ivr_records_total"][("written",)] >= 1
            assert found["ivr_ready"] == {(): 1.0}

    kit.run(scenario)


def test_openmetrics_for_who_asks(kit: Any) -> None:
    """A scraper that prefers OpenMetrics gets it, and it can be read."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            text = await read(bench, "application/openmetrics-text; version=1.0.0")
            assert text.endswith("# EOF\n")
            assert "ivr_calls_active" in {family.name for family in parse_open(text)}

    kit.run(scenario)


def test_two_servers_do_not_share_counts(kit: Any) -> None:
    """A registry each: what one refused the other did not."""

    async def scenario() -> None:
        async with kit.serving() as one, kit.serving() as other:
            await (await one.line()).say("{")
            await one.until(lambda: one.count("bad_json") == 1)
            assert other.count("bad_json") == 0
            await asyncio.sleep(0)

    kit.run(scenario)


def test_labels_are_bounded() -> None:
    """However many names come, the page stays small."""
    metrics = Metrics()
    for number in range(2000):
        metrics.add("refusals", f"r{number}")
    assert metrics.get("refusals", "r1") == 1
    assert metrics.get("refusals", "other") > 1000
    assert len(metrics.page("")[0].splitlines()) < 1000


def test_what_is_not_in_the_list_is_a_mistake() -> None:
    """A name that nobody documented cannot be counted by accident."""
    with pytest.raises(StateError, match="ivr_surprises_total"):
        Metrics().add("surprises", "one")
