"""A question that is being answered: what came in so far, and what it amounts to.

Theory of operation: a call (`ivr.call`) opens a `Collection` with each question and tells it what
it hears, each key, each recognition, with the stream position; the collection weighs them by the
question's grammar and limits, and the call acts on what it says. Nothing is performed here.

Speech and keys fill one slot (`ivr.slot`), in the order given. The utterance in progress stands
after the slot: it becomes a part of it when a key follows, and it is judged together with the parts
when it ends. A spoken answer that nobody is sure of is a nomatch, one without words is nobody's
answer. Keys end by the rules of VoiceXML 2.x, appendix D: at the terminating key, when they are
complete and cannot go on (after `term_timeout_s`), or when no other comes for
`inter_digit_timeout_s`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.actions import TurnRecord
from ivr.echo import SHORTEST_ECHO, is_echo
from ivr.errors import StateError
from ivr.flow.machine import Collect, Prompt
from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.grammar.words import OTHER
from ivr.limits import limit_s_of
from ivr.patience import Patience
from ivr.question import Given, asked_of, expected_speech, judge
from ivr.recognition import Collected, CompletionCause, InputMode, Recognition
from ivr.slot import Asked, Slot
from ivr.typeahead import BURST_S, Key

SAMPLES_PER_MS: Final = 8
RATE_HZ: Final = 8000
STAR: Final = "*"
# Speech over a prompt is looked at when a word can be whole, and then every other word. A start is
# known 60 to 240 ms after the voice, a digit lasts some 400 ms.
_FIRST_LOOK: Final = 200 * SAMPLES_PER_MS
_NEXT_LOOK: Final = 400 * SAMPLES_PER_MS
_MOST_NOTED: Final = 200  # decisions of the endpointer in the record of one answer


@dataclass(repr=False)  # it would hold the caller's number
class Collection:
    """One question and its answer so far; positions are samples of stream time.

    Attributes:
        collect: what the flow asked for, and how to listen.
        grammar: of the answer.
        prompts: that asked.
        last_mark: of the last prompt; None if there was none to play.
        number: of the question in the call, from 1.
        slot: what was keyed, and what was spoken before a key.
        barged_in: the caller has stopped the prompt.
        prompt_end_ms: when the prompt had been played; None if that is not known.
        noinput_at: when a silent caller has been silent for too long; None while the prompt plays.
        key_deadline: when the keys end without another one.
        closed: nothing is added to the slot any more; it may still wait for a recognition.
        ignored_keys: how many keys were pressed that answer nothing here.
        last_input_at: end of the last speech, or the last key.
        pending: the recognition that counts, if one is under way.
        requested_at: when it was asked for.
        heard: the recognition that counts, once it is there.
        ended: the endpointer has closed the utterance.
        too_long: it was closed for its length.
        patience: how long this caller may pause.
        in_passing: the recognition under way is of a caller who has not paused: it tells whether
            words are said, not which answer.
        look_at: when to look at speech in passing; None in a pause.
        paused: the caller is silent within an utterance.
        utterance_from: where the samples of the last utterance begin.
        noted: what the endpointer decided and when, for the record.
        over_prompt: the speech began while the prompt was played.
    """

    collect: Collect
    grammar: Grammar
    prompts: tuple[Prompt, ...]
    last_mark: str | None
    number: int = 1
    slot: Slot = field(default_factory=Slot)
    barged_in: bool = False
    prompt_end_ms: int | None = None
    noinput_at: int | None = None
    key_deadline: int | None = None
    closed: bool = False
    ignored_keys: int = 0
    last_input_at: int = 0
    pending: int | None = None
    requested_at: int = 0
    heard: Recognition | None = None
    ended: bool = False
    too_long: bool = False
    patience: Patience = field(default_factory=Patience)
    in_passing: bool = False
    look_at: int | None = None
    paused: bool = False
    utterance_from: int | None = None
    noted: list[tuple[str, int]] = field(default_factory=list)
    over_prompt: bool = False

    @property
    def asked(self) -> Asked:
        """What is accepted."""
        return asked_of(self.collect, self.grammar)

    # -- speech -------------------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """Whether speech is an answer now: not after the end, nor over a prompt that forbids it."""
        if self.closed or self.ended or not self.collect.speech:
            return False
        return not self.prompting or self.collect.barges_in(InputMode.SPEECH)

    @property
    def prompting(self) -> bool:
        """Whether the prompt is still being played, for all that is known."""
        return self.noinput_at is None

    @property
    def unheard(self) -> bool:
        """Whether nothing is, or will be, known of what was said."""
        return self.heard is None and (self.pending is None or self.in_passing)

    @property
    def speech_grammar(self) -> str:
        """What the recogniser is to expect: any digits where keys came before, unknown to it."""
        return expected_speech(self.collect, self.grammar, after_keys=bool(self.slot))

    def ask(self, utterance_id: int, clock: int, start: int, end: int) -> None:
        """From now on this recognition, of the samples from start to end, counts and no other."""
        self.pending, self.heard = utterance_id, None
        self.requested_at = clock
        self.in_passing = False
        self.patience.asked(utterance_id, clock, start, end)

    def note(self, decision: str, at: int, start: int | None) -> None:
        """Notes a decision of the endpointer, and where the utterance begins if it says so."""
        if start is not None:
            self.utterance_from = start
        self.paused = decision == "paused"
        if len(self.noted) < _MOST_NOTED:
            self.noted.append((decision, at // SAMPLES_PER_MS))

    def forget_speech(self) -> None:
        """What was recognised, or is being, is worthless: the caller went on."""
        self.pending = self.heard = None
        self.patience.forget()

    def begins(self, clock: int) -> None:
        """The caller begins to speak."""
        self.over_prompt = self.prompting
        self.speaks(clock)

    def speaks(self, clock: int) -> None:
        """The caller speaks, or speaks on."""
        self.look_at = clock + _FIRST_LOOK
        self.patience.spoke_at = clock

    def resumes(self, onset: int, clock: int) -> None:
        """The caller speaks on after a pause; what was complete is no longer known to be."""
        if self.last_input_at:  # else it began before it was listened to
            self.patience.resumed(self.last_input_at, onset)
        self.forget_speech()
        self.speaks(clock)

    def looks_in_passing(self, clock: int) -> bool:
        """Whether to look now at what is being said, over the prompt or without an end."""
        if self.look_at is None:
            return False
        if not self.prompting:
            return self.patience.looks_in_passing(clock)
        if clock < self.look_at or not self.patience.may_look(clock):
            return False
        self.look_at = clock + _NEXT_LOOK
        return True

    def accepts(self, heard: Recognition | None) -> bool:
        """Whether this was said to us: words that can begin an answer, surely enough."""
        if heard is None or heard.confidence < self.collect.confidence_level:
            return False
        if not self.ended and self.echoes(heard, shortest=1):
            return False
        words = [word.text for word in heard.best.words if word.text != OTHER]
        return bool(words) and parse_grammar(self.speech_grammar).walk(words) is not None

    def pass_by(self) -> None:
        """The recognition asked for last is of a caller who has not paused."""
        self.in_passing = True
        self.patience.passing = not self.prompting

    def echoes(self, heard: Recognition, shortest: int = SHORTEST_ECHO) -> bool:
        """Whether this is no caller, but the digits that the prompt was just reading."""
        return self.over_prompt and is_echo(heard, self.prompts, shortest)

    def looks(self, clock: int, samples: NDArray[np.int16], short: bool) -> bool:
        """Whether the utterance so far is to be recognised in this pause, now; or later."""
        self.look_at = None
        if short and not self.patience.may_look_next(clock):
            return self.patience.may_look(clock)
        if self.pending is not None:
            self.patience.unseen = samples
            return False
        return not self.patience.sure

    def pause_s(self, heard: Recognition, clock: int) -> float | None:
        """How much longer this caller may pause; None where it has been long enough.

        The silence is what the endpointer says, or what the words say where that is longer.
        """
        given, rhythm = self._given(heard, None), self.patience.rhythm(heard)
        limit_s = limit_s_of(self.collect, self.grammar, given, heard, rhythm)
        longest_s = self.collect.incomplete_timeout_s
        looked_to = self.patience.looked_to
        since = self.patience.silent_since(heard, closed=limit_s is None)
        by_words = 0
        if limit_s is not None and self.collect.confirms:
            since = None  # "no, the last four are": words outside the vocabulary may be no words
        if since is not None and self.patience.heard_out:
            by_words = max(0, looked_to - since)
        silence = 0 if self.in_passing else clock - self.last_input_at
        needed_s = self.patience.wait_s(limit_s, longest_s, heard, max(silence, by_words))
        needed = 0 if needed_s is None else samples_of(needed_s)
        self.patience.due_at = None if since is None else since + needed
        if by_words > silence and by_words >= needed:
            self.last_input_at = looked_to - by_words
            return None
        return None if needed_s is None else (needed - max(silence, by_words)) / RATE_HZ

    def plan(self, heard: Recognition, clock: int) -> None:
        """A look that came too late, for the caller spoke on: it tells when to look again."""
        if self.listens and not self.slot:
            self.pause_s(heard, clock)
            self.patience.sure = False

    def takes(self, heard: Recognition, clock: int) -> bool:
        """Whether a look counts; one in passing only if the caller has long been silent."""
        if not self.in_passing or self.pause_s(heard, clock) is None:
            return True
        self.patience.sure = False  # of what may not have been all
        return False

    def close_speech(self) -> None:
        """A key follows: what was said before it is a part of the slot."""
        if self.heard is not None:
            self.slot.speak(self.heard)
        elif self.pending is not None:
            self.slot.expect(self.pending)
        self.listen_on()

    def judge_speech(self, clock: int, wall_ms: float | None) -> Collected | None:
        """Decides on what was heard: a match or a nomatch; None for a noise, nobody's answer.

        Args:
            clock: now.
            wall_ms: time that the recogniser took, None where it had answered before.

        Raises:
            StateError: nothing was heard yet.
        """
        heard = self.heard
        if heard is None:
            raise StateError("judged without a recognition")
        if not heard.best.words and not self.too_long:
            return None
        decided_at = clock
        if wall_ms is not None:
            decided_at = self.requested_at + int(wall_ms * SAMPLES_PER_MS)
        latency_ms = max(0, decided_at - self.last_input_at) / SAMPLES_PER_MS
        return judge(self.collect, self.grammar, self._given(heard, latency_ms))

    def listen_on(self) -> None:
        """Opens the question again after a noise; the noinput timer runs on."""
        self.ended = False
        self.forget_speech()

    # -- keys ---------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether what was said before a key must be recognised first."""
        return self.slot.waits(self.grammar)

    def takes_ahead(self, key: Key) -> bool:
        """Whether a key that was pressed before the question was put answers it."""
        policy = self.collect.type_ahead
        meant = policy == "always" or (policy == "capture" and not self.collect.confirms)
        return meant or not key.ahead_of(self.number)

    def says(self, digit: str) -> bool:
        """Whether a key says anything: there must be something to end or to take back."""
        if digit == self.collect.term_char or self._takes_back(digit):
            return bool(self.slot) or self.heard is not None or self.pending is not None
        return True

    def press(self, digit: str, clock: int) -> None:
        """Takes a key; `closed` says whether another can follow."""
        self.last_input_at = clock
        if digit == self.collect.term_char:
            self.closed = True
            return
        if not self._takes_back(digit):
            self.slot.press(digit)
        elif self.collect.star == "restart":
            self.slot.clear()
        else:
            self.slot.delete_last()
        self.time_keys(clock)

    def fill(self, utterance_id: int, recognition: Recognition | None, clock: int) -> bool:
        """Takes the recognition of what was said before a key.

        Returns:
            Whether it was that.
        """
        if not self.slot.fill(utterance_id, recognition):
            return False
        if not self.slot:
            self.closed = False  # a cough, and the key that was to end it
        if not self.closed:
            self.time_keys(clock)
        return True

    def time_keys(self, clock: int) -> None:
        """Sets how long another key may be waited for."""
        self.key_deadline = None
        if not self.slot:  # all was taken back: the caller has as long as at first
            self.time_silence(clock)
            return
        wait_s = self.collect.inter_digit_timeout_s
        if self.slot.read(self.asked) is not None:
            if not self.slot.can_grow(self.asked):
                wait_s = self.collect.term_timeout_s if self.collect.term_char else 0.0
            elif not self.slot.whole_can_grow(self.asked):
                # Only a number that is keyed from its beginning could go on: in one go, then.
                wait_s = min(wait_s, BURST_S)
        if wait_s == 0.0:
            self.closed = True
        else:
            self.key_deadline = self.last_input_at + samples_of(wait_s)

    def end_keys(self, clock: int) -> None:
        """Closes the slot if no other key came in time."""
        if self.slot and not self.closed and self.pending is None:
            self.closed = self.key_deadline is not None and clock >= self.key_deadline

    def _takes_back(self, digit: str) -> bool:
        """Whether the key is the star that takes back, and not one that the answer can have."""
        if digit != STAR or self.collect.star == "none":
            return False
        return not self.grammar.keys_can_grow(self.slot.keys + STAR)

    def judge_slot(self, clock: int) -> Collected:
        """Decides on the slot: a match or a nomatch."""
        latency_ms = max(0, clock - self.last_input_at) / SAMPLES_PER_MS
        return judge(self.collect, self.grammar, self._given(None, latency_ms))

    # -- the end ------------------------------------------------------------------------------

    def _given(self, heard: Recognition | None, latency_ms: float | None) -> Given:
        return Given(self.slot, heard, self.barged_in, latency_ms, self.too_long)

    def time_silence(self, clock: int) -> None:
        """From now on a silent caller is waited for."""
        self.noinput_at = clock + samples_of(self.collect.no_input_timeout_s)

    def silent_too_long(self, clock: int) -> bool:
        """Whether nothing came, and nothing is being recognised that may have."""
        if self.slot or self.closed or self.pending is not None:
            return False
        return self.noinput_at is not None and clock >= self.noinput_at

    def unanswered(self, cause: CompletionCause) -> Collected:
        """The end of the question without an answer."""
        return Collected(cause, barged_in=self.barged_in, attempt=self.collect.attempt)

    def record(self, collected: Collected, clock: int) -> TurnRecord:
        """The turn as the call's record has it."""
        answered = collected.mode is not None
        return TurnRecord(
            step=self.collect.step,
            prompts=shown(self.prompts),
            collected=collected,
            sensitive=self.collect.sensitive,
            prompt_end_ms=self.prompt_end_ms,
            speech_end_ms=self.last_input_at // SAMPLES_PER_MS if answered else None,
            decided_ms=clock // SAMPLES_PER_MS,
            ignored_keys=self.ignored_keys,
            endpointing=tuple(self.noted),
            word_ms=self._word_ms(collected),
        )

    def _word_ms(self, collected: Collected) -> tuple[tuple[int, int], ...]:
        """When each word of the answer was said; empty where that is not known."""
        if self.heard is None or self.utterance_from is None:
            return ()
        words, offset = self.heard.best.words, self.utterance_from // SAMPLES_PER_MS
        if len(words) != len(collected.words.split()):
            return ()  # some of it was keyed
        return tuple((offset + word.start_ms, offset + word.end_ms) for word in words)


def shown(prompts: tuple[Prompt, ...]) -> tuple[str, ...]:
    """The prompts' texts for the record, without the caller's numbers."""
    return tuple("(repeats the caller's number)" if p.personal else p.text for p in prompts)


def samples_of(seconds: float) -> int:
    """A time in samples of the stream, in whole milliseconds."""
    return int(seconds * 1000) * SAMPLES_PER_MS
