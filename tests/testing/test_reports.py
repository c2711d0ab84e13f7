"""What is written of a test: JUnit for the CI, a page for people."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivr.testing.html import write_html
from ivr.testing.junit import write_junit
from ivr.testing.run import Plan
from ivr.testing.run import Tested as Placed
from tests.testing.stage import KEYED, SECRET_FLOW, SPOKEN, place, write


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> list[Placed]:
    """A call that is as expected and one that is not, to a flow whose number is secret."""
    wrong = KEYED.replace("outcome: completed", "outcome: gave_up")
    folder = tmp_path_factory.mktemp("flow")
    return place(write(folder, SECRET_FLOW, spoken=SPOKEN, wrong=wrong), Plan(jobs=2))


def test_the_junit_file_has_a_case_a_call(tested: list[Placed], tmp_path: Path) -> None:
    """With what was not as expected."""
    write_junit(tmp_path / "j.xml", tested)
    (suite,) = ElementTree.parse(tmp_path / "j.xml").getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failures = {case.get("name"): case.find("failure") for case in suite}
    assert failures["spoken"] is None
    assert failures["wrong"] is not None
    assert failures["wrong"].get("message") == "outcome is completed, expected gave_up"


def test_the_page_needs_nothing_and_tells_no_secret(tested: list[Placed], tmp_path: Path) -> None:
    """Waveform, dialogue, audio and expectations; no script, no address, no number."""
    write_html(tmp_path / "page.html", tested, Plan())
    page = (tmp_path / "page.html").read_text()
    assert "1 of 2 calls passed" in page
    assert page.count("<svg") == page.count("<audio") == 2
    assert 'class="hidden"' in page
    assert "outcome is completed, expected gave_up" in page
    assert "<script" not in page
    assert "http://" not in page
    shown = page.replace("base64,", "\n").replace('"></audio>', "\n")
    text = "\n".join(line for line in shown.split("\n") if len(line) < 5000)
    for number in ("1234", "one two three four", "1 2 3 4"):
        assert number not in text
