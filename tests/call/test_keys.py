"""Answering by keys: term key, inter-digit timer, barge-in, type-ahead."""

from __future__ import annotations

import pytest

from ivr.actions import Clear, Play
from ivr.providers.events import DtmfReceived
from ivr.recognition import CompletionCause, InputMode
from tests.call.talk import Talk, count_bursts, heard, hum, make_flow

OPEN_ENDED = "builtin:digits?minlength=4;maxlength=10"
SUCCESS = CompletionCause.SUCCESS
NO_MATCH = CompletionCause.NO_MATCH


def test_full_number_is_taken_at_the_last_key() -> None:
    """Four of four keys: no timer, no term key, no doubt."""
    talk = Talk().start().played().press("415")
    assert talk.causes == []
    talk.give(DtmfReceived("5"))
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.mode is InputMode.DTMF
    assert collected.confidence == 1.0
    assert collected.latency_ms == 0.0
    assert collected.words == "4155"


def test_term_key_ends_a_number_that_could_go_on() -> None:
    """Four of up to ten, then #: taken at once, and # is not part of it."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().press("4155")
    assert talk.causes == []
    talk.press("#")
    assert talk.values == ["4155"]


def test_term_key_ends_a_number_that_is_too_short() -> None:
    """The caller says that this was all: a nomatch, at once."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().press("41#")
    assert talk.causes == [NO_MATCH]


def test_term_key_alone_says_nothing() -> None:
    """A # by habit after a full number neither answers nor interrupts the next question."""
    talk = Talk(make_flow(confirm=True)).start().played().press("4155#")
    assert talk.causes == [SUCCESS]
    assert talk.clears == 0
    talk.played().press("1")
    assert talk.values == ["4155", "yes"]


def test_other_term_key() -> None:
    """The flow may name another, and # is then a key like any."""
    talk = Talk(make_flow(OPEN_ENDED, term_char="*")).start().played().press("41556*")
    assert talk.values == ["41556"]
    talk = Talk(make_flow(OPEN_ENDED, term_char="*")).start().played().press("4155#*")
    assert talk.causes == [NO_MATCH]


def test_no_term_key() -> None:
    """Without one only the timer ends a number that could go on."""
    talk = Talk(make_flow(OPEN_ENDED, term_char="")).start().played().press("41556").wait(2800)
    assert talk.causes == []
    talk.wait(200)
    assert talk.values == ["41556"]


def test_inter_digit_timer_ends_a_complete_number() -> None:
    """Three seconds after the last key, each key starting them anew."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played()
    for key in "4155":
        talk.press(key).wait(2800)
    assert talk.causes == []
    talk.wait(200)
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.latency_ms == pytest.approx(3000, abs=20)


def test_inter_digit_timer_ends_an_incomplete_number() -> None:
    """A caller who stops after two keys is asked again."""
    talk = Talk().start().played().press("41").wait(3000)
    assert talk.causes == [NO_MATCH]
    assert talk.said[-1] == "Pardon?"


def test_wrong_keys_are_a_nomatch_when_they_end() -> None:
    """A star in a number is not ignored, where it does not take back."""
    talk = Talk(make_flow(star="none")).start().played().press("4*55").wait(3000)
    assert talk.causes == [NO_MATCH]


def test_star_takes_back_the_last_key() -> None:
    """Who notices a slip goes on from there; alone it neither answers nor interrupts."""
    talk = Talk().start().press("*")
    assert talk.clears == 0
    talk.press("49*155")
    assert talk.values == ["4155"]


def test_star_that_takes_back_all_gives_the_time_of_a_new_question() -> None:
    """Then the caller who says nothing more is silent."""
    talk = Talk(make_flow(star="restart")).start().played().press("415*").wait(4800)
    assert talk.causes == []
    talk.wait(200)
    assert talk.causes == [CompletionCause.NO_INPUT_TIMEOUT]


def test_term_timer_lets_a_digit_too_many_be_seen() -> None:
    """With `term_timeout_s` a fifth of four digits is a nomatch, and # ends four at once."""
    talk = Talk(make_flow(term_timeout_s=1.0)).start().played().press("41556").wait(3100)
    assert talk.causes == [NO_MATCH]
    talk = Talk(make_flow(term_timeout_s=1.0)).start().played().press("4155").wait(800)
    assert talk.causes == []
    talk.press("#")
    assert talk.values == ["4155"]


