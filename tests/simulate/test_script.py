"""Dialogue scripts: what may stand in one, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.recognition import CompletionCause, InputMode
from ivr.simulate.script import (
    BargeIn,
    CallerVoice,
    HangUp,
    Keys,
    Pause,
    Say,
    WaitPrompt,
    Wav,
    describe,
    quick_script,
)
from ivr.simulate.script_file import load_script
from ivr.simulate.script_yaml import read_document

EVERY_STEP = """\
description: One of each.
caller: {voice: en-gb, rate_wpm: 170, pitch: 40, noise_dbfs: -55, seed: 7}
patience_s: 12
steps:
  - wait_prompt
  - wait_prompt: {timeout_s: 5, settle_s: 0.2}
  - say: "four one, five five"
    rate_wpm: 190
  - wav: answer.wav
  - keys: 0012 34#
    gap_s: 0.1
  - pause_s: 0.5
  - barge_in: {after_s: 1.5, say: "yes", voice: de}
  - hang_up
expect:
  outcome: completed
  variables: {account: 00120034, confirmed: yes}
  turns: [no-input-timeout, {step: ask, cause: success, mode: dtmf, barged_in: true}]
"""


def write(tmp_path: Path, text: str) -> Path:
    """A script file of that content, with a recording beside it."""
    write_wav(tmp_path / "answer.wav", np.ones(800, np.int16), 8000)
    path = tmp_path / "hello.call.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_step_is_read(tmp_path: Path) -> None:
    """Each verb gives its step with its options; the name comes from the file."""
    script = load_script(write(tmp_path, EVERY_STEP))
    assert script.name == "hello"
    assert script.description == "One of each."
    assert script.patience_s == 12
    assert script.directory == tmp_path
    assert script.caller == CallerVoice(
        voice="en-gb", rate_wpm=170, pitch=40, noise_dbfs=-55, seed=7
    )
    assert script.steps == (
        WaitPrompt(),
        WaitPrompt(timeout_s=5, settle_s=0.2),
        Say(say="four one, five five", rate_wpm=190),
        Wav(wav=Path("answer.wav")),
        Keys(keys="0012 34#", gap_s=0.1),
        Pause(pause_s=0.5),
        BargeIn(after_s=1.5, input=Say(say="yes", voice="de")),
        HangUp(),
    )


def test_expectations_are_read_as_typed(tmp_path: Path) -> None:
    """Digits keep their zeros and "yes" stays a word: a script is text, not YAML 1.1 types."""
    expect = load_script(write(tmp_path, EVERY_STEP)).expect
    assert expect.outcome == "completed"
    assert expect.variables == {"account": "00120034", "confirmed": "yes"}
    assert expect.turns is not None
    assert expect.turns[0].cause is CompletionCause.NO_INPUT_TIMEOUT
    assert expect.turns[1].mode is InputMode.DTMF
    assert expect.turns[1].barged_in is True


def test_pressed_keys_leave_out_what_is_for_the_reader() -> None:
    """Spaces and hyphens group keys on paper and are not pressed."""
    assert Keys(keys="4155-0012 #").pressed == "41550012#"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file is empty"),
        ("- wait_prompt\n", 1, "a script is a mapping"),
        ("description: x\n", 1, "steps must be a list"),
        ("steps: []\n", 1, "steps must be a list"),
        ("stepps: []\n", 1, "stepps: unknown key; did you mean steps?"),
        ("name: x\nsteps: [hang_up]\n", 1, "name: unknown key"),
        ("steps:\n  - wait_promt\n", 2, "did you mean wait_prompt?"),
        ("steps:\n  - hang_up\n  - pause: 3\n", 3, "did you mean pause_s?"),
        ("steps:\n  - pause_s: soon\n", 2, "steps[0].pause_s"),
        ("steps:\n  - pause_s: -1\n", 2, "greater than or equal to 0"),
        ("steps:\n  - pause_s: .nan\n", 2, "steps[0].pause_s"),
        ("steps:\n  - say: hi\n    rat_wpm: 90\n", 3, "did you mean rate_wpm?"),
        ("steps:\n  - say: hi\n    rate_wpm: 9\n", 3, "greater than or equal to 80"),
        ("steps:\n  - say: ''\n", 2, "at least 1 character"),
        ("steps:\n  - say: [a]\n", 2, "must be text"),
        ("steps:\n  - say: hi\n    keys: 12\n", 2, "one verb, not say and keys"),
        ("steps:\n  - keys: 12x\n", 2, "keys are 0-9"),
        ("steps:\n  - keys: ' - '\n", 2, "keys are 0-9"),
        ("steps:\n  - wav: gone.wav\n", 2, "no file"),
        ("steps:\n  - hang_up: now\n", 2, "write hang_up alone"),
        ("steps:\n  - wait_prompt: 3\n", 2, "write wait_prompt alone"),
        ("steps:\n  - wait_prompt: {time: 3}\n", 2, "did you mean timeout_s?"),
        ("steps:\n  - wait_prompt:\n    timeout_s: 3\n", 3, "steps[0].timeout_s: unknown key"),
        ("steps:\n  - barge_in: yes\n", 2, "barge_in: {after_s: SECONDS"),
        ("steps:\n  - barge_in: {say: hi}\n", 2, "barge_in: {after_s: SECONDS"),
        ("steps:\n  - barge_in: {after_s: 1}\n", 2, "needs one of say, wav, keys"),
        ("steps:\n  - barge_in: {after_s: 1, keys: x}\n", 2, "keys are 0-9"),
        ("steps:\n  - barge_in: {after_s: x, keys: 1}\n", 2, "steps[0].barge_in.after_s"),
        ("steps:\n  - [say, hi]\n", 2, "a step is one of wait_prompt"),
        ("steps:\n  - {}\n", 2, "a step is one of wait_prompt"),
        (
            "caller: {voce: de}\nsteps: [hang_up]\n",
            1,
            "caller.voce: unknown key; did you mean voice?",
        ),
        ("caller: loud\nsteps: [hang_up]\n", 1, "caller: must be a mapping"),
        ("steps: [hang_up]\nexpect: {outcom: x}\n", 2, "did you mean outcome?"),
        ("steps: [hang_up]\nexpect: done\n", 2, "expect: must be a mapping"),
        ("steps: [hang_up]\nexpect:\n  turns: [sucess]\n", 3, "expect.turns[0].cause"),
        ("steps: [hang_up]\nexpect:\n  turns:\n    - {caus: x}\n", 4, "did you mean cause?"),
        ("steps: [hang_up]\nsteps: [hang_up]\n", 2, "here twice, first on line 1"),
        ("steps: [hang_up]\n{}: x\n", 2, "a key must be text, not a mapping"),
        ("steps: [hang_up]\n? [a]\n: x\n", 2, "a key must be text, not a list"),
        ("steps: [&a hang_up, *a]\n", 1, "aliases"),
        ("steps: [&a [*a]]\n", 1, "aliases"),
        ("steps: [hang_up\n", 2, "not valid YAML"),
        ("steps: [hang_up]\n---\na: b\n", 2, "not valid YAML"),
        ("steps: \x00\n", 1, "not valid YAML"),
    ],
)
def test_a_mistake_names_file_line_and_cure(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    """Every mistake is one ConfigError on one line that begins with file and line."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_script(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: "), message
    assert says in message
    assert "\n" not in message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and one that is not text are named with a reason."""
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read: No such file"):
        load_script(tmp_path / "gone.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_script(binary)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in a file, reading it raises nothing but ConfigError."""
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        load_script(path)
    except ConfigError as error:
        message = str(error)
    else:
        return
    assert message.startswith(str(path))


