"""The dialogue machine: whole dialogues as transcripts, and the promises that hold for any caller.

A transcript in data/dialogues is both script and expectation: its ``caller:`` lines are fed to the
flow, and the whole dialogue, written down again, must be the same text. Set UPDATE_TRANSCRIPTS=1 to
write anew.
"""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.errors import ConfigError, StateError
from ivr.flow.machine import GAVE_UP, Dialogue, End, Prompt, Turn
from ivr.flow.model import Flow, MenuStep
from ivr.flow.saying import fixed_prompts
from ivr.flow.schema import load_flow, parse_flow
from ivr.grammar import parse_grammar
from ivr.recognition import Collected, CompletionCause, InputMode

DATA = Path(__file__).parent / "data"
TRANSCRIPTS = sorted((DATA / "dialogues").glob("*.txt"))
ACCOUNT_ID = load_flow(Path(__file__).parents[2] / "config" / "flows" / "account_id.yaml")
ESCALATION = load_flow(DATA / "flows" / "escalation.yaml")
RECEPTION = load_flow(DATA / "flows" / "reception.yaml")
CALLER = load_flow(DATA / "flows" / "caller.yaml")
FLOWS = {flow.flow: flow for flow in (ACCOUNT_ID, ESCALATION, RECEPTION, CALLER)}

SILENCE = Collected(CompletionCause.NO_INPUT_TIMEOUT)
MUMBLE = Collected(CompletionCause.NO_MATCH, words="<other>")
ANSWERS = {
    "is silent": SILENCE,
    "mumbles": MUMBLE,
    "talks on and on": Collected(CompletionCause.TOO_MUCH_SPEECH),
    "is not recognised": Collected(CompletionCause.ERROR),
    "hangs up": Collected(CompletionCause.HANGUP),
    "wants help": Collected(CompletionCause.HELP),
    "wants the operator": Collected(CompletionCause.OPERATOR),
    "wants to start again": Collected(CompletionCause.RESTART),
}


def said(value: str, mode: InputMode = InputMode.SPEECH) -> Collected:
    """A successful answer."""
    return Collected(CompletionCause.SUCCESS, value, confidence=0.97, mode=mode)


def answer(line: str) -> Collected:
    """What a ``caller:`` line of a transcript means."""
    verb, _, value = line.partition(" ")
    if verb in ("says", "keys"):
        return said(value, InputMode.SPEECH if verb == "says" else InputMode.DTMF)
    return ANSWERS[line]


def written(turn: Turn) -> list[str]:
    """A turn as lines of a transcript."""
    lines = []
    for prompt in turn.prompts:
        mark = " (personal)" if prompt.personal else f" ({prompt.recording})"
        lines.append(f"agent: {prompt.text}{mark}")
    if turn.collect:
        how = "keys" if not turn.collect.speech else "speech or keys"
        masked = ", sensitive" if turn.collect.sensitive else ""
        lines.append(f"    [{turn.collect.step}: {turn.collect.grammar}, {how}{masked}]")
    if turn.end:
        values = "".join(f", {name}={text}" for name, text in turn.end.variables.items())
        lines.append(f"    [end: {turn.end.outcome}{values}]")
    return lines


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    """The dialogue goes word for word as it is written down."""
    script = path.read_text().splitlines()
    heading = [line for line in script if line.startswith("#")]
    flow = FLOWS[heading[0].removeprefix("# flow: ")]
    given_at_start = {"caller": "415550"} if "caller" in flow.variables else None
    dialogue = Dialogue(flow, given_at_start)
    played = [*heading, *written(dialogue.start())]
    for line in script:
        if line.startswith("caller: "):
            played += [line, *written(dialogue.collected(answer(line.removeprefix("caller: "))))]
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        path.write_text("\n".join(played) + "\n")
    assert played == script


def test_there_are_transcripts() -> None:
    """The folder was found."""
    assert len(TRANSCRIPTS) >= 10


def outcome(flow: Flow, answers: list[Collected]) -> Turn:
    """The turn that a list of answers leads to; answers after the end are left out."""
    dialogue = Dialogue(flow, {"caller": "1"} if "caller" in flow.variables else None)
    turn = dialogue.start()
    for each in answers:
        if turn.end:
            break
        turn = dialogue.collected(each)
    return turn


def any_answer(turn: Turn, choice: int) -> Collected:
    """One of the answers that the turn can be given."""
    assert turn.collect is not None
    good = ["4155", "0012"]
    if turn.collect.grammar.endswith("builtin:boolean"):
        good = ["yes", "no"]
    elif "values=1,2,3" in turn.collect.grammar:
        good = ["1", "2"]
    return [SILENCE, MUMBLE, ANSWERS["talks on and on"], *map(said, good)][choice]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FLOWS)), st.lists(st.integers(0, 4), max_size=80))
