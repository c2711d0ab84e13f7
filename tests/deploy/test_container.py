"""Image and compose file: small rights, right paths, settings that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ivr.config import known_keys, load_settings
from ivr.config.settings import ENV_PREFIX
from tests.deploy.places import DEPLOY, ROOT, read_yaml, run, tool

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
VARIABLES = {ENV_PREFIX + key.upper().replace(".", "__") for key in known_keys()} | {"IVR_CONFIG"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def services() -> dict[str, Any]:
    """Of the compose file."""
    found: dict[str, Any] = read_yaml(COMPOSE)["services"]
    return found


def test_two_stages_and_no_compiler_in_the_second() -> None:
    """What builds wheels is left behind; what is installed comes from them alone."""
    kinds = [kind for kind, _ in instructions()]
    assert kinds.count("FROM") == 2
    last = instructions()[len(kinds) - 1 - kinds[::-1].index("FROM") :]
    assert not any("apt-get" in text for _, text in last)
    (install,) = [text for kind, text in last if kind == "RUN"]
    assert "--no-index" in install
    assert "--no-cache-dir" in install


def test_runs_without_rights_and_stops_in_order() -> None:
    """A numbered user, which Kubernetes can check; the signal that drains; a health check."""
    last = dict(instructions())
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last["USER"])
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert last["ENTRYPOINT"] == '["ivr"]'
    assert "/livez" in last["HEALTHCHECK"]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """The context has it, in spite of .dockerignore."""
    allowed = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for kind, text in instructions():
        if kind != "COPY":
            continue
        for source in text.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == one or source.startswith(one + "/") for one in allowed), source


def test_the_image_has_what_the_package_needs() -> None:
    """Files that the build of the package reads, and extras that exist."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    copied = " ".join(text for kind, text in instructions() if kind == "COPY")
    for name in ("pyproject.toml", "README.md", "LICENSE", "ivr"):
        assert name in copied.split()
    (extras,) = {
        text.partition("=")[2]
        for kind, text in instructions()
        if kind == "ARG" and text.startswith("EXTRAS")
    }
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


def test_configurations_can_be_loaded() -> None:
    """Of the image and of the unit: no key that does not exist, the flow where the image has it."""
    for path in (DEPLOY / "docker" / "ivr.yaml", DEPLOY / "systemd" / "ivr.yaml"):
        settings = load_settings(path)
        assert settings.log.format == "json"
        assert (ROOT / "config" / settings.flow.relative_to(path.parent)).exists()
        assert settings.records.path == Path("/var/lib/ivr/calls.sqlite3")


def test_hadolint_finds_nothing() -> None:
    """The Dockerfile's linter."""
    run(tool("hadolint"), DOCKERFILE)


def test_compose_names_settings_that_exist() -> None:
    """A misspelt variable would keep the container from starting."""
    given = {name for name in services()["ivr"]["environment"] if name.startswith(ENV_PREFIX)}
    assert given
    assert given <= VARIABLES


def test_compose_explains_every_variable() -> None:
    """Whatever the file takes from .env is in the example."""
    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    example = (COMPOSE.parent / ".env.example").read_text(encoding="utf-8")
    assert used == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_compose_waits_and_exposes_nothing() -> None:
    """The database is healthy first, ports are the host's own, calls may finish."""
    ivr = services()["ivr"]
    assert ivr["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert (ivr["read_only"], ivr["cap_drop"]) == (True, ["ALL"])
    for service in services().values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert ivr["stop_grace_period"] == "2m"
    assert float(ivr["environment"]["IVR_SERVER__DRAIN_S"]) < 120


def test_compose_mounts_files_that_exist() -> None:
    """Docker would make folders of missing ones."""
    for service in services().values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).exists(), source


def test_compose_accepts_it(monkeypatch: Any) -> None:
    """Compose itself, where there is one that needs no engine for looking."""
    monkeypatch.setenv("POSTGRES_PASSWORD", "x")
    run(tool("docker-compose"), "-f", COMPOSE, "--profile", "monitoring", "config", "-q")
