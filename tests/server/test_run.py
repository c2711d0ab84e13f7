"""`ivr serve` as a whole: start, ready line, signals, and what goes wrong at the start."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from ivr.asr.pool import PoolState
from ivr.config import LogSettings, Settings
from ivr.errors import ConfigError, FlowError, ModelError
from ivr.providers.twilio import TwilioCaller
from ivr.server.logging import configure_logging
from ivr.server.run import EXIT_CONFIG, EXIT_FAILED, run_server, serve

FLOW = """
flow: hello
start: bye
steps:
  bye:
    end: completed
    say: Good bye.
"""


class Startable:
    """A recogniser that takes its time to start, or fails to."""

    def __init__(self, start_s: float = 0.0, error: Exception | None = None) -> None:
        self.ready = False
        self.closed = False
        self.model = None
        self._start_s = start_s
        self._error = error

    async def start(self) -> None:
        """Be ready after a while."""
        await asyncio.sleep(self._start_s)
        if self._error is not None:
            raise self._error
        self.ready = True

    def state(self) -> PoolState:
        """One worker, alive once it has started."""
        return PoolState(1, int(self.ready), 0, 0, 1, 0)

    async def recognize(self, samples: Any, grammar: str, urgency: Any = None) -> Any:
        """Never asked here."""
        raise NotImplementedError

    async def close(self) -> None:
        """Note it."""
        self.ready, self.closed = False, True


@pytest.fixture(autouse=True)
def _logs_to_stderr() -> Iterator[None]:
    """Configure logging as `run_server` does, so that standard output holds the ready line only."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(LogSettings())
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a small server on a free port."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    return Settings.model_validate(
        {
            "flow": tmp_path / "flow.yaml",
            "server": {"port": 0, "drain_s": 5.0},
            "prompts": {"cache_dir": None},
            "records": {"path": tmp_path / "var" / "calls.db"},
        }
    )


def with_settings(settings: Settings, **changes: Any) -> Settings:
    """The settings with sections replaced."""
    return Settings.model_validate({**settings.model_dump(), **changes})


def serve_and(
    settings: Settings,
    recognizer: Startable,
    capsys: pytest.CaptureFixture[str],
    scenario: Callable[[str], Awaitable[None]],
) -> str:
    """Serve, run a scenario with the URL of the ready line, and return what was printed."""
    printed = ""

    async def main() -> None:
        nonlocal printed
        serving = asyncio.ensure_future(serve(settings, recognizer))
        async with asyncio.timeout(30):
            while "ready on" not in printed and not serving.done():
                await asyncio.sleep(0.02)
                printed += capsys.readouterr().out
        if not serving.done():
            await scenario(printed.split()[-1])
        await serving

    asyncio.run(main())
    return printed


def test_one_ready_line_with_the_bound_port(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts wait for one line and find the address in it."""
    recognizer = Startable()

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as client:
            assert (await client.get(url + "/readyz")).status == 200
        os.kill(os.getpid(), signal.SIGTERM)

    printed = serve_and(settings, recognizer, capsys, scenario)
    assert re.fullmatch(r"ivr: ready on http://127\.0\.0\.1:\d+\n", printed)
    assert recognizer.closed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_lets_the_call_finish(
    settings: Settings, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """After SIGTERM a call is still said goodbye to, and its record is stored."""

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as client:
            twiml = await (await client.post(url + "/voice", data={"CallSid": "CA1"})).text()
            found = re.search(r'value="([^"]+)"', twiml)
            assert found is not None
            caller = TwilioCaller()
            async with client.ws_connect(url + "/media") as line:
                await line.send_str(caller.start("CA1", "MZ1", {"token": found[1]}))
                await line.receive(10)
                os.kill(os.getpid(), number)
                await asyncio.sleep(0.05)
                assert (await client.get(url + "/readyz")).status == 503
                assert (await client.post(url + "/voice")).status == 503
                await line.send_str(caller.mark("p1"))
                while not line.closed:
                    await line.receive(10)
                assert line.close_code == 1000
            record = await (await client.get(url + "/v1/calls/CA1")).json()
            assert record["outcome"] == "completed"

    serve_and(settings, Startable(), capsys, scenario)


def test_second_signal_does_not_wait(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who presses Ctrl-C twice means it; the call is closed politely all the same."""

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as client:
            twiml = await (await client.post(url + "/voice", data={"CallSid": "CA1"})).text()
            found = re.search(r'value="([^"]+)"', twiml)
            assert found is not None
            async with client.ws_connect(url + "/media") as line:
                await line.send_str(TwilioCaller().start("CA1", "MZ1", {"token": found[1]}))
                await line.receive(10)
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGINT)
                    await asyncio.sleep(0.05)
                while not line.closed:
                    await line.receive(10)
                assert line.close_code == 1001

    serve_and(
        with_settings(settings, server={"port": 0, "drain_s": 60.0}), Startable(), capsys, scenario
    )


