"""The commands about flows, as typed."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from ivr.cli import app
from ivr.flow.json_schema import flow_schema

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
EXAMPLE = str(ROOT / "config" / "flows" / "account_id.yaml")
BROKEN = str(DATA / "broken" / "next_nowhere.yaml")


def ivr(*arguments: str, **given: str) -> Result:
    """A run of ``ivr flow``."""
    return CliRunner().invoke(app, ["flow", *arguments], **given)  # type: ignore[arg-type]


def test_check_tells_each_file() -> None:
    """Sound ones with their size, wrong ones with place and cure; one wrong one is status 1."""
    assert ivr("check", EXAMPLE).stdout == f"{EXAMPLE}: account_id, 5 steps, sound\n"
    assert ivr("check", EXAMPLE).exit_code == 0
    done = ivr("check", BROKEN, EXAMPLE)
    assert done.exit_code == 1
    assert 'steps.ask.next: unknown step "chek"; did you mean "check"?' in done.stderr
    assert "sound" in done.stdout


def test_check_for_machines() -> None:
    """One object with what is known of each."""
    done = ivr("check", "--json", EXAMPLE, BROKEN)
    first, second = json.loads(done.stdout)["flows"]
    assert first == {"file": EXAMPLE, "ok": True, "flow": "account_id"}
    assert (second["file"], second["ok"]) == (BROKEN, False)
    assert done.exit_code == 1


def test_schema_prints_the_schema() -> None:
    """As it is published."""
    assert json.loads(ivr("schema").stdout) == flow_schema()