def test_noinput_does_not_come_among_keys() -> None:
    """Who is keying slowly is not silent."""
    talk = Talk(make_flow(no_input_timeout_s=1.0)).start().played().press("41").wait(2000)
    assert talk.causes == []
    talk.press("55")
    assert talk.values == ["4155"]


def test_key_stops_the_prompt_once() -> None:
    """The first key clears, the others do not, however many prompts are queued."""
    talk = Talk(make_flow(greeting=True)).start().press("4155")
    assert talk.clears == 1
    assert [type(action) for action in talk.actions[3:]] == [Clear, Play]
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.barged_in


def test_marks_flushed_by_a_key_are_not_taken_for_played() -> None:
    """After the clear the provider returns the marks: the prompt was cut short all the same."""
    talk = Talk(make_flow(greeting=True)).start().press("4")
    assert talk.clears == 1
    talk.played().press("155")
    assert talk.call.turns[0].prompt_end_ms is None


def test_speech_and_keys_are_one_answer() -> None:
    """Say four one, key five five; the keys alone could go on, so # or the timer ends it."""
    talk = Talk().start().played().wait(300).say(2).wait(300).press("55")
    assert talk.causes == []
    talk.press("#")
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert (collected.mode, collected.words) == (InputMode.BOTH, "four one 55")
    talk = Talk().start().played().wait(300).say(2).wait(300).press("55").wait(700)
    assert talk.causes == []
    talk.wait(300)
    assert talk.values == ["4155"]


def test_number_that_is_keyed_anew_is_waited_for() -> None:
    """Say four one; 6 2 would be the rest, but the caller keys all of 6 2 0 0 in one go."""
    talk = Talk().start().played().wait(300).say(2).wait(300).press("62", gap_ms=900)
    assert talk.causes == []
    talk.press("00")
    assert talk.values == ["6200"]


def test_speech_and_keys_that_could_go_on_wait_for_the_next_key() -> None:
    """Four of up to ten digits: the inter-digit timer, as for keys alone."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300).say(2).wait(300).press("55")
    talk.wait(2800)
    assert talk.causes == []
    talk.wait(200)
    assert talk.values == ["4155"]


def test_speech_that_a_key_cuts_off_is_recognised() -> None:
    """The key comes while the word still sounds: its recognition is waited for."""
    talk = Talk(delay_ms=900).start().played().wait(300).say(1).press("155#")
    assert talk.causes == []
    talk.wait(600)
    assert talk.values == ["4155"]
    request = talk.requests[-1]
    assert request.grammar.startswith("builtin:digits?length=4|")
    assert request.provisional, "the word was looked at before the key came"


def test_keys_then_speech_are_one_answer() -> None:
    """The recogniser is told to expect any digits, and the whole is taken in the pause."""
    words = {1: "zero", 2: "five five"}
    talk = Talk(recognizer=lambda r: heard(words.get(count_bursts(r.samples), "")))
    talk.start().played().wait(300).press("41").say(2).wait(300)
    assert talk.values == ["4155"]
    assert talk.requests[0].grammar.startswith("builtin:digits|")


def test_keys_from_the_beginning_win_over_speech() -> None:
    """Who was not understood keys the whole number, or mutters what they key."""
    talk = Talk().start().played().wait(300)
    talk.holds = True
    talk.say(3).wait(300).press("4")
    request = talk.requests[-1]
    assert talk.answer(request, heard("four one five")) == []
    talk.holds = False
    talk.say(2).press("155")
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert collected.mode is InputMode.DTMF


def test_noise_among_keys_is_nothing() -> None:
    """It neither spoils them nor puts off their end for ever."""
    talk = Talk(make_flow(OPEN_ENDED)).start().played().wait(300).press("41")
    talk.hear(hum(300)).wait(400).press("55").hear(hum(300)).wait(4000)
    assert talk.values == ["4155"]


def test_key_after_the_utterance_ended_wins() -> None:
    """The recogniser is slow, the caller grows impatient and keys."""
    talk = Talk(delay_ms=10_000).start().played().wait(300).say(3).wait(2000).press("4155")
    assert talk.values == ["4155"]
    talk.wait(10_000)
    assert len(talk.causes) == 1


def test_failed_recognition_leaves_the_keys() -> None:
    """What was said before them is lost; the keys are an answer."""
    talk = Talk(recognizer=lambda _: None).start().played().wait(300).say(2).press("4155").wait(100)
    assert talk.values == ["4155"]


def test_boolean_by_keys() -> None:
    """One is yes and two is no."""
    flow = make_flow(confirm=True)
    talk = Talk(flow).start().played().press("4155").played().press("2")
    assert talk.values == ["4155", "no"]
    assert talk.said[-1] == "Again?"
    talk.played().press("4156").played().press("1").played()
    assert talk.hangups == ["completed"]
    assert talk.call.variables == {"number": "4156"}


def test_keying_on_answers_the_next_question() -> None:
    """Where the flow says so: the next prompt is stopped and answered."""
    flow = make_flow(confirm=True, type_ahead="always")
    talk = Talk(flow).start().played().press("41551")
    assert talk.values == ["4155", "yes"]
    assert talk.clears == 1


def test_digit_too_many_does_not_confirm() -> None:
    """A fifth of four digits in one go is no yes to a number that was not read back yet."""
    talk = Talk(make_flow(confirm=True)).start().played().press("41551")
    assert talk.values == ["4155"]
    assert talk.clears == 0
    talk.played().press("1")
    assert talk.values == ["4155", "yes"]
    assert talk.call.turns[1].ignored_keys == 1


def test_term_key_parts_the_number_from_what_follows() -> None:
    """Who keys 4155#1 has said that the number was complete."""
    talk = Talk(make_flow(confirm=True)).start().played().press("4155#1")
    assert talk.values == ["4155", "yes"]