def test_lines_of_nested_places(tmp_path: Path) -> None:
    """A place knows its line; an unknown one falls back on what encloses it."""
    path = write(tmp_path, "a: 1\nb:\n  - c\n  - d: e\n")
    document = read_document(path)
    assert document.value == {"a": "1", "b": ["c", {"d": "e"}]}
    assert document.line(("b", 1, "d")) == 4
    assert document.line(("b", 7, "x")) == 2
    assert document.line(()) == 1


def test_quick_script_answers_prompt_after_prompt() -> None:
    """Command-line answers each follow a prompt; at the end one more prompt is heard."""
    script = quick_script([("say", "four one"), ("keys", "1")], CallerVoice(voice="de"))
    assert script.steps == (
        WaitPrompt(),
        Say(say="four one"),
        WaitPrompt(),
        Keys(keys="1"),
        WaitPrompt(),
        HangUp(),
    )
    assert script.caller.voice == "de"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (("keys", "4x"), "--keys: keys are 0-9"),
        (("say", ""), "--say: "),
        (("wav", "gone.wav"), "--wav: no file gone.wav"),
        (("sing", "la"), "--sing: not an answer"),
    ],
)
def test_quick_script_refuses_what_no_step_allows(answer: tuple[str, str], says: str) -> None:
    """A wrong command-line answer names its option."""
    with pytest.raises(ConfigError, match=says):
        quick_script([answer], CallerVoice())


def test_describe_names_the_verb_only() -> None:
    """Messages say which step, not what was said in it."""
    assert describe(BargeIn(after_s=1, input=Keys(keys="41"))) == "barge_in with keys"
    assert describe(Say(say="secret")) == "say"
    assert describe(Pause(pause_s=1)) == "pause_s"
