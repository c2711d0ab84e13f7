"""A captured call, repeated: exactly, or up to where it departs."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ivr.capture import read_capture
from ivr.config import CaptureSettings, Settings
from ivr.errors import ConfigError
from ivr.flow.schema import parse_flow
from ivr.recognition import Recognition
from ivr.server.capture import CaptureFolder
from ivr.server.context import Fittings
from ivr.server.pace import Lines
from ivr.simulate.caller import CallResult, place_call
from ivr.simulate.line import Timing
from ivr.simulate.voice import render_sounds
from ivr.testing.cases import Case
from ivr.testing.listening import Ears
from ivr.testing.replay import replay
from ivr.testing.replay_command import run_replay
from ivr.testing.server import flows_of, running, settings_of_test
from tests.testing.stage import FLOW, KEYED, SPOKEN, Deaf, TonePrompts, ToneVoice, write


def captured(case: Case, settings: CaptureSettings) -> CallResult:
    """Place a call to a server that captures it."""
    folder = CaptureFolder(settings)
    flows, names = flows_of([case])
    lines, recognizer = Lines(100), Deaf()
    ears = Ears(recognizer)
    fittings = Fittings(lines.make, folder.make_tap, ears.recognizer_of)
    sounds = render_sounds(case.script, ToneVoice())

    async def main() -> CallResult:
        serving = running(
            settings_of_test(Settings(), 1), flows, recognizer, TonePrompts(), fittings
        )
        async with serving as server:
            return await place_call(
                case.script,
                sounds,
                replace(server, flow=names[case]),
                watch=lambda phone: ears.phones.__setitem__("CA1", phone),
                timing=Timing(real_time=False, lockstep=lines),
                call_id="CA1",
            )

    result = asyncio.run(main())
    folder.close()
    return result


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The capture of a call with speech, lost packets and a barge-in by key."""
    folder = tmp_path_factory.mktemp("capture")
    (case,) = write(folder / "flow", spoken=SPOKEN)
    result = captured(case, CaptureSettings(dir=folder / "wire"))
    assert result.failure is None
    assert result.record is not None
    assert result.record["outcome"] == "completed"
    (file,) = (folder / "wire").iterdir()
    return file


def test_a_call_is_repeated_exactly(spoken: Path) -> None:
    """Every decision, prompt and mark, at the same time of the stream."""
    capture = read_capture(spoken)
    result = replay(capture, parse_flow(FLOW))
    assert result.exact, result.departure
    assert result.compared >= 10
    assert (capture.cut, capture.head["flow"]) == (None, "pin")


def test_the_file_is_its_owners_alone(spoken: Path) -> None:
    """It holds what callers say; so does the folder."""
    assert stat.S_IMODE(spoken.stat().st_mode) == 0o600
    assert stat.S_IMODE(spoken.parent.stat().st_mode) == 0o700


def test_both_directions_are_there_in_order(spoken: Path) -> None:
    """From the first message to the end, with times that never go back."""
    lines = read_capture(spoken).lines
    kinds = [line.kind for line in lines]
    assert kinds[:2] == ["in", "in"]
    assert {"out", "did", "heard", "decided"} < set(kinds)
    assert kinds[-1] == "ended"
    times = [line.ms for line in lines[:-1]]
    assert times == sorted(times)


def test_another_flow_departs_where_it_differs(spoken: Path) -> None:
    """With the line, what was captured and what came now."""
    result = replay(read_capture(spoken), parse_flow(FLOW.replace("Thank you.", "Bye now.")))
    assert result.departure is not None
    assert result.departure.captured is not None
    assert result.departure.captured["text"] == "Thank you."
    assert result.departure.replayed is not None
    assert result.departure.replayed["text"] == "Bye now."


def test_another_recogniser_is_told_before_what_follows_from_it(spoken: Path) -> None:
    """What is heard otherwise is named, and the call departs by it."""

    def nothing(samples: object, grammar: str) -> Recognition:
        return asyncio.run(Deaf().recognize(samples, grammar))  # type: ignore[arg-type]

    result = replay(read_capture(spoken), parse_flow(FLOW), nothing)
    assert result.heard_otherwise[0].captured == ("one two three four", 0.95)
    assert result.heard_otherwise[0].replayed == ("", 0.9)
    assert not result.exact


def test_the_command_shows_stars(spoken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a real caller said is not for every screen."""
    flow = spoken.parents[1] / "other.yaml"
    flow.write_text(FLOW.replace("length=4", "length=3"))
    console = Console(width=200)
    assert run_replay(spoken, as_heard=True, console=console) == 0
    assert "exactly as captured" in capsys.readouterr().out
    assert run_replay(spoken, flow=flow, as_heard=True, console=console) == 1
    shown = capsys.readouterr().out
    assert "another version" in shown
    assert "departs at line" in shown
    assert "1234" not in shown
    assert "one two" not in shown
    assert run_replay(spoken, flow=flow, as_heard=True, json_output=True, console=console) == 1
    assert json.loads(capsys.readouterr().out)["flow_changed"] is True


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"max_call_bytes": 65_536}, "max_call_bytes"),
        ({"max_bytes": 65_536}, "the folder is full"),
    ],
)
def test_a_limit_ends_the_capture_and_not_the_call(
    tmp_path: Path, limits: dict[str, int], why: str
) -> None:
    """The file says why it stops, and can be repeated as far as it goes."""
    (case,) = write(tmp_path / "flow", silent="steps: [wait_prompt]")
    result = captured(case, CaptureSettings(dir=tmp_path / "wire", **limits))
    assert result.record is not None
    assert result.record["outcome"] == "gave_up"
    (file,) = (tmp_path / "wire").iterdir()
    capture = read_capture(file)
    assert capture.cut is not None
    assert why in capture.cut
    assert replay(capture, case.flow).exact


def test_a_disk_that_refuses_does_not_hurt_the_call(tmp_path: Path) -> None:
    """Here the folder is taken away once it was found good."""

    class Gone(CaptureFolder):
        def make_tap(self):  # type: ignore[no-untyped-def]
            self.folder = tmp_path / "gone"
            return super().make_tap()

    (case,) = write(tmp_path / "flow", keyed=KEYED)
    settings = CaptureSettings(dir=tmp_path / "wire")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.testing.test_replay.CaptureFolder", Gone)
        result = captured(case, settings)
    assert result.record is not None
    assert result.record["outcome"] == "completed"
    assert list((tmp_path / "wire").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    """Before a call is taken."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"capture.dir: .* name another"):
        CaptureFolder(CaptureSettings(dir=tmp_path / "file" / "wire"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no capture of format 1"),
        ('{"event": "start"}\n', "no capture of format 1"),
        ("not json\n", "a.jsonl:1: not a line"),
        ('{"capture": 1}\n', "not a whole capture"),
    ],
)
def test_what_is_no_capture_is_told(tmp_path: Path, text: str, message: str) -> None:
    """With its place."""
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_capture(tmp_path / "a.jsonl")
