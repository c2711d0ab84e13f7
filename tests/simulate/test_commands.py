"""`ivr call`: options, exit status, output, recording."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from rich.console import Console

from ivr.errors import ConfigError
from ivr.providers.events import DtmfReceived
from ivr.simulate.commands import EXIT_AS_SCRIPTED, EXIT_NOT_AS_SCRIPTED, run_call
from tests.simulate.agent import Agent, AgentCall

SCRIPT = """\
description: Presses one key.
steps:
  - wait_prompt: {settle_s: 0.1}
  - keys: "1"
expect: {outcome: completed}
"""


async def ask_for_a_key(agent_call: AgentCall) -> None:
    """Prompt, take a key, say thanks, hang up."""
    await agent_call.say(100, "question")
    await agent_call.until(lambda events: any(isinstance(e, DtmfReceived) for e in events))
    await agent_call.say(60, "thanks")
    await agent_call.until_mark("thanks")


def call(agent: Agent, **options: Any) -> tuple[int, str]:
    """Run the command against an agent; returns status and output."""
    console = Console(file=io.StringIO(), width=120)
    with agent.in_a_thread():
        status = run_call(server=agent.url, console=console, **options)
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


def write_script(tmp_path: Path) -> Path:
    """The script above as a file."""
    path = tmp_path / "one-key.call.yaml"
    path.write_text(SCRIPT)
    return path


def test_a_script_that_comes_true(tmp_path: Path) -> None:
    """The dialogue is printed and the status is 0."""
    agent = Agent(ask_for_a_key, record={"outcome": "completed", "ended_at": "now", "turns": []})
    status, output = call(agent, script=write_script(tmp_path))
    assert status == EXIT_AS_SCRIPTED
    assert "Presses one key." in output
    assert "1 of 1 calls ended as their scripts say." in output


def test_a_script_that_does_not(tmp_path: Path) -> None:
    """Another outcome is a problem and the status is 1."""
    agent = Agent(ask_for_a_key, record={"outcome": "gave_up", "ended_at": "now"})
    status, output = call(agent, script=write_script(tmp_path))
    assert status == EXIT_NOT_AS_SCRIPTED
    assert "outcome is gave_up, expected completed" in output


def test_json_and_recording(tmp_path: Path) -> None:
    """--json prints one object; --record keeps both sides in one stereo WAV."""
    agent = Agent(ask_for_a_key, record={"outcome": "completed", "ended_at": "now"})
    wav = tmp_path / "call.wav"
    status, output = call(agent, answers=[("keys", "5")], record=wav, json_output=True)
    report = json.loads(output)
    assert status == EXIT_AS_SCRIPTED
    assert report["passed"] is True
    assert report["outcome"] == "completed"
    samples, rate_hz = soundfile.read(wav, dtype="int16")
    assert rate_hz == 8000
    assert samples.shape == (round(report["duration_s"] * 8000), 2)
    assert not samples[:, 0].any()
    assert samples[:, 1].any()


def test_spoken_answers_are_synthesised() -> None:
    """--say is heard on the wire as speech."""

    async def behave(agent_call: AgentCall) -> None:
        await agent_call.say(60, "question")
        await agent_call.until(lambda events: len(events) > 45)

    agent = Agent(behave, record={"ended_at": "now"})
    status, output = call(agent, answers=[("say", "one")], json_output=True)
    assert status == EXIT_NOT_AS_SCRIPTED  # the agent hung up in the middle of the word
    assert "(say) was done" in json.loads(output)["problems"][0]


def test_a_stream_without_a_server(tmp_path: Path) -> None:
    """--url and --token call the socket itself, and no record is asked for."""
    agent = Agent(ask_for_a_key)
    with agent.in_a_thread():
        status = run_call(
            server=None,
            url=f"ws://127.0.0.1:{agent.port}/media",
            token="t1",
            answers=[("keys", "1")],
            console=Console(file=io.StringIO()),
        )
    assert status == EXIT_AS_SCRIPTED
    assert agent.webhooks == []


def test_nobody_there(tmp_path: Path) -> None:
    """Without a server the status is 1 and the output says how to start one; no file is written."""
    console = Console(file=io.StringIO(), width=200)
    wav = tmp_path / "call.wav"
    status = run_call(
        server="http://127.0.0.1:9", answers=[("keys", "1")], record=wav, console=console
    )
    assert status == EXIT_NOT_AS_SCRIPTED
    assert isinstance(console.file, io.StringIO)
    assert "start it with: ivr serve" in console.file.getvalue()
    assert not wav.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nothing to do"),
        ({"answers": [("keys", "1")], "script": Path("x")}, "--script: cannot be combined"),
        ({"script": Path("gone.yaml")}, "gone.yaml: cannot be read"),
        ({"answers": [("keys", "x")]}, "--keys: "),
        ({"answers": [("keys", "1")], "token": "t"}, "--token: belongs to --url"),
        ({"answers": [("keys", "1")], "server": None}, "give --server or --url"),
        ({"answers": [("keys", "1")], "server": "here"}, "--server: must start with http"),
        ({"answers": [("keys", "1")], "url": "http://x"}, "--url: must start with ws"),
        ({"answers": [("keys", "1")], "record": Path("gone/a.wav")}, "--record: no folder gone"),
    ],
)
def test_wrong_options_are_refused_before_any_call(options: dict[str, Any], says: str) -> None:
    """Each mistake on the command line is one ConfigError that names the option."""
    with pytest.raises(ConfigError, match=says):
        run_call(**options)
