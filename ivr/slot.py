"""The slot that an answer fills: what was spoken and what was keyed, in the order given.

Theory of operation: a slot is a list of parts, and the grammar judges the whole:

    speech "four one"     keys 5 5     speech "double oh"      ->  41 55 00

A part of speech is an N-best list, and each hypothesis has readings, so a part is many strings; the
parts are joined one by one, keeping the likeliest beginnings that the grammar can still complete.
A slot that holds one part of speech and no key is read by the grammar's own account of spoken
words (`ivr.grammar.interpret`), which knows dates, amounts and yes as well.

Keys are certain and speech is not. Where the grammar refuses the whole but the keys alone are an
answer, or where the keys alone are an answer that cannot go on, they are the answer: a caller who
was not understood keys the number from its beginning, and many a caller mutters the digits while
keying them.

A part of speech can be there before its recognition is (the caller pressed a key meanwhile); until
it is, only the keys can be read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.grammar.interpret import interpret
from ivr.grammar.words import OTHER, natural_reading
from ivr.recognition import Hypothesis, InputMode, Interpretation, Recognition

MAX_KEYS: Final = 128  # longer than any answer; a stuck key or a hostile peer must not fill memory
# Beginnings kept when parts are joined: eight hypotheses of eight readings each.
_BEAM: Final = 64
ANY_DIGITS: Final = "builtin:digits"


@dataclass(frozen=True, slots=True, repr=False)  # it would hold the caller's number
class Reading:
    """What a slot amounts to.

    Attributes:
        value: the accepted value.
        words: the words and keys that it was read from.
        confidence: 0..1, of its least certain part; keys alone have 1.
        mode: how it was given.
        alternatives: other values that the same words have just as well.
        digit_confidence: for each character of the value, 0..1; empty where that is not known.
    """

    value: str
    words: str
    confidence: float
    mode: InputMode
    alternatives: tuple[str, ...] = ()
    digit_confidence: tuple[float, ...] = ()


@dataclass(slots=True, repr=False)
class _Speech:
    """A part that was spoken; `deleted` digits were taken off its end by key."""

    utterance_id: int | None
    recognition: Recognition | None
    deleted: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class _Text:
    """A way to read some parts: the string so far, how likely, how natural, how sure."""

    digits: str
    sure: tuple[float, ...] = ()
    score: float = 0.0  # natural log, relative to the likeliest hypotheses
    cost: int = 0  # of the readings chosen
    confidence: float = 1.0

    @property
    def rank(self) -> tuple[float, int, int, str]:
        """Sorts the likeliest first, then the most natural."""
        return (-self.score, self.cost, len(self.digits), self.digits)


@dataclass(slots=True, repr=False)
class Slot:
    """Parts in the order given.

    State: the parts; `clear` forgets them.
    """

    _parts: list[str | _Speech] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is in it."""
        return bool(self._parts)

    @property
    def keys(self) -> str:
        """The keys alone."""
        return "".join(part for part in self._parts if isinstance(part, str))

    @property
    def mixed(self) -> bool:
        """Whether there is speech among the keys."""
        return any(isinstance(part, _Speech) for part in self._parts)

    @property
    def waiting(self) -> bool:
        """Whether the recognition of a part has not come yet."""
        return any(isinstance(part, _Speech) and part.recognition is None for part in self._parts)

    # -- filling --------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """Appends a key."""
        if len(self._parts) < MAX_KEYS:
            self._parts.append(key)

    def speak(self, recognition: Recognition) -> None:
        """Appends speech that was recognised; without a word of the vocabulary it is no part."""
        if _words(recognition.best):
            self._parts.append(_Speech(None, recognition))

    def expect(self, utterance_id: int) -> None:
        """Appends speech whose recognition is under way."""
        self._parts.append(_Speech(utterance_id, None))

    def fill(self, utterance_id: int, recognition: Recognition | None) -> bool:
        """Takes a recognition; without words, or None for a failure, its part is taken out.

        Returns:
            Whether a part waited for it.
        """
        for at, part in enumerate(self._parts):
            if isinstance(part, _Speech) and part.utterance_id == utterance_id:
                part.utterance_id, part.recognition = None, recognition
                if recognition is None or not _words(recognition.best):
                    del self._parts[at]
                return True
        return False

    def delete_last(self) -> None:
        """Takes back the last digit, spoken or keyed."""
        if not self._parts:
            return
        last = self._parts[-1]
        if isinstance(last, str):
            self._parts.pop()
            return
        last.deleted += 1
        if last.recognition is not None and last.deleted >= len(
            natural_reading(_words(last.recognition.best))
        ):
            self._parts.pop()

    def clear(self) -> None:
        """Forgets everything."""
        self._parts.clear()

    # -- reading --------------------------------------------------------------------------------

    def mode(self, last: Recognition | None = None) -> InputMode:
        """How it was filled; `last` is speech after all parts."""
        if not self.keys:
            return InputMode.SPEECH
        return InputMode.BOTH if self.mixed or last is not None else InputMode.DTMF

    def shown(self, last: Recognition | None = None) -> str:
        """What was said and keyed, for the record; `last` is speech after all parts."""
        parts: list[str] = []
        keyed = False
        for part in self._parts if last is None else [*self._parts, _Speech(None, last)]:
            if isinstance(part, _Speech):
                parts.append(part.recognition.best.text if part.recognition else OTHER)
            elif keyed:
                parts[-1] += part
            else:
                parts.append(part)
            keyed = isinstance(part, str)
        return " ".join(filter(None, parts))

    def read(self, grammar: Grammar, last: Recognition | None = None) -> Reading | None:
        """The accepted value of the whole.

        Args:
            grammar: of the answer.
            last: speech after all parts.

        Returns:
            None where the grammar refuses it, or a part's recognition is still to come.
        """
        if self.keys_suffice(grammar):
            return self._keys_alone(grammar)
        if self.waiting:
            return None
        heard = last if not self._parts else self._only_speech() if last is None else None
        if heard is not None:
            return _spoken(grammar, heard)
        if not self.mixed and last is None:
            value = grammar.interpret_keys(self.keys)
            return None if value is None else _keyed(value, self.keys)
        return self._read_mixed(grammar, last) or self._keys_alone(grammar)

    def keys_suffice(self, grammar: Grammar) -> bool:
        """Whether the keys alone are an answer that cannot go on."""
        return grammar.keys_complete(self.keys) and not grammar.keys_can_grow(self.keys)

    def waits(self, grammar: Grammar) -> bool:
        """Whether it cannot be read before a recognition comes."""
        return self.waiting and not self.keys_suffice(grammar)

    def can_grow(self, grammar: Grammar) -> bool:
        """Whether more keys could make another answer of it.

        Of a mixed slot the keys alone must not be able to grow either: the caller may be keying the
        number from its beginning.
        """
        if not self.mixed or grammar.keys_can_grow(self.keys) or self.keys_suffice(grammar):
            return grammar.keys_can_grow(self.keys)
        return any(grammar.keys_can_grow(text.digits) for text in self._texts(grammar, None))

    def _only_speech(self) -> Recognition | None:
        """The part of speech that is all there is, whole."""
        match self._parts:
            case [_Speech(deleted=0) as part]:
                return part.recognition
        return None

    def _keys_alone(self, grammar: Grammar) -> Reading | None:
        value = grammar.interpret_keys(self.keys) if self.keys else None
        return None if value is None else _keyed(value, self.shown())

    def _read_mixed(self, grammar: Grammar, last: Recognition | None) -> Reading | None:
        accepted = [
            (text, value)
            for text in self._texts(grammar, last)
            if (value := grammar.interpret_keys(text.digits)) is not None
        ]
        if not accepted:
            return None
        best, value = accepted[0]
        ties = (v for t, v in accepted[1:] if (t.score, t.cost) == (best.score, best.cost))
        return Reading(
            value=value,
            words=self.shown(last),
            confidence=best.confidence,
            mode=self.mode(last),
            alternatives=tuple(dict.fromkeys(v for v in ties if v != value)),
            digit_confidence=best.sure if value == best.digits else (),
        )

    def _texts(self, grammar: Grammar, last: Recognition | None) -> list[_Text]:
        """The strings that the parts can be read as and that begin an answer, best first."""
        texts = [_Text("")]
        parts = self._parts if last is None else [*self._parts, _Speech(None, last)]
        for part in parts:
            if isinstance(part, str):
                texts = [_append(text, part) for text in texts]
            elif part.recognition is not None:
                heard = _heard(part.recognition, part.deleted)
                texts = [_join(text, more) for text in texts for more in heard]
            alive = (
                text
                for text in texts
                if grammar.keys_can_grow(text.digits) or grammar.keys_complete(text.digits)
            )
            texts = sorted(alive, key=lambda text: text.rank)[:_BEAM]
        return texts


