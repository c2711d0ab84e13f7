"""What callers say: phrases to synthesise, each with its transcript.

Theory of operation: a phrase is built once, as *marked text*: numeric words as they stand, ordinary
speech in braces, punctuation for prosody:

    "{my number is} four one five, two, two."

Transcript and text for the synthesiser are both read off it, so they cannot disagree: the
transcript is the vocabulary words in order, each braced run one ``<other>``; the text is the same
line without braces. Nothing here does I/O or keeps state: the same generator, the same phrases.

Weights: over half of all phrases hold words above nine (which the human recordings lack), a quarter
are digit strings, one in twenty is a command and one in ten holds no number at all, for a number
heard in such speech is the worst error: most of it is random words (`ordinary`, from `wordfreq`).
Teens and tens standing alone are drawn alike, for fifteen/fifty is the commonest confusion.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from ivr.asr.tokens import COMMANDS, DIGITS, OTHER, TEENS, TENS, VOCABULARY
from ivr.train.ordinary import ordinary_speech
from ivr.train.phrase_tables import (
    CARRIERS,
    COMMAND_PHRASES,
    GROUPINGS,
    LENGTH_WEIGHTS,
    LETTERS,
    MONTHS,
    NEAR_NUMBERS,
    ORDINARY,
    TAILS,
)

OTHER_WORD = VOCABULARY[OTHER]


@dataclass(frozen=True)
class Phrase:
    """One thing a caller says.

    Attributes:
        words: transcript, space-separated words of `ivr.asr.tokens.VOCABULARY`.
        kind: which generator made it, a key of `KIND_WEIGHTS`.
        text: the same for a synthesiser, with punctuation.
    """

    words: str
    kind: str
    text: str


def phrase_of(marked: str, kind: str) -> Phrase:
    """Transcript and text of one line of marked text.

    Raises:
        ValueError: a word outside the braces is not in the vocabulary, or nothing is said.
    """
    words: list[str] = []
    for part in re.findall(r"\{[^}]*\}|[a-z]+", marked):
        word = OTHER_WORD if part.startswith("{") else part
        if word == OTHER_WORD and words[-1:] == [OTHER_WORD]:
            continue
        if word not in VOCABULARY:
            raise ValueError(f"{word!r} is not in the vocabulary: {marked!r}")
        words.append(word)
    if not words:
        raise ValueError(f"nothing is said: {marked!r}")
    return Phrase(" ".join(words), kind, re.sub(r"[{}]", "", marked))


def spell_number(number: int, british: bool = False, a_hundred: bool = False) -> str:
    """A whole number in words, 0 to 999,999.

    Args:
        number: the value.
        british: "a hundred and five" rather than "a hundred five".
        a_hundred: a leading "one hundred" or "one thousand" as "a hundred".

    Raises:
        ValueError: out of range.
    """
    if not 0 <= number < 1_000_000:
        raise ValueError(f"{number} is not in 0..999,999")
    if number < 10:
        return DIGITS[number]
    if number < 20:
        return TEENS[number - 10]
    if number < 100:
        unit = number % 10
        return TENS[number // 10 - 2] + (f" {DIGITS[unit]}" if unit else "")
    scale, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    count, rest = divmod(number, scale)
    lead = "a" if count == 1 and a_hundred else spell_number(count, british)
    joint = " and " if british and 0 < rest < 100 else " "
    return f"{lead} {name}" + (joint + spell_number(rest, british) if rest else "")


def spell_pair(number: int, zero: str = "oh") -> str:
    """A two-digit group as in a year: "oh five", "fifteen", "fifty five", "hundred" for 00."""
    if number == 0:
        return "hundred"
    return f"{zero} {DIGITS[number]}" if number < 10 else spell_number(number)


def _end(rng: random.Random) -> str:
    """A full stop mostly; a question or no mark gives a rising or level end."""
    return rng.choices((".", "", "?", "!"), (6, 3, 1, 1))[0]


def _digit_words(rng: random.Random, count: int) -> list[str]:
    digits = [rng.randrange(10) for _ in range(count)]
    # True repeats, which decoders like to swallow or to prolong.
    if count > 2 and rng.random() < 0.3:
        start = rng.randrange(count - 1)
        for i in range(start, min(count, start + rng.choice((2, 2, 3, 4)))):
            digits[i] = digits[start]
    # One habit a caller, now and then two in one string.
    habit = rng.choices(("zero", "oh", "nought", "mixed"), (45, 38, 9, 8))[0]
    zeros = [rng.choice(("zero", "oh")) if habit == "mixed" else habit for _ in digits]
    return [DIGITS[d] if d else zero for d, zero in zip(digits, zeros, strict=True)]


def _grouping(rng: random.Random, length: int) -> tuple[int, ...]:
    if length in GROUPINGS and rng.random() < 0.75:
        return rng.choice(GROUPINGS[length])
    if rng.random() < 0.3:
        return (length,)
    sizes: list[int] = []
    while (left := length - sum(sizes)) > 0:
        sizes.append(min(left, rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5))))
    return tuple(sizes)


def _join_groups(rng: random.Random, groups: list[str]) -> str:
    """Groups with a pause, a full stop or nothing between them."""
    mark = rng.choices((",", "", ".", ";"), (50, 27, 9, 6))[0]
    return f"{mark} ".join(groups) + _end(rng)


def _digit(rng: random.Random) -> str:
    return rng.choice((*DIGITS, *DIGITS, "oh", "nought")) + _end(rng)


def _string(rng: random.Random) -> str:
    length = rng.choices(tuple(LENGTH_WEIGHTS), tuple(LENGTH_WEIGHTS.values()))[0]
    words = _digit_words(rng, length)
    slow = ", " if rng.random() < 0.12 else " "  # digit by digit
    groups: list[str] = []
    for size in _grouping(rng, length):
        groups.append(slow.join(words[:size]))
        words = words[size:]
    return _join_groups(rng, groups)


def _number(rng: random.Random) -> str:
    number = rng.randint(1, 99) if rng.random() < 0.3 else rng.randint(100, 999)
    if number % 100 == 0:  # "five hundred" would otherwise be one in a hundred
        return spell_number(number) + _end(rng)
    if number >= 100 and rng.random() < 0.15:  # as many teens as tens there
        number = number // 100 * 100 + rng.randrange(10, 20)
    if number >= 100 and rng.random() < 0.2:  # "one oh five", "three fifteen"
        return f"{DIGITS[number // 100]} {spell_pair(number % 100)}" + _end(rng)
    return spell_number(number, rng.random() < 0.5, rng.random() < 0.5) + _end(rng)


def _contrast(rng: random.Random) -> str:
    unit = rng.randrange(2, 10)
    teen, ten = TEENS[unit] if unit > 2 else "twelve", TENS[unit - 2]
    form = rng.random()
    if form < 0.45:
        return rng.choice((teen, ten)) + _end(rng)
    if form < 0.6:
        return f"{DIGITS[rng.randrange(1, 10)]} hundred and {rng.choice((teen, ten))}" + _end(rng)
    if form < 0.72:
        return rng.choice((*TEENS, *TENS)) + _end(rng)
    both = [teen, ten] if rng.random() < 0.5 else [ten, teen]
    if form < 0.86:
        shape = rng.choice(("{}, {}", "{} {}", "not {}, {}", "no, {}, not {}"))
        return shape.format(*both) + _end(rng)
    return " ".join(rng.choice((*TEENS, *TENS)) for _ in range(rng.randint(2, 4))) + _end(rng)


def _pairs(rng: random.Random) -> str:
    count = rng.choices((2, 3, 4, 5), (50, 25, 15, 10))[0]
    zero = rng.choices(("oh", "zero", "nought"), (7, 2, 1))[0]
    draws = [_pair_value(rng) for _ in range(count)]
    groups = [spell_pair(value, zero) for value in draws]
    if rng.random() < 0.35:  # an area code or a house number first
        groups.insert(0, " ".join(_digit_words(rng, rng.choice((1, 3, 3)))))
    return _join_groups(rng, groups) if rng.random() < 0.6 else " ".join(groups) + _end(rng)


def _pair_value(rng: random.Random) -> int:
    form = rng.random()
    if form < 0.15:
        return rng.randrange(1, 10)
    if form < 0.4:
        return rng.randrange(10, 20)
    return rng.randrange(2, 10) * 10 if form < 0.55 else rng.randrange(20, 100)


def _hundreds(rng: random.Random) -> str:
    count = rng.choice((rng.randint(1, 9), rng.randint(11, 19), rng.randint(21, 99)))
    lead = "a" if count == 1 and rng.random() < 0.5 else spell_number(count)
    tail = rng.choice(("", "", f" and {spell_number(rng.randint(1, 99))}"))
    digits = " ".join(_digit_words(rng, rng.choice((3, 3, 4))))
    return rng.choice(("", "", "", f"{digits}, ", "one, ")) + f"{lead} hundred{tail}" + _end(rng)


def _thousands(rng: random.Random) -> str:
    top = rng.choice((10_000, 10_000, 100_000, 1_000_000))
    number = rng.randrange(1000, top)
    if rng.random() < 0.35:
        number = max(1000, number // 1000 * 1000 + rng.choice((0, 0, 5, 15, 50, 100)))
    text = spell_number(number, rng.random() < 0.5, rng.random() < 0.3)
    if rng.random() < 0.4:
        text = text.replace("thousand ", "thousand, ")
    return text + _end(rng)


def _multiple(rng: random.Random) -> str:
    words = _digit_words(rng, rng.choice((0, 1, 2, 3, 4, 5, 6)))
    for _ in range(rng.choice((1, 1, 1, 2))):
        digit = rng.choice((*DIGITS, "oh", "oh"))
        multiple = f"{rng.choices(('double', 'triple'), (65, 35))[0]} {digit}"
        words.insert(rng.randint(0, len(words)), multiple)
    separators = rng.choice(((" ",), (" ", " ", ", ")))
    return "".join(w + rng.choice(separators) for w in words).rstrip(", ") + _end(rng)


def _year(rng: random.Random) -> str:
    year = rng.choice((rng.randint(1930, 1999), rng.randint(1900, 1999), rng.randint(2000, 2030)))
    century, rest = divmod(year, 100)
    if century == 20 and (rest < 10 or rng.random() < 0.3):
        text = "two thousand" + (
            f"{rng.choice((' ', ' and '))}{spell_number(rest)}" if rest else ""
        )
    else:
        text = f"{spell_number(century)} {spell_pair(rest)}"
    form = rng.random()
    if form < 0.4:
        return text + _end(rng)
    day, month = spell_pair(rng.randint(1, 31)), spell_pair(rng.randint(1, 12))
    if form < 0.75:
        return f"{day}, {month}, {text}" + _end(rng)
    named = rng.choice(MONTHS)
    return rng.choice((f"{{{named}}} {day}, {text}", f"{day} {{{named}}} {text}")) + _end(rng)


def _amount(rng: random.Random) -> str:
    whole = rng.choice((rng.randint(2, 99), rng.randint(2, 20), rng.randint(100, 2000)))
    cents = rng.choice((rng.randint(2, 99), rng.choice((50, 15, 99, 25, 95, 40, 14))))
    amount = spell_number(whole, rng.random() < 0.5, rng.random() < 0.5)
    forms = (
        f"{amount} dollars",
        f"{amount} dollars {spell_number(cents)}",
        f"{amount} dollars and {spell_number(cents)} cents",
        f"{amount} {spell_pair(cents)}",
        f"{spell_number(cents)} cents",
        f"{amount} point {' '.join(_digit_words(rng, rng.randint(1, 3)))}",
        f"{amount} {rng.choice(('point', 'dot'))} {' '.join(_digit_words(rng, rng.randint(1, 2)))}",
    )
    return rng.choice(forms) + _end(rng)


def _command(rng: random.Random) -> str:
    if rng.random() < 0.72:
        return rng.choice(COMMANDS) + _end(rng)
    digits = " ".join(_digit_words(rng, rng.choice((1, 2, 4))))
    number = spell_number(rng.randint(1, 999), rng.random() < 0.5)
    numeric = (
        f"star {digits}|{digits} pound|{digits} hash|star {digits} hash|not {number}|no, {number}"
        f"|yes, {number}|correct, {number}|no, not {number}|last, {digits}|{digits}, no, {number}"
        f"|{digits}, cancel|{digits}, yes|{number}, correct"
    )
    forms = (*COMMAND_PHRASES, *numeric.split("|"))
    return rng.choice(forms) + _end(rng)


def _other(rng: random.Random) -> str:
    form = rng.random()
    if form < 0.25:
        speech = rng.choice(ORDINARY)
    elif form < 0.6:
        speech = ordinary_speech(rng)
    elif form < 0.8:
        speech = " ".join(rng.choice(NEAR_NUMBERS) for _ in range(rng.choice((1, 1, 1, 2, 3, 4))))
    elif form < 0.9:
        speech = ", ".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 6)))
    else:
        speech = rng.choice(CARRIERS)
    return f"{{{speech}}}" + _end(rng)


def _carrier(rng: random.Random) -> str:
    kinds = (_string, _string, _number, _contrast, _pairs, _multiple, _amount, _digit)
    inner = text = rng.choice(kinds)(rng).rstrip(".?!")
    if rng.random() < 0.85:
        lead = rng.choice(CARRIERS) if rng.random() < 0.65 else ordinary_speech(rng, 3)
        text = f"{{{lead}}}{rng.choice((' ', ', '))}{inner}"
    if text is inner or rng.random() < 0.15:
        tail = rng.choice(TAILS) if rng.random() < 0.65 else ordinary_speech(rng, 3)
        text = f"{text}{rng.choice((' ', ', '))}{{{tail}}}"
    return text + _end(rng)


# fmt: off
KINDS: dict[str, Callable[[random.Random], str]] = {
    "digit": _digit, "string": _string, "number": _number, "contrast": _contrast, "pairs": _pairs,
    "hundreds": _hundreds, "thousands": _thousands, "multiple": _multiple, "year": _year,
    "amount": _amount, "command": _command, "other": _other, "carrier": _carrier,
}
KIND_WEIGHTS: dict[str, float] = {
    "digit": 4, "string": 25, "number": 15, "contrast": 10, "pairs": 9,
    "hundreds": 3, "thousands": 3.5, "multiple": 8, "year": 3.5,
    "amount": 5, "command": 5, "other": 11, "carrier": 6,
}
# fmt: on


def sample_phrase(rng: random.Random, weights: dict[str, float] | None = None) -> Phrase:
    """Draws one phrase.

    Args:
        rng: the only source of chance.
        weights: relative weight of each kind; `KIND_WEIGHTS` if not given.

    Raises:
        KeyError: a kind that does not exist.
    """
    weights = KIND_WEIGHTS if weights is None else weights
    kind = rng.choices(tuple(weights), tuple(weights.values()))[0]
    return phrase_of(KINDS[kind](rng), kind)
