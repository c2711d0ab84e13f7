"""Check digits against python-stdnum, and grammars that ask for them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import damm, luhn, verhoeff
from stdnum.iso7064 import mod_97_10
from stdnum.no import kontonr, orgnr
from stdnum.us import rtn

from ivr.asr.beam import beam_search
from ivr.asr.tokens import BLANK, TOKEN_ID, VOCABULARY, decode
from ivr.grammar import interpret, parse_grammar
from ivr.grammar.checks import CHECKS, CHECKS_BY_LENGTH
from ivr.grammar.digits import Length, accepts
from ivr.grammar.readers import DigitReader
from ivr.grammar.table import Table, compile_rules
from ivr.recognition import Hypothesis, Recognition, Word

SHORT_STRINGS = ["".join(p) for n in range(5) for p in product("0123456789", repeat=n)]
ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def is_mod11(digits: str) -> bool:
    """The definition, from the right: the check digit, then weights 2 to 7 over and over."""
    weights = [1, *[2, 3, 4, 5, 6, 7] * 20]
    pairs = zip(reversed(digits), weights, strict=False)
    return sum(int(digit) * weight for digit, weight in pairs) % 11 == 0


ORACLES = {
    "luhn": luhn.is_valid,
    "mod97": mod_97_10.is_valid,
    "mod11": is_mod11,
    "aba": rtn.is_valid,
    "verhoeff": verhoeff.is_valid,
    "damm": damm.is_valid,
}
CHECK = st.sampled_from(sorted(ORACLES))


def compiled(check: str, length: int) -> Table:
    """The acceptor of one check and length."""
    rule = CHECKS[check]() if check in CHECKS else CHECKS_BY_LENGTH[check](length)
    acceptor = compile_rules(Length(length, length), rule)
    assert acceptor is not None
    return acceptor


def test_every_check_has_an_oracle() -> None:
    """A new one must be held against something as well."""
    assert set(ORACLES) == {*CHECKS, *CHECKS_BY_LENGTH}


@pytest.mark.parametrize("check", sorted(set(ORACLES) - {"aba"}))
def test_a_check_agrees_with_its_oracle_on_every_short_string(check: str) -> None:
    """All strings of one to four digits, and every beginning is alive exactly if one follows."""
    grammar = parse_grammar(f"builtin:digits?maxlength=4;check={check}")
    valid = {digits for digits in SHORT_STRINGS if digits and ORACLES[check](digits)}
    proper = {digits[:end] for digits in valid for end in range(len(digits))}
    for digits in SHORT_STRINGS:
        assert grammar.keys_complete(digits) == (digits in valid), digits
        assert grammar.keys_can_grow(digits) == (digits in proper), digits


@pytest.mark.parametrize("check", sorted(set(ORACLES) - {"aba"}))
def test_spoken_digits_live_while_they_can_be_completed(check: str) -> None:
    """Digit by digit, the walk dies just where no valid number begins so."""
    grammar = parse_grammar(f"builtin:digits?minlength=2;maxlength=3;check={check}")
    valid = {digits for digits in SHORT_STRINGS if len(digits) in {2, 3} and ORACLES[check](digits)}
    beginnings = {digits[:end] for digits in valid for end in range(len(digits) + 1)}
    for digits in SHORT_STRINGS:
        state = grammar.walk(ONES[int(digit)] for digit in digits)
        assert (state is not None) == (digits in beginnings), digits
        assert (digits in (state.values if state else ())) == (digits in valid), digits


@given(CHECK, st.text("0123456789", min_size=1, max_size=30))
def test_a_check_agrees_with_its_oracle_on_long_strings(check: str, digits: str) -> None:
    """Of the ten or hundred ways to end a number, those are accepted that the oracle accepts."""
    digits = digits.zfill(8)[:8] if check == "aba" else digits
    places = 2 if check == "mod97" else 1
    acceptor = compiled(check, len(digits) + places)
    for ending in range(10**places):
        number = digits + str(ending).zfill(places)
        assert accepts(acceptor, number) == ORACLES[check](number), number


@pytest.mark.parametrize(("length", "oracle"), [(11, kontonr), (9, orgnr)])
@given(st.data())
def test_mod11_is_that_of_norwegian_banks(length: int, oracle: object, data: st.DataObject) -> None:
    """Bank accounts and company numbers there are published examples of this variant."""
    digits = data.draw(st.text("0123456789", min_size=length - 1, max_size=length - 1))
    digits = "1" + digits[1:]  # an account that begins with zeros is read as one of seven digits
    accepted = [e for e in "0123456789" if accepts(compiled("mod11", length), digits + e)]
    assert accepted == [e for e in "0123456789" if oracle.is_valid(digits + e)]  # type: ignore[attr-defined]


@given(st.text("0123456789", min_size=15, max_size=15))
def test_the_last_digit_of_a_card_is_forced(digits: str) -> None:
    """After fifteen digits one word alone may follow, and it is the oracle's check digit."""
    grammar = parse_grammar("builtin:digits?length=16;check=luhn")
    state = grammar.walk(ONES[int(digit)] for digit in digits)
    assert state is not None
    last = luhn.calc_check_digit(digits)
    singles = {word for word in state.next_words if word in ONES}
    assert singles == {ONES[int(last)]}
    assert grammar.interpret_keys(digits + last) == digits + last


