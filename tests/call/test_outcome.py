"""What a capture ends in: all that is known of the answer, and what the flow makes of doubts."""

from __future__ import annotations

import json

import pytest

from ivr.flow.schema import Flow, parse_flow
from ivr.recognition import Collected, CompletionCause, Hypothesis, InputMode, Recognition, Word
from tests.call.talk import Talk, heard

NO_MATCH = CompletionCause.NO_MATCH


def make_flow(grammar: str = "builtin:digits?length=8", **more: object) -> Flow:
    """A number, its confirmation, and a step for ambiguous ones."""
    flow = {
        "flow": "outcome",
        "start": "ask",
        "defaults": {"on_failure": "bye", "incomplete_timeout_s": 1.2},
        "steps": {
            "ask": {
                "capture": "number",
                "grammar": grammar,
                "prompt": "Number?",
                "no_match": ["Pardon?"],
                "next": "sure",
                **more,
            },
            "sure": {"confirm": "number", "prompt": "Is {number:digits} right?", "yes": "bye"},
            **({"which": {"say": "Which?", "next": "sure"}} if "on_ambiguous" in more else {}),
            "bye": {"end": "done"},
        },
    }
    return parse_flow(json.dumps(flow))


GROUPED = {"groups": [4, 4], "unclear": "I heard {heard}. Please say the {group} group again."}


def unsure(text: str, confidence: float = 0.4, **words: float) -> Recognition:
    """A recognition that is not sure, with the confidence of single words by their place."""
    spoken = tuple(
        Word(word, 0, 0, words.get(f"w{at}", 0.95)) for at, word in enumerate(text.split())
    )
    return Recognition((Hypothesis(spoken, 0.0),), confidence, 2000)


def converse(flow: Flow, *said: Recognition) -> Talk:
    """A caller who says these things, each after the prompt."""
    left = list(said)
    talk = Talk(flow, recognizer=lambda _: left[0]).start()
    while left:
        talk.played().wait(300).say(1).wait(1800)
        left.pop(0)
    return talk


def outcomes(talk: Talk) -> list[Collected]:
    """How the collections ended."""
    return [turn.collected for turn in talk.call.turns if turn.collected is not None]


def test_outcome_of_speech() -> None:
    """Value, words, confidences, N-best, mode, attempt."""
    flow = make_flow("builtin:digits?length=4")
    (collected,) = outcomes(converse(flow, heard("four one five five", "four one nine five")))
    assert collected.value == "4155"
    assert collected.digit_confidence == (0.95,) * 4
    assert [value for value, _ in collected.n_best] == ["4155", "4195"]
    assert [sure for _, sure in collected.n_best] == pytest.approx([0.95, 0.349], abs=0.01)
    assert (collected.mode, collected.attempt, collected.alternatives) == (InputMode.SPEECH, 1, ())
    assert not collected.ambiguous


def test_outcome_of_keys() -> None:
    """Certain in every digit; the second attempt is counted."""
    talk = Talk(make_flow("builtin:digits?length=4")).start().played().press("41#")
    talk.played().press("4155")
    failed, collected = outcomes(talk)
    assert (failed.cause, failed.attempt, failed.n_best) == (NO_MATCH, 1, ())
    assert (collected.attempt, collected.digit_confidence) == (2, (1.0,) * 4)
    assert collected.n_best == (("4155", 1.0),)


def test_outcome_shows_no_digits() -> None:
    """Neither what was understood nor what was not."""
    talk = converse(make_flow(**GROUPED), unsure("four one five five zero zero one two", w5=0.1))
    (collected,) = outcomes(talk)
    assert collected.unclear is not None
    for text in (repr(collected), repr(collected.unclear), str(collected)):
        assert "4155" not in text
        assert "four" not in text


