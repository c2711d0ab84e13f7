"""Lookups and transfers within a call: what is heard meanwhile, and that nothing waits for ever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.actions import CallSettings, Hangup, LookUp, Play, Transfer
from ivr.flow.request import MISSING, Answer
from ivr.flow.schema import Flow, parse_flow
from tests.call.talk import Talk

FOUND = Answer.found({"name": "Jane"})


def make_flow(say: str = "Wait.", goodbye: str = "Sorry.", type_ahead: str = "capture") -> Flow:
    """A question, a lookup, a question or a transfer."""
    return parse_flow(
        f"""
flow: errands
start: ask
max_turns: 4
defaults:
  attempts: 2
  on_failure: bye
  type_ahead: {type_ahead}
  no_input_timeout_s: 0.6
  inter_digit_timeout_s: 0.5
steps:
  ask: {{capture: account, grammar: "builtin:digits?length=4", prompt: "Account?", next: fetch}}
  fetch:
    lookup: {{http: "https://h.example/{{account}}", timeout_s: 1, retries: 0}}
    results: {{name: name}}
    {f"say: {say}" if say else ""}
    found: pin
    missing: desk
    failed: bye
  pin: {{capture: pin, grammar: "builtin:digits?length=2", prompt: "{{name}}, pin?", next: desk}}
  desk: {{transfer: "+15550100", {f"say: {say}," if say else ""} failed: bye}}
  bye: {{end: gave_up, {f"say: {goodbye}" if goodbye else ""}}}
