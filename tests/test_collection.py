"""One question and its answer, without a call around it: what is an answer, what is it worth."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.collection import Collection, shown
from ivr.errors import StateError
from ivr.flow.machine import Collect, Prompt
from ivr.grammar.grammar import parse_grammar
from ivr.recognition import CompletionCause, InputMode
from ivr.slot import MAX_KEYS
from ivr.typeahead import Key
from tests.call.talk import heard

OPEN_ENDED = "builtin:digits?minlength=4;maxlength=10"
ASKED = Prompt("Number?")


def make_collection(grammar: str = "builtin:digits?length=4", **listening: Any) -> Collection:
    """A question whose prompt was played; other ways to listen by name."""
    keys: dict[str, Any] = {
        "bargein": True,
        "speech": True,
        "dtmf": True,
        "no_input_timeout_s": 5.0,
        "complete_timeout_s": 0.8,
        "incomplete_timeout_s": 1.5,
        "max_speech_timeout_s": 20.0,
        "inter_digit_timeout_s": 3.0,
        "term_char": "#",
        "confidence_level": 0.5,
    }
    collect = Collect("ask", grammar, **{**keys, **listening})
    collection = Collection(collect, parse_grammar(grammar), (ASKED,), "p1")
    collection.noinput_at = 40_000
    return collection


def hear(collection: Collection, words: str, confidence: float = 0.95) -> Collection:
    """The recogniser's answer counts."""
    collection.heard = heard(words, confidence=confidence)
    return collection


@pytest.mark.parametrize(
    ("grammar", "words", "confidence", "wait_s"),
    [
        ("builtin:digits?length=4", "four one five five", 0.95, 0.16),
        (OPEN_ENDED, "four one five five", 0.95, 0.8),
        (OPEN_ENDED, "four one five", 0.95, 1.5),
        ("builtin:digits?length=4", "four one five five", 0.3, 1.5),
        ("builtin:digits?length=4", "", 0.95, 1.5),
    ],
)
def test_pause_may_be_as_long_as_the_answer_is_open(
    grammar: str, words: str, confidence: float, wait_s: float
) -> None:
    """Complete and closed: a little; complete but open: short; incomplete or not sure: long."""
    assert make_collection(grammar).pause_s(heard(words, confidence=confidence), 0) == wait_s


def test_speech_that_is_sure_is_a_match() -> None:
    """The value, the words, and the time from the last speech to the decision."""
    collection = hear(make_collection(), "four one five five")
    collection.last_input_at, collection.requested_at = 8000, 9600
    collected = collection.judge_speech(12_000, 50.0)
    assert collected is not None
    assert (collected.cause, collected.value) == (CompletionCause.SUCCESS, "4155")
    assert (collected.mode, collected.words) == (InputMode.SPEECH, "four one five five")
    assert collected.latency_ms == 250  # 200 ms of pause, 50 of the recogniser
    waited = collection.judge_speech(12_000, None)
    assert waited is not None
    assert waited.latency_ms == 500  # it had answered before: the decision waited for the pause


@pytest.mark.parametrize(
    ("words", "confidence"), [("four one five", 0.95), ("four one five five", 0.4)]
)
def test_speech_that_is_not_sure_is_a_nomatch(words: str, confidence: float) -> None:
    """Too few digits, or too little confidence: the value stays out, the words stay in."""
    collected = hear(make_collection(), words, confidence).judge_speech(0, None)
    assert collected is not None
    assert (collected.cause, collected.value) == (CompletionCause.NO_MATCH, None)
    assert (collected.words, collected.confidence) == (words, confidence)


def test_noise_is_nobodys_answer() -> None:
    """Without words nothing is decided, unless it went on for too long."""
    collection = hear(make_collection(), "")
    assert collection.judge_speech(0, None) is None
    collection.too_long = True
    collected = collection.judge_speech(0, None)
    assert collected is not None
    assert collected.cause is CompletionCause.TOO_MUCH_SPEECH


def test_nothing_heard_cannot_be_judged() -> None:
    """Judging before the recogniser has answered is our own bug."""
    with pytest.raises(StateError, match="without a recognition"):
        make_collection().judge_speech(0, None)


def test_speech_counts_while_the_question_is_open_to_it() -> None:
    """Among keys too; not after its end, not over a prompt that may not be interrupted."""
    assert make_collection().listens
    assert not make_collection(speech=False).listens
    playing = make_collection(bargein=False)
    playing.noinput_at = None
    assert not playing.listens
    keyed = make_collection()
    keyed.press("4", 0)
    assert keyed.listens
    keyed.press("#", 0)
    assert not keyed.listens
    closed = hear(make_collection(), "")
    closed.ended = True
    assert not closed.listens
    closed.listen_on()
    assert closed.listens
    assert closed.heard is None


def press(collection: Collection, keys: str, gap: int = 800) -> Collection:
    """Keys, 100 ms apart."""
    for n, key in enumerate(keys):
        collection.press(key, gap * n)
    return collection


def test_keys_end_a_closed_number_at_once() -> None:
    """The fourth of four digits is the last; an open number waits for its timer."""
    closed, opened = press(make_collection(), "4155"), press(make_collection(OPEN_ENDED), "4155")
    assert (closed.closed, opened.closed) == (True, False)
    assert opened.key_deadline == 2400 + 24_000
    for collection in (closed, opened):
        collected = collection.judge_slot(3200)
        assert (collected.value, collected.mode) == ("4155", InputMode.DTMF)
        assert (collected.confidence, collected.latency_ms) == (1.0, 100)


