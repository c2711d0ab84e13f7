"""The pytest plugin, run by pytest in a process of its own."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.asr.tiny import make_model
from tests.testing.stage import FLOW, KEYED

pytest_plugins = ["pytester"]
# Where the package is installed as it stands pytest finds the plugin by itself, and takes it once.
INSTALLED = any(point.name == "ivr" for point in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "ivr.testing.plugin")

TESTS = '''
from pathlib import Path

FLOW = """{flow}"""
SCRIPT = """{script}"""


def test_by_text(ivr_call):
    call = ivr_call(FLOW, SCRIPT)
    assert call.passed, call.problems
    assert call.variables["account"] == "1234"
    assert call.exchanges[0].mode == "dtmf"


def test_by_file(ivr_call):
    assert ivr_call("pin.yaml", Path("keyed.call.yaml")).outcome == "completed"
'''


def test_calls_are_placed_by_fixture_and_collected(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two tests by the fixture, one script that passes, one that does not and says why."""
    monkeypatch.setenv("IVR_RECOGNIZER__MODEL_DIR", str(make_model(tmp_path / "model")))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (pytester.path / "pin.yaml").write_text(FLOW)
    (pytester.path / "keyed.call.yaml").write_text(KEYED)
    wrong = KEYED.replace("outcome: completed", "outcome: gave_up")
    (pytester.path / "wrong.call.yaml").write_text(wrong)
    pytester.makepyfile(TESTS.format(flow=FLOW, script=KEYED))
    result = pytester.runpytest_subprocess(*PLUGIN, "--ivr", "-q")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*outcome is completed, expected gave_up*"])


def test_scripts_are_left_alone_unless_asked_for(pytester: pytest.Pytester) -> None:
    """A project that has scripts and does not want them as tests notices nothing."""
    (pytester.path / "keyed.call.yaml").write_text(KEYED)
    result = pytester.runpytest_subprocess(*PLUGIN, "-q")
    result.assert_outcomes()