def test_key_during_the_confirmation_answers_it() -> None:
    """A second after the last digit the caller has heard enough to decide."""
    talk = Talk(make_flow(confirm=True)).start().played().press("4155").wait(1200).press("1")
    assert talk.values == ["4155", "yes"]


# -- prompts that may not be interrupted -----------------------------------------------------------


def test_keys_during_such_a_prompt_wait_for_its_end() -> None:
    """Type-ahead: nothing is cleared, nothing is lost."""
    talk = Talk(make_flow(bargein=False)).start().press("4155")
    assert talk.clears == 0
    assert talk.causes == []
    talk.played()
    assert talk.values == ["4155"]
    collected = talk.call.turns[0].collected
    assert collected is not None
    assert not collected.barged_in


def test_typed_ahead_number_can_be_finished_after_the_prompt() -> None:
    """Two keys before the mark, two after it."""
    talk = Talk(make_flow(bargein=False)).start().press("41").played().wait(500).press("55")
    assert talk.values == ["4155"]


def test_typed_ahead_term_key_counts() -> None:
    """The # of a number keyed during the prompt still ends it."""
    talk = Talk(make_flow(OPEN_ENDED, bargein=False)).start().press("4155#").played()
    assert talk.values == ["4155"]


def test_typed_ahead_keys_go_on_to_the_next_question() -> None:
    """What the first question did not need waits for the end of the second prompt."""
    flow = make_flow(confirm=True, bargein=False, type_ahead="always")
    talk = Talk(flow).start().press("41551").played()
    assert talk.values == ["4155"]
    assert talk.said[-1] == "Is four one five five right?"
    talk.played()
    assert talk.values == ["4155", "yes"]
    assert talk.clears == 0


def test_typed_ahead_keys_are_taken_once() -> None:
    """A failed attempt does not find them again at the next prompt."""
    talk = Talk(make_flow(bargein=False)).start().press("41").played().wait(3000)
    assert talk.causes == [NO_MATCH]
    talk.played().wait(5100)
    assert talk.causes == [NO_MATCH, CompletionCause.NO_INPUT_TIMEOUT]


def test_typed_ahead_keys_survive_a_lost_mark() -> None:
    """The prompt counts as played after a minute, and the keys then count too."""
    talk = Talk(make_flow(bargein=False)).start().press("4155").wait(60_000)
    assert talk.values == ["4155"]


# -- questions without keys ------------------------------------------------------------------------


def test_keys_do_not_answer_a_spoken_question() -> None:
    """Neither during the prompt nor after it, and they stop nothing."""
    talk = Talk(make_flow(dtmf=False)).start().press("41").played().press("55").wait(4000)
    assert talk.clears == 0
    assert talk.causes == []


def test_keys_at_a_spoken_question_are_not_kept() -> None:
    """A key pressed at the wrong moment must not say yes to something not yet heard."""
    talk = Talk(make_flow(confirm=True, dtmf=False)).start().press("1").played().say(4).wait(400)
    assert talk.values == ["4155"]
    talk.press("1").played().wait(1000)
    assert talk.values == ["4155"]
