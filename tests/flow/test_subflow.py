"""Flows that call flows: one flow to the dialogue, with the called one's names kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import FlowError
from ivr.flow.model import CaptureStep, Flow
from ivr.flow.schema import load_flow
from ivr.flow.text import rename
from ivr.rehearsal import Rehearsal

DATA = Path(__file__).parent / "data" / "flows"
CALLER = load_flow(DATA / "caller.yaml")
MAIN = """\
flow: main
start: go
defaults: {on_failure: bye}
variables: {bank: Example Bank}
steps:
  go:
    subflow: sub.yaml
    arguments: {who: "{bank}"}
    results: {account: number}
    ends: {known: bye, lost: bye}
  bye: {end: over}
"""
SUB = """\
flow: sub
start: ask
defaults: {on_failure: lost}
variables: {who: }
steps:
  ask: {capture: number, grammar: "builtin:digits?length=4", prompt: "{who}?", next: known}
  known: {end: known}
  lost: {end: lost}
"""


def rehearse(*lines: str) -> Rehearsal:
    """A rehearsal of the caller after these answers."""
    rehearsal = Rehearsal(CALLER)
    for line in lines:
        rehearsal.answer(line)
    return rehearsal


def said(rehearsal: Rehearsal) -> list[str]:
    """What the agent says."""
    return [prompt.text for prompt in rehearsal.prompts]


def load(tmp_path: Path, main: str = MAIN, sub: str = SUB) -> Flow:
    """A flow and one that it calls, from files."""
    (tmp_path / "sub.yaml").write_text(sub)
    (tmp_path / "main.yaml").write_text(main)
    return load_flow(tmp_path / "main.yaml")


def test_a_called_flow_is_gone_through() -> None:
    """With its arguments, its own failures, its confirmation; the result is the caller's."""
    assert said(rehearse()) == ["Example Bank number, please? {say it}"]
    assert said(rehearse("hm", "hm")) == ["Pardon?"]
    assert said(rehearse("4155")) == ["four one, five five?"]
    assert said(rehearse("4155", "no")) == ["Again?"]
    assert said(rehearse("4155", "yes", "1")) == [
        "Thank you.",
        "You are four one five five, known.",
        "Again?",
    ]
    end = rehearse("4155", "yes", "1", "no")
    assert end.end
    assert end.end.outcome == "done"
    assert end.variables == {"account": "4155", "kind": "known"}


def test_its_ends_lead_on_in_the_caller() -> None:
    """Three failures end the called flow, not the call; then it is called again, otherwise."""
    assert said(rehearse("hm", "hm", "hm")) == ["Other number, now? {say it}"]
    assert said(rehearse("0000")) == ["Other number, now? {say it}"]
    assert said(rehearse("0000", "4155", "no")) == ["Again?"]
    end = rehearse("0000", "hm", "hm", "hm").end
    assert end
    assert end.outcome == "failed"


def test_each_call_begins_with_the_same_values() -> None:
    """What the called flow set the time before is forgotten."""
    assert said(rehearse("4155", "yes", "2")) == [
        "Example Bank number, and once more, please? {say it}"
    ]
    assert said(rehearse("4155", "yes", "1", "yes")) == ["Example Bank number, please? {say it}"]


def test_the_callers_operator_is_heard_in_it() -> None:
    """A called flow has none of its own."""
    end = rehearse("operator").end
    assert end
    assert end.outcome == "failed"


def test_a_value_is_kept_as_the_called_flow_says() -> None:
    """It is no copy but the captured value itself."""
    captures = [step for step in CALLER.steps.values() if isinstance(step, CaptureStep)]
    assert [(step.capture, step.kept, step.attempts) for step in captures] == [
        ("account", "hash", 3),
        ("account", "hash", 3),
    ]


def test_a_flow_that_is_called_can_call(tmp_path: Path) -> None:
    """Names are nested."""
    (tmp_path / "inner.yaml").write_text(SUB)
    middle = MAIN.replace("sub.yaml", "inner.yaml").replace("bye: {end: over}", "bye: {end: known}")
    main = MAIN.replace("number}", "account}").replace(", lost: bye}", "}")
    main = main.replace("who: ", "bank: ")
    flow = load(tmp_path, main, middle)
    assert "go__go__ask" in flow.steps
    rehearsal = Rehearsal(flow)
    assert said(rehearsal) == ["Example Bank?"]
    rehearsal.answer("4155")
    assert rehearsal.variables == {"account": "4155"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sub.yaml", "gone.yaml", "gone.yaml: cannot be read"),
        ("sub.yaml", "main.yaml", "main.yaml:7: steps.go.subflow: the flows call one another in a"),
        ("who:", "whom:", 'main.yaml:8: steps.go.arguments.whom: unknown variable "whom"; did you'),
        ('    arguments: {who: "{bank}"}\n', "", 'sub.yaml needs a value for "who"; add it to arg'),
        ("account: number", "account: numbr", "steps.go.results.account: unknown variable"),
        ("{known: bye, ", "{knwn: bye, known: bye, ", 'unknown outcome "knwn"; did you mean'),
        (", lost: bye}", "}", 'steps.go.ends: sub.yaml can end with "lost"; say which step'),
        ("lost: bye", "lost: by", 'main.yaml:10: steps.go.ends.lost: unknown step "by"; did you'),
        ("{bank}", "{bnk}", 'main.yaml:6: steps.go.set.go__who: unknown variable "bnk"; did you'),
        ("  bye:", "  go__ask: {end: x}\n  bye:", "go calls a flow with this step; rename it"),
        (
            "{account: number}",
            "{bank: number}",
            'main.yaml:6: steps.go__ask.capture: "bank" stands',
        ),
    ],
)
def test_a_call_that_does_not_fit_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """With the caller's file and line."""
    with pytest.raises(FlowError) as caught:
        load(tmp_path, MAIN.replace(old, new))
    assert message in str(caught.value)


def test_a_mistake_in_the_called_flow_is_told_in_its_file(tmp_path: Path) -> None:
    """That is where it must be mended."""
    with pytest.raises(FlowError, match=r"sub\.yaml:6: steps\.ask\.next: unknown step"):
        load(tmp_path, sub=SUB.replace("next: known", "next: knwn"))


def test_a_called_flow_may_have_an_operator_of_its_own(tmp_path: Path) -> None:
    """Heard in it; the caller's is heard where it has none."""
    with_one = MAIN.replace("start: go", "start: go\non_operator: person")
    with_one = with_one.replace("  bye:", "  person: {end: person}\n  bye:")
    own = SUB.replace("start: ask", "start: ask\non_operator: lost")
    for main, sub, outcome in [(with_one, SUB, "person"), (MAIN, own, "over")]:
        rehearsal = Rehearsal(load(tmp_path, main, sub))
        rehearsal.answer("operator")
        assert rehearsal.end is not None
        assert rehearsal.end.outcome == outcome


def test_a_result_is_not_there_on_every_way(tmp_path: Path) -> None:
    """The checks see through the call: after a failure there is no number."""
    main = MAIN.replace("bye: {end: over}", 'bye: {end: over, say: "{account}"}')
    with pytest.raises(FlowError, match=r'steps\.bye\.say: "account" has no value yet'):
        load(tmp_path, main)


def test_placeholders_are_renamed() -> None:
    """And nothing else is."""
    text = "{{a}} {a} {a:digits} {a:digits 3 3} {heard}"
    assert rename(text, {"a": "b"}) == "{{a}} {b} {b:digits 4} {b:digits 3 3} {heard}"
