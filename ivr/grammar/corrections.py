"""Spoken corrections: what words like "no, five not nine" make of the digits before them.

Theory of operation: the words are cut at the words that correct, and each piece changes the digits
so far:

    four one nine five            4195
    ... no, five not nine         4155        also "not nine, five"
    ... no, six                   4196        the last ones are others; or the whole is
    the last two are oh six       4106        "the last one is", "the last digit is"
    start again / cancel          -           what was said before is forgotten

A piece can be read in several ways (which of two nines; "fifty one"), so the result is a list of
digit strings, each with a cost: the costs order the readings, as in `ivr.grammar.words`, and two of
equal cost are a true doubt. The functions are pure and know no grammar; who calls them keeps what
the question accepts. What a recogniser mishears most is allowed for: "nought" for "not", and
"last" missing before a count ("no ... four five five one two").

What the recogniser is to expect is a `CorrectionReader`: the forms above, loosely. A lone "no"
between digits is not among them, for it sounds like "oh"; it is understood where it was heard all
the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ivr.grammar.automaton import Automaton, Move
from ivr.grammar.digits import Length
from ivr.grammar.readers import DigitReader
from ivr.grammar.words import NO_WORDS, NUMBER_WORDS, OTHER, UNITS

Costs = dict[str, int]  # digit strings with the cost of each

NOT: Final = "not"
LAST: Final = "last"
CANCEL: Final = "cancel"
RESTART: Final = ("start", "again")
MARKERS: Final = frozenset([*NO_WORDS, NOT, LAST, CANCEL, *RESTART])
_MAX_TEXTS: Final = 64
# The last digits are others, but not as many as were said: less likely than as many.
_UNEVEN: Final = 2
# "not" and "nought" sound alike to many; taking one for the other is less likely than not.
NOUGHT: Final = "nought"
_MISHEARD: Final = 1
_DIGITS: Final = Automaton([DigitReader(Length())])


def corrects(words: Iterable[str]) -> bool:
    """Whether there is a word that corrects among the words."""
    return not MARKERS.isdisjoint(words)


def restarts(words: Sequence[str]) -> bool:
    """Whether the words begin anew, so that the digits before them say nothing any more."""
    spoken = [word for word in words if word != OTHER]
    return _after_restart(spoken) is not None


def correct(digits: str, words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """What the words make of the digits.

    Args:
        digits: said or keyed before; may be empty.
        words: spoken words; ``<other>`` is passed over. Without a correction they are more digits.

    Returns:
        Digit strings with costs, the most natural first, at most 64; none where the words make no
        sense, as a correction of digits that are not there.
    """
    spoken = [word for word in words if word != OTHER]
    texts = _correct(digits, spoken)
    if NOUGHT in spoken and corrects(spoken):
        as_not = [NOT if word == NOUGHT else word for word in spoken]
        for text, cost in _correct(digits, as_not).items():
            _add(texts, text, cost + _MISHEARD)
    ranked = sorted(texts.items(), key=lambda item: (item[1], len(item[0]), item[0]))
    return tuple(ranked[:_MAX_TEXTS])


def _correct(digits: str, rest: list[str]) -> Costs:
    texts: Costs = {digits: 0}
    after = _after_restart(rest)
    if after is not None:
        texts, rest = {"": 0}, after
    while rest and texts:
        texts, rest = _take_piece(texts, rest)
    return texts


def _after_restart(words: list[str]) -> list[str] | None:
    """The words after the last "start again" or "cancel"; None without one."""
    for at in range(len(words), 0, -1):
        if words[at - 1] == CANCEL or tuple(words[at - 2 : at]) == RESTART:
            return words[at:]
    return None


def _take_piece(texts: Costs, words: list[str]) -> tuple[Costs, list[str]]:
    """Applies the first piece of the words; returns the digits and the words that are left."""
    refused = words[0] in NO_WORDS
    while words and words[0] in NO_WORDS:
        words = words[1:]
    if words[:1] == [LAST]:
        run, words = _take_run(words[1:])
        return _replace_last(texts, run), words
    if words[:1] == [NOT]:
        run, words = _take_run(words[1:])
        return _replace_first_named(texts, run), words
    run, words = _take_run(words)
    if not run:
        return {}, []  # a word that has no place here
    if words[:1] == [NOT]:
        wrong, words = _take_run(words[1:])
        return _replace(texts, run, wrong, begun=refused), words
    return (_replace_tail(texts, run) if refused else _append(texts, run)), words


def _take_run(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of numbers at the beginning, and the rest."""
    length = 0
    while length < len(words) and words[length] in NUMBER_WORDS:
        length += 1
    return words[:length], words[length:]


