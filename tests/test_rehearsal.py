"""A flow talked to as text: what is typed is heard as a call would hear it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.asr.tokens import VOCABULARY as TOKENS
from ivr.flow.schema import load_flow, parse_flow
from ivr.recognition import CompletionCause, InputMode
from ivr.rehearsal import HANG_UP, VOCABULARY, Rehearsal, answer_of

ACCOUNT_ID = load_flow(Path(__file__).parents[1] / "config" / "flows" / "account_id.yaml")


def rehearse(*lines: str) -> Rehearsal:
    """A rehearsal of the example after these answers."""
    rehearsal = Rehearsal(ACCOUNT_ID)
    for line in lines:
        rehearsal.answer(line)
    return rehearsal


@pytest.mark.parametrize(
    ("line", "cause", "mode"),
    [
        ("four one five five zero zero one two", CompletionCause.SUCCESS, InputMode.SPEECH),
        ("It is forty-one fifty-five, double oh, one two.", CompletionCause.SUCCESS, "speech"),
        ("41550012", CompletionCause.SUCCESS, InputMode.DTMF),
        ("4155 0012 #", CompletionCause.SUCCESS, InputMode.DTMF),
        ("41559*0012", CompletionCause.SUCCESS, InputMode.DTMF),
        ("four one 550012", CompletionCause.SUCCESS, InputMode.BOTH),
        ("41550012 never mind", CompletionCause.SUCCESS, InputMode.DTMF),
        ("4155#", CompletionCause.NO_MATCH, InputMode.DTMF),
        ("four one five", CompletionCause.NO_MATCH, InputMode.SPEECH),
        ("what do you want", CompletionCause.NO_MATCH, InputMode.SPEECH),
        ("", CompletionCause.NO_INPUT_TIMEOUT, None),
        ("?!", CompletionCause.NO_INPUT_TIMEOUT, None),
        ("(silent)", CompletionCause.NO_INPUT_TIMEOUT, None),
        ("(hang up)", CompletionCause.HANGUP, None),
        ("help me, please", CompletionCause.HELP, InputMode.SPEECH),
        ("repeat", CompletionCause.REPEAT, InputMode.SPEECH),
    ],
)
def test_a_line_is_heard_as_in_a_call(line: str, cause: CompletionCause, mode: InputMode) -> None:
    """Words, keys, both, neither."""
    collected = Rehearsal(ACCOUNT_ID).answer(line)
    assert collected
    assert (collected.cause, collected.mode) == (cause, mode)
    assert collected.value == ("41550012" if cause is CompletionCause.SUCCESS else None)


def test_a_rehearsal_goes_the_way_of_the_dialogue() -> None:
    """Prompts, a correction at the confirmation, the end."""
    rehearsal = rehearse("four one five five zero zero one nine")
    assert rehearsal.prompts[0].text.startswith("I have four one five five, zero zero one nine.")
    rehearsal.answer("no, the last one is two")
    assert rehearsal.prompts[0].text.startswith("I have four one five five, zero zero one two.")
    assert rehearsal.variables == {}
    rehearsal.answer("yes")
    assert rehearsal.end
    assert rehearsal.end.outcome == "completed"
    assert rehearsal.variables == {"account": "41550012"}
    assert rehearsal.answer("yes") is None


def test_what_is_not_listened_to_is_silence() -> None:
    """Words where only keys answer, and keys where only words do."""
    text = """\
flow: small
start: ask
defaults: {on_failure: bye, %s: false}
steps:
  ask: {capture: code, grammar: "builtin:digits?length=4", prompt: "Code?", next: bye}
  bye: {end: over}
"""
    for off, line in (("speech", "four one five five"), ("dtmf", "4155")):
        collected = Rehearsal(parse_flow(text % off)).answer(line)
        assert collected
        assert collected.cause is CompletionCause.NO_INPUT_TIMEOUT


def test_every_word_of_an_answer_is_known() -> None:
    """Those of the recogniser, and two that only people write."""
    assert VOCABULARY - set(TOKENS) <= {"dollar", "cent"}
    assert {word for word in TOKENS if word.isalpha()} - VOCABULARY <= {
        *("hash", "star", "pound", "stop"),
    }


LOOKUP = parse_flow(
    """
flow: fetching
start: fetch
steps:
  fetch:
    lookup: {http: "https://api.example/x"}
    results: {holder: name, balance: accounts.0.balance}
    found: told
    missing: nobody
    failed: sorry
  told: {end: told, say: "{holder} has {balance}."}
  nobody: {end: nobody}
  sorry: {end: sorry}
"""
)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("holder=Jane; balance = 12.50", "told"),
        ("holder=Jane", "sorry"),
        ("(missing)", "nobody"),
        ("(failed)", "sorry"),
    ],
)
def test_a_lookup_is_answered_by_a_line(line: str, outcome: str) -> None:
    """By the results that it is to give, wherever an answer would have them."""
    rehearsal = Rehearsal(LOOKUP)
    assert rehearsal.lookup is not None
    rehearsal.looked_up(answer_of(rehearsal.lookup, line))
    assert rehearsal.lookup is None
    assert rehearsal.end is not None
    assert rehearsal.end.outcome == outcome
    if outcome == "told":
        assert rehearsal.prompts[0].text == "Jane has 12.50."


def test_a_line_that_is_no_answer_to_a_lookup_is_told() -> None:
    """With what it could have been."""
    rehearsal = Rehearsal(LOOKUP)
    assert rehearsal.lookup is not None
    with pytest.raises(ValueError, match=r"write holder=...; balance=..., \(missing\) or"):
        answer_of(rehearsal.lookup, "four one")


def test_message_is_left_as_a_line() -> None:
    """Words are a message, an empty line is none, and hanging up ends the call."""
    flow = parse_flow(
        "flow: box\nstart: leave\nsteps:\n"
        "  leave: {record: message, prompt: Speak., next: done, on_failure: sorry}\n"
        "  done: {end: left}\n"
        "  sorry: {end: nothing}\n"
    )
    for line, outcome in (("call me back", "left"), ("", "nothing"), (HANG_UP, "hangup")):
        rehearsal = Rehearsal(flow)
        assert rehearsal.answer(line) is None
        assert rehearsal.end is not None
        assert rehearsal.end.outcome == outcome