"""
    )


def looking(flow: Flow | None = None) -> tuple[Talk, LookUp]:
    """A call that is looking something up."""
    talk = Talk(flow or make_flow()).start().played().press("4155")
    (asked,) = (action for action in talk.actions if isinstance(action, LookUp))
    return talk, asked


def dialled(talk: Talk) -> list[str]:
    """The numbers that were to be called."""
    return [action.number for action in talk.actions if isinstance(action, Transfer)]


def results(talk: Talk) -> list[str]:
    """How the errands ended, by the record."""
    return [turn.result for turn in talk.call.turns if turn.result is not None]


def test_a_lookup_begins_with_its_prompt() -> None:
    """The caller hears something while it goes on."""
    talk, asked = looking()
    assert [type(action) for action in talk.actions[-2:]] == [Play, LookUp]
    assert asked.step == "fetch"
    assert "4155" not in repr(talk.actions[-1])
    talk.wait(1000)
    talk._note(talk.call.looked_up(asked.lookup_id, FOUND))
    assert talk.said[-1] == "Jane, pin?"
    assert results(talk) == ["found"]


def test_keys_during_a_lookup_answer_the_question_after_it() -> None:
    """A caller who knows the way need not wait."""
    talk, asked = looking()
    talk.wait(1500).press("12")
    talk._note(talk.call.looked_up(asked.lookup_id, FOUND))
    talk.played()
    assert dialled(talk) == ["+15550100"]
    assert talk.call.turns[2].collected is not None
    assert talk.call.turns[2].collected.value == "12"


def test_what_is_said_during_a_lookup_answers_nothing() -> None:
    """Nothing was asked; the endpointer only learns the line."""
    talk, asked = looking()
    before = len(talk.requests)
    talk.say(2).wait(600)
    talk._note(talk.call.looked_up(asked.lookup_id, FOUND))
    assert len(talk.requests) == before


def test_an_answer_for_nobody_is_dropped() -> None:
    """Of another lookup, of one that is over, after the hang-up."""
    talk, asked = looking()
    assert talk.call.looked_up(asked.lookup_id + 1, FOUND) == []
    talk._note(talk.call.looked_up(asked.lookup_id, FOUND))
    assert talk.call.looked_up(asked.lookup_id, MISSING) == []
    talk, asked = looking()
    talk.hang_up()
    assert talk.call.looked_up(asked.lookup_id, FOUND) == []
    assert talk.call.outcome == "hangup"
    assert results(talk) == ["failed: hangup"]


def test_a_lookup_that_is_never_answered_fails() -> None:
    """The shell keeps the time; should it not, the stream does."""
    talk, _ = looking()
    talk.wait(9000)
    assert results(talk) == ["failed: no_answer"]
    assert talk.said[-1] == "Sorry."


def test_a_stalled_stream_ends_a_call_that_looks_up() -> None:
    """With the reason as its outcome."""
    talk, _ = looking()
    talk._note(talk.call.tick(60.0))
    assert talk.call.outcome == "stalled"
    assert talk.hangups == ["stalled"]


def transferring(flow: Flow | None = None) -> Talk:
    """A call that has said that it hands on."""
    talk, asked = looking(flow)
    talk._note(talk.call.looked_up(asked.lookup_id, MISSING))
    return talk


def test_a_transfer_begins_when_its_prompt_was_heard() -> None:
    """Nothing of ours is heard after it."""
    talk = transferring()
    assert dialled(talk) == []
    talk.played()
    assert dialled(talk) == ["+15550100"]
    talk._note(talk.call.transferred(2))
    assert talk.call.outcome == "transferred"
    assert talk.hangups == ["transferred"]
    assert talk.call.variables == {"account": "4155"}
    assert results(talk) == ["missing", "transferred"]


def test_a_transfer_that_fails_goes_on() -> None:
    """To the step that the flow names."""
    talk = transferring().played()
    talk._note(talk.call.transferred(2, "call_gone"))
    assert talk.said[-1] == "Sorry."
    assert results(talk) == ["missing", "failed: call_gone"]


def test_a_transfer_whose_mark_is_lost_begins_nevertheless() -> None:
    """A lost mark must not hang a call."""
    talk = transferring()
    talk.wait(60_500)
    assert dialled(talk) == ["+15550100"]


def test_a_transfer_without_words_begins_when_what_was_said_before_was_heard() -> None:
    """Or at once, where that was."""
    talk = transferring(make_flow(say=""))
    assert dialled(talk) == ["+15550100"]


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([20, 300, 700])),
    st.tuples(st.just("press"), st.text("0123456789*#", min_size=1, max_size=6)),
    st.tuples(st.just("played"), st.just(0)),
    st.tuples(st.just("found"), st.integers(0, 4)),
    st.tuples(st.just("missing"), st.integers(0, 4)),
    st.tuples(st.just("failed"), st.integers(0, 4)),
    st.tuples(st.just("transferred"), st.integers(0, 4)),
    st.tuples(st.just("refused"), st.integers(0, 4)),
)


def perform(talk: Talk, kind: str, value: object) -> None:
    """One thing that callers, providers and other systems do."""
    match kind, value:
        case "wait", int(ms):
            talk.wait(ms)
        case "press", str(keys):
            talk.press(keys, gap_ms=40)
        case "played", _:
            talk.played()
        case (("found" | "missing" | "failed"), int(number)):
            answer = {"found": FOUND, "missing": MISSING}.get(kind, Answer.failed("timeout"))
            if number in lookups(talk):
                talk._note(talk.call.looked_up(number, answer))
        case (("transferred" | "refused"), int(number)):
            if number in transfers(talk):
                failure = "" if kind == "transferred" else "status_500"
                talk._note(talk.call.transferred(number, failure))


def lookups(talk: Talk) -> list[int]:
    """The ids of the lookups so far."""
    return [action.lookup_id for action in talk.actions if isinstance(action, LookUp)]


def transfers(talk: Talk) -> list[int]:
    """The ids of the transfers so far."""
    return [action.transfer_id for action in talk.actions if isinstance(action, Transfer)]


@given(
    flow=st.builds(
        make_flow,
        say=st.sampled_from(["", "Wait."]),
        goodbye=st.sampled_from(["", "Sorry."]),
        type_ahead=st.sampled_from(["capture", "always", "never"]),
    ),
    steps=st.lists(STEPS, max_size=14),
    leaves=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_every_call_with_errands_ends(
    flow: Flow, steps: list[tuple[str, object]], leaves: bool
) -> None:
    """In any order of events; whoever never answers is not waited for."""
    talk = Talk(flow, settings=CallSettings(mark_timeout_s=1.0)).start()
    for kind, value in steps:
        perform(talk, kind, value)
    if leaves:
        talk.hang_up()
    for _ in range(12):
        if not talk.call.ended:
            talk.wait(5000)
    assert talk.call.ended
    assert len(talk.hangups) == (0 if talk.call.outcome == "hangup" else 1)
    if talk.hangups:
        assert isinstance(talk.actions[-1], Hangup)
    numbers = lookups(talk) + transfers(talk)
    assert len(set(numbers)) == len(numbers)
    # One more where the caller left before a transfer's prompt was heard.
    assert len(results(talk)) - len(numbers) in (0, int(leaves))
    assert talk.call.outcome in {"gave_up", "transferred", "hangup"}