def _words(hypothesis: Hypothesis) -> list[str]:
    """The words of the vocabulary, in order."""
    return [word.text for word in hypothesis.words if word.text != OTHER]


def _keyed(value: str, shown: str) -> Reading:
    return Reading(value, shown, 1.0, InputMode.DTMF, digit_confidence=(1.0,) * len(value))


def _spoken(grammar: Grammar, recognition: Recognition) -> Reading | None:
    """One part of speech and nothing else: the grammar's own account of it."""
    answer = interpret(grammar, recognition)
    if answer is None:
        return None
    sure = digit_confidence(recognition, answer)
    words, mode = recognition.best.text, InputMode.SPEECH
    return Reading(answer.value, words, answer.confidence, mode, answer.alternatives, sure)


def _append(text: _Text, key: str) -> _Text:
    return _Text(text.digits + key, (*text.sure, 1.0), text.score, text.cost, text.confidence)


def _join(text: _Text, more: _Text) -> _Text:
    return _Text(
        text.digits + more.digits,
        text.sure + more.sure,
        text.score + more.score,
        text.cost + more.cost,
        min(text.confidence, more.confidence),
    )


def _heard(recognition: Recognition, deleted: int) -> list[_Text]:
    """The digit strings of a part of speech, best first, less those deleted by key."""
    any_digits = parse_grammar(ANY_DIGITS)
    texts: dict[str, _Text] = {}
    for hypothesis in recognition.hypotheses:
        words = _words(hypothesis)
        if not words:
            break  # "no word was heard" is likelier than what follows
        state = any_digits.walk(words)
        score = min(0.0, hypothesis.score - recognition.best.score)
        for value, cost in state.readings if state is not None else ():
            sure = _sure(hypothesis, value) if hypothesis is recognition.best else None
            confidence = recognition.confidence * math.exp(score)
            known = sure or (confidence,) * len(value)
            kept = len(value) - deleted
            if kept >= 0 and value[:kept] not in texts:
                texts[value[:kept]] = _Text(value[:kept], known[:kept], score, cost, confidence)
    return sorted(texts.values(), key=lambda text: text.rank)[:_BEAM]


