"""Lookups that a script answers: nobody is asked, and the flow goes on as if."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import ConfigError
from tests.testing.stage import place, write

FLOW = """
flow: holder
start: ask
types: {balance: number}
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=1
    prompt: Your number please.
    on_failure: lost
    next: fetch
  fetch:
    lookup: {http: "http://bank.invalid/holders", timeout_s: 2.0, retries: 0}
    results: {holder: people.0.name, balance: balance}
    found: again
    missing: ask
    failed: lost
  again:
    lookup: {http: "http://bank.invalid/again", timeout_s: 2.0, retries: 0}
    found: done
    failed: lost
  done:
    end: completed
    say: "Hello {holder}."
  lost:
    end: lost
    say: Goodbye.
"""
STUBBED = """
lookups:
  fetch: [missing, {found: {holder: Jane, balance: 12.50}, after_s: 1.5}]
  again: found
steps: [wait_prompt, keys: "1", wait_prompt, keys: "2"]
expect:
  outcome: completed
  variables: {holder: Jane, balance: "12.50"}
  says: [hello jane]
  lookups: [{fetch: missing}, fetch, {again: found}]
"""


def test_a_script_answers_the_lookups_of_its_flow(tmp_path: Path) -> None:
    """Time after time, and as late as it says; later than the flow waits is a time-out."""
    late = STUBBED.partition("expect:")[0].replace("after_s: 1.5", "after_s: 2.5")
    late += "expect: {outcome: lost, lookups: [{fetch: missing}, {fetch: failed}]}"
    missed = STUBBED.replace("{again: found}", "{again: missing}")
    cases = write(tmp_path, FLOW, a=STUBBED, b=late, c=missed)
    right, timed_out, wrong = place(cases)
    assert right.verdict.problems == ()
    assert right.verdict.result.duration_s > 1.5
    assert timed_out.verdict.problems == ()
    assert wrong.verdict.problems == ("lookup 3 is again found, expected again missing",)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("again: found", "agin: found", ":4: lookups.agin: looks nothing up in flow holder; use"),
        ("again: found", "again: lost", "again.lost: unknown key; use after_s, failed, found"),
        ("again: found", "again: {missing: {a: b}}", "again.missing: takes no such value; write"),
        ("holder: Jane,", "holdr: Jane,", ":3: lookups.fetch[1].found.holdr: no result of this"),
        ("holder: Jane,", "", ":3: lookups.fetch[1].found: lacks holder; the flow takes holder,"),
        ("balance: 12.50", "balance: much", "found.balance: is no number"),
        ("[{fetch: missing}", "[{fetch: gone}", ":10: expect.lookups[0].fetch: a result is one of"),
        ("[{fetch: missing}", "[ask", ":10: expect.lookups[0]: ask looks nothing up in flow"),
    ],
)
def test_answers_that_no_step_could_use_are_refused(
    tmp_path: Path, before: str, after: str, problem: str
) -> None:
    """With file, line and cure, before any call is placed."""
    with pytest.raises(ConfigError) as caught:
        place(write(tmp_path, FLOW, wrong=STUBBED.replace(before, after, 1)))
    assert problem in str(caught.value)
    assert "wrong.call.yaml:" in str(caught.value)
