"""A question that is being answered: what came in so far, and what it amounts to.

Theory of operation: a call (`ivr.call`) opens a `Collection` with each question and tells it what
it hears, each key, each recognition, with the stream position; the collection weighs them by the
question's grammar and limits, and the call acts on what it says. Nothing is performed here.

Speech and keys do not mix: a key makes the words so far worthless, and from then on speech is no
answer. A spoken answer that nobody is sure of is a nomatch, one without words is nobody's answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ivr.actions import TurnRecord
from ivr.errors import StateError
from ivr.flow.machine import Collect, Prompt
from ivr.grammar.grammar import Grammar
from ivr.grammar.interpret import interpret, progress
from ivr.recognition import Collected, CompletionCause, InputMode, Recognition

SAMPLES_PER_MS: Final = 8
MAX_KEYS: Final = 128  # longer than any answer; a stuck key or a hostile peer must not fill memory


@dataclass(repr=False)  # it would hold the caller's number
class Collection:
    """One question and its answer so far; positions are samples of stream time.

    Attributes:
        collect: what the flow asked for, and how to listen.
        grammar: of the answer.
        prompts: that asked.
        last_mark: of the last prompt; None if there was none to play.
        keys: pressed so far.
        barged_in: the caller has stopped the prompt.
        prompt_end_ms: when the prompt had been played; None if that is not known.
        noinput_at: when a silent caller has been silent for too long; None while the prompt plays.
        key_deadline: when the keys end without another one.
        last_input_at: end of the last speech, or the last key.
        pending: the recognition that counts, if one is under way.
        requested_at: when it was asked for.
        heard: the recognition that counts, once it is there.
        ended: the endpointer has closed the utterance.
        too_long: it was closed for its length.
    """

    collect: Collect
    grammar: Grammar
    prompts: tuple[Prompt, ...]
    last_mark: str | None
    keys: str = ""
    barged_in: bool = False
    prompt_end_ms: int | None = None
    noinput_at: int | None = None
    key_deadline: int | None = None
    last_input_at: int = 0
    pending: int | None = None
    requested_at: int = 0
    heard: Recognition | None = None
    ended: bool = False
    too_long: bool = False

    # -- speech -------------------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """Whether speech is an answer now: not among keys, nor over a prompt that forbids it."""
        if self.keys or self.ended or not self.collect.speech:
            return False
        return self.noinput_at is not None or self.collect.bargein

    def ask(self, utterance_id: int, clock: int) -> None:
        """From now on this recognition counts and no other."""
        self.pending, self.heard = utterance_id, None
        self.requested_at = clock

    def forget_speech(self) -> None:
        """What was recognised, or is being, is worthless: the caller went on."""
        self.pending = self.heard = None

    def wait_s(self, heard: Recognition) -> float | None:
        """How long the pause after these words may be; None where the answer can be taken now."""
        answer = interpret(self.grammar, heard)
        if answer is None or answer.confidence < self.collect.confidence_level:
            return self.collect.incomplete_timeout_s
        state = progress(self.grammar, tuple(word.text for word in heard.best.words))
        if state.complete and not state.can_grow:
            return None
        return self.collect.complete_timeout_s

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
        answer = interpret(self.grammar, heard)
        cause, value, confidence = CompletionCause.NO_MATCH, None, heard.confidence
        if self.too_long:
            cause = CompletionCause.TOO_MUCH_SPEECH
        elif answer is not None and answer.confidence >= self.collect.confidence_level:
            cause, value, confidence = CompletionCause.SUCCESS, answer.value, answer.confidence
        words, mode = heard.best.text, InputMode.SPEECH
        return Collected(cause, value, words, confidence, mode, self.barged_in, latency_ms)

    def listen_on(self) -> None:
        """Opens the question again after a noise; the noinput timer runs on."""
        self.ended = False
        self.forget_speech()

    # -- keys ---------------------------------------------------------------------------------

    def press(self, digit: str, clock: int) -> bool:
        """Takes a key.

        Returns:
            Whether the keys are complete and no other can follow.
        """
        self.forget_speech()
        self.keys = (self.keys + digit)[:MAX_KEYS]
        self.last_input_at = clock
        wait = int(self.collect.inter_digit_timeout_s * 1000) * SAMPLES_PER_MS
        self.key_deadline = clock + wait
        return self.grammar.keys_complete(self.keys) and not self.grammar.keys_can_grow(self.keys)

    def judge_keys(self, clock: int) -> Collected:
        """Decides on the keys: a match or a nomatch."""
        value = self.grammar.interpret_keys(self.keys)
        latency_ms = (clock - self.last_input_at) / SAMPLES_PER_MS
        cause = CompletionCause.NO_MATCH if value is None else CompletionCause.SUCCESS
        confidence = 0.0 if value is None else 1.0
        mode = InputMode.DTMF
        return Collected(cause, value, self.keys, confidence, mode, self.barged_in, latency_ms)

    # -- the end ------------------------------------------------------------------------------

    def unanswered(self, cause: CompletionCause) -> Collected:
        """The end of the question without an answer."""
        return Collected(cause, barged_in=self.barged_in)

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
        )


def shown(prompts: tuple[Prompt, ...]) -> tuple[str, ...]:
    """The prompts' texts for the record, without the caller's numbers."""
    return tuple("(repeats the caller's number)" if p.personal else p.text for p in prompts)
