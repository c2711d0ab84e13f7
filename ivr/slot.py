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

from dataclasses import dataclass, field, replace
from typing import Final

from ivr.grammar.corrections import corrects
from ivr.grammar.fusion import fuse
from ivr.grammar.grammar import Grammar
from ivr.grammar.interpret import interpretations
from ivr.grammar.words import OTHER, natural_reading
from ivr.recognition import InputMode, Interpretation, Recognition
from ivr.strings import (
    BEAM,
    Text,
    append_key,
    corrected_texts,
    digit_confidence,
    heard_texts,
    join,
    words_of,
)

N_BEST: Final = 5  # values in the record and for a second hearing; what follows is noise
MAX_KEYS: Final = 128  # longer than any answer; a stuck key or a hostile peer must not fill memory


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
        n_best: values that were heard, this one among them, with a confidence each, surest first.
    """

    value: str
    words: str
    confidence: float
    mode: InputMode
    alternatives: tuple[str, ...] = ()
    digit_confidence: tuple[float, ...] = ()
    n_best: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What is accepted as an answer.

    Attributes:
        grammar: of the answer.
        corrections: whether "no, five not nine" changes what was said before.
        refused: values that the caller has said no to; they are not heard again, only keyed.
        earlier: what was heard when the question was asked before, values with confidences.
    """

    grammar: Grammar
    corrections: bool = False
    refused: frozenset[str] = frozenset()
    earlier: tuple[tuple[str, float], ...] = ()

    def hears_correction(self, recognition: Recognition | None) -> bool:
        """Whether the words most likely correct what was said or keyed before."""
        if recognition is None or not self.corrections:
            return False
        return corrects(words_of(recognition.best))

    def interpret(self, recognition: Recognition) -> Interpretation | None:
        """What one utterance amounts to on its own."""
        return next(iter(self.interpretations(recognition)), None)

    def interpretations(self, recognition: Recognition) -> list[Interpretation]:
        """Everything that it may amount to, the surest first, no value twice."""
        found: dict[str, Interpretation] = {}
        for each in interpretations(self.grammar, recognition, self.corrections, self.refused):
            found.setdefault(each.value, each)
        if not self.earlier:
            return list(found.values())
        fused = fuse([(each.value, each.confidence) for each in found.values()], self.earlier)
        return [replace(found[value], confidence=sure) for value, sure in fused]


@dataclass(slots=True, repr=False)
class _Speech:
    """A part that was spoken; `deleted` digits were taken off its end by key."""

    utterance_id: int | None
    recognition: Recognition | None
    deleted: int = 0


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
        if words_of(recognition.best):
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
                if recognition is None or not words_of(recognition.best):
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
            natural_reading(words_of(last.recognition.best))
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

    def read(self, asked: Asked, last: Recognition | None = None) -> Reading | None:
        """The accepted value of the whole.

        Args:
            asked: what is accepted.
            last: speech after all parts.

        Returns:
            None where the grammar refuses it, or a part's recognition is still to come.
        """
        grammar = asked.grammar
        if self.keys_suffice(grammar) and not asked.hears_correction(last):
            return self._keys_alone(grammar)
        if self.waiting:
            return None
        heard = last if not self._parts else self._only_speech() if last is None else None
        if heard is not None:
            return _spoken(asked, heard)
        if not self.mixed and last is None:
            value = grammar.interpret_keys(self.keys)
            return None if value is None else _keyed(value, self.keys)
        return self._read_mixed(asked, last) or self._keys_alone(grammar)

    def keys_suffice(self, grammar: Grammar) -> bool:
        """Whether the keys alone are an answer that cannot go on."""
        return grammar.keys_complete(self.keys) and not grammar.keys_can_grow(self.keys)

    def waits(self, grammar: Grammar) -> bool:
        """Whether it cannot be read before a recognition comes."""
        return self.waiting and not self.keys_suffice(grammar)

    def can_grow(self, asked: Asked) -> bool:
        """Whether more keys could make another answer of it.

        Of a mixed slot the keys alone must not be able to grow either: the caller may be keying the
        number from its beginning.
        """
        return asked.grammar.keys_can_grow(self.keys) or self.whole_can_grow(asked)

    def whole_can_grow(self, asked: Asked) -> bool:
        """Whether more keys after all that was said and keyed could make another answer of it."""
        grammar = asked.grammar
        if not self.mixed or self.keys_suffice(grammar):
            return grammar.keys_can_grow(self.keys)
        return any(grammar.keys_can_grow(text.digits) for text in self._texts(asked, None))

    def _only_speech(self) -> Recognition | None:
        """The part of speech that is all there is, whole."""
        match self._parts:
            case [_Speech(deleted=0) as part]:
                return part.recognition
        return None

    def _keys_alone(self, grammar: Grammar) -> Reading | None:
        value = grammar.interpret_keys(self.keys) if self.keys else None
        return None if value is None else _keyed(value, self.shown())

    def _read_mixed(self, asked: Asked, last: Recognition | None) -> Reading | None:
        accepted = [
            (text, value)
            for text in self._texts(asked, last)
            if (value := asked.grammar.interpret_keys(text.digits)) is not None
            and value not in asked.refused
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
            n_best=tuple({v: t.confidence for t, v in reversed(accepted[:N_BEST])}.items())[::-1],
        )

    def _texts(self, asked: Asked, last: Recognition | None) -> list[Text]:
        """The strings that the parts can be read as and that begin an answer, best first."""
        texts = [Text("")]
        parts = self._parts if last is None else [*self._parts, _Speech(None, last)]
        for part in parts:
            if isinstance(part, str):
                texts = [append_key(text, part) for text in texts]
            elif part.recognition is not None:
                heard = heard_texts(part.recognition, part.deleted)
                joined = [join(text, more) for text in texts for more in heard]
                if asked.corrections:
                    joined += (
                        new for text in texts for new in corrected_texts(text, part.recognition)
                    )
                texts = joined
            if not asked.corrections:  # which can make an answer of what is none
                grammar = asked.grammar
                texts = [
                    text
                    for text in texts
                    if grammar.keys_can_grow(text.digits) or grammar.keys_complete(text.digits)
                ]
            texts = sorted(texts, key=lambda text: text.rank)[:BEAM]
        return texts


def _keyed(value: str, shown: str) -> Reading:
    sure = (1.0,) * len(value)
    return Reading(value, shown, 1.0, InputMode.DTMF, (), sure, ((value, 1.0),))


def _spoken(asked: Asked, recognition: Recognition) -> Reading | None:
    """One part of speech and nothing else: the grammar's own account of it."""
    answers = asked.interpretations(recognition)
    if not answers:
        return None
    answer = answers[0]
    return Reading(
        value=answer.value,
        words=recognition.best.text,
        confidence=answer.confidence,
        mode=InputMode.SPEECH,
        alternatives=answer.alternatives,
        digit_confidence=digit_confidence(recognition, answer),
        n_best=tuple((each.value, each.confidence) for each in answers[:N_BEST]),
    )
