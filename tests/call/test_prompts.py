"""Prompts and their marks: when the caller's time begins, and what barge-in stops."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.actions import CallSettings, Clear, Play, Recognize
from ivr.flow.schema import parse_flow
from ivr.recognition import CompletionCause
from tests.call.talk import Talk, count_bursts, count_digits, heard, hum, make_flow
from tests.endpointing.speech import line, silence, vowel

SUCCESS = CompletionCause.SUCCESS
NO_MATCH = CompletionCause.NO_MATCH
NO_INPUT = CompletionCause.NO_INPUT_TIMEOUT


def test_noinput_starts_at_the_mark() -> None:
    """The prompt may take as long as it likes; the caller's time begins when it was played."""
    talk = Talk(make_flow(no_input_timeout_s=3.0)).start().wait(10_000)
    assert talk.causes == []
    talk.played().wait(2980)
    assert talk.causes == []
    talk.wait(40)
    assert talk.causes == [NO_INPUT]
    assert talk.said == ["Number?", "Silent."]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.mode is None
    assert collected.latency_ms is None
    assert talk.call.turns[0].speech_end_ms is None


def test_noinput_starts_at_the_last_of_several_marks() -> None:
    """The greeting's mark says nothing of the question's."""
    talk = Talk(make_flow(greeting=True)).start()
    hello, news, question = talk.unplayed
    talk.mark(hello).wait(6000).mark(news).wait(6000)
    assert talk.causes == []
    talk.mark(question).wait(5100)
    assert talk.causes == [NO_INPUT]


def test_lost_mark_counts_as_played_in_the_end() -> None:
    """A provider that loses a mark does not hang the call."""
    talk = Talk(settings=CallSettings(mark_timeout_s=10.0)).start().wait(13_900)
    assert talk.causes == []
    talk.wait(200)
    assert talk.causes == [NO_INPUT]
    assert talk.call.turns[0].prompt_end_ms is None


def test_lost_mark_of_the_goodbye_ends_the_call() -> None:
    """Nobody waits for ever to hang up."""
    talk = Talk(settings=CallSettings(mark_timeout_s=5.0)).start().played().press("4155")
    assert talk.said[-1] == "Thanks."
    talk.wait(5000)
    assert talk.hangups == ["completed"]


@pytest.mark.parametrize("name", ["p99", "", "p0"])
def test_unknown_mark_is_nothing(name: str) -> None:
    """A mark that was never sent starts no timer."""
    talk = Talk().start().mark(name).wait(6000)
    assert talk.causes == []


def test_mark_twice_starts_the_timer_once() -> None:
    """A mark that comes again does not give the caller more time."""
    talk = Talk().start()
    (name,) = talk.unplayed
    talk.mark(name).wait(4000).mark(name).wait(1100)
    assert talk.causes == [NO_INPUT]


def test_speech_stops_the_prompt() -> None:
    """Barge-in: the prompt is cleared at the first word, the answer is heard whole."""
    talk = Talk().start().say(1)
    kinds = [type(action) for action in talk.actions]
    assert kinds[0] is Play
    assert kinds[-1] is Clear
    assert set(kinds[1:-1]) == {Recognize}
    talk.say(3).wait(400)
    assert talk.values == ["4155"]
    turn = talk.call.turns[0]
    assert turn.collected is not None
    assert turn.collected.barged_in
    assert turn.prompt_end_ms is None


def test_barge_in_over_several_prompts_clears_once() -> None:
    """Greeting, news and question are queued: one clear stops all of them."""
    talk = Talk(make_flow(greeting=True, confirm=True)).start().say(2).wait(500).say(2).wait(40)
    assert talk.clears == 1
    assert len(talk.unplayed) == 3


def test_flushed_marks_are_not_taken_for_played() -> None:
    """The marks that a clear returns say nothing of when the prompt ended."""
    talk = Talk(make_flow(greeting=True)).start().say(1)
    assert talk.clears == 1
    talk.mark(*talk.unplayed).wait(1900)
    assert talk.call.turns[0].prompt_end_ms is None
    assert talk.causes == [NO_MATCH]


def test_flushed_marks_that_come_in_the_next_turn_are_stale() -> None:
    """The old prompts' marks arrive when the next prompt is under way: its timer must not start."""
    talk = Talk(make_flow(greeting=True, confirm=True)).start()
    flushed = talk.unplayed
    talk.say(4).wait(400)
    assert talk.values == ["4155"]
    talk.mark(*flushed).wait(8000)
    assert talk.causes == [SUCCESS]
    assert not talk.hangups
    talk.played().wait(5100)
    assert talk.causes == [SUCCESS, NO_INPUT]


