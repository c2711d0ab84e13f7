"""The pytest plugin: the fixture `ivr_call`, and scripts collected as tests.

    def test_a_caller_who_speaks(ivr_call):
        call = ivr_call("flows/pin.yaml", "spoken.call.yaml")
        assert call.passed, call.problems
        assert call.variables["account"] == "4155"

    pytest --ivr flows/        # every *.call.yaml there is a test

Theory of operation: each call has a server of its own (`ivr.testing.run`), but recogniser and
synthesiser are started once a session. Nothing of ivr is imported before the first call: pytest
loads this module wherever ivr is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ivr.simulate.exchange import Verdict
    from ivr.testing.session import Session

_SUFFIX = ".call.yaml"
_SESSION = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings."""
    group = parser.getgroup("ivr", "simulated calls")
    group.addoption("--ivr", action="store_true", help="Collect *.call.yaml files as tests.")
    group.addoption("--ivr-config", help="Configuration file of the servers that are called.")
    group.addoption(
        "--ivr-real-time", action="store_true", help="Place calls in real time; else faster."
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A script is a file with one test, where that is asked for."""
    if parent.config.getoption("--ivr") and file_path.name.endswith(_SUFFIX):
        return CallFile.from_parent(parent, path=file_path)
    return None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if (session := config.stash.get(_SESSION, None)) is not None:
        session.close()


def _session(config: pytest.Config) -> Session:
    from ivr.testing.session import Session  # noqa: PLC0415 - see above

    if _SESSION not in config.stash:
        named = config.getoption("--ivr-config")
        real_time = bool(config.getoption("--ivr-real-time"))
        config.stash[_SESSION] = Session(Path(named) if named else None, real_time=real_time)
    return config.stash[_SESSION]


@pytest.fixture
def ivr_call(request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """Place a simulated call: ``ivr_call(flow, script)``.

    Both are paths, or texts in YAML, relative to the test's folder. Returns the call judged:
    ``passed``, ``problems``, ``outcome``, ``variables``, ``exchanges``, ``result``.
    """
    folder = request.path.parent

    def call(flow: str | Path, script: str | Path) -> Verdict:
        return _session(request.config).call(flow, script, folder)

    return call


class CallFile(pytest.File):
    """A script."""

    def collect(self) -> Iterator[CallItem]:
        """One test."""
        yield CallItem.from_parent(self, name=self.path.name.removesuffix(_SUFFIX))


class CallItem(pytest.Item):
    """A script's call."""

    def runtest(self) -> None:
        """Place it."""
        verdict = _session(self.config).place(self.path)
        if not verdict.passed:
            raise CallFailed("\n".join(verdict.problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was not as expected; a traceback would tell nothing."""
        from ivr.errors import IvrError  # noqa: PLC0415 - see above

        if isinstance(excinfo.value, CallFailed | IvrError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File and name."""
        return self.path, 0, f"call: {self.name}"


class CallFailed(Exception):  # noqa: N818 - it is what happened
    """The call did not go as its script says."""