def digit_confidence(recognition: Recognition, answer: Interpretation) -> tuple[float, ...]:
    """How sure each character of an answer is; empty where no word stands for it.

    Only the words of the best hypothesis have a confidence of their own; the digits of another one
    share the answer's.
    """
    if not answer.value.isdigit():
        return ()
    if answer.words == " ".join(_words(recognition.best)):
        return _sure(recognition.best, answer.value)
    return (answer.confidence,) * len(answer.value)


def _sure(hypothesis: Hypothesis, value: str) -> tuple[float, ...]:
    """The confidence of each digit: that of the word that wrote it, or changed it last.

    "fifty one": the 5 is as sure as "fifty", the 1 as the less sure of the two. Where the value is
    not the natural reading of the words, all digits are as sure as the least sure word.
    """
    words = [word for word in hypothesis.words if word.text != OTHER]
    sure: list[float] = []
    before = ""
    for count, word in enumerate(words, start=1):
        text = natural_reading(w.text for w in words[:count])
        text = text if text.isdigit() else ""
        for at, digit in enumerate(text):
            if at >= len(sure):
                sure.append(word.confidence)
            elif before[at : at + 1] != digit:
                sure[at] = min(sure[at], word.confidence)
        before, sure = text, sure[: len(text)]
    if before != value:
        least = min((word.confidence for word in words), default=0.0)
        return (least,) * len(value)
    return tuple(sure)