def test_every_dialogue_ends(name: str, choices: list[int]) -> None:
    """Whatever the caller does, the call ends within the flow's max_turns, and says something."""
    flow = FLOWS[name]
    dialogue = Dialogue(flow, {"caller": "1"} if "caller" in flow.variables else None)
    turn = dialogue.start()
    asked = 0
    for choice in [*choices, *[0] * 80]:
        assert (turn.collect is None) != (turn.end is None)
        if turn.end:
            break
        asked += 1
        assert turn.prompts
        turn = dialogue.collected(any_answer(turn, choice))
    assert turn.end
    assert asked <= flow.max_turns


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=40))
def test_only_confirmed_values_leave_the_call(choices: list[int]) -> None:
    """The account is among the variables if and only if its last confirmation was a yes."""
    dialogue = Dialogue(ACCOUNT_ID)
    turn = dialogue.start()
    confirmed = False
    for choice in choices:
        assert "account" not in dialogue.variables
        if turn.end:
            break
        assert turn.collect
        result = any_answer(turn, choice)
        confirmed = turn.collect.step == "confirm_account" and result.value == "yes"
        turn = dialogue.collected(result)
        if turn.end:
            assert ("account" in turn.end.variables) == confirmed
            assert turn.end.variables == dialogue.variables
            break


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FLOWS)), st.lists(st.integers(0, 4), max_size=12))
def test_dialogues_share_nothing(name: str, choices: list[int]) -> None:
    """Two calls on one flow, their turns interleaved, go as each would alone."""
    flow = FLOWS[name]
    variables = {"caller": "1"} if "caller" in flow.variables else None
    first, second = Dialogue(flow, variables), Dialogue(flow, variables)
    turn, other = first.start(), second.start()
    for choice in choices:
        if turn.end:
            break
        assert turn == other
        result = any_answer(turn, choice)
        turn, other = first.collected(result), second.collected(result)
    assert turn == other


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([SILENCE, MUMBLE]), min_size=3, max_size=3))
def test_three_failures_are_the_last(failures: list[Collected]) -> None:
    """Any three failures at one question end in the goodbye, two do not."""
    assert outcome(ACCOUNT_ID, failures[:2]).end is None
    assert outcome(ACCOUNT_ID, failures).end == End("gave_up")


@pytest.mark.parametrize("failure", [SILENCE, MUMBLE], ids=["noinput", "nomatch"])
def test_each_reprompt_has_other_words(failure: Collected) -> None:
    """The question, the first reprompt and the second are three different texts."""
    turns = [outcome(ACCOUNT_ID, [failure] * count) for count in range(3)]
    texts = [turn.prompts[-1].text for turn in turns]
    assert len(set(texts)) == 3


def test_a_caller_who_refuses_everything_is_let_go() -> None:
    """A no counts as a failure of the question, so number and no cannot go on for ever."""
    rounds = [said("41550012"), said("no")]
    assert outcome(ACCOUNT_ID, rounds * 2).end is None
    assert outcome(ACCOUNT_ID, rounds * 3).end == End("gave_up")


def test_a_no_adds_to_other_failures() -> None:
    """Silence, a mishearing and a refusal are three failures of one question."""
    answers = [SILENCE, MUMBLE, said("41550012"), said("no")]
    assert outcome(ACCOUNT_ID, answers).end == End("gave_up")


def test_the_confirmation_counts_for_itself() -> None:
    """Two failures at the question leave all attempts for the confirmation."""
    answers = [SILENCE, MUMBLE, said("41550012"), SILENCE, MUMBLE]
    assert outcome(ACCOUNT_ID, answers).end is None
    assert outcome(ACCOUNT_ID, [*answers, said("yes")]).end == End(
        "completed", {"account": "41550012"}
    )


def test_too_many_turns_end_in_the_flows_goodbye() -> None:
    """The guard against circles ends the call as gave_up, and polite where the flow is."""
    text = (DATA / "flows" / "escalation.yaml").read_text().replace("max_turns: 9", "max_turns: 1")
    turn = outcome(
        parse_flow(text.replace("end: failed", "end: failed\n    say: Bye.")), [said("1")]
    )
    assert turn == Turn((Prompt("Bye.", "goodbye.say"),), end=End(GAVE_UP, {"caller": "1"}))


def test_calls_in_the_wrong_order_are_bugs() -> None:
    """An answer before the start or after the end, and a second start, are StateErrors."""
    dialogue = Dialogue(ACCOUNT_ID)
    assert dialogue.step is None
    with pytest.raises(StateError, match="waits for no answer"):
        dialogue.collected(SILENCE)
    dialogue.start()
    assert dialogue.step == "ask_account"
    with pytest.raises(StateError, match="started already"):
        dialogue.start()
    dialogue.collected(ANSWERS["hangs up"])
    with pytest.raises(StateError, match="waits for no answer"):
        dialogue.collected(SILENCE)


