"""Dashboard and alerts name metrics and labels that the code has, and Prometheus takes them."""

from __future__ import annotations

import json
import re
from typing import Any

from ivr.server.metrics import FAMILIES
from tests.deploy.places import DEPLOY, ROOT, read_yaml, run, tool

ALERTS = DEPLOY / "monitoring" / "alerts.yaml"
DASHBOARD = DEPLOY / "monitoring" / "dashboard.json"
OF_PROMETHEUS = {"up", "process_resident_memory_bytes"}
OF_TARGETS = {"instance", "job", "le"}


def alert_rules() -> list[dict[str, Any]]:
    """Every rule."""
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return document


def expressions() -> list[str]:
    """Every query of either."""
    queries = [
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])
    ]
    return [rule["expr"] for rule in alert_rules()] + queries


def names() -> dict[str, set[str]]:
    """Every series that the code has, with its labels."""
    found: dict[str, set[str]] = {}
    for family in FAMILIES:
        suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
        for suffix in suffixes:
            found[family.name + suffix] = set(family.labels)
    return found


def test_every_metric_exists() -> None:
    """A panel of a metric that is gone would stay empty, and an alert silent."""
    known = names()
    for expression in expressions():
        used = re.findall(r"\b(ivr_\w+|up|process_\w+)\b(?=[{\s\[<>=)]|$)", expression)
        assert used, expression
        for name in used:
            assert name in known or name in OF_PROMETHEUS, f"{name} in {expression}"


def test_every_label_exists() -> None:
    """Neither in a selector nor in a sum."""
    known = names()
    for expression in expressions():
        for name, selector in re.findall(r"(ivr_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)\s*=~?\"", selector))
            assert labels <= known[name] | OF_TARGETS, expression
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            given = {label.strip() for label in labels.split(",")}
            used = set().union(*(known.get(n, set()) for n in re.findall(r"ivr_\w+", expression)))
            assert given <= used | OF_TARGETS, expression


def test_every_metric_is_on_the_dashboard() -> None:
    """What is worth counting is worth a line."""
    shown = " ".join(
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])
    )
    assert not {family.name for family in FAMILIES if family.name not in shown}


def test_dashboard_is_well_formed() -> None:
    """Panels have an id of their own, do not overlap, and ask the data source that is chosen."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}"


def test_alerts_are_explained() -> None:
    """Each says what is wrong, how bad it is, and stands in the guide."""
    guide = (ROOT / "docs" / "how-to" / "monitor.md").read_text(encoding="utf-8")
    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "description"} <= set(rule["annotations"])
        assert f"`{rule['alert']}`" in guide


def test_prometheus_takes_the_rules() -> None:
    """By its own tool."""
    assert "SUCCESS" in run(tool("promtool"), "check", "rules", ALERTS)
    run(
        tool("promtool"), "check", "config", "--syntax-only", DEPLOY / "compose" / "prometheus.yaml"
    )


def test_the_chart_has_the_same_rules() -> None:
    """The chart's file is the one beside it."""
    assert (DEPLOY / "helm" / "ivr" / "alerts.yaml").resolve() == ALERTS.resolve()
