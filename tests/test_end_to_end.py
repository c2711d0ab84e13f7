"""The product as its users meet it: the demo's calls, through a real server with the real model."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

from rich.console import Console

from ivr.simulate.demo import run_demo

ROOT = Path(__file__).resolve().parent.parent


# Calls to other flows that are short; `make demo` plays the long ones too.
SHORT = ("account_record/record-fetched", "appointment/appointment-kept")


def test_every_short_call_of_the_demo_goes_as_its_script_says(tmp_path: Path) -> None:
    """Spoken, keyed, barged in, silent, misheard, refused, looked up: in real time."""
    shipped = ROOT / "config" / "demo"
    for path in [*shipped.glob("*.yaml"), *(shipped / f"{name}.call.yaml" for name in SHORT)]:
        shutil.copy(path, tmp_path)
    output = io.StringIO()
    status = run_demo(
        scripts=tmp_path,
        flow=ROOT / "config" / "flows" / "account_id.yaml",
        json_output=True,
        console=Console(file=output, width=200),
    )
    report = json.loads(output.getvalue())
    problems = {call["call"]: call["problems"] for call in report["calls"] if call["problems"]}
    assert status == 0, problems
    assert len(report["calls"]) >= 8