@pytest.mark.parametrize(
    ("check", "length", "most"),
    [
        ("luhn", 16, 160),
        ("mod97", 22, 22 * 97),
        ("mod11", 11, 11 * 11),
        ("aba", 9, 90),
        ("verhoeff", 12, 120),
        ("damm", 10, 100),
    ],
)
def test_states_are_no_more_than_length_times_remainders(
    check: str, length: int, most: int
) -> None:
    """Luhn's two sums fall into one where the length is known."""
    assert len(compiled(check, length)) <= most


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("builtin:digits?length=16;check=luhn", "4111111111111111"),
        ("builtin:digits?minlength=13;maxlength=19;check=luhn", "378282246310005"),
        ("builtin:digits?check=aba", "021000021"),
        ("builtin:digits?length=11;check=mod11", "12345678903"),
        ("builtin:digits?length=4;check=verhoeff", "2363"),
        ("builtin:digits?check=damm", "5724"),
        ("builtin:digits?check=mod97", "79444"),
    ],
)
def test_known_numbers_pass_and_no_digit_of_them_may_be_wrong(uri: str, number: str) -> None:
    """Published examples; a wrong digit at any place is found by every procedure."""
    grammar = parse_grammar(uri)
    assert grammar.interpret_keys(number) == number
    for place, digit in product(range(len(number)), "0123456789"):
        wrong = number[:place] + digit + number[place + 1 :]
        assert grammar.keys_complete(wrong) == (wrong == number), wrong


def hypothesis(text: str, score: float) -> Hypothesis:
    """A hypothesis without times."""
    return Hypothesis(tuple(Word(word, 0, 0, 0.9) for word in text.split()), score)


def test_the_check_digit_chooses_among_hypotheses() -> None:
    """The likelier hypothesis has a nine for a five; the second is a card."""
    right = "four one one one one one one one one one one one one one one one"
    wrong = right.replace("four one", "four nine", 1)
    heard = Recognition((hypothesis(wrong, -0.4), hypothesis(right, -1.1)), 0.9, audio_ms=4000)
    found = interpret(parse_grammar("builtin:digits?length=16;check=luhn"), heard)
    assert found is not None
    assert found.value == "4111111111111111"


@pytest.mark.parametrize(
    "uri", ["builtin:digits?check=aba", "builtin:digits?values=021000021,021000089"]
)
def test_the_decoder_follows_only_numbers_that_can_be_right(uri: str) -> None:
    """Each digit sounds more like another word; what comes out is a right number all the same."""
    log_probs = np.full((18, len(VOCABULARY)), -12.0, np.float32)
    log_probs[::2, BLANK] = -0.01
    for frame, digit in zip(range(1, 18, 2), "021000021", strict=True):
        log_probs[frame, TOKEN_ID[ONES[int(digit)]]] = -1.0
        log_probs[frame, TOKEN_ID["oh" if digit == "0" else "five"]] = -0.5
    free = beam_search(log_probs, beam=32)
    held = beam_search(log_probs, beam=32, grammar=parse_grammar(uri))
    assert decode(list(free[0][0])).endswith("five")
    assert held
    for words, _ in held:
        state = parse_grammar(uri).walk(decode(list(words)).split())
        assert state is not None
        assert rtn.is_valid(state.values[0])


def test_a_check_decides_between_readings() -> None:
    """Of "twenty eight" as 28 or as 208, that which the check admits."""
    grammar = parse_grammar("builtin:digits?minlength=2;maxlength=3;check=luhn")
    for words, value in {"twenty six": "26", "twenty eight": "208", "sixty four": "604"}.items():
        state = grammar.walk(words.split())
        assert state is not None
        assert state.values == (value,)


def test_each_length_of_a_check_from_the_end_has_an_automaton() -> None:
    """Weights move with the length, so mod 11 with five lengths is five rules."""
    grammar = parse_grammar("builtin:digits?minlength=8;maxlength=12;check=mod11")
    assert len(grammar._readers) == 5
    assert all(isinstance(reader, DigitReader) for reader in grammar._readers)
