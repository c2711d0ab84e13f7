"""Verdicts: the record and the caller's clock put together, expectations compared, reports."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from ivr.simulate.caller import CallResult
from ivr.simulate.exchange import Verdict
from ivr.simulate.phone import GivenInput
from ivr.simulate.playout import PlayedPrompt
from ivr.simulate.report import as_json, print_dialogue, print_summary
from ivr.simulate.script import Expect, HangUp, Script
from ivr.simulate.verdict import judge


def turn(step: str, cause: str | None, decided_ms: int, **collected: Any) -> dict[str, Any]:
    """One turn as the server's record has it."""
    answer = {
        "cause": cause,
        "value": None,
        "words": "",
        "confidence": 0.0,
        "mode": None,
        "barged_in": False,
        "latency_ms": None,
        **collected,
    }
    return {
        "step": step,
        "prompts": [f"prompt of {step}"],
        "collected": answer if cause else None,
        "sensitive": False,
        "prompt_end_ms": None,
        "speech_end_ms": None,
        "decided_ms": decided_ms,
    }


RECORD: dict[str, Any] = {
    "ended_at": "now",
    "outcome": "completed",
    "variables": {"account": "415"},
    "turns": [
        turn("ask", "no-input-timeout", 5000),
        turn("ask", "no-match", 9000, words="four one", confidence=0.4, mode="speech"),
        turn(
            "ask",
            "success",
            14_000,
            words="four one five",
            value="415",
            confidence=0.93,
            mode="speech",
            barged_in=True,
        ),
        turn("confirm", "success", 19_000, words="1", value="yes", confidence=1.0, mode="dtmf"),
        turn("end", None, 19_000),
    ],
}

INPUTS = (
    GivenInput(2, "say", "four one", 8 * 8000, 8 * 8500, barged_in=False),
    GivenInput(3, "say", "four one", 8 * 12_000, 8 * 12_600, barged_in=True),
    GivenInput(4, "wav", "five.wav", 8 * 13_000, 8 * 13_400, barged_in=False),
    GivenInput(6, "keys", "1", 8 * 18_980, 8 * 18_980, barged_in=False),
)


def make_result(record: dict[str, Any] | None = RECORD, **fields: Any) -> CallResult:
    """A call with that record and the inputs above."""
    expect = Expect.model_validate(fields.pop("expect", {}))
    script = Script(name="test", description="A [test].", steps=(HangUp(),), expect=expect)
    defaults: dict[str, Any] = {
        "inputs": INPUTS,
        "ended_by": "agent",
        "close_code": 1000,
        "duration_s": 20.0,
        "worst_lateness_ms": 3.0,
        "prompts": (PlayedPrompt(0, 8000, underrun_samples=80, mark="p1"),),
    }
    return CallResult(script, "CA1", record=record, **{**defaults, **fields})


def test_each_turn_has_the_inputs_before_its_decision() -> None:
    """Several phrases make one answer; a silent turn has none."""
    exchanges = judge(make_result()).exchanges
    assert [len(exchange.inputs) for exchange in exchanges] == [0, 1, 2, 1, 0]


def test_the_delay_counts_from_the_last_spoken_sample() -> None:
    """Decision time less the end of the last phrase, on one clock; silence has no delay."""
    verdict = judge(make_result())
    delays = [exchange.decision_ms for exchange in verdict.exchanges]
    assert delays == [None, 500, 600, 20, None]
    assert verdict.decision_ms == 600


def test_an_answer_still_being_given_is_no_zero_delay() -> None:
    """A decision in the middle of a phrase shows as a negative delay: it was taken too early."""
    early = turn("ask", "success", 8200, value="4", words="four", mode="speech")
    verdict = judge(make_result({"turns": [early]}))
    assert verdict.exchanges[0].decision_ms == -300


def test_what_the_flow_did() -> None:
    """Asking again, going on and ending are told from the turn that follows."""
    actions = [exchange.action for exchange in judge(make_result()).exchanges]
    assert actions == [
        "asked again",
        "asked again",
        "went on to confirm",
        "finished: completed",
        "hung up",
    ]


def test_a_callers_hangup_is_told() -> None:
    """A collection that the caller cut off is no reprompt."""
    record = {"turns": [turn("ask", "hangup", 100)], "outcome": "hangup"}
    assert judge(make_result(record)).exchanges[0].action == "the caller hung up"


def test_a_lookup_is_told_as_one() -> None:
    """A turn that asked another system is no question, and no end of the call."""
    looked_up = {**turn("fetch", None, 15_000), "result": "found"}
    turns = [*RECORD["turns"][:1], looked_up, turn("end", None, 16_000)]
    verdict = judge(make_result({**RECORD, "turns": turns}))
    actions = [exchange.action for exchange in verdict.exchanges]
    assert actions == ["went on to fetch", "looked up fetch: found", "hung up"]


