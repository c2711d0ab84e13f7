"""Branches and set variables: which way, with which value, and what of it the record may hold."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.flow.branch import follow, holds
from ivr.flow.machine import Dialogue, Turn
from ivr.flow.model import BranchStep, Case
from ivr.flow.schema import parse_flow
from ivr.recognition import Collected, CompletionCause


def case(**tests: Any) -> Case:
    """A case that tests the variable x; ``one_of`` is the file's ``in``."""
    keys = {"if": "x", "next": "there", **tests}
    if "one_of" in keys:
        keys["in"] = keys.pop("one_of")
    return Case.model_validate(keys)


@pytest.mark.parametrize(
    ("tests", "value", "held"),
    [
        ({"equals": "12"}, "12", True),
        ({"equals": "12"}, "12.00", False),
        ({"equals": "12"}, None, False),
        ({"equals": ""}, "", False),
        ({"one_of": ["1", "2"]}, "2", True),
        ({"one_of": ["1", "2"]}, "12", False),
        ({"empty": True}, None, True),
        ({"empty": True}, "", True),
        ({"empty": True}, "0", False),
        ({"empty": False}, "0", True),
        ({"empty": False}, "", False),
        ({"empty": False}, None, False),
        ({"empty": False, "equals": "1"}, "2", False),
        ({"above": 500}, "500.00", False),
        ({"above": 500}, "500.01", True),
        ({"above": 9}, "10", True),
        ({"below": 0.3}, "0.29", True),
        ({"below": 0.3}, "0.30", False),
        ({"at_least": 0.1}, "0.1", True),
        ({"at_most": 7}, "0007", True),
        ({"at_least": 1, "at_most": 3}, "4", False),
        ({"at_least": 1, "at_most": 3}, "3", True),
        ({"at_least": -5}, "-2", True),
        ({"above": 0}, "twelve", False),
        ({"below": 0}, "1e-5", False),
        ({"above": 0}, None, False),
    ],
)
def test_a_case_holds_where_all_its_tests_do(
    tests: dict[str, Any], value: str | None, held: bool
) -> None:
    """Text is compared as it is, numbers as numbers, and nothing but empty holds for nothing."""
    assert holds(case(**tests), {} if value is None else {"x": value}) is held


def test_the_first_case_that_holds_is_taken() -> None:
    """The order of the file decides; without any it is else."""
    step = BranchStep.model_validate(
        {
            "branch": [
                {"if": "x", "above": 10, "next": "much"},
                {"if": "x", "above": 5, "next": "some"},
            ],
            "else": "little",
        }
    )
    assert [follow(step, {"x": value}) for value in ("11", "6", "5")] == ["much", "some", "little"]


FLOW = """\
flow: small
start: first
variables: {bank: Example Bank, caller: , tries: "0"}
defaults: {on_failure: bye}
steps:
  first: {set: {title: "The {bank}", who: "{caller:digits}", tries: "1"}, next: ask}
  ask: {capture: code, grammar: "builtin:digits?length=4", prompt: "{title}", next: copy}
  copy: {set: {note: "code {code}", longer: "my {note}"}, next: sure}
  sure: {confirm: code, prompt: "{who}?", yes: more}
  more: {menu: {yes: first, no: bye}, prompt: "{longer}?", no_match: ["{tries}?"]}
  bye: {end: over}
"""


def talk(*values: str | None) -> tuple[Dialogue, Turn]:
    """A dialogue after these answers; None is a nomatch."""
    dialogue = Dialogue(parse_flow(FLOW), {"caller": "12"})
    turn = dialogue.start()
    for value in values:
        cause = CompletionCause.SUCCESS if value is not None else CompletionCause.NO_MATCH
        turn = dialogue.collected(Collected(cause, value))
    return dialogue, turn


def test_what_is_made_of_constants_is_not_personal() -> None:
    """It may be cached as any other prompt; what holds a given or captured value may not."""
    assert [prompt.personal for prompt in talk()[1].prompts] == [False]
    assert [prompt.text for prompt in talk("4155")[1].prompts] == ["one two?"]
    assert [prompt.personal for prompt in talk("4155")[1].prompts] == [True]
    assert talk("4155", "yes")[1].prompts[0].text == "my code 4155?"
    assert talk("4155", "yes")[1].prompts[0].personal
    assert talk("4155", "yes", None)[1].prompts[0].text == "1?"
    assert not talk("4155", "yes", None)[1].prompts[0].personal


def test_a_copy_leaves_the_call_with_what_it_was_made_of() -> None:
    """Not before the yes, and not any more when the value is gone or another."""
    always = {"caller": "12", "title": "The Example Bank", "who": "one two", "tries": "1"}
    copies = {"note": "code 4155", "longer": "my code 4155"}
    assert talk()[0].variables == always
    assert talk("4155")[0].variables == always
    assert talk("4155", "yes")[0].variables == always | {"code": "4155"} | copies
    assert talk("4155", "no")[0].variables == always
    failed, turn = talk("4155", "no", None, None)
    assert turn.end
    assert failed.variables == always


def test_a_value_that_takes_in_itself_does_not_fill_the_memory() -> None:
    """Doubling in each round of a menu, it stays within bounds."""
    text = """\
flow: small
start: first
defaults: {on_failure: bye}
variables: {x: "ab"}
steps:
  first: {set: {x: "{x}{x}"}, next: more}
  more: {menu: {1: first, 2: bye}, prompt: "More?"}
  bye: {end: over}
"""
    dialogue = Dialogue(parse_flow(text))
    dialogue.start()
    for _ in range(40):
        dialogue.collected(Collected(CompletionCause.SUCCESS, "1"))
    assert dialogue.variables == {"x": "ab" * 500}


def test_a_branch_tells_what_has_a_value() -> None:
    """After ``empty`` each way knows; before it, no other test may look."""
    text = """\
flow: small
start: ask
defaults: {on_failure: look}
steps:
  ask: {capture: code, grammar: "builtin:digits?length=4", prompt: "Code?", next: look}
  look: {branch: [{if: code, empty: true, next: bye}, {if: code, equals: "1", next: tell}],
         else: tell}
  tell: {end: told, say: "{code}"}
  bye: {end: over}
"""
    assert parse_flow(text).flow == "small"