def test_success_without_a_fit_value_is_a_bug() -> None:
    """A capture needs a value and a confirmation yes or no; the message does not hold what came."""
    dialogue = Dialogue(ACCOUNT_ID)
    dialogue.start()
    with pytest.raises(StateError, match="success without a value"):
        dialogue.collected(Collected(CompletionCause.SUCCESS))
    dialogue.collected(said("41550012"))
    with pytest.raises(StateError, match="neither yes nor no") as caught:
        dialogue.collected(said("41550012"))
    assert "4155" not in str(caught.value)


def test_variables_must_be_declared_and_given() -> None:
    """A call is told at once about a variable that is unknown to the flow, or missing."""
    with pytest.raises(ConfigError, match='no variable "colour"'):
        Dialogue(ACCOUNT_ID, {"colour": "red"})
    with pytest.raises(ConfigError, match='needs a value for "caller"'):
        Dialogue(ESCALATION)


def test_a_constant_is_not_personal_unless_it_is_given() -> None:
    """The bank's name from the file may be cached; a name that came with the call may not."""
    constant = Dialogue(ESCALATION, {"caller": "1"}).start()
    given_name = Dialogue(ESCALATION, {"caller": "1", "bank": "Other Bank"}).start()
    assert constant.prompts[0] == Prompt("Welcome to Example Bank.")
    assert given_name.prompts[0] == Prompt("Welcome to Other Bank.", personal=True)


def test_a_menu_leads_each_choice_to_its_step() -> None:
    """Said or keyed is the same; a choice that is only a part of the grammar is not understood."""
    dialogue = Dialogue(RECEPTION)
    assert dialogue.start().collect
    dialogue.collected(said("12", InputMode.DTMF))
    assert dialogue.step == "ask_amount"
    dialogue = Dialogue(RECEPTION)
    dialogue.start()
    dialogue.collected(said("no"))  # yes is a choice here and no is not
    assert dialogue.step == "main"
    end = dialogue.collected(said("0")).end
    assert end
    assert end.outcome == "person"


def test_a_menu_accepts_what_can_be_chosen() -> None:
    """Its grammar is made of its choices; yes and no are keys where these are no choices."""
    assert [step.grammar for step in RECEPTION.steps.values() if isinstance(step, MenuStep)] == [
        "builtin:digits?values=1,12,0|builtin:boolean",
        "builtin:boolean",
    ]
    grammar = parse_grammar("builtin:digits?values=1,12,0|builtin:boolean")
    read = [grammar.interpret_keys(keys) for keys in ("1", "12", "2", "3")]
    assert read == ["1", "12", "no", None]


def test_a_menu_without_a_choice_is_a_bug() -> None:
    """Success needs a value."""
    dialogue = Dialogue(RECEPTION)
    dialogue.start()
    with pytest.raises(StateError, match="without a choice"):
        dialogue.collected(Collected(CompletionCause.SUCCESS))


def test_repr_holds_no_digits() -> None:
    """What a log might print of a personal prompt or an end does not show the number."""
    turn = outcome(ACCOUNT_ID, [said("41550012")])
    assert "four" not in repr(turn)
    assert "4155" not in repr(outcome(ACCOUNT_ID, [said("41550012"), said("yes")]))


def test_variables_is_a_copy() -> None:
    """The shell cannot change the dialogue by what it was shown."""
    dialogue = Dialogue(ESCALATION, {"caller": "1"})
    dialogue.start()
    dialogue.variables["caller"] = "2"
    assert dialogue.variables == {"caller": "1"}


def test_listening_reaches_the_collect() -> None:
    """Every key of the flow's listening is in what the call is asked to do."""
    collect = outcome(ACCOUNT_ID, []).collect
    assert collect
    for key, value in ACCOUNT_ID.defaults.model_dump(exclude={"attempts", "on_failure"}).items():
        assert getattr(collect, key) == value


def test_fixed_prompts_are_those_without_values() -> None:
    """What is rendered before the first call is what calls will ask for, and no template."""
    fixed = fixed_prompts(ACCOUNT_ID)
    assert len(fixed) == 14
    assert not any(prompt.personal or "{" in prompt.text for prompt in fixed)
    assert set(outcome(ACCOUNT_ID, []).prompts) <= set(fixed)
    assert set(outcome(ACCOUNT_ID, [MUMBLE, MUMBLE]).prompts) <= set(fixed)
    assert Prompt("Sorry {about} that.", "sorry.say") in fixed_prompts(ESCALATION)