def test_a_call_as_expected_has_no_problems() -> None:
    """Outcome, variables and all turns match; keys left out are not compared."""
    expect = {
        "outcome": "completed",
        "variables": {"account": "415"},
        "turns": [
            {"cause": "no-input-timeout"},
            {"cause": "no-match", "mode": "speech"},
            {"step": "ask", "value": "415", "barged_in": True},
            {"mode": "dtmf"},
        ],
    }
    verdict = judge(make_result(expect=expect))
    assert verdict.problems == ()
    assert verdict.passed


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ({"outcome": "gave_up"}, "outcome is completed, expected gave_up"),
        ({"variables": {"account": "4"}}, "variable account is 415, expected 4"),
        ({"variables": {"pin": "4"}}, "variable pin is not set, expected 4"),
        (
            {"turns": [{"cause": "no-input-timeout"}]},
            "4 turns (no-input-timeout, no-match, success, success), expected 1",
        ),
        (
            {"turns": [{}, {"cause": "success"}, {}, {}]},
            "turn 2: cause is no-match, expected success",
        ),
        ({"turns": [{}, {}, {"barged_in": "false"}, {}]}, "turn 3: barged_in is True"),
    ],
)
def test_what_differs_is_named(expect: dict[str, Any], problem: str) -> None:
    """Each difference is one sentence with what was and what should have been."""
    verdict = judge(make_result(expect=expect))
    assert len(verdict.problems) == 1
    assert problem in verdict.problems[0]
    assert not verdict.passed


def test_a_failure_is_a_problem_without_expectations() -> None:
    """A call that broke off fails, whatever the script expects."""
    assert judge(make_result(failure="broke off")).problems == ("broke off",)


def test_a_missing_record_matters_only_to_expectations() -> None:
    """Without a record nothing can be compared: a problem only if something should have been."""
    assert judge(make_result(None)).passed
    assert judge(make_result(None, expect={"outcome": "completed"})).problems == (
        "no call record to compare with",
    )


def test_no_turns_at_all() -> None:
    """A call that ended before the first question shows as such."""
    verdict = judge(make_result({"turns": []}, expect={"turns": [{}]}))
    assert verdict.problems == ("0 turns (none), expected 1",)


def render(verdict: Verdict) -> str:
    """The dialogue and the summary as text."""
    console = Console(file=io.StringIO(), width=140)
    print_dialogue(console, verdict)
    print_summary(console, [verdict])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_dialogue_is_printed_turn_by_turn() -> None:
    """Prompt, answer, what was heard with confidence and delay, and what the flow did."""
    text = render(judge(make_result()))
    lines = [" ".join(line.strip("│ ").split()) for line in text.splitlines()]
    assert "agent prompt of ask" in lines
    assert "caller (silent)" in lines
    assert "caller says four one, into the prompt" in lines
    assert "caller plays five.wav" in lines
    assert "caller keys 1" in lines
    assert (
        "heard four one five = 415, success, confidence 0.93, "
        "decided 600 ms after the last word, barged in"
    ) in lines
    assert "heard 1 = yes, success, confidence 1.00, decided 20 ms after the last key" in lines
    assert "flow went on to confirm" in lines
    assert "A [test]." in text  # not taken for markup
    assert "1 of 1 calls ended as their scripts say." in text


def test_problems_and_lone_inputs_are_printed() -> None:
    """Without a record the dialogue shows what the caller did, and why the call failed."""
    text = render(judge(make_result(None, failure="the line [broke]")))
    assert "say: four one" in text
    assert "the line [broke]" in text
    assert "0 of 1 calls" in text


def test_a_late_caller_is_owned_up_to() -> None:
    """When the simulator itself was late, the summary says so, since the times suffer from it."""
    assert "busy" not in render(judge(make_result(worst_lateness_ms=20.0)))
    assert "up to 180 ms late" in render(judge(make_result(worst_lateness_ms=180.0)))


def test_the_summary_fits_a_terminal() -> None:
    """At 80 columns no cell of the table is cut."""
    console = Console(file=io.StringIO(), width=80)
    print_summary(console, [judge(make_result())])
    assert isinstance(console.file, io.StringIO)
    assert "…" not in console.file.getvalue()


def test_json_holds_the_same() -> None:
    """The report for machines can be dumped and has times in milliseconds."""
    report = json.loads(json.dumps(as_json(judge(make_result()))))
    assert report["call"] == "test"
    assert report["passed"] is True
    assert report["outcome"] == "completed"
    assert report["variables"] == {"account": "415"}
    assert report["underrun_ms"] == 10
    assert report["decision_ms"] == 600
    assert report["turns"][2]["inputs"][1]["end_ms"] == 13_400
    assert report["turns"][2]["value"] == "415"
    assert report["prompts"] == [{"start_ms": 0, "end_ms": 1000, "mark": "p1", "cleared": False}]
