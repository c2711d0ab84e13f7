"""The unit: systemd reads it without a word, and finds little that it may do."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ivr.config import load_settings
from tests.deploy.places import DEPLOY, run, tool

UNIT = DEPLOY / "systemd" / "ivr.service"


def setting(name: str) -> str:
    """The last value of a setting."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)[-1]


def test_systemd_reads_it(tmp_path: Path) -> None:
    """Every setting is known; the program is taken to be there."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/ivr/bin/ivr", sys.executable))
    assert run(tool("systemd-analyze"), "verify", "--man=no", copy).strip() == ""


def test_exposure_is_small() -> None:
    """By systemd's own count, of 10."""
    run(tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", UNIT)


def test_calls_may_finish() -> None:
    """SIGTERM reaches the server alone; systemd waits longer than the server does."""
    settings = load_settings(UNIT.parent / "ivr.yaml")
    assert setting("KillMode") == "mixed"
    assert float(setting("TimeoutStopSec")) > settings.server.drain_s
    assert "-HUP" in setting("ExecReload")
    assert setting("RestartPreventExitStatus") == "2"


def test_state_is_where_the_configuration_has_it() -> None:
    """The only folder that can be written."""
    settings = load_settings(UNIT.parent / "ivr.yaml")
    assert setting("StateDirectory") == "ivr"
    assert str(settings.records.path).startswith("/var/lib/ivr/")
    assert str(settings.prompts.cache_dir).startswith("/var/lib/ivr/")
