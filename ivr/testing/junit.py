"""A test as a JUnit file, which every CI can show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from ivr.errors import ConfigError
from ivr.testing.run import Tested

SUITE = "ivr test"


def write_junit(path: Path, tested: Sequence[Tested]) -> None:
    """Write the file: one test case a call, its failure with all that was not as expected.

    Raises:
        ConfigError: it cannot be written.
    """
    failures = sum(not each.passed for each in tested)
    facts = {
        "name": SUITE,
        "tests": str(len(tested)),
        "failures": str(failures),
        "errors": "0",
        "time": f"{sum(each.wall_s for each in tested):.3f}",
    }
    root = ElementTree.Element("testsuites", facts)
    suite = ElementTree.SubElement(root, "testsuite", facts)
    for each in tested:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=each.case.name,
            classname=each.case.flow.flow,
            file=str(each.case.file),
            time=f"{each.wall_s:.3f}",
        )
        if problems := each.verdict.problems:
            failure = ElementTree.SubElement(case, "failure", message=problems[0])
            failure.text = "\n".join(problems)
    try:
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise ConfigError(f"--junit: {path} cannot be written ({error.strerror})") from error