def _readings(run: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return _DIGITS.best_values(run) if run else ()


def _append(texts: Costs, run: list[str]) -> Costs:
    found: Costs = {}
    for text, cost in texts.items():
        for more, own in _readings(run):
            _add(found, text + more, cost + own)
    return found


def _replace_tail(texts: Costs, run: list[str]) -> Costs:
    """For "no, six": as many of the last digits are others, or all are, or some are added."""
    found: Costs = {}
    counted = UNITS.get(run[0])
    for text, cost in texts.items():
        for more, own in _readings(run[1:]):
            if len(more) == int(counted or 0) <= len(text):  # "the last four", and "last" unheard
                _add(found, text[: -len(more)] + more, cost + own)
        for more, own in _readings(run):
            lengths = range(1, min(len(more), len(text)) + 1)
            for length in lengths:
                uneven = 0 if length == len(more) else _UNEVEN + len(more) - length
                uneven += int(counted == str(len(more) - 1))
                _add(found, text[:-length] + more, cost + own + uneven)
            _add(found, more, cost + own + (0 if len(more) + 1 >= len(text) else _UNEVEN))
    return found


def _replace_last(texts: Costs, run: list[str]) -> Costs:
    """For "the last four are ...": the number of digits is said, or is that of the digits."""
    found: Costs = {}
    counted = UNITS.get(run[0]) if len(run) > 1 else None
    for text, cost in texts.items():
        for more, own in _readings(run[1:] if counted else ()):
            if len(more) == int(counted or 0) <= len(text):
                _add(found, text[: -len(more)] + more, cost + own)
        for more, own in _readings(run):
            if len(more) <= len(text):
                _add(found, text[: -len(more)] + more, cost + own + (1 if counted else 0))
    return found


def _replace_first_named(texts: Costs, run: list[str]) -> Costs:
    """For "not nine, five": the wrong digits and as many right ones, in one breath."""
    found: Costs = {}
    for split in range(1, len(run)):
        for wrong, wrong_cost in _readings(run[:split]):
            for right, right_cost in _readings(run[split:]):
                if len(wrong) == len(right):
                    for text, cost in texts.items():
                        for replaced in _each_replaced(text, wrong, right):
                            _add(found, replaced, cost + wrong_cost + right_cost)
    return found


def _replace(texts: Costs, run: list[str], wrong_run: list[str], *, begun: bool) -> Costs:
    """For "five, not nine"; without a "no" before it, only the end of the run is the correction."""
    found: Costs = {}
    for wrong, wrong_cost in _readings(wrong_run):
        for split in range(1 if begun else len(run)):
            for right, right_cost in _readings(run[split:]):
                if split and len(right) != len(wrong):
                    continue
                before = _append(texts, run[:split]) if split else texts
                for text, cost in before.items():
                    for replaced in _each_replaced(text, wrong, right):
                        _add(found, replaced, cost + wrong_cost + right_cost)
    return found


def _each_replaced(text: str, wrong: str, right: str) -> list[str]:
    """The text with one occurrence replaced, for each of them."""
    places = [at for at in range(len(text)) if text.startswith(wrong, at)]
    return [text[:at] + right + text[at + len(wrong) :] for at in places]


def _add(found: Costs, text: str, cost: int) -> None:
    found[text] = min(cost, found.get(text, cost))


# What may follow what, by kind of word: a number, a no, "not", "last", "cancel", "start", "again".
# The states in _DONE end a correction. A "no" alone is an answer to another question.
_NEXT: Final = {
    "": {"digit": "said", "no": "no", "not": "not", "last": "last"},
    "said": {"digit": "said", "no": "said no", "not": "not", "last": "last"},
    "no": {"digit": "right", "no": "no", "not": "not", "last": "last"},
    "said no": {"digit": "right after", "no": "said no", "not": "not", "last": "last"},
    "right": {"digit": "right", "not": "not"},
    "right after": {"digit": "right after", "not": "not"},
    "not": {"digit": "wrong"},
    "wrong": {"digit": "wrong"},
    "last": {"digit": "tail"},
    "tail": {"digit": "tail"},
    "start": {"again": "anew"},
    "anew": {"digit": "anew"},
}
for _state in ("", "said", "no", "said no"):
    _NEXT[_state] |= {"cancel": "anew", "start": "start"}


class CorrectionReader:
    """Corrections as an alternative of a grammar, so that the recogniser can expect them.

    Args:
        refusal: a value was just read back: "no, four one ..." is a correction from its beginning.
    """

    words = MARKERS | NUMBER_WORDS
    start = ""
    max_values = 1

    def __init__(self, *, refusal: bool) -> None:
        self._done = {"wrong", "tail", "anew"} | ({"right"} if refusal else set())

    def moves(self, configuration: str, word: str) -> tuple[Move[str], ...]:
        """See `Reader`."""
        kind = "digit" if word in NUMBER_WORDS else "no" if word in NO_WORDS else word
        following = _NEXT[configuration].get(kind)
        return () if following is None else (Move(following, "", 0),)

    def value(self, configuration: str, digits: str) -> str | None:  # noqa: ARG002 - writes none
        """See `Reader`: that it is a correction; what it makes is for `correct` to say."""
        return "correction" if self.complete(configuration) else None

    def complete(self, configuration: str) -> bool:
        """See `Reader`."""
        return configuration in self._done

    def can_grow(self, configuration: str) -> bool:
        """See `Reader`."""
        return bool(_NEXT[configuration])

    def read_keys(self, keys: str) -> str | None:  # noqa: ARG002 - corrections are spoken
        """See `Reader`."""
        return None

    def keys_can_grow(self, keys: str) -> bool:  # noqa: ARG002
        """See `Reader`."""
        return False