def test_signal_during_the_start_ends_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that is stopped before its model is loaded just stops."""
    recognizer = Startable(start_s=60.0)

    async def main() -> None:
        serving = asyncio.ensure_future(serve(settings, recognizer))
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # noqa: ASYNC110 - sets no event
            await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await serving

    asyncio.run(main())
    assert recognizer.closed
    assert capsys.readouterr().out == ""


def test_sighup_reads_the_flows_anew(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flow that is put into the folder answers calls after the signal, without a restart."""
    (tmp_path / "flows").mkdir()

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as client:
            voice = url + "/voice?flow=late"
            assert (await client.post(voice)).status == 404
            (tmp_path / "flows" / "late.yaml").write_text(FLOW.replace("hello", "late"))
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(20):
                while (await client.post(voice)).status != 200:  # noqa: ASYNC110 - sets no event
                    await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    with_folder = with_settings(settings, flows_dir=tmp_path / "flows")
    serve_and(with_folder, Startable(), capsys, scenario)


def test_broken_model_ends_the_start(settings: Settings) -> None:
    """An altered model is an error at the start, with everything closed again."""
    recognizer = Startable(error=ModelError("model.onnx: altered"))
    with pytest.raises(ModelError, match="altered"):
        asyncio.run(serve(settings, recognizer))
    assert recognizer.closed


def test_broken_flow_ends_the_start(settings: Settings, tmp_path: Path) -> None:
    """A wrong flow file is told before a port is opened."""
    (tmp_path / "flow.yaml").write_text("flow: x\nstrat: y\n")
    with pytest.raises(FlowError, match=r"flow\.yaml"):
        asyncio.run(serve(settings, Startable()))


def test_variable_without_a_text_ends_the_start(settings: Settings, tmp_path: Path) -> None:
    """A value that only the starter of a dialogue could give is asked for before the first call."""
    (tmp_path / "flow.yaml").write_text(
        "flow: x\nstart: bye\nvariables: {name: null}\n"
        "steps: {bye: {end: done, say: 'Goodbye {name}.'}}\n"
    )
    with pytest.raises(ConfigError, match="name"):
        asyncio.run(serve(settings, Startable()))


def test_wrong_voice_ends_the_start(settings: Settings) -> None:
    """A voice that does not exist is the user's to mend."""
    wrong = with_settings(settings, prompts={"voice": "xx-none", "cache_dir": None})
    with pytest.raises(ConfigError):
        asyncio.run(serve(wrong, Startable()))


def test_unusable_records_end_the_start(settings: Settings, tmp_path: Path) -> None:
    """A records file that cannot be opened is told with its key."""
    wrong = with_settings(settings, records={"path": tmp_path / "flow.yaml" / "x.db"})
    with pytest.raises(ConfigError, match=r"records\.path"):
        asyncio.run(serve(wrong, Startable()))


def test_port_in_use_is_told(settings: Settings) -> None:
    """A taken port is one message with the cure."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = with_settings(settings, server={"port": other.getsockname()[1]})
        recognizer = Startable()
        with pytest.raises(ConfigError, match=r"server\.port"):
            asyncio.run(serve(taken, recognizer))
        assert recognizer.closed


def test_mistake_is_one_line_and_a_status(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints the mistake, no traceback, and exits with its kind."""
    missing_flow = with_settings(settings, flow=tmp_path / "none.yaml")
    assert run_server(missing_flow) == EXIT_CONFIG
    err = capsys.readouterr().err
    assert err.startswith("ivr: ")
    assert "none.yaml" in err
    assert "Traceback" not in err


def test_missing_model_is_one_line_and_a_status(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model folder that is not there is an error at the start, in one message."""
    wrong = with_settings(settings, recognizer={"model_dir": tmp_path / "nowhere"})
    assert run_server(wrong) in {EXIT_CONFIG, EXIT_FAILED}
    captured = capsys.readouterr()
    assert "nowhere" in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
