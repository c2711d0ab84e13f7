"""Flow files: the ones that load, and the one message for each mistake."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.errors import FlowError
from ivr.flow.model import (
    KINDS,
    CaptureStep,
    Case,
    ConfirmStep,
    EndStep,
    Flow,
    Listening,
    SayStep,
)
from ivr.flow.schema import load_flow, parse_flow

DATA = Path(__file__).parent / "data"
EXAMPLES = sorted((Path(__file__).parents[2] / "config" / "flows").glob("*.yaml"))
BROKEN = sorted((DATA / "broken").glob("*.yaml"))

SMALL = """\
flow: small
start: ask
defaults: {on_failure: bye}
steps:
  ask: {capture: code, grammar: "builtin:digits?length=4", prompt: "Code?", next: bye}
  bye: {end: over}
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load(path: Path) -> None:
    """Every flow that is shipped is sound, and is named like its file."""
    assert load_flow(path).flow == path.stem


def test_there_is_an_example() -> None:
    """The first flow of the project is where the documentation says."""
    assert "account_id" in [path.stem for path in EXAMPLES]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_mistake_gives_one_message(path: Path) -> None:
    """Each broken file gives the message of its first line: one line, with file, line and cure."""
    expected = path.read_bytes().split(b"\n")[0].decode().removeprefix("# expected: ")
    with pytest.raises(FlowError) as caught:
        load_flow(path)
    message = str(caught.value)
    assert message == f"{path}:{expected}"
    assert "\n" not in message


def test_every_mistake_has_a_place_and_a_cure() -> None:
    """No expected message lacks a line number or stops at saying what is wrong."""
    for path in BROKEN:
        expected = path.read_bytes().split(b"\n")[0].decode().removeprefix("# expected: ")
        line, _, rest = expected.partition(": ")
        assert line.isdigit(), path
        assert any(
            sign in rest for sign in ("; ", "must be true or false", ": one line", "known: ")
        ) or ("must hold keys and values" in rest), path


def test_the_broken_folder_is_not_empty() -> None:
    """The folder was found, so the test above tested something."""
    assert len(BROKEN) > 50


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A missing file and a folder are named with the reason."""
    with pytest.raises(FlowError, match=r": cannot be read \(.+\); give the path of a flow file$"):
        load_flow(tmp_path / name)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "flow.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load_flow(path).flow == "small"


def test_kinds_are_told_by_their_keys() -> None:
    """Each step of the example is of the kind that its leading key says."""
    steps = load_flow(EXAMPLES[0].parent / "account_id.yaml").steps
    assert {name: type(step) for name, step in steps.items()} == {
        "greet": SayStep,
        "ask_account": CaptureStep,
        "confirm_account": ConfirmStep,
        "thanks": EndStep,
        "goodbye": EndStep,
    }


def test_a_text_is_short_for_a_mapping() -> None:
    """``prompt: words`` and ``prompt: {text: words}`` are the same."""
    long = SMALL.replace('"Code?"', '{text: "Code?"}')
    assert parse_flow(long) == parse_flow(SMALL)


def test_steps_override_defaults_override_the_built_in() -> None:
    """A timer is looked for in the step, then in defaults, then in the model."""
    text = SMALL.replace("{on_failure", "{no_input_timeout_s: 7, term_char: '*', on_failure")
    flow = parse_flow(text.replace('"Code?"', """"Code?", term_char: ''"""))
    step = flow.steps["ask"]
    assert isinstance(step, CaptureStep)
    listening = flow.listening(step)
    assert listening.no_input_timeout_s == 7.0
    assert listening.term_char == ""
    assert listening.max_speech_timeout_s == Listening().max_speech_timeout_s
    assert listening.on_failure == "bye"


def test_the_example_shows_the_built_in_values() -> None:
    """The comment in account_id.yaml, "what is left out has the value shown here", is true."""
    flow = load_flow(EXAMPLES[0].parent / "account_id.yaml")
    assert flow.defaults == Listening(on_failure="goodbye")
    assert flow.defaults.model_fields_set == set(Listening.model_fields)


def test_every_key_is_described() -> None:
    """The reference is generated from the descriptions, and the error messages use them."""
    for model in (Flow, Listening, Case, *KINDS.values()):
        for name, key in model.model_fields.items():
            assert key.description, name
            assert key.description.endswith("."), name


def test_a_flow_cannot_be_changed() -> None:
    """All calls share one flow."""
    with pytest.raises(ValueError, match="frozen"):
        parse_flow(SMALL).start = "bye"  # type: ignore[misc]


def test_the_first_mistake_is_told() -> None:
    """Of several mistakes the one that stands first in the file is the one to mend first."""
    text = SMALL.replace("start: ask", "start: ask\nmax_turns: 0").replace("over", "Over")
    with pytest.raises(FlowError, match=r"^flow:3: max_turns: must be at least 1"):
        parse_flow(text)


def lines_of(text: str) -> list[int]:
    """The lines of all mistakes."""
    with pytest.raises(FlowError) as caught:
        parse_flow(text)
    assert str(caught.value) in [str(mistake) for mistake in caught.value.mistakes]
    return [mistake.line for mistake in caught.value.mistakes]


def test_all_mistakes_are_told() -> None:
    """In the order of the file; those in the ways once there are none in the keys."""
    keys = SMALL.replace("start: ask", "start: ask\nmax_turns: 0").replace("over", "Over")
    assert lines_of(keys.replace("prompt:", "promt:")) == [3, 6, 7]
    assert lines_of(SMALL.replace("{end: over}", "{say: Bye, next: by}") + "  x: {end: }\n") == [7]
    ways = SMALL + (
        '  one: {say: "{cod}", next: bye}\n'
        "  two: {say: Two, next: three}\n"
        "  three: {say: Three, next: two}\n"
    )
    assert lines_of(ways) == [7, 7, 8, 8, 8, 9, 9, 9]
    nowhere = SMALL.replace("next: bye}", "next: by}").replace("on_failure: bye", "on_failure: b")
    assert lines_of(nowhere) == [3, 5]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_flow_loads_or_is_refused(data: st.DataObject) -> None:
    """Whatever one line of a sound flow is replaced by, only a FlowError of one line comes out."""
    lines = (DATA / "flows" / "escalation.yaml").read_text().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(st.sampled_from(lines) | st.text(max_size=20))
    indent = data.draw(st.sampled_from(["", "  ", "    "]))
    lines[at] = indent + other.strip(" ")
    message = "flow: sound"
    try:
        parse_flow("\n".join(lines))
    except FlowError as error:
        message = str(error)
    assert message.startswith("flow:")
    assert len(message.splitlines()) == 1


@settings(deadline=None)
@given(st.text(max_size=60))
def test_garbage_is_refused(text: str) -> None:
    """No text at all raises anything but a FlowError."""
    with pytest.raises(FlowError):
        parse_flow(text)