def test_ambiguous_answer_goes_where_the_flow_says() -> None:
    """Twelve fifty is 12.50 or 1250; without such a step it goes on as any answer."""
    talk = converse(make_flow("builtin:amount", on_ambiguous="which"), heard("twelve fifty"))
    assert talk.said == ["Number?", "Which?", "Is one two five zero right?"]
    (collected,) = outcomes(talk)
    assert (collected.value, collected.alternatives) == ("12.50", ("1250.00",))
    assert converse(make_flow("builtin:amount"), heard("twelve fifty")).said[-1].startswith("Is ")
    sure = converse(make_flow("builtin:amount", on_ambiguous="which"), heard("twelve dollars"))
    assert "Which?" not in sure.said


def test_same_answer_twice_is_believed() -> None:
    """Each time too unsure on its own, together sure enough."""
    said = unsure("four one five five zero zero one two", 0.4)
    talk = converse(make_flow(), said, said)
    assert talk.causes == [NO_MATCH, CompletionCause.SUCCESS]
    assert outcomes(talk)[1].confidence == pytest.approx(0.64)
    other = unsure("four one five five zero zero one three", 0.4)
    assert converse(make_flow(), said, other).causes == [NO_MATCH, NO_MATCH]


def test_only_the_unclear_group_is_asked_for() -> None:
    """The others are kept; what comes out is the whole number."""
    talk = converse(
        make_flow(**GROUPED),
        unsure("four one five five zero zero one nine", w7=0.1),
        heard("zero zero one two"),
    )
    assert talk.said[1] == (
        "I heard four one five five, then something. Please say the last group again."
    )
    assert talk.values == [None, "41550012"]
    assert talk.requests[-1].grammar.startswith("builtin:digits?length=8|builtin:digits?length=4|")
    assert talk.said[2] == "Is four one five five, zero zero one two right?"


def test_first_group_can_be_asked_for_and_keyed() -> None:
    """Its keys are taken with # or the timer, since the whole number could follow."""
    said = unsure("four one five five zero zero one two", w1=0.1)
    talk = converse(make_flow(**GROUPED), said)
    assert talk.said[1] == (
        "I heard something, zero zero one two. Please say the first group again."
    )
    talk.played().press("6155#")
    assert talk.values == [None, "61550012"]


def test_whole_number_answers_for_the_group() -> None:
    """A caller who says all of it again is understood."""
    said = unsure("four one five five zero zero one two", w1=0.1)
    again = heard("four one five five zero zero one two")
    assert converse(make_flow(**GROUPED), said, again).values == [None, "41550012"]


def test_repeat_keeps_asking_for_the_group() -> None:
    """In the same words; start again asks for the whole."""
    said = unsure("four one five five zero zero one two", w1=0.1)
    flow = make_flow(**GROUPED)
    talk = converse(flow, said, heard("repeat"), heard("four one five five"))
    assert talk.said[1] == talk.said[2]
    assert talk.values[-1] == "41550012"
    talk = converse(flow, said, heard("start again"), heard("four one five five"))
    assert talk.causes[-1] is NO_MATCH


@pytest.mark.parametrize(
    "words",
    [
        {"w1": 0.1, "w6": 0.1},  # two groups are unclear
        {},  # no word in particular is
    ],
)
def test_other_doubts_ask_for_the_whole(words: dict[str, float]) -> None:
    """One group, or all of it."""
    said = unsure("four one five five zero zero one two", **words)
    assert converse(make_flow(**GROUPED), said).said[-1] == "Pardon?"


def test_unclear_group_counts_as_a_failure() -> None:
    """A caller who is never understood is let go."""
    said = unsure("four one five five zero zero one two", w1=0.1)
    talk = converse(make_flow(**GROUPED), said, *[heard("<other>")] * 2)
    assert talk.call.outcome == "done"


def test_first_hearing_of_a_group_speaks_for_it_too() -> None:
    """The group was heard twice alike, unsure both times: together it is believed."""
    said = unsure("four one five five zero zero one two", 0.4, w1=0.1)
    group = unsure("four one five five", 0.4)
    talk = converse(make_flow(**GROUPED), said, group)
    assert talk.values == [None, "41550012"]
