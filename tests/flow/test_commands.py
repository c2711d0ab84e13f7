"""The commands about flows, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ivr.cli import app
from ivr.errors import ConfigError, FlowError
from ivr.flow.json_schema import flow_schema
from ivr.flow.new import files_beside, from_template, template_names
from ivr.flow.schema import load_flow, parse_flow
from ivr.rehearsal import Rehearsal

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


@pytest.mark.parametrize("template", template_names())
def test_new_begins_a_sound_flow(tmp_path: Path, template: str) -> None:
    """Every template is sound under its new name, and the help names it."""
    path = tmp_path / "mine.yaml"
    done = ivr("new", "mine", "--template", template, "--out", str(path))
    assert done.stdout.strip() == f"{path}; talk to it with: ivr flow try {path}"
    assert all((tmp_path / place).is_file() for place in files_beside(template))
    assert load_flow(path).flow == "mine"
    again = ivr("new", "mine", "--template", template, "--out", str(path))
    assert isinstance(again.exception, ConfigError)
    assert template in ivr("new", "--help").stdout.replace("\n", " ")


def test_new_wants_a_name_and_a_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is named like the flow; what cannot be is told with the cure."""
    monkeypatch.chdir(tmp_path)
    assert ivr("new", "my_bank").exit_code == 0
    assert load_flow("my_bank.yaml").flow == "my_bank"
    assert "underscores" in str(ivr("new", "My Bank").exception)
    assert 'did you mean "menu"' in str(ivr("new", "mine", "--template", "menus").exception)
    assert "cannot be written" in str(ivr("new", "mine", "--out", "no/where.yaml").exception)
    assert [path.name for path in tmp_path.iterdir()] == ["my_bank.yaml"]


def test_new_keeps_what_is_there(tmp_path: Path) -> None:
    """A called flow that is there already may be somebody's work."""
    (tmp_path / "parts").mkdir()
    mine = tmp_path / "parts" / "identify.yaml"
    mine.write_text("mine")
    path = tmp_path / "mine.yaml"
    done = ivr("new", "mine", "--template", "phone-banking", "--out", str(path))
    assert f"{mine}: there already" in done.stdout
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "example", sorted(Path(EXAMPLE).parent.glob("*.yaml")), ids=lambda p: p.stem
)
def test_the_examples_are_the_templates(example: Path) -> None:
    """What stands in config is what `ivr flow new` writes, with the schema named beside it."""
    first, _, rest = example.read_text().partition("\n#\n")
    assert first == "# yaml-language-server: $schema=../flow.schema.json"
    template = example.stem.replace("_", "-")
    assert rest == from_template(template, example.stem)
    for place, text in files_beside(template).items():
        theirs = (example.parent / place).read_text()
        assert (
            theirs.removeprefix("# yaml-language-server: $schema=../../flow.schema.json\n#\n")
            == text
        )


@pytest.mark.parametrize(
    ("template", "answers", "end"),
    [
        ("menu", ["what", "one", "yes", "2", "1234", "yes", "no"], "completed"),
        ("menu", ["operator"], "person"),
        ("payment", ["41550012", "yes", "fifty dollars", "yes"], "completed"),
        ("payment", ["41550012", "1", "four hundred", "no", "300", "yes"], "completed"),
        ("payment", ["41550012", "1", "4000"], "person"),
    ],
)
def test_templates_run_as_they_stand(template: str, answers: list[str], end: str) -> None:
    """From the welcome to the end."""
    rehearsal = Rehearsal(parse_flow(from_template(template, "mine")))
    for answer in answers:
        assert rehearsal.end is None
        rehearsal.answer(answer)
    assert rehearsal.end
    assert rehearsal.end.outcome == end
