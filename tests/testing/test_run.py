"""Simulated calls to a server of their own: the same on any machine, at any speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivr.errors import ConfigError
from ivr.testing.run import Plan
from tests.testing.stage import KEYED, SECRET_FLOW, SPOKEN, outcome, place, write


def test_calls_go_as_their_scripts_say(tmp_path: Path) -> None:
    """Speech, keys and a barge-in through the real socket; nothing is missed."""
    tested = place(write(tmp_path, spoken=SPOKEN, keyed=KEYED), Plan(jobs=2))
    assert [(t.case.name, t.verdict.problems) for t in tested] == [("keyed", ()), ("spoken", ())]


def test_slow_or_fast_real_time_or_not_it_is_the_same_call(tmp_path: Path) -> None:
    """Neither a slow recogniser, nor a slow synthesiser, nor the wall's clock changes a thing."""
    cases = write(tmp_path, spoken=SPOKEN)
    fast = place(cases)[0]
    slow = place(cases, delay_s=0.25)[0]
    real = place(cases, Plan(real_time=True))[0]
    assert fast.passed, fast.verdict.problems
    assert outcome(fast) == outcome(slow) == outcome(real)
    assert fast.verdict.result.tracks is not None
    assert fast.verdict.result.tracks.tobytes() == slow.verdict.result.tracks.tobytes()  # type: ignore[union-attr]
    assert real.wall_s >= real.verdict.result.duration_s > 2


def test_what_differs_is_told(tmp_path: Path) -> None:
    """Every expectation that is missed is a line of its own."""
    missed = """
steps:
  - wait_prompt: {settle_s: 0.2}
  - say: "nine"
    heard_as: ""
  - wait_prompt: {settle_s: 0.2}
  - hang_up
expect:
  outcome: completed
  variables: {account: "1234"}
  says: [Goodbye]
  never_says: ["say it"]
  ended_by: agent
  max_turns: 1
  max_duration_s: 1
  turns: [success]
"""
    (tested,) = place(write(tmp_path, missed=missed))
    assert list(tested.verdict.problems) == [
        "outcome is hangup, expected completed",
        "the call was ended by the caller, expected the agent",
        "variable account is not set, expected 1234",
        "the agent did not say 'Goodbye'",
        "the agent said 'say it'",
        "the call lasted 4.7 s, expected at most 1 s",
        "2 turns, expected at most 1",
        "2 turns (no-input-timeout, hangup), expected 1",
        "turn 1: cause is no-input-timeout, expected success",
    ]


def test_a_mishearing_on_purpose_is_heard(tmp_path: Path) -> None:
    """The flow reads back what was misheard, and the caller's no corrects it."""
    script = SPOKEN.replace('heard_as: "one two three four"', 'heard_as: "one two three five"')
    script = script.replace('keys: "1"', 'keys: "2"').partition("expect:")[0]
    script += (
        "  - wait_prompt\n  - hang_up\nexpect: {turns: [{value: '1235'}, {value: 'no'}, hangup]}"
    )
    (tested,) = place(write(tmp_path, misheard=script))
    assert tested.verdict.problems == ()


def test_a_lost_line_is_a_hang_up(tmp_path: Path) -> None:
    """The socket closes without a goodbye."""
    script = "steps: [wait_prompt, drop_line]\nexpect: {outcome: hangup, ended_by: caller}"
    (tested,) = place(write(tmp_path, dropped=script))
    assert tested.verdict.problems == ()
    assert tested.verdict.result.record is not None
    assert tested.verdict.result.record["ending"]["reason"] == "closed_without_stop"


def test_sensitive_numbers_are_compared_and_not_shown(tmp_path: Path) -> None:
    """A script may expect a PIN; no report has it."""
    wrong = KEYED.replace("expect: {", 'expect: {variables: {account: "9999"}, ')
    right, missed = place(
        write(
            tmp_path,
            SECRET_FLOW,
            right=KEYED.replace("expect: {", 'expect: {variables: {account: "1234"}, '),
            wrong=wrong,
        ),
        Plan(jobs=2),
    )
    assert right.verdict.problems == ()
    assert list(missed.verdict.problems) == [
        "variable account is not as expected (sensitive, not shown)"
    ]
    shown = json.dumps([outcome(right), outcome(missed)])
    assert "1234" not in shown
    assert "1 2 3 4" not in shown
    assert "****" in shown


def test_words_that_cannot_be_heard_are_refused(tmp_path: Path) -> None:
    """A mishearing is made of the recogniser's words."""
    script = SPOKEN.replace('heard_as: "one two three four"', 'heard_as: "banana"')
    with pytest.raises(ConfigError, match=r"step 2: heard_as: .* no word \"banana\""):
        place(write(tmp_path, fruit=script))