def test_full_number_waits_for_the_term_key_where_told() -> None:
    """`term_timeout_s`, unless there is no such key."""
    waiting = press(make_collection(term_timeout_s=1.0), "4155")
    assert (waiting.closed, waiting.key_deadline) == (False, 2400 + 8000)
    waiting.end_keys(2400 + 7999)
    assert not waiting.closed
    waiting.end_keys(2400 + 8000)
    assert waiting.closed
    assert press(make_collection(term_timeout_s=1.0, term_char=""), "4155").closed


def test_keys_that_are_no_number_are_a_nomatch() -> None:
    """They stand in the record, as what was keyed."""
    collected = press(make_collection(), "4").judge_slot(24_000)
    assert (collected.cause, collected.value) == (CompletionCause.NO_MATCH, None)
    assert (collected.words, collected.confidence) == ("4", 0.0)


def test_star_takes_back_the_last_digit_or_all() -> None:
    """As the flow says; taken back to nothing, the caller has as long as at first."""
    assert press(make_collection(), "49*155").judge_slot(0).value == "4155"
    assert press(make_collection(star="restart"), "49*4155").judge_slot(0).value == "4155"
    assert press(make_collection(star="none"), "4*55").judge_slot(0).value is None
    emptied = press(make_collection(), "4*")
    assert (emptied.key_deadline, emptied.noinput_at) == (None, 800 + 40_000)
    assert not emptied.says("*")
    assert not emptied.says("#")


def test_star_that_the_answer_can_have_is_no_command() -> None:
    """In an amount it is the point, once; a second one takes back."""
    amount = press(make_collection("builtin:amount"), "12*50")
    assert amount.judge_slot(0).value == "12.50"
    amount = press(make_collection("builtin:amount"), "12*59*0")
    assert amount.judge_slot(0).value == "12.50"


def test_words_before_a_key_are_a_part_of_the_answer() -> None:
    """What was recognised, or is being, is joined with the keys."""
    said = hear(make_collection(), "four one")
    said.close_speech()
    assert (said.heard, said.slot.waiting) == (None, False)
    press(said, "55")
    assert not said.closed  # the keys alone could be a number from its beginning
    collected = said.judge_slot(8000)
    assert (collected.value, collected.mode) == ("4155", InputMode.BOTH)
    assert collected.words == "four one 55"
    pending = make_collection()
    pending.ask(7, 0, 0, 8000)
    pending.close_speech()
    press(pending, "55#")
    assert (pending.closed, pending.slot.waiting) == (True, True)
    assert not pending.fill(8, heard("nine"), 0)
    assert pending.fill(7, heard("four one"), 0)
    assert pending.judge_slot(8000).value == "4155"


def test_cough_before_the_term_key_is_nothing() -> None:
    """The question stays open."""
    collection = make_collection()
    collection.ask(7, 0, 0, 8000)
    collection.close_speech()
    press(collection, "#")
    assert collection.fill(7, heard(""), 0)
    assert not collection.closed
    assert not collection.slot


def test_speech_after_keys_is_judged_with_them() -> None:
    """And the wait is that of the whole."""
    collection = press(make_collection(), "41")
    assert collection.speech_grammar == "builtin:digits"
    assert collection.pause_s(heard("five"), 800) == 1.5
    assert collection.pause_s(heard("five five"), 800) == 0.16
    assert collection.pause_s(heard("five five", confidence=0.3), 800) == 1.5
    collected = hear(collection, "five five").judge_speech(8000, None)
    assert collected is not None
    assert (collected.value, collected.mode) == ("4155", InputMode.BOTH)
    assert press(make_collection(OPEN_ENDED), "41").pause_s(heard("five five"), 800) == 0.8


def test_keys_ahead_of_a_confirmation_do_not_answer_it() -> None:
    """Unless the flow says so; a capture takes them unless the flow forbids it."""
    early = Key("1", asked=0)
    taken = {
        (policy, confirms): make_collection(type_ahead=policy, confirms=confirms).takes_ahead(early)
        for policy in ("capture", "always", "never")
        for confirms in (False, True)
    }
    assert {key for key, takes in taken.items() if takes} == {
        ("capture", False),
        ("always", False),
        ("always", True),
    }
    assert make_collection(type_ahead="never").takes_ahead(Key("1", asked=1))
    assert make_collection(type_ahead="never").takes_ahead(Key("1", asked=None))


def test_keys_do_not_fill_the_memory() -> None:
    """A stuck key is cut off at a length that no answer has."""
    collection = press(make_collection("builtin:digits"), "5" * 3 * MAX_KEYS)
    assert len(collection.slot.keys) == MAX_KEYS


def test_record_says_when_input_ended_only_if_there_was_any() -> None:
    """Silence has no end of speech; an answer has."""
    collection = hear(make_collection(sensitive=True), "four one five five")
    collection.barged_in, collection.last_input_at = True, 8000
    silent = collection.record(collection.unanswered(CompletionCause.NO_INPUT_TIMEOUT), 16_000)
    assert silent.speech_end_ms is None
    assert silent.collected is not None
    assert silent.collected.barged_in
    collected = collection.judge_speech(9600, None)
    assert collected is not None
    turn = collection.record(collected, 9600)
    assert (turn.step, turn.prompts, turn.sensitive) == ("ask", ("Number?",), True)
    assert (turn.speech_end_ms, turn.decided_ms) == (1000, 1200)


def test_number_does_not_show() -> None:
    """Neither a prompt that repeats it nor the collection itself in a log."""
    assert shown((ASKED, Prompt("four one", personal=True))) == (
        "Number?",
        "(repeats the caller's number)",
    )
    collection = hear(make_collection(), "four one five five")
    collection.press("4", 0)
    assert "four" not in repr(collection)
    assert "four" not in repr(collection.slot)