def test_flushed_mark_does_not_end_the_call() -> None:
    """Only the goodbye's own mark hangs up."""
    talk = Talk().start()
    flushed = talk.unplayed
    talk.press("4155")
    assert talk.said[-1] == "Thanks."
    talk.mark(*flushed)
    assert not talk.hangups
    talk.played()
    assert talk.hangups == ["completed"]


def test_noise_does_not_stop_the_prompt() -> None:
    """A cough: nothing is cleared, and the caller's time begins when the prompt was played."""
    talk = Talk(make_flow(no_input_timeout_s=3.0)).start().hear(hum(300)).wait(4000)
    assert talk.clears == 0
    assert talk.causes == []
    talk.played().wait(3100)
    assert talk.causes == [NO_INPUT]


@pytest.mark.parametrize("words", ["", "<other>", "<other> <other>", "yes", "yes correct"])
def test_speech_that_is_no_answer_does_not_stop_the_prompt(words: str) -> None:
    """Talk in the room, the prompt's own echo: what cannot begin an answer was not meant for us."""
    talk = Talk(recognizer=lambda _: heard(words)).start().say(3).wait(4000)
    assert talk.requests
    assert (talk.clears, talk.causes) == (0, [])
    talk.recognizer = count_digits
    talk.played().wait(300).say(4).wait(400)
    assert talk.values == ["4155"]


@given(
    sounds=st.lists(
        st.tuples(st.sampled_from(["say", "hum", "wait"]), st.integers(1, 4)), max_size=8
    ),
    words=st.sampled_from(["", "<other>", "yes", "<other> yes <other>"]),
    delay_ms=st.sampled_from([20, 300, 900]),
)
@settings(max_examples=25)
def test_only_words_of_an_answer_stop_a_prompt(
    sounds: list[tuple[str, int]], words: str, delay_ms: int
) -> None:
    """Whatever is heard over it, and however late: nothing is cleared, nothing decided."""
    talk = Talk(recognizer=lambda _: heard(words), delay_ms=delay_ms).start()
    for kind, count in sounds:
        match kind:
            case "say":
                talk.say(count)
            case "hum":
                talk.hear(hum(200 * count))
            case "wait":
                talk.wait(300 * count)
    talk.wait(4000)
    assert (talk.clears, talk.causes) == (0, [])
    assert talk.unplayed == ["p1"]


def test_doubtful_words_do_not_stop_the_prompt() -> None:
    """Under the confidence level of the question they are no evidence."""
    talk = Talk(recognizer=lambda _: heard("four", confidence=0.4)).start().say(3).wait(4000)
    assert (talk.clears, talk.causes) == (0, [])


def test_failed_recogniser_does_not_stop_the_prompt() -> None:
    """Nobody knows what it was: the question goes on, and is asked once."""
    talk = Talk(recognizer=lambda _: None).start().say(3).wait(4000)
    assert (talk.clears, talk.causes) == (0, [])


def test_long_speech_stops_the_prompt_before_it_pauses() -> None:
    """Who speaks without a gap is not talked over: it is looked at what is being said."""
    talk = Talk().start().hear(line(*[vowel(300), silence(60)] * 2, vowel(300)))
    assert talk.clears == 1


def test_cough_before_the_answer_costs_no_word() -> None:
    """A noise over the prompt and then the answer are one utterance, and the words are whole."""
    talk = Talk().start().hear(hum(300)).wait(600).say(4).wait(400)
    assert talk.clears == 1
    assert talk.values == ["4155"]


def test_speech_that_began_over_the_prompt_counts_after_it() -> None:
    """The prompt ends while the caller begins: nothing is stopped, and the answer is whole."""
    talk = Talk().start()
    talk.holds = True
    talk.say(2).played()
    talk.holds = False
    talk.say(2).wait(400)
    assert (talk.clears, talk.values) == (0, ["4155"])
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert not collected.barged_in


