"""`ivr demo`: its scripts, its server process, and its calls at the same time."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from rich.console import Console

from ivr.errors import ConfigError
from ivr.providers.events import DtmfReceived
from ivr.recognition import CompletionCause
from ivr.simulate import demo
from ivr.simulate.commands import EXIT_AS_SCRIPTED, EXIT_NOT_AS_SCRIPTED
from ivr.simulate.demo import ServerFailed, choose_calls, load_calls, run_demo, run_server
from ivr.simulate.script import BargeIn, Keys, Say, Script
from tests.simulate.agent import Agent, AgentCall

ROOT = Path(__file__).parents[2]

# A stand-in for `ivr serve`: announces itself, is not ready once, shows its environment, ends on
# SIGTERM.
SERVER = """
import http.server, json, os, signal, sys
asked = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        ready = len(asked) > 1
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
    def log_message(self, *args):
        pass
def stop(*args):
    print("stopped by signal")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("see http://example.com:1 for help")
print(f"ivr: ready on http://127.0.0.1:{server.server_port}")
server.serve_forever()
"""


def python(code: str) -> tuple[str, ...]:
    """A command that runs some Python."""
    return (sys.executable, "-c", code)


def test_the_servers_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for until ready, runs with the demo's settings only, and is gone afterwards."""
    monkeypatch.setenv("IVR_SERVER__MAX_CALLS", "1")

    async def go() -> tuple[str, dict[str, str]]:
        async with (
            run_server(Path("flow.yaml"), python(SERVER)) as server,
            aiohttp.ClientSession() as session,
            session.get(server.url) as response,
        ):
            return server.url, json.loads(await response.text())

    url, environment = asyncio.run(go())
    ours = {name: text for name, text in environment.items() if name.startswith("IVR_")}
    assert ours["IVR_FLOW"] == str(Path("flow.yaml").resolve())
    assert ours["IVR_SERVER__PORT"] == "0"
    assert "IVR_SERVER__MAX_CALLS" not in ours
    assert not Path(ours["IVR_RECORDS__PATH"]).parent.exists()

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(url)

    with pytest.raises(aiohttp.ClientError):
        asyncio.run(ask())


async def enter(command: tuple[str, ...]) -> None:
    """Start a server and end it at once."""
    async with run_server(Path("flow.yaml"), command):
        pass


def test_a_server_that_ends_is_quoted() -> None:
    """A server that fails at start is reported with its status and its last lines."""
    code = "import sys; print('ivr: no model'); sys.exit(3)"
    with pytest.raises(ServerFailed, match=r"ended with status 3; it said:\n  ivr: no model"):
        asyncio.run(enter(python(code)))


def test_a_server_that_says_nothing_and_ends() -> None:
    """Silence is reported as such."""
    with pytest.raises(ServerFailed, match=r"ended with status 0; it said:\n  \(nothing\)"):
        asyncio.run(enter(python("")))


def test_a_server_that_is_never_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience ends, the process is killed if it must be, and the message says so."""
    monkeypatch.setattr(demo, "READY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(demo, "STOP_TIMEOUT_S", 0.2)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('loading', flush=True); time.sleep(60)"
    )
    with pytest.raises(ServerFailed, match=r"was not ready within 0\.5 s"):
        asyncio.run(enter(python(code)))


def write_calls(folder: Path, *keys: str) -> Path:
    """A folder of scripts that each press a key and expect it."""
    for number, key in enumerate(keys):
        text = (
            "steps:\n  - wait_prompt: {settle_s: 0.1}\n"
            f"  - keys: '{key}'\nexpect: {{outcome: completed}}\n"
        )
        (folder / f"{number}-key.call.yaml").write_text(text)
    return folder


async def take_a_one(agent_call: AgentCall) -> None:
    """Ask, and hang up on the key 1."""
    await agent_call.say(100, "question")
    await agent_call.until(lambda events: DtmfReceived("1") in events)
    await agent_call.say(60, "thanks")
    await agent_call.until_mark("thanks")


def run(agent: Agent, folder: Path, **options: Any) -> tuple[int, str]:
    """Run the demo against an agent; returns status and output."""
    console = Console(file=io.StringIO(), width=120)
    with agent.in_a_thread():
        status = run_demo(scripts=folder, server=agent.url, console=console, **options)
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


def test_calls_run_at_the_same_time(tmp_path: Path) -> None:
    """Every script is one call; all succeed; each is printed, kept as a WAV and counted."""
    agent = Agent(take_a_one, record={"outcome": "completed", "ended_at": "now"})
    kept = tmp_path / "kept"
    status, output = run(agent, write_calls(tmp_path, "1", "1", "1"), record_dir=kept)
    assert status == EXIT_AS_SCRIPTED
    assert "3 of 3 calls ended as their scripts say." in output
    assert sorted(path.name for path in kept.iterdir()) == [f"{n}-key.wav" for n in range(3)]
    assert len(agent.calls) == 3
    began = [call.arrivals_s[0] for call in agent.calls]
    ended = [call.arrivals_s[-1] for call in agent.calls]
    assert max(began) < max(ended)
    assert min(ended) > min(began)


def test_one_wrong_call_fails_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A single call that does not go as scripted is named and makes the status 1."""
    agent = Agent(take_a_one, record={"outcome": "gave_up", "ended_at": "now"})
    status, output = run(agent, write_calls(tmp_path, "1"), json_output=True)
    assert status == EXIT_NOT_AS_SCRIPTED
    report = json.loads(output)
    assert report["passed"] is False
    assert report["calls"][0]["problems"] == ["outcome is gave_up, expected completed"]
    assert "call over" in capsys.readouterr().err  # the progress display keeps out of the JSON


