"""Which scripts are run, and against which flow."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ConfigError
from ivr.testing.cases import find_cases
from tests.testing.stage import FLOW, KEYED, write

ROOT = Path(__file__).parents[2]


def test_a_script_belongs_to_the_one_flow_of_its_folder(tmp_path: Path) -> None:
    """Configuration beside it is no flow."""
    (tmp_path / "ivr.yaml").write_text("flow: pin.yaml\nserver:\n  port: 1\n")
    (case,) = write(tmp_path, keyed=KEYED)
    assert (case.name, case.flow_file, case.flow.flow) == ("keyed", tmp_path / "pin.yaml", "pin")


def test_two_flows_in_a_folder_need_a_name(tmp_path: Path) -> None:
    """Which flow answers is never guessed."""
    write(tmp_path, keyed=KEYED)
    (tmp_path / "other.yaml").write_text(FLOW)
    with pytest.raises(ConfigError, match=r"other.yaml, pin.yaml are here; write flow: FILE"):
        find_cases([tmp_path])
    (tmp_path / "keyed.call.yaml").write_text("flow: other.yaml\n" + KEYED)
    assert find_cases([tmp_path])[0].flow_file == tmp_path / "other.yaml"
    assert find_cases([tmp_path / "other.yaml"])[0].name == "keyed"
    with pytest.raises(ConfigError, match=r"no \*.call.yaml here"):
        find_cases([tmp_path / "pin.yaml"])


def test_folders_are_searched_and_names_tell_files_apart(tmp_path: Path) -> None:
    """Two scripts of one name in two folders have their folders in their names."""
    write(tmp_path / "a", keyed=KEYED, only_here=KEYED)
    write(tmp_path / "b", keyed=KEYED)
    assert [c.name for c in find_cases([tmp_path])] == ["a/keyed", "b/keyed", "only_here"]
    assert [c.name for c in find_cases([tmp_path], "keyed")] == ["a/keyed", "b/keyed"]
    assert [c.name for c in find_cases([tmp_path], "b/*")] == ["b/keyed"]
    with pytest.raises(ConfigError, match=r"--only zzz: .* a/keyed, b/keyed, only_here"):
        find_cases([tmp_path], "zzz")


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere", "no such file or folder"), ("empty", "write one beside the flow")],
)
def test_a_place_without_scripts_is_told(tmp_path: Path, place: str, message: str) -> None:
    """With what to do about it."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=message):
        find_cases([tmp_path / place])


def test_a_flow_that_is_not_there_has_its_line(tmp_path: Path) -> None:
    """As every mistake in a script."""
    (tmp_path / "a.call.yaml").write_text("description: x\nflow: no.yaml\nsteps: [hang_up]\n")
    with pytest.raises(ConfigError, match=r"a.call.yaml:2: flow: no file"):
        find_cases([tmp_path])


def test_the_demo_can_be_tested() -> None:
    """Its scripts name their flow."""
    cases = find_cases([ROOT / "config" / "demo"])
    assert {case.flow.flow for case in cases} >= {"account_id", "phone_banking"}
