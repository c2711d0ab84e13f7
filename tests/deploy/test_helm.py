"""The chart, rendered by Helm where it is installed: probes, ends, rights, settings that exist."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ivr.config import load_settings
from tests.deploy.places import DEPLOY, read_yaml, tool

CHART = DEPLOY / "helm" / "ivr"
EVERYTHING = {
    "ingress": {"enabled": True},
    "autoscaling": {"enabled": True},
    "monitoring": {"serviceMonitor": True, "rules": True},
    "persistence": {"enabled": True},
    "flows": {"mine.yaml": "flow: mine\nstart: bye\n"},
    "secret": {"values": {"IVR_TWILIO__AUTH_TOKEN": 'with: "quotes"'}},
}
Objects = dict[str, dict[str, Any]]


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., Objects]:
    """Renders the chart with values; the objects by kind."""
    helm = tool("helm")

    def rendered(**values: Any) -> Objects:
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values))
        command = [helm, "template", "ivr", str(CHART), "--values", str(file)]
        done = subprocess.run(  # noqa: S603 - our own chart
            command, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ValueError(done.stderr)
        return {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}

    return rendered


def check_pod(workload: dict[str, Any], config: dict[str, Any]) -> None:
    """A pod ends in order, has no rights, and is asked the right things."""
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # The service's own variables would be settings that do not exist.
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    wait_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > wait_s + config["server"]["drain_s"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claims = {c["metadata"]["name"] for c in workload["spec"].get("volumeClaimTemplates", [])}
    assert mounted == {volume["name"] for volume in pod["volumes"]} | claims


def test_renders_with_the_defaults(render: Any, tmp_path: Path) -> None:
    """A deployment, a service, a budget; and a configuration that the server takes."""
    found = render()
    assert set(found) == {
        *("ConfigMap", "Deployment", "PodDisruptionBudget", "Secret", "Service", "ServiceAccount"),
    }
    file = tmp_path / "ivr.yaml"
    file.write_text(found["ConfigMap"]["data"]["ivr.yaml"])
    settings = load_settings(file)
    assert settings.server.drain_s == 300
    assert settings.flow == tmp_path / "flows" / "account_id.yaml"
    check_pod(found["Deployment"], yaml.safe_load(file.read_text()))
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"].items() <= labels.items()


def test_renders_with_everything(render: Any) -> None:
    """With volumes a stateful set; three paths in the ingress; the alerts as they stand."""
    found = render(**EVERYTHING)
    assert {"StatefulSet", "Ingress", "HorizontalPodAutoscaler"} <= set(found)
    assert {"ServiceMonitor", "PrometheusRule"} <= set(found)
    check_pod(found["StatefulSet"], read_yaml(CHART / "values.yaml")["config"])
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"
    assert found["Secret"]["stringData"] == {"IVR_TWILIO__AUTH_TOKEN": 'with: "quotes"'}
    (rule,) = found["Ingress"]["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/voice", "/voice/after", "/media"]
    alerts = read_yaml(DEPLOY / "monitoring" / "alerts.yaml")
    assert found["PrometheusRule"]["spec"] == alerts


def test_a_changed_configuration_replaces_the_pods(render: Any) -> None:
    """A pod reads its configuration once."""
    before = render()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    after = render(config={"server": {"max_calls": 9}})["Deployment"]["spec"]["template"][
        "metadata"
    ]
    assert before["checksum/config"] != after["annotations"]["checksum/config"]


def test_secret_of_ones_own(render: Any) -> None:
    """Then none is made."""
    found = render(secret={"existing": "mine"})
    assert "Secret" not in found
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "mine"}}]


def test_misspelt_value_is_refused(render: Any) -> None:
    """By Helm itself, from the schema."""
    with pytest.raises(ValueError, match="replica"):
        render(replica=3)


# -- without Helm ----------------------------------------------------------------------------------


def checked(values: dict[str, Any]) -> None:
    """Raise unless the schema takes the values."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(values)


def test_schema_takes_the_values() -> None:
    """The file beside it is right by it."""
    jsonschema.Draft7Validator.check_schema(
        json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    )
    checked(read_yaml(CHART / "values.yaml"))


@pytest.mark.parametrize(
    "change",
    [
        {"replica": 3},
        {"config": {"server": {"host": "0.0.0.0", "port": 0, "drain_s": 1}}},
        {
            "config": {
                "server": {"host": "", "port": 1, "drain_s": 1},
                "twilio": {"auth_token": "x"},
            }
        },
        {"secret": {"values": {"TWILIO_TOKEN": "x"}}},
        {"flows": {"../x": "y"}},
    ],
)
def test_schema_refuses(change: dict[str, Any]) -> None:
    """Misspelt keys, secrets in the configuration map, names that are no file's."""
    with pytest.raises(jsonschema.ValidationError):
        checked({**read_yaml(CHART / "values.yaml"), **change})


def test_default_configuration_is_the_servers() -> None:
    """Every key of `config` exists; checked without Helm, since it is plain YAML."""
    config = read_yaml(CHART / "values.yaml")["config"]
    assert config["server"]["host"] == "0.0.0.0"
    load_settings(None, config)