def test_a_folder_without_scripts(tmp_path: Path) -> None:
    """An empty or missing folder is a mistake with a cure."""
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ConfigError, match="run the demo in the project's folder"):
            load_calls(folder)


def test_a_script_names_the_flow_that_it_calls(tmp_path: Path) -> None:
    """The webhook is asked for that flow; a script that names none asks for the default."""
    agent = Agent(take_a_one, record={"outcome": "completed", "ended_at": "now"})
    folder = write_calls(tmp_path, "1")
    named = folder / "bank" / "named.call.yaml"
    named.parent.mkdir()
    named.write_text("flow: phone_banking\n" + (folder / "0-key.call.yaml").read_text())
    status, output = run(agent, folder)
    assert status == EXIT_AS_SCRIPTED, output
    assert sorted(request.get("flow", "") for request in agent.queries) == ["", "phone_banking"]


def test_only_some_calls_are_placed() -> None:
    """Those to one flow, or the one of a name; a mistake is told with the flows there are."""
    calls = [
        Script(name="plain", steps=()),
        Script(name="transfer", flow="bank", steps=()),
        Script(name="card", flow="bank", steps=()),
    ]
    assert [call.name for call in choose_calls(calls, None, "account_id")] == [
        *("plain", "transfer", "card")
    ]
    assert [call.name for call in choose_calls(calls, "bank", "account_id")] == ["transfer", "card"]
    assert [call.name for call in choose_calls(calls, "account_id", "account_id")] == ["plain"]
    assert [call.name for call in choose_calls(calls, "card", "account_id")] == ["card"]
    with pytest.raises(ConfigError, match="there are account_id, bank"):
        choose_calls(calls, "bnak", "account_id")


def test_no_more_calls_at_once_than_a_small_machine_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for their place."""
    monkeypatch.setattr(demo, "AT_ONCE", 1)
    agent = Agent(take_a_one, record={"outcome": "completed", "ended_at": "now"})
    status, _ = run(agent, write_calls(tmp_path, "1", "1"))
    assert status == EXIT_AS_SCRIPTED
    first, second = sorted(agent.calls, key=lambda call: call.arrivals_s[0])
    assert first.arrivals_s[-1] <= second.arrivals_s[0]


def test_the_server_may_ask_the_bank(tmp_path: Path) -> None:
    """With a bank the flows beside the default are served, and its host is allowed."""

    async def go() -> dict[str, str]:
        async with (
            run_server(tmp_path / "flow.yaml", python(SERVER), "http://127.0.0.1:8790") as server,
            aiohttp.ClientSession() as session,
            session.get(server.url) as response,
        ):
            answer: dict[str, str] = json.loads(await response.text())
            return answer

    environment = asyncio.run(go())
    assert environment["IVR_FLOWS_DIR"] == str(tmp_path.resolve())
    assert environment["IVR_LOOKUPS__ALLOWED_HOSTS"] == '["127.0.0.1:8790"]'


def shipped() -> list[Script]:
    """The demo's own calls."""
    return load_calls(ROOT / "config" / "demo")


def test_the_shipped_calls_say_what_they_expect() -> None:
    """Each call has a description, an outcome and variables, those of one flow all their turns."""
    for script in shipped():
        assert script.description
        assert script.expect.outcome is not None
        assert script.expect.variables
        assert script.expect.turns or script.flow


def test_the_shipped_calls_show_every_case() -> None:
    """Spoken, keyed, barged in, silent and reprompted, misheard and reprompted: all are there."""
    scripts = shipped()
    causes = {turn.cause for script in scripts for turn in script.expect.turns or ()}
    assert {
        CompletionCause.SUCCESS,
        CompletionCause.NO_MATCH,
        CompletionCause.NO_INPUT_TIMEOUT,
    } <= causes
    kinds = {type(step) for script in scripts for step in script.steps}
    assert {Say, Keys, BargeIn} <= kinds
    voices = {(script.caller.voice, script.caller.rate_wpm) for script in scripts}
    assert len(voices) >= 3
