"""The commands about flows, as typed."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from ivr.cli import app
from ivr.errors import ConfigError, FlowError
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


def test_try_reads_a_script(tmp_path: Path) -> None:
    """The whole dialogue is printed, and what the record would hold."""
    script = tmp_path / "answers.txt"
    script.write_text("# silence, then the number\n(silent)\n\nfour one five five 0012#\nyes\n")
    done = ivr("try", EXAMPLE, "--script", str(script))
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "agent   Welcome to Example Bank.",
        "agent   Please say or key in your eight digit account number.",
        "caller  (silent)",
        "heard   no-input-timeout",
        "agent   I did not hear anything. Please say your account number, or use the keys.",
        "caller  four one five five 0012#",
        "heard   41550012, success",
        "agent   I have four one five five, zero zero one two. Is that right?",
        "caller  yes",
        "heard   yes, success",
        "agent   Thank you. Goodbye.",
        "end     completed",
        "        account = 41550012",
    ]


def test_a_script_must_fit(tmp_path: Path) -> None:
    """Too few answers and too many are status 1; none at all is one that cannot be read."""
    script = tmp_path / "answers.txt"
    script.write_text("41550012\n")
    done = ivr("try", EXAMPLE, "--script", str(script))
    assert (done.exit_code, done.stderr.strip()[:18]) == (1, "the script is over")
    script.write_text("41550012\n1\n1\n")
    done = ivr("try", EXAMPLE, "--script", str(script))
    assert (done.exit_code, "after 2 answers; 1 are left" in done.stderr) == (1, True)
    assert isinstance(ivr("try", EXAMPLE, "--script", "gone.txt").exception, ConfigError)


def test_try_at_the_keyboard() -> None:
    """The end of the input hangs up; what is sensitive is not shown."""
    flow = str(DATA / "flows" / "escalation.yaml")
    done = ivr("try", flow, "--variable", "caller=415550", input="four one five five\nno\n")
    assert done.exit_code == 0
    assert "You call from four one five, five five zero." in done.stdout
    assert "heard   ****, success" in done.stdout
    assert "end     hangup" in done.stdout
    assert isinstance(ivr("try", flow, "--variable", "caller").exception, ConfigError)


def test_draw(tmp_path: Path) -> None:
    """Mermaid by default, SVG on demand, to the terminal or a file."""
    assert ivr("draw", EXAMPLE).stdout.startswith("flowchart TD\n")
    out = tmp_path / "flow.svg"
    assert ivr("draw", EXAMPLE, "--format", "svg", "--out", str(out)).exit_code == 0
    assert out.read_text().startswith("<svg ")
    assert isinstance(ivr("draw", EXAMPLE, "--out", str(tmp_path)).exception, ConfigError)
    assert isinstance(ivr("draw", BROKEN).exception, FlowError)
