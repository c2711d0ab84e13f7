"""Menus in a call: said, keyed, keyed ahead, misunderstood; what lies between takes no time."""

from __future__ import annotations

import json

from ivr.flow.schema import Flow, parse_flow
from ivr.recognition import CompletionCause
from tests.call.talk import Talk, heard

SUCCESS = CompletionCause.SUCCESS
NO_MATCH = CompletionCause.NO_MATCH


def make_flow() -> Flow:
    """Two menus, one after the other, and a branch between them."""
    flow = {
        "flow": "menus",
        "start": "main",
        "variables": {"chosen": "nothing"},
        "defaults": {"on_failure": "bye", "incomplete_timeout_s": 1.2},
        "steps": {
            "main": {
                "menu": {"1": "note", "2": "note", "12": "bye"},
                "prompt": "One or two?",
                "no_match": ["Pardon?"],
            },
            "note": {"set": {"chosen": "something"}, "next": "look"},
            "look": {
                "branch": [{"if": "chosen", "equals": "something", "next": "more"}],
                "else": "bye",
            },
            "more": {"menu": {"yes": "main", "no": "done"}, "prompt": "More?"},
            "done": {"end": "done", "say": "Thanks."},
            "bye": {"end": "gave_up", "say": "Goodbye."},
        },
    }
    return parse_flow(json.dumps(flow))


def converse(*said: str) -> Talk:
    """A caller who says these things, each after the prompt."""
    words = list(said)
    talk = Talk(make_flow(), recognizer=lambda _: heard(words[0])).start()
    while words:
        talk.played().wait(300).say(1).wait(1800)
        words.pop(0)
    return talk


def test_choices_are_said() -> None:
    """Each leads to its step; what lies between two questions is done at once."""
    talk = converse("two", "yes", "one", "nope")
    assert talk.said == ["One or two?", "More?", "One or two?", "More?", "Thanks."]
    assert talk.values == ["2", "yes", "1", "no"]
    assert talk.call.variables == {"chosen": "something"}


def test_what_is_no_choice_is_a_nomatch() -> None:
    """Three of them are the last."""
    talk = converse("three", "two two", "five")
    assert talk.causes == [NO_MATCH, NO_MATCH, NO_MATCH]
    assert talk.said == ["One or two?", "Pardon?", "Pardon?", "Goodbye."]
    assert talk.call.outcome == "gave_up"


def test_choices_are_keyed() -> None:
    """One that begins another waits for the next key, one that does not is taken at once."""
    talk = Talk(make_flow()).start().played().press("2")
    assert talk.values == ["2"]
    talk = Talk(make_flow()).start().played().press("1").wait(2000)
    assert talk.values == []
    assert talk.wait(1500).values == ["1"]
    assert Talk(make_flow()).start().played().press("1#").values == ["1"]
    assert Talk(make_flow()).start().played().press("12").values == ["12"]


def test_menus_are_keyed_ahead() -> None:
    """Who knows the way need not listen: a menu takes keys as a capture does."""
    talk = Talk(make_flow()).start().press("22")
    assert talk.values == ["2", "no"]
    assert talk.said[-1] == "Thanks."


def test_star_and_hash_are_chosen_by_their_keys() -> None:
    """Where they are choices they neither take back nor end; said words are the other choices."""
    flow = {
        "flow": "keys",
        "start": "main",
        "defaults": {"on_failure": "bye"},
        "steps": {
            "main": {"menu": {"1": "main", "*": "main", "#": "bye"}, "prompt": "One, star, hash?"},
            "bye": {"end": "over"},
        },
    }
    talk = Talk(parse_flow(json.dumps(flow)), recognizer=lambda _: heard("one")).start().played()
    talk.press("*").played().wait(300).say(1).wait(1800)
    talk.played().wait(1200).press("#")
    assert talk.values == ["*", "1", "#"]
    assert talk.call.outcome == "over"
