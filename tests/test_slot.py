"""The slot: speech and keys in the order given, read as one by the grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.recognition import Hypothesis, InputMode, Recognition, Word
from ivr.slot import MAX_KEYS, Asked, Reading, Slot
from tests.call.talk import heard

FOUR = "builtin:digits?length=4"
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def fill(*parts: str) -> Slot:
    """A slot of parts: keys as digits, speech as words, several hypotheses parted by ``/``."""
    slot = Slot()
    for part in parts:
        if part[0].isalpha() or part[0] == "<":
            slot.speak(heard(*part.split("/")))
        else:
            for key in part:
                slot.press(key)
    return slot


def asked(grammar: str) -> Asked:
    """What is accepted: a grammar, with corrections."""
    return Asked(parse_grammar(grammar), corrections=True)


def read(grammar: str, *parts: str) -> Reading | None:
    """What the parts amount to."""
    return fill(*parts).read(asked(grammar))


@pytest.mark.parametrize(
    ("grammar", "parts", "value", "mode"),
    [
        (FOUR, ["4155"], "4155", "dtmf"),
        (FOUR, ["four one five five"], "4155", "speech"),
        ("builtin:digits?length=2", ["four", "4"], "44", "both"),
        (FOUR, ["four one", "55"], "4155", "both"),
        (FOUR, ["41", "five five"], "4155", "both"),
        (FOUR, ["four", "1", "five", "5"], "4155", "both"),
        (FOUR, ["four one", "five five"], "4155", "speech"),
        (FOUR, ["forty one", "55"], "4155", "both"),  # and not 40 1 55
        (FOUR, ["forty", "15"], "4015", "both"),
        (FOUR, ["double four", "55"], "4455", "both"),
        (FOUR, ["four nine/four one", "5", "<other>"], None, None),
        (FOUR, ["four one five", "4155"], "4155", "dtmf"),  # from the beginning
        (FOUR, ["4", "four", "1", "one", "5", "five", "5", "five"], "4155", "dtmf"),  # muttered
        (FOUR, ["four one"], None, None),
        (FOUR, ["yes", "4155"], "4155", "dtmf"),
        ("builtin:digits?length=16;check=luhn", ["four", "1" * 15], "4" + "1" * 15, "both"),
        ("builtin:digits?length=16;check=luhn", ["four", "1" * 14 + "2"], None, None),
        ("builtin:digits?values=4155,6200", ["four nine/four one", "55"], "4155", "both"),
        ("builtin:digits?length=4;check=luhn", ["four one five/four two five", "4"], None, None),
        ("builtin:boolean", ["yes"], "yes", "speech"),
        ("builtin:boolean", ["yes", "2"], "no", "dtmf"),
        ("builtin:amount", ["twelve", "5"], "125.00", "both"),
        ("builtin:date", ["oh six", "231969"], "1969-06-23", "both"),
    ],
)
def test_whole_is_judged_by_the_grammar(
    grammar: str, parts: list[str], value: str | None, mode: str | None
) -> None:
    """The parts in order, or the keys alone, or nothing."""
    reading = read(grammar, *parts)
    assert (reading and reading.value) == value
    assert (reading and reading.mode) == mode


def test_check_digit_chooses_among_what_was_heard() -> None:
    """The second hypothesis keeps it with the key behind it; it is less sure."""
    grammar = "builtin:digits?length=4;check=luhn"
    assert parse_grammar(grammar).interpret_keys("4259") == "4259"
    reading = read(grammar, "four one five/four two five", "9")
    assert reading is not None
    assert reading.value == "4259"
    assert reading.confidence == pytest.approx(0.95 * 0.3679, abs=0.01)


def test_readings_that_tie_are_told() -> None:
    """Two hypotheses as likely as each other: the value that comes first, and the other."""
    words = [
        Hypothesis(tuple(Word(w, 0, 0, 0.5) for w in text.split()), -0.7) for text in ("five",)
    ]
    more = Hypothesis((Word("nine", 0, 0, 0.5),), -0.7)
    slot = Slot()
    slot.speak(Recognition((*words, more), 0.5, 500))
    slot.press("5")
    reading = slot.read(asked("builtin:digits?length=2"))
    assert reading is not None
    assert (reading.value, reading.alternatives) == ("55", ("95",))


def test_digits_are_as_sure_as_their_words() -> None:
    """Keys are certain; a word that changes a digit shares its doubt."""
    slot = Slot()
    words = (("fifty", 0.9), ("one", 0.4), ("six", 0.8))
    spoken = Hypothesis(tuple(Word(text, 0, 0, sure) for text, sure in words), 0.0)
    slot.speak(Recognition((spoken,), 0.7, 900))
    slot.press("2")
    reading = slot.read(asked(FOUR))
    assert reading is not None
    assert (reading.value, reading.digit_confidence) == ("5162", (0.9, 0.4, 0.8, 1.0))
    assert reading.confidence == 0.7


def test_star_takes_back_spoken_digits_too() -> None:
    """Digit by digit; a part without digits left is none."""
    slot = fill("four one nine")
    slot.delete_last()
    reading = slot.read(asked("builtin:digits?length=2"))
    assert reading is not None
    assert reading.value == "41"
    slot.press("5")
    reading = slot.read(asked("builtin:digits?length=3"))
    assert reading is not None
    assert reading.value == "415"
    for _ in range(4):
        slot.delete_last()
    assert not slot
    slot.delete_last()
    assert not slot


def test_slot_waits_for_its_recognitions() -> None:
    """Until they are there only the keys can be read; without words the part is none."""
    grammar = parse_grammar(FOUR)
    slot = Slot()
    slot.expect(3)
    slot.press("5")
    assert slot.waits(grammar)
    assert slot.read(Asked(grammar)) is None
    assert not slot.fill(4, heard("one"))
    assert slot.fill(3, heard("four one five"))
    assert not slot.waits(grammar)
    reading = slot.read(Asked(grammar))
    assert reading is not None
    assert reading.value == "4155"
    failed = Slot()
    failed.expect(1)
    assert failed.fill(1, None)
    assert not failed


def test_a_number_never_shows() -> None:
    """Neither in the slot nor in what it is read as."""
    slot = fill("four one", "55")
    assert "55" not in str(slot).partition(" at ")[0]
    assert "four" not in repr(slot)
    assert "4155" not in repr(slot.read(asked(FOUR)))


PARTS = st.lists(
    st.one_of(
        st.text("0123456789*", min_size=1, max_size=3),
        st.lists(st.sampled_from((*DIGIT_WORDS, "fifty", "double", "hundred", "yes")), min_size=1)
        .map(lambda words: words[:4])
        .map(" ".join),
    ),
    max_size=5,
)


@given(
    parts=PARTS,
    uri=st.sampled_from(
        [
            FOUR,
            "builtin:digits?minlength=2;maxlength=5",
            "builtin:number?max=999",
            "builtin:boolean",
        ]
    ),
)
def test_nothing_is_accepted_that_the_grammar_refuses(parts: list[str], uri: str) -> None:
    """Whatever was said and keyed: a value of the grammar, or none; and no key is lost."""
    grammar: Grammar = parse_grammar(uri)
    slot = fill(*parts)
    keys = "".join(part for part in parts if not part[0].isalpha())
    assert slot.keys == keys[:MAX_KEYS]
    reading = slot.read(Asked(grammar))
    if reading is not None:
        assert reading.value in ("yes", "no") or grammar.interpret_keys(reading.value)
        assert 0.0 <= reading.confidence <= 1.0
        assert len(reading.digit_confidence) in (0, len(reading.value))
        if reading.mode is InputMode.DTMF:
            assert reading.value == grammar.interpret_keys(keys)


@given(digits=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=8))
def test_order_is_kept(digits: list[tuple[int, bool]]) -> None:
    """Each digit keyed or spoken, one by one: the number is what was given."""
    slot = Slot()
    for digit, keyed in digits:
        if keyed:
            slot.press(str(digit))
        else:
            slot.speak(heard(DIGIT_WORDS[digit]))
    reading = slot.read(asked(f"builtin:digits?length={len(digits)}"))
    assert reading is not None
    assert reading.value == "".join(str(digit) for digit, _ in digits)
