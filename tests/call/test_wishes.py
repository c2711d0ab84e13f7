"""Commands and corrections in a call: repeat, help, operator, start again, "no, five not nine"."""

from __future__ import annotations

import json

import pytest

from ivr.actions import Recognize
from ivr.flow.schema import Flow, parse_flow
from ivr.recognition import CompletionCause, InputMode, Recognition
from tests.call.talk import Talk, count_bursts, heard

SUCCESS = CompletionCause.SUCCESS


def make_flow(operator: bool = True, **listening: object) -> Flow:
    """A number and its confirmation, with words for every wish."""
    flow = {
        "flow": "wishes",
        "start": "ask",
        "defaults": {"on_failure": "bye", "incomplete_timeout_s": 1.2, **listening},
        "steps": {
            "ask": {
                "capture": "number",
                "grammar": "builtin:digits?length=4",
                "prompt": "Number?",
                "no_match": ["Pardon?"],
                "rejected": ["Again?"],
                "help": "It is on your card.",
                "restarted": "From the start.",
                "next": "sure",
            },
            "sure": {"confirm": "number", "prompt": "Is {number:digits} right?", "yes": "bye"},
            "bye": {"end": "done"},
            **({"person": {"end": "operator"}} if operator else {}),
        },
        **({"on_operator": "person"} if operator else {}),
    }
    return parse_flow(json.dumps(flow))


def converse(*said: str, flow: Flow | None = None, confidence: float = 0.95) -> Talk:
    """A caller who says these things, each after the prompt; N-best parted by ``/``."""
    words = list(said)
    talk = Talk(
        flow or make_flow(),
        recognizer=lambda _: heard(*words[0].split("/"), confidence=confidence),
    ).start()
    while words:
        talk.played().wait(300).say(1).wait(1800)
        words.pop(0)
    return talk


def test_repeat_says_the_same_words_again() -> None:
    """The question as it was last put, and no failure is counted."""
    talk = converse("repeat", "four", "repeat", "repeat", "four", "repeat")
    assert talk.said == [
        "Number?",
        "Number?",
        "Pardon?",
        "Pardon?",
        "Pardon?",
        "Pardon?",
        "Pardon?",
    ]
    assert talk.causes.count(CompletionCause.REPEAT) == 4
    assert not talk.hangups


def test_help_says_its_text_or_the_prompt() -> None:
    """At the question there is one, at the confirmation there is none; repeat skips it."""
    talk = converse("help", "repeat", "four one five five", "help")
    assert talk.said == [
        *("Number?", "It is on your card.", "Number?"),
        *["Is four one five five right?"] * 2,
    ]


def test_operator_goes_where_the_flow_says() -> None:
    """From every question; without a place to go it is a nomatch."""
    assert converse("<other> operator").call.outcome == "operator"
    talk = converse("four one five five", "operator")
    assert talk.call.outcome == "operator"
    assert talk.call.variables == {}
    assert converse("operator", flow=make_flow(operator=False)).said == ["Number?", "Pardon?"]


@pytest.mark.parametrize("words", ["start again", "cancel", "no start again"])
def test_start_again_asks_anew(words: str) -> None:
    """At the question and at the confirmation, with a short word and no failure."""
    talk = converse(words, "four one five five", words)
    assert talk.said == [
        *("Number?", "From the start.", "Is four one five five right?", "From the start."),
    ]
    assert talk.causes == [CompletionCause.RESTART, SUCCESS, CompletionCause.RESTART]


def test_commands_can_be_switched_off() -> None:
    """Then they are speech like any other."""
    flow = make_flow(operator=False, commands=False)
    talk = converse("help", flow=flow)
    assert talk.said == ["Number?", "Pardon?"]
    assert "command" not in talk.requests[0].grammar


def test_command_that_nobody_is_sure_of_is_a_nomatch() -> None:
    """A caller is not sent to the operator by a mumble."""
    assert converse("operator", confidence=0.4).said == ["Number?", "Pardon?"]


def test_wishing_for_ever_ends() -> None:
    """`max_turns` bounds it."""
    flow = make_flow().model_copy(update={"max_turns": 5})
    assert converse(*["repeat"] * 6, flow=flow).hangups == ["gave_up"]


def test_correction_within_the_answer() -> None:
    """What was said at first is in the words, the value is what was meant."""
    talk = converse("four one nine five no five not nine")
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.words == "four one nine five no five not nine"


def test_correction_of_what_was_keyed() -> None:
    """Speech after keys may correct them."""
    talk = Talk(make_flow(), recognizer=lambda _: heard("last two <other> five five")).start()
    talk.played().press("419").say(1).wait(1600)
    assert talk.causes == [CompletionCause.NO_MATCH]  # three digits
    talk = Talk(
        make_flow(inter_digit_timeout_s=5.0, term_timeout_s=5.0),
        recognizer=lambda _: heard("last two <other> five six"),
    ).start()
    talk.played().press("4155").say(1).wait(1000)
    assert talk.values == ["4156"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.mode is InputMode.BOTH


def test_correction_at_the_confirmation() -> None:
    """The value is corrected and asked about again; the record shows the no."""
    talk = converse("four one nine five", "no five not nine", "yes")
    assert talk.said == [
        *("Number?", "Is four one nine five right?", "Is four one five five right?"),
    ]
    assert talk.values == ["4195", "no", "yes"]
    assert talk.call.variables == {"number": "4155"}


def test_correction_that_makes_no_answer_is_a_plain_no() -> None:
    """There is no six to replace, or the number would be too long."""
    for words in ("no five not six", "no five five not nine"):
        assert converse("four one nine five", words).said[-1] == "Again?"


def test_corrections_count_as_refusals() -> None:
    """A caller who corrects for ever is let go."""
    talk = converse("four one nine five", *["no five not nine", "no nine not five"] * 3)
    assert talk.call.outcome == "done"
    assert talk.values.count("no") <= 3


def test_refused_value_is_not_heard_again() -> None:
    """The second hypothesis is what is left; keyed, the value is what the caller means."""
    talk = converse("four one nine five", "no", "four one nine five/four one five five", "yes")
    assert talk.call.variables == {"number": "4155"}
    talk = converse("four one nine five", "no", "four one nine five")
    assert talk.causes[-1] is CompletionCause.NO_MATCH
    talk.played().press("4195")
    assert talk.values[-1] == "4195"


def test_no_waits_for_what_is_right() -> None:
    """A pause between the no and the correction does not end it."""

    def recognize(request: Recognize) -> Recognition:
        if not request.grammar.startswith("builtin:boolean"):
            return heard("four one nine five")
        return heard("no" if count_bursts(request.samples) == 1 else "no five not nine")

    talk = Talk(make_flow(), recognizer=recognize).start()
    talk.played().wait(300).say(1).wait(400).played().wait(300).say(1).wait(500).say(1).wait(1500)
    assert talk.values == ["4195", "no"]
    assert talk.said[-1] == "Is four one five five right?"


def test_corrections_can_be_switched_off() -> None:
    """Then they are a nomatch."""
    talk = converse("four one nine five no five not nine", flow=make_flow(corrections=False))
    assert talk.said == ["Number?", "Pardon?"]
    assert "correction" not in talk.requests[0].grammar
