"""The product as its users meet it: the demo's calls, through a real server with the real model."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from ivr.simulate.demo import run_demo

ROOT = Path(__file__).resolve().parent.parent


def test_every_call_of_the_demo_goes_as_its_script_says() -> None:
    """Spoken, keyed, barged in, silent, misheard, refused: all at once, in real time."""
    output = io.StringIO()
    status = run_demo(
        scripts=ROOT / "config" / "demo",
        flow=ROOT / "config" / "flows" / "account_id.yaml",
        json_output=True,
        console=Console(file=output, width=200),
    )
    report = json.loads(output.getvalue())
    problems = {call["call"]: call["problems"] for call in report["calls"] if call["problems"]}
    assert status == 0, problems
    assert len(report["calls"]) >= 6