def asked_after_reading_back() -> Talk:
    """A caller who has said 4155, and hears it read back before he is asked for his PIN."""
    ask = {"capture": "number", "grammar": "builtin:digits?length=4", "prompt": "?", "next": "pin"}
    pin = {**ask, "capture": "pin", "prompt": "I have {number:digits}. Your PIN?", "next": "done"}
    flow = parse_flow(
        json.dumps(
            {
                "flow": "test",
                "start": "ask",
                "defaults": {"on_failure": "done"},
                "steps": {"ask": ask, "pin": pin, "done": {"end": "completed"}},
            }
        )
    )
    talk = Talk(flow).start().played().press("4155")
    assert talk.said == ["?", "I have four one five five. Your PIN?"]
    return talk


def test_digits_of_the_prompt_that_come_back_are_no_answer() -> None:
    """Its echo neither stops it nor answers the question, and what follows is heard."""
    talk = asked_after_reading_back().say(4).wait(3000)
    assert (talk.clears, talk.values) == (0, ["4155"])
    talk.played().say(4).wait(400)
    assert talk.values == ["4155", "4155"], "after the prompt they are an answer"


def test_echo_whose_prompt_has_ended_is_no_answer() -> None:
    """It began while the prompt was played, and that counts."""
    talk = asked_after_reading_back().say(3)
    talk.played().say(1).wait(3000)
    assert (talk.clears, talk.values) == (0, ["4155"])


def test_other_digits_over_the_prompt_are_an_answer() -> None:
    """They are not what it reads."""
    talk = asked_after_reading_back()
    talk.recognizer = lambda _: heard("four one five six")
    talk.say(4).wait(400)
    assert (talk.clears, talk.values) == (1, ["4155", "4156"])


@pytest.mark.parametrize(("by", "clears"), [("both", 1), ("speech", 1), ("dtmf", 0)])
def test_speech_may_be_forbidden_to_stop_the_prompt(by: str, clears: int) -> None:
    """And keys allowed."""
    talk = Talk(make_flow(bargein_by=by)).start().say(4).wait(400)
    assert talk.clears == clears
    assert talk.values == ["4155"] * clears


@pytest.mark.parametrize(("by", "clears"), [("both", 1), ("speech", 0), ("dtmf", 1)])
def test_keys_may_be_forbidden_to_stop_the_prompt(by: str, clears: int) -> None:
    """They wait for its end then."""
    talk = Talk(make_flow(bargein_by=by)).start().press("4155")
    assert talk.clears == clears
    assert talk.values == ["4155"] * clears
    talk.played().wait(100)
    assert talk.values == ["4155"]


def test_forbidden_barge_in_leaves_the_prompt_alone() -> None:
    """Speech over it is not an answer: no clear, no recognition, no timer."""
    talk = Talk(make_flow(bargein=False)).start().say(4).wait(7000)
    assert [type(action) for action in talk.actions] == [Play]
    assert talk.causes == []


def test_answer_after_a_prompt_that_forbade_it() -> None:
    """From the mark on the caller is heard, and the words from before are not in the answer."""
    talk = Talk(make_flow(bargein=False)).start().say(2).wait(2500).played().wait(300)
    talk.say(4).wait(400)
    assert talk.values == ["4155"]
    assert [count_bursts(request.samples) for request in talk.requests] == [1, 2, 3, 4]
    assert talk.clears == 0


def test_question_by_keys_only_does_not_listen() -> None:
    """Speech neither stops its prompt nor answers it nor holds up its timer."""
    talk = Talk(make_flow(speech=False)).start().say(4).wait(1000)
    assert talk.clears == 0
    talk.played().wait(3000).say(6)
    assert talk.requests == []
    assert talk.causes == [NO_INPUT]


def test_speech_after_the_prompt_clears_nothing() -> None:
    """What was played needs no clear."""
    talk = Talk().start().played().wait(100).say(4).wait(400)
    assert talk.clears == 0


def test_goodbye_is_not_interrupted() -> None:
    """Who speaks or keys over it changes nothing."""
    talk = Talk().start().played().press("4155")
    before = len(talk.actions)
    talk.say(4).press("12#").wait(1000)
    assert talk.actions[before:] == []
    assert talk.played().hangups == ["completed"]


def test_early_decision_does_not_hear_the_last_answer_again() -> None:
    """The rest of the answer's silence, and the answer itself, are no answer to the next."""
    talk = Talk(make_flow(confirm=True)).start().played().wait(300).say(4).wait(3000)
    asked = len(talk.requests)
    talk.played().say(1).wait(400)
    assert count_bursts(talk.requests[asked].samples) == 1
    assert talk.values == ["4155", "yes"]
