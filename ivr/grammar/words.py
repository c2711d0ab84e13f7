"""Spoken words to digit strings: every reading, with a cost each.

Theory of operation
-------------------
People group digits as they like. "fifty one fifteen" is 5115, but also 50-1-15; "one hundred five"
is 105, but a caller who reads an account number may mean 100-5. So words do not have a value: they
have *readings*, and this module is the transducer that writes them all.

It is a small non-deterministic machine. Its memory is a `Phase`: what the last words left open.
"five" leaves open that a "hundred" follows; "fifty" has written its 5 and leaves a *hole* of one
digit, which a unit fills ("fifty one") and any other word closes with a zero ("fifty" "fifteen" ->
50 15). "hundred" leaves a hole of two digits, "thousand" of three. Because the digit before a hole
never changes, every digit can be written as soon as it is certain, and the phase needs no number in
it: the whole machine is a table of `Phase` x word -> `Arc`s, and it composes with any automaton
over digits (`ivr.grammar.digits`), which then decides which readings are accepted.

    START --fifty/"5"--> TENS --one/"1"--> UNITS          51
                          |----one/"01"--> UNITS          50 1    (costs: could have filled)

Costs order the readings and nothing else; they never forbid one. They are small integers that were
set by hand so that the lowest cost is what a listener would write down, checked on the numbers that
AN4's speakers really said and on the forms in tests/grammar/test_words.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, auto
from typing import NamedTuple

_UNIT_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEEN_WORDS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ZEROS = {"zero": "0", "oh": "0", "nought": "0"}
UNITS = {word: str(value) for value, word in enumerate(_UNIT_WORDS, start=1)}
TEENS = {word: str(value) for value, word in enumerate(_TEEN_WORDS, start=10)}
TENS = {word: str(value) for value, word in enumerate(_TENS_WORDS, start=2)}  # the first digit
SINGLES = {**ZEROS, **UNITS}
REPEATS = {"double": 2, "triple": 3}
NUMBER_WORDS: frozenset[str] = frozenset(
    [*SINGLES, *TEENS, *TENS, *REPEATS, "hundred", "thousand", "and", "a"]
)
_DIGIT_WORDS = NUMBER_WORDS - {*REPEATS, "and", "a"}  # each writes at least one digit

YES_WORDS = frozenset(["yes", "yeah", "correct"])
NO_WORDS = frozenset(["no", "nope"])
NOT = "not"
# What was said of yes and no, then "yes", "no" or "not" -> what is said now.
_BOOLEAN = {
    ("", "yes"): "yes",
    ("yes", "yes"): "yes",
    ("", "no"): "no",
    ("no", "no"): "no",
    ("", NOT): NOT,
    (NOT, "yes"): "no",
    ("no", NOT): "no not",
    ("no not", "yes"): "no",
}
OTHER = "<other>"  # speech outside the vocabulary, as the recogniser writes it

# What a reading pays for starting a new number where the word would have filled the open hole.
_SPLIT_TENS = 4  # "fifty one" as 50 1
_SPLIT_SCALE = (
    3  # "hundred five" as 100 5; below the next, so that "eight hundred five five five" is 800 555
)
_AFTER_BARE_UNIT = 4  # "hundred five" read as 105, and then more digits
_ELIDED = 1  # "fifty eight thousand nine thirty nine" as 58939: "hundred" left out
_FILLER = 1  # "and" between digits, where it adds nothing
_SKIP = 20  # the natural reading only: a word of the vocabulary that leads nowhere ("a", "double")


class Phase(IntEnum):
    """What the words so far left open. See `_HOLE` for the digits that are still to be written."""

    START = auto()  # nothing said
    UNITS = auto()  # 1-99, complete: may be scaled by hundred or thousand
    TENS = auto()  # twenty .. ninety: may be filled or scaled
    CLOSED = auto()  # nothing open: after a zero, a repeat, a filled thousand
    AND = auto()  # an "and" that adds nothing: a number must follow
    ARTICLE = auto()  # "a": a scale must follow
    DOUBLE = auto()
    TRIPLE = auto()
    HUNDRED = auto()
    HUNDRED_AND = auto()
    HUNDRED_TENS = auto()
    HUNDRED_UNIT = auto()  # "hundred five" without "and"
    HUNDRED_FULL = auto()  # a filled hundred: may be scaled by thousand
    THOUSAND = auto()
    THOUSAND_AND = auto()
    THOUSAND_HEAD = auto()  # "thousand nine": "hundred" or two more digits must follow
    LAST_HUNDRED = auto()  # the hundreds below a thousand: no scale may follow
    LAST_AND = auto()
    LAST_TENS = auto()
    LAST_UNIT = auto()  # a unit without "and" below a thousand
    NEED_UNIT = auto()  # "thousand oh": a unit must follow


# Digits not written yet, closed with zeros; a phase that is not here cannot be closed at all.
_HOLE: dict[Phase, str] = {
    Phase.START: "",
    Phase.UNITS: "",
    Phase.TENS: "0",
    Phase.CLOSED: "",
    Phase.HUNDRED: "00",
    Phase.HUNDRED_TENS: "0",
    Phase.HUNDRED_UNIT: "",
    Phase.HUNDRED_FULL: "",
    Phase.THOUSAND: "000",
    Phase.LAST_HUNDRED: "00",
    Phase.LAST_TENS: "0",
    Phase.LAST_UNIT: "",
}

_JOINED = {
    Phase.HUNDRED: Phase.HUNDRED_AND,
    Phase.THOUSAND: Phase.THOUSAND_AND,
    Phase.LAST_HUNDRED: Phase.LAST_AND,
}
_FILLED_BY_UNIT = {
    Phase.TENS: Phase.UNITS,
    Phase.HUNDRED_TENS: Phase.HUNDRED_FULL,
    Phase.LAST_TENS: Phase.CLOSED,
    Phase.NEED_UNIT: Phase.CLOSED,
}


class Arc(NamedTuple):
    """One way to take a word.

    Attributes:
        digits: what it writes.
        phase: what it leads to.
        cost: what it costs.
        opens: where in the digits a new number begins, ``None`` where the open one goes on.
    """

    digits: str
    phase: Phase
    cost: int
    opens: int | None = None


def closing(phase: Phase) -> str | None:
    """The digits that end a reading in this phase, ``None`` where it cannot end yet."""
    return _HOLE.get(phase)


def arcs(phase: Phase, word: str) -> tuple[Arc, ...]:
    """Every way to take `word` in `phase`; empty where no reading goes on."""
    return _TABLE.get((phase, word), ())


def natural_arcs(phase: Phase, word: str) -> tuple[Arc, ...]:
    """Like `arcs`, but total: words that carry no digits pass, dangling ones may be skipped."""
    if word not in NUMBER_WORDS:
        return (Arc("", phase, 0),)
    if word in _DIGIT_WORDS and word not in {"hundred", "thousand"}:
        return arcs(phase, word)  # what always opens a number is never skipped
    return (*arcs(phase, word), Arc("", phase, _SKIP))


def natural_reading(words: str | Iterable[str]) -> str:
    """What a listener would write down: the reading of least cost.

    Args:
        words: spoken words, as one string or one by one; unknown words contribute nothing.

    Returns:
        The digits; without any, ``"yes"`` or ``"no"`` where that was said and not both; else
        ``""``.
    """
    sequence = words.split() if isinstance(words, str) else list(words)
    best: dict[Phase, tuple[int, int, str]] = {Phase.START: (0, 0, "")}
    for word in sequence:
        following: dict[Phase, tuple[int, int, str]] = {}
        for phase, (cost, _, text) in best.items():
            for arc in natural_arcs(phase, word):
                written = text + arc.digits
                candidate = (cost + arc.cost, len(written), written)
                if arc.phase not in following or candidate < following[arc.phase]:
                    following[arc.phase] = candidate
        best = following
    ended = [
        (cost, length + len(hole), text + hole)
        for phase, (cost, length, text) in best.items()
        if (hole := closing(phase)) is not None
    ]
    digits = min(ended)[2] if ended else ""
    return digits or said_boolean(sequence) or ""


def said_boolean(words: Iterable[str]) -> str | None:
    """``"yes"`` or ``"no"`` if the words say just one of them; "not correct" is a no."""
    said: str | None = ""
    for word in words:
        if said is not None:
            said = boolean_step(said, word, natural=True)
    return boolean_value(said, natural=True) if said is not None else None


def boolean_step(said: str, word: str, *, natural: bool = False) -> str | None:
    """What was said of yes and no after one more word.

    Args:
        said: ``""`` at first, then ``"yes"``, ``"no"``, ``"not"`` or ``"no not"``.
        word: the next spoken word.
        natural: words that are neither pass, those that carry digits excepted.

    Returns:
        The same kind of string, ``None`` for a contradiction or a word that has no place.
    """
    if word == OTHER:
        return said
    kind = "yes" if word in YES_WORDS else "no" if word in NO_WORDS else word
    following = _BOOLEAN.get((said, kind))
    if following is not None or not natural or kind in {"yes", "no"}:
        return following
    return None if word in _DIGIT_WORDS else said.removesuffix(NOT).strip()


def boolean_value(said: str, *, natural: bool = False) -> str | None:
    """``"yes"`` or ``"no"`` if that is settled; a dangling "not" unsettles it unless `natural`."""
    settled = said.removesuffix(NOT).strip() if natural else said
    return settled if settled in {"yes", "no"} else None


def _opening(word: str) -> Arc | None:
    """The arc of a word that starts a new number."""
    if word in ZEROS:
        return Arc("0", Phase.CLOSED, 0)
    if word in UNITS:
        return Arc(UNITS[word], Phase.UNITS, 0)
    if word in TEENS:
        return Arc(TEENS[word], Phase.UNITS, 0)
    if word in TENS:
        return Arc(TENS[word], Phase.TENS, 0)
    marks = {"a": Phase.ARTICLE, "double": Phase.DOUBLE, "triple": Phase.TRIPLE}
    return Arc("", marks[word], 0) if word in marks else None


def _filling(word: str, pad: str, unit: Phase, full: Phase, tens: Phase) -> list[Arc]:
    """The arcs of 1-99 into a hole of ``len(pad) + 2`` digits."""
    if word in UNITS:
        return [Arc(f"{pad}0{UNITS[word]}", unit, 0)]
    if word in TEENS:
        return [Arc(pad + TEENS[word], full, 0)]
    if word in TENS:
        return [Arc(pad + TENS[word], tens, 0)]
    return []


def _scaling(phase: Phase, word: str) -> list[Arc]:
    """The arcs of "hundred" and "thousand" after what they multiply."""
    scales = {"hundred": Phase.HUNDRED, "thousand": Phase.THOUSAND}
    if word not in scales:
        return []
    if phase in {Phase.START, Phase.ARTICLE}:
        return [Arc("1", scales[word], 0)]
    if phase in {Phase.UNITS, Phase.TENS}:
        return [Arc(_HOLE[phase], scales[word], 0)]
    hundreds = {Phase.HUNDRED, Phase.HUNDRED_TENS, Phase.HUNDRED_UNIT, Phase.HUNDRED_FULL}
    if word == "thousand" and phase in hundreds:
        return [Arc(_HOLE[phase], Phase.THOUSAND, 0)]
    if word == "hundred" and phase is Phase.THOUSAND_HEAD:
        return [Arc("", Phase.LAST_HUNDRED, 0)]
    return []


def _below_thousand(phase: Phase, word: str) -> list[Arc]:
    """What fills the three digits that "thousand" left open."""
    if phase not in {Phase.THOUSAND, Phase.THOUSAND_AND, Phase.THOUSAND_HEAD}:
        return []
    if phase is Phase.THOUSAND_HEAD:  # "nine thirty nine", "nine oh five": "hundred" left out
        if word in ZEROS:
            return [Arc("0", Phase.NEED_UNIT, _ELIDED)]
        if word in UNITS:
            return []
        two_digits = _filling(word, "", Phase.CLOSED, Phase.CLOSED, Phase.LAST_TENS)
        return [arc._replace(cost=_ELIDED) for arc in two_digits]
    bare_unit = Phase.LAST_UNIT if phase is Phase.THOUSAND else Phase.CLOSED
    filled = _filling(word, "0", bare_unit, Phase.CLOSED, Phase.LAST_TENS)
    if word in UNITS:
        filled.append(Arc(UNITS[word], Phase.THOUSAND_HEAD, 0))
    if word in ZEROS and phase is Phase.THOUSAND:  # "two thousand oh five"
        filled.append(Arc("00", Phase.NEED_UNIT, 0))
    return filled


def _continuing(phase: Phase, word: str) -> list[Arc]:
    """The arcs of a word that extends the open number, scales excepted."""
    if word == "and":
        return [Arc("", _JOINED[phase], 0)] if phase in _JOINED else []
    if phase in _FILLED_BY_UNIT:
        return [Arc(UNITS[word], _FILLED_BY_UNIT[phase], 0)] if word in UNITS else []
    if phase in {Phase.DOUBLE, Phase.TRIPLE}:
        times = REPEATS["double" if phase is Phase.DOUBLE else "triple"]
        return [Arc(SINGLES[word] * times, Phase.CLOSED, 0)] if word in SINGLES else []
    if phase in {Phase.HUNDRED, Phase.HUNDRED_AND}:
        unit = Phase.HUNDRED_UNIT if phase is Phase.HUNDRED else Phase.HUNDRED_FULL
        return _filling(word, "", unit, Phase.HUNDRED_FULL, Phase.HUNDRED_TENS)
    if phase in {Phase.LAST_HUNDRED, Phase.LAST_AND}:
        unit = Phase.LAST_UNIT if phase is Phase.LAST_HUNDRED else Phase.CLOSED
        return _filling(word, "", unit, Phase.CLOSED, Phase.LAST_TENS)
    return _below_thousand(phase, word)


def _breaking_cost(phase: Phase, *, fills: bool) -> int:
    """What it costs to leave `phase` for a new number; `fills`: the word could have extended it."""
    if phase in {Phase.HUNDRED_UNIT, Phase.LAST_UNIT}:
        return _AFTER_BARE_UNIT
    if not fills:
        return 0
    return _SPLIT_TENS if _HOLE[phase] == "0" else _SPLIT_SCALE


def _all_arcs(phase: Phase, word: str) -> tuple[Arc, ...]:
    """Builds one cell of the table: extend the open number, or close it and start a new one."""
    extending = [*_scaling(phase, word), *_continuing(phase, word)]
    hole = "" if phase is Phase.AND else _HOLE.get(phase)
    opening = _opening(word)
    if hole is None:
        return tuple(extending)
    if word == "and" and phase is not Phase.AND and not extending:
        return (Arc(hole, Phase.AND, _FILLER),)
    if opening is None:
        return tuple(extending)
    cost = _breaking_cost(phase, fills=bool(extending))
    return (*extending, Arc(hole + opening.digits, opening.phase, cost, opens=len(hole)))


_TABLE: dict[tuple[Phase, str], tuple[Arc, ...]] = {
    (phase, word): cell
    for phase in Phase
    for word in sorted(NUMBER_WORDS)
    if (cell := _all_arcs(phase, word))
}
