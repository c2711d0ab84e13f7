"""A flow talked to as text: what is typed is heard as words or keys, surely and at once.

Theory of operation: a rehearsal is a call without audio and time. Its dialogue, its grammars and
its judging of answers are those of a call (`ivr.flow.machine`, `ivr.collection`); what the
recogniser and the keypad would have given is made of a typed line:

    four one five five     words; what the recogniser has no word for is speech outside it
    4155#                  keys
    four one 5 5           words, then keys
    (silent)               nothing, and so is an empty line
    (hang up)              the caller hangs up

A lookup is answered in the caller's stead, by what it is to find, or by what a real one came to:

    holder=Jane; balance=12.50     the results
    (missing)                      there is no such thing
    (failed)                       no answer; the caller is not handed on, at a transfer

Any other line says that a transfer is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ivr.collection import Collection
from ivr.flow.machine import HANGUP, Dialogue, End, Lookup, Prompt, Transfer, Turn
from ivr.flow.model import Flow
from ivr.flow.request import MISSING, Answer
from ivr.flow.turn import Message
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.words import OTHER
from ivr.question import accepted_by
from ivr.recognition import Collected, CompletionCause, Hypothesis, Recognition, Word

HANG_UP: Final = "(hang up)"
SILENT: Final = "(silent)"
NOTHING_FOUND: Final = "(missing)"
NO_ANSWER: Final = "(failed)"
# Every word that the recogniser can hear.
VOCABULARY: Final = parse_grammar(
    "builtin:natural|builtin:amount|builtin:command|builtin:correction|builtin:refusal"
).words
_KEYS: Final = re.compile(r"[0-9*#]+")
_WORD: Final = re.compile(r"[0-9*#]+|[^\W\d_]+")
_WORD_MS: Final = 400


class Rehearsal:
    """One call as text.

    Args:
        flow: a checked flow.
        variables: as for `Dialogue`.

    Raises:
        ConfigError: as `Dialogue`.

    Attributes:
        prompts: what the agent said since the last answer.
        end: how the call ended; None while it goes on.
        lookup: what is being looked up; None while the caller is asked.
        transfer: whom the caller is handed on to; None while the call goes on here.
        message: that the caller is to leave; None otherwise.
        sensitive: the names of those that must not be shown.

    State: the dialogue and its open question.
    """

    def __init__(self, flow: Flow, variables: Mapping[str, str] | None = None) -> None:
        self._dialogue = Dialogue(flow, variables)
        self.sensitive = self._dialogue.sensitive
        self.prompts: tuple[Prompt, ...] = ()
        self.end: End | None = None
        self.lookup: Lookup | None = None
        self.transfer: Transfer | None = None
        self.message: Message | None = None
        self._question: Collection | None = None
        self._take(self._dialogue.start())

    @property
    def variables(self) -> dict[str, str]:
        """The values that the record would have now."""
        return self._dialogue.variables

    @property
    def masks(self) -> bool:
        """Whether the answer to the open question must not be shown."""
        return self._question is not None and self._question.collect.sensitive

    def answer(self, line: str) -> Collected | None:
        """What the caller does next.

        Returns:
            What it was taken for; None where the call is over already.
        """
        if self.message is not None:
            self._leave_message(line)
            return None
        if self._question is None:
            return None
        collected = _collected(self._question, line)
        self._take(self._dialogue.collected(collected))
        return collected

    def _leave_message(self, line: str) -> None:
        """A line is a message, unless it is empty."""
        if line == HANG_UP:
            self.hang_up()
        else:
            self._take(self._dialogue.message_taken("rehearsed" if line.strip() else None))

    def looked_up(self, answer: Answer) -> None:
        """What the open lookup came to."""
        self._take(self._dialogue.looked_up(answer))

    def hang_up(self) -> None:
        """The caller hangs up, whatever is going on."""
        self.prompts, self.end = (), End(HANGUP, self.variables)
        self.lookup = self.transfer = self.message = self._question = None

    def transferred(self, line: str) -> bool:
        """Whether the open transfer is done, by a line."""
        done = line.strip() != NO_ANSWER
        self._take(self._dialogue.transferred(done))
        return done

    def _take(self, turn: Turn) -> None:
        self.prompts, self.end = turn.prompts, turn.end
        self.lookup, self.transfer = turn.lookup, turn.transfer
        self.message = turn.message
        self._question = None
        if turn.collect is not None:
            grammar = accepted_by(turn.collect)
            self._question = Collection(turn.collect, grammar, turn.prompts, None)


def answer_of(lookup: Lookup, line: str) -> Answer:
    """What a line is to a lookup.

    Raises:
        ValueError: it names what is none of the results, or lacks the sign between name and value.
    """
    if line.strip() == NOTHING_FOUND:
        return MISSING
    if line.strip() == NO_ANSWER:
        return Answer.failed("rehearsed")
    data: Any = {}
    for part in filter(None, map(str.strip, line.split(";"))):
        name, equals, value = part.partition("=")
        path = lookup.results.get(name.strip())
        if not equals or path is None:
            known = "; ".join(f"{result}=..." for result in lookup.results)
            raise ValueError(f"write {known or 'nothing'}, {NOTHING_FOUND} or {NO_ANSWER}")
        data = placed(data, path, value.strip())
    return Answer.found(data)


def placed(data: Any, path: str, value: str) -> Any:
    """Data with a value at a path; places in lists are keys, which are found likewise."""
    if path == ".":
        return value
    *above, last = path.split(".")
    place = data
    for part in above:
        place = place.setdefault(part, {})
    place[last] = value
    return data


def _collected(question: Collection, line: str) -> Collected:
    """What a line is to a question."""
    if line.strip() == HANG_UP:
        return question.unanswered(CompletionCause.HANGUP)
    if line.strip() == SILENT:
        return question.unanswered(CompletionCause.NO_INPUT_TIMEOUT)
    words: list[str] = []
    for token in _WORD.findall(line.lower()):
        if not _KEYS.fullmatch(token):
            words.append(token)
            continue
        _speak(question, words)
        words = []
        if question.collect.dtmf:
            _press(question, token)
    _speak(question, words)
    if question.heard is not None and not question.closed:
        judged = question.judge_speech(0, None)
    else:
        judged = question.judge_slot(0) if question.slot else None
    return judged or question.unanswered(CompletionCause.NO_INPUT_TIMEOUT)


def _speak(question: Collection, words: list[str]) -> None:
    if words and question.collect.speech and not question.closed:
        question.heard = _heard(words)


def _press(question: Collection, keys: str) -> None:
    for key in keys:
        if question.closed or not question.says(key):
            continue
        if question.heard is not None:
            question.close_speech()
        question.press(key, 0)


def _heard(words: list[str]) -> Recognition:
    """The recognition of words that were heard without a doubt."""
    known = [word if word in VOCABULARY else OTHER for word in words]
    placed = tuple(
        Word(word, at * _WORD_MS, (at + 1) * _WORD_MS, 1.0) for at, word in enumerate(known)
    )
    return Recognition((Hypothesis(placed, 0.0),), 1.0, len(words) * _WORD_MS)
