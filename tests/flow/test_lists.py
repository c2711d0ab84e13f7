"""Lists that a flow names: read beside it, held by it, told apart when the file changes."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from ivr.errors import ConfigError, FlowError
from ivr.flow.model import CaptureStep, Flow
from ivr.flow.schema import load_flow, parse_flow
from ivr.grammar import parse_grammar

FLOW = """\
flow: small
start: ask
lists: {accounts: accounts.txt}
defaults: {on_failure: bye}
steps:
  ask: {capture: code, grammar: "builtin:digits?list=accounts", prompt: "Account?", next: bye}
  bye: {end: over}
"""


def grammar_of(flow: Flow) -> str:
    """What the call will ask the recogniser with."""
    step = flow.steps["ask"]
    assert isinstance(step, CaptureStep)
    return step.grammar


def takes(grammar: str, value: str) -> bool:
    """Whether the grammar accepts a number."""
    return parse_grammar(grammar).interpret_keys(value) == value


def test_a_list_lies_beside_the_flow(tmp_path: Path) -> None:
    """Its path is relative to the flow file, wherever the server was started."""
    (tmp_path / "accounts.txt").write_text("41552271\n41559271\n")
    (tmp_path / "flow.yaml").write_text(FLOW)
    grammar = grammar_of(flow := load_flow(tmp_path / "flow.yaml"))
    assert takes(grammar, "41559271")
    assert not takes(grammar, "41559272")
    assert flow.lists == {"accounts": "accounts.txt"}


def test_a_column_of_a_table(tmp_path: Path) -> None:
    """FILE#COLUMN, which YAML does not take for a comment."""
    (tmp_path / "accounts.csv").write_text("name,account\nnobody,41552271\n")
    flow = parse_flow(
        FLOW.replace("accounts.txt", "accounts.csv#account"), "flow.yaml", folder=tmp_path
    )
    assert takes(grammar_of(flow), "41552271")


def test_a_call_keeps_the_list_that_its_flow_began_with(tmp_path: Path) -> None:
    """The flow is loaded anew with another list; both are good at the same time."""
    (tmp_path / "accounts.txt").write_text("41552271\n")
    old = parse_flow(FLOW, folder=tmp_path)
    (tmp_path / "accounts.txt").write_text("41559271\n")
    new = parse_flow(FLOW, folder=tmp_path)
    assert grammar_of(old) != grammar_of(new)
    assert takes(grammar_of(old), "41552271")
    assert not takes(grammar_of(new), "41552271")


def test_an_unchanged_list_is_not_held_twice(tmp_path: Path) -> None:
    """Loading the flow anew costs nothing where the file is the same."""
    (tmp_path / "accounts.txt").write_text("41552271\n")
    one, other = parse_flow(FLOW, folder=tmp_path), parse_flow(FLOW, folder=tmp_path)
    assert one == other
    assert parse_grammar(grammar_of(one)) is parse_grammar(grammar_of(other))


def test_a_list_goes_with_the_last_flow_that_names_it(tmp_path: Path) -> None:
    """Copies of a flow hold it as well."""
    (tmp_path / "accounts.txt").write_text("4155\n")
    flow = parse_flow(FLOW, folder=tmp_path)
    copy, grammar = flow.model_copy(update={"max_turns": 3}), grammar_of(flow)
    del flow
    gc.collect()
    assert takes(grammar, "4155")
    del copy
    gc.collect()
    with pytest.raises(ConfigError, match="unknown list 'accounts'"):
        parse_grammar(grammar)


def test_a_mistake_in_the_list_names_both_files(tmp_path: Path) -> None:
    """The flow's line, and the list's; not the number that is wrong."""
    (tmp_path / "accounts.txt").write_text("41552271\n4155-9271\n")
    with pytest.raises(FlowError) as caught:
        parse_flow(FLOW, "flow.yaml", folder=tmp_path)
    place = tmp_path / "accounts.txt"
    assert str(caught.value) == (
        f"flow.yaml:3: lists.accounts: {place}:2: not a number; write digits alone, at most 100, "
        "and # before a comment"
    )


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    """Told before the first call."""
    with pytest.raises(FlowError, match=r"lists.accounts: .*accounts.txt: cannot be read"):
        parse_flow(FLOW, folder=tmp_path)


def test_a_flow_without_lists_that_names_one() -> None:
    """The cure is the key that is missing."""
    with pytest.raises(FlowError, match="name its file, under lists in the flow"):
        parse_flow(FLOW.replace("lists: {accounts: accounts.txt}\n", ""))
