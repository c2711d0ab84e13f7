"""One call, from the caller's voice to the flow's next word.

Theory of operation, along the data path:

    frame -> G.711 -> VAD -> endpointer -> utterance
          -> recognizer -> grammar -> call flow -> prompt -> frame

A `Call` takes what happened (`receive` a provider event, `recognized` an utterance, `tick` of a
stalled stream) and returns what to do (`Action`s). It reads no clock: its time is the number of
samples received, so a recording of the wire replays to the same decisions whatever the chunking. A
collection goes through

    prompting --mark--> waiting --speech--> speaking --pause--> pausing --decision--> next turn
        |                  |                                       |
        +---- barge-in ----+------------ noinput timer             +-- speech resumes -> speaking

In a pause the utterance so far is recognised provisionally. A complete answer that cannot grow is
taken at once; one that can grow waits `complete_timeout_s`; an incomplete one waits
`incomplete_timeout_s`, so that a caller who pauses between groups is not cut off. Keys go by the
rules of VoiceXML 2.x appendix D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ivr.actions import (
    Action,
    CallSettings,
    Clear,
    Hangup,
    Play,
    Recognize,
    TurnRecord,
)
from ivr.audio.g711 import mulaw_decode
from ivr.endpointing.endpointer import (
    Endpointer,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    UtteranceEnded,
)
from ivr.errors import StateError
from ivr.flow.machine import Collect, Dialogue, End, Prompt, Turn
from ivr.flow.schema import Flow
from ivr.grammar.grammar import Grammar, parse_grammar
from ivr.grammar.interpret import interpret, progress
from ivr.providers.events import (
    DtmfReceived,
    Event,
    MarkPlayed,
    MediaReceived,
    StreamStarted,
    StreamStopped,
)
from ivr.recognition import Collected, CompletionCause, InputMode, Recognition

FRAME_SAMPLES = 160  # 20 ms at 8 kHz
SAMPLES_PER_MS = 8
MAX_KEYS = 128  # longer than any answer; a stuck key or a hostile peer must not fill the memory


@dataclass
class _Collection:
    """A question that is being answered."""

    collect: Collect
    grammar: Grammar
    prompts: tuple[Prompt, ...]
    last_mark: str | None
    keys: str = ""
    barged_in: bool = False
    prompt_end_ms: int | None = None
    noinput_at: int | None = None  # stream positions in samples
    key_deadline: int | None = None
    last_input_at: int = 0
    pending: int | None = None  # the recognition that counts, if one is under way
    requested_at: int = 0
    heard: Recognition | None = None
    ended: bool = False  # the endpointer has closed the utterance
    too_long: bool = False


class Call:
    """Composes flow, endpointer and grammar for one call.

    Args:
        flow: the call flow; a live call keeps the one it began with.
        settings: endpointing and time limits.

    State: `receive(StreamStarted)` begins the dialogue; after `Hangup` or `StreamStopped` every
    method returns no action. `turns`, `outcome` and `variables` are the record.
    Latency: decisions fall on frame boundaries (20 ms).
    Invariant: actions do not depend on how the audio was cut into messages.
    """

    def __init__(self, flow: Flow, settings: CallSettings | None = None) -> None:
        self.settings = settings or CallSettings()
        self.turns: list[TurnRecord] = []
        self.outcome = "unfinished"
        self.variables: dict[str, str] = {}
        self._dialogue = Dialogue(flow)
        self._endpointer = Endpointer(self.settings.endpoint)
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._clock = 0
        self._utterances = 0
        self._marks = 0
        self._collection: _Collection | None = None
        self._final_mark: str | None = None
        self._mark_deadline: int | None = None
        self._typed_ahead = ""
        self._started = False
        self.ended = False

    @property
    def clock_ms(self) -> int:
        """Stream time: milliseconds of audio received and processed."""
        return self._clock // SAMPLES_PER_MS

    # -- what happened ------------------------------------------------------------------------

    def receive(self, event: Event) -> list[Action]:  # noqa: PLR0911 - one a kind of event
        """Takes a provider event.

        Raises:
            StateError: a second StreamStarted; a dialect refuses it before they get here.
        """
        if self.ended:
            return []
        match event:
            case StreamStarted():
                if self._started:
                    raise StateError("a call starts once")
                self._started = True
                return self._perform(self._dialogue.start())
            case StreamStopped():
                return self._caller_left()
            case MediaReceived(payload=payload):
                return self._hear(mulaw_decode(payload))
            case DtmfReceived(digit=digit):
                return self._key(digit)
            case MarkPlayed(name=name):
                return self._mark_played(name)
        return []

    def recognized(
        self, utterance_id: int, recognition: Recognition | None, wall_ms: float
    ) -> list[Action]:
        """Takes the recogniser's answer; None says that it failed. A stale id is dropped.

        Args:
            utterance_id: as in the `Recognize` action.
            recognition: what was heard.
            wall_ms: time from the action to this answer, for the record.
        """
        collection = self._collection
        if self.ended or collection is None or collection.pending != utterance_id:
            return []
        collection.pending = None
        if recognition is None:
            if not collection.ended:
                # Only a guess in a pause: the caller may be between two groups of digits. The end
                # of the utterance asks again.
                return []
            return self._decide(Collected(CompletionCause.ERROR, barged_in=collection.barged_in))
        collection.heard = recognition
        if collection.ended:
            return self._judge(wall_ms)
        answer = interpret(collection.grammar, recognition)
        words = tuple(word.text for word in recognition.best.words)
        state = progress(collection.grammar, words)
        level = collection.collect.confidence_level
        if answer and answer.confidence >= level and state.complete and not state.can_grow:
            return self._judge(wall_ms)
        wait_s = collection.collect.incomplete_timeout_s
        if answer and answer.confidence >= level:
            wait_s = collection.collect.complete_timeout_s
        self._endpointer.set_end_silence_ms(_whole_ms(wait_s))
        return []

    def tick(self, stalled_s: float) -> list[Action]:
        """Takes the shell's wall-clock watchdog: seconds since the last frame."""
        if self.ended or stalled_s < self.settings.stall_timeout_s:
            return []
        return self._hang_up("stalled")

    # -- hearing ------------------------------------------------------------------------------

    def _hear(self, samples: NDArray[np.int16]) -> list[Action]:
        self._rest = np.concatenate([self._rest, samples]) if self._rest.size else samples
        actions: list[Action] = []
        while self._rest.size >= FRAME_SAMPLES and not self.ended:
            frame, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            self._clock += FRAME_SAMPLES
            actions += self._hear_frame(frame)
            actions += self._check_timers()
        return actions

    def _hear_frame(self, frame: NDArray[np.int16]) -> list[Action]:
        # The endpointer hears every frame, asked or not: it learns the line's noise meanwhile.
        events = self._endpointer.feed(frame)
        collection = self._collection
        if collection is None or not self._listens(collection):
            return []
        actions: list[Action] = []
        for event in events:
            match event:
                case SpeechStarted():
                    actions += self._barge_in(collection)
                case SpeechResumed():
                    collection.pending = collection.heard = None
                    # What was complete is no longer known to be.
                    self._expect_more(collection.collect)
                case SpeechPaused(speech_end_sample=end, samples=samples):
                    collection.last_input_at = end
                    actions += self._ask_recognizer(collection, samples, provisional=True)
                case UtteranceEnded(speech_end_sample=end, samples=samples, too_long=too_long):
                    collection.last_input_at = end
                    actions += self._utterance_ended(collection, samples, too_long)
        return actions

    @staticmethod
    def _listens(collection: _Collection) -> bool:
        """Whether speech is an answer now: not among keys, nor over a prompt that forbids it."""
        if collection.keys or collection.ended or not collection.collect.speech:
            return False
        return collection.noinput_at is not None or collection.collect.bargein

    def _utterance_ended(
        self, collection: _Collection, samples: NDArray[np.int16], too_long: bool
    ) -> list[Action]:
        collection.ended, collection.too_long = True, too_long
        if too_long or (collection.heard is None and collection.pending is None):
            return self._ask_recognizer(collection, samples, provisional=False)
        # The pause was recognised already, and nothing was said since.
        return self._judge(None) if collection.heard else []

    def _ask_recognizer(
        self, collection: _Collection, samples: NDArray[np.int16], *, provisional: bool
    ) -> list[Action]:
        self._utterances += 1
        collection.pending, collection.heard = self._utterances, None
        collection.requested_at = self._clock
        grammar = collection.collect.grammar
        return [Recognize(self._utterances, samples, grammar, provisional)]

    def _judge(self, wall_ms: float | None) -> list[Action]:
        """Decides on what was heard: a match, a nomatch, or a noise that was nobody's answer."""
        collection = self._collection
        if collection is None or collection.heard is None:
            raise StateError("judged without a recognition")
        heard = collection.heard
        if not heard.best.words and not collection.too_long:
            return self._listen_on(collection)
        decided_at = self._clock
        if wall_ms is not None:
            decided_at = collection.requested_at + int(wall_ms * SAMPLES_PER_MS)
        latency_ms = max(0, decided_at - collection.last_input_at) / SAMPLES_PER_MS
        answer = interpret(collection.grammar, heard)
        level = collection.collect.confidence_level
        cause, value, confidence = CompletionCause.NO_MATCH, None, heard.confidence
        if collection.too_long:
            cause = CompletionCause.TOO_MUCH_SPEECH
        elif answer is not None and answer.confidence >= level:
            cause, value, confidence = CompletionCause.SUCCESS, answer.value, answer.confidence
        return self._decide(
            Collected(
                cause,
                value,
                heard.best.text,
                confidence,
                InputMode.SPEECH,
                collection.barged_in,
                latency_ms,
            )
        )

    def _listen_on(self, collection: _Collection) -> list[Action]:
        """A cough, a door: the endpointer heard something, the recogniser no word. Keep waiting.

        The caller may have begun to speak while this was recognised, so the endpointer goes on as
        it is. The noinput timer does too: noise must not keep a silent caller waiting for ever.
        """
        collection.ended, collection.heard, collection.pending = False, None, None
        self._expect_more(collection.collect)
        return []

    # -- prompts ------------------------------------------------------------------------------

    def _perform(self, turn: Turn) -> list[Action]:
        """Says the turn's prompts and listens, or ends the call after them."""
        actions: list[Action] = []
        mark: str | None = None
        for prompt in turn.prompts:
            self._marks += 1
            mark = f"p{self._marks}"
            actions.append(Play(prompt, mark))
        if mark is not None:
            timeout = int(self.settings.mark_timeout_s * 1000) * SAMPLES_PER_MS
            self._mark_deadline = self._clock + timeout
        if turn.end is not None:
            return actions + self._finish(turn.end, turn.prompts, mark)
        if turn.collect is None:
            raise StateError("a turn collects or ends")
        grammar = parse_grammar(turn.collect.grammar)
        self._collection = _Collection(turn.collect, grammar, turn.prompts, mark)
        self._await_utterance(turn.collect)
        if mark is None:
            self._start_waiting(self._collection)
        return actions

    def _finish(self, end: End, prompts: tuple[Prompt, ...], mark: str | None) -> list[Action]:
        self.outcome, self.variables = end.outcome, dict(end.variables)
        self.turns.append(TurnRecord("end", _shown(prompts), None, decided_ms=self.clock_ms))
        if mark is None:
            return self._hang_up(end.outcome)
        self._final_mark = mark
        return []

    def _mark_played(self, name: str) -> list[Action]:
        if name == self._final_mark:
            return self._hang_up(self.outcome)
        collection = self._collection
        if collection is not None and name == collection.last_mark and not collection.barged_in:
            collection.prompt_end_ms = self.clock_ms
            self._start_waiting(collection)
            return self._take_typed_ahead()
        return []

    def _start_waiting(self, collection: _Collection) -> None:
        if collection.noinput_at is None:
            self._mark_deadline = None
            no_input = int(collection.collect.no_input_timeout_s * 1000) * SAMPLES_PER_MS
            collection.noinput_at = self._clock + no_input

    def _barge_in(self, collection: _Collection) -> list[Action]:
        if collection.noinput_at is not None or not collection.collect.bargein:
            return []
        collection.barged_in = True
        self._start_waiting(collection)
        return [Clear()]

    def _await_utterance(self, collect: Collect) -> None:
        """Drops the utterance in progress, if any; what was learnt of the line's noise stays."""
        self._endpointer.finish()
        self._expect_more(collect)
        self._endpointer.set_max_speech_ms(_whole_ms(collect.max_speech_timeout_s))

    def _expect_more(self, collect: Collect) -> None:
        """Lets the caller pause as long as an incomplete answer may."""
        self._endpointer.set_end_silence_ms(_whole_ms(collect.incomplete_timeout_s))

    # -- keys ---------------------------------------------------------------------------------

    def _key(self, digit: str) -> list[Action]:
        collection = self._collection
        if collection is None or not collection.collect.dtmf:
            # Not kept for later: it must not answer a question that the caller has not heard.
            return []
        collect = collection.collect
        if collection.noinput_at is None and not collect.bargein:
            # This prompt may not be interrupted: the key waits for its end.
            self._typed_ahead = (self._typed_ahead + digit)[:MAX_KEYS]
            return []
        if digit == collect.term_char:
            # After a full number many callers press # out of habit: alone it says nothing.
            return self._judge_keys(collection) if collection.keys else []
        actions = self._barge_in(collection)
        collection.keys = (collection.keys + digit)[:MAX_KEYS]
        collection.pending = collection.heard = None
        collection.last_input_at = self._clock
        grammar, keys = collection.grammar, collection.keys
        if grammar.keys_complete(keys) and not grammar.keys_can_grow(keys):
            return actions + self._judge_keys(collection)
        wait = int(collect.inter_digit_timeout_s * 1000) * SAMPLES_PER_MS
        collection.key_deadline = self._clock + wait
        return actions

    def _take_typed_ahead(self) -> list[Action]:
        """Takes the keys that were pressed during a prompt that may not be interrupted."""
        keys, self._typed_ahead = self._typed_ahead, ""
        actions: list[Action] = []
        for digit in keys:
            actions += self._key(digit)
        return actions

    def _judge_keys(self, collection: _Collection) -> list[Action]:
        value = collection.grammar.interpret_keys(collection.keys)
        latency_ms = (self._clock - collection.last_input_at) / SAMPLES_PER_MS
        cause = CompletionCause.NO_MATCH if value is None else CompletionCause.SUCCESS
        confidence = 0.0 if value is None else 1.0
        keys, mode = collection.keys, InputMode.DTMF
        barged_in = collection.barged_in
        return self._decide(Collected(cause, value, keys, confidence, mode, barged_in, latency_ms))

    # -- time and ends ------------------------------------------------------------------------

    def _check_timers(self) -> list[Action]:
        collection = self._collection
        if self._mark_deadline is not None and self._clock >= self._mark_deadline:
            self._mark_deadline = None
            if self._final_mark is not None:
                return self._hang_up(self.outcome)
            if collection is not None:
                self._start_waiting(collection)
                return self._take_typed_ahead()
        if collection is None:
            return []
        if collection.key_deadline is not None:
            return self._judge_keys(collection) if self._clock >= collection.key_deadline else []
        due = collection.noinput_at is not None and self._clock >= collection.noinput_at
        speaking = collection.collect.speech and self._endpointer.in_speech
        if not due or speaking or collection.pending is not None:
            return []
        cause = CompletionCause.NO_INPUT_TIMEOUT
        return self._decide(Collected(cause, barged_in=collection.barged_in))

    def _decide(self, collected: Collected) -> list[Action]:
        collection = self._collection
        if collection is None:
            raise StateError("decided without a question")
        self._collection = None
        self._record(collection, collected)
        if collected.cause is CompletionCause.HANGUP:
            return []
        return self._perform(self._dialogue.collected(collected))

    def _record(self, collection: _Collection, collected: Collected) -> None:
        answered = collected.mode is not None
        self.turns.append(
            TurnRecord(
                step=collection.collect.step,
                prompts=_shown(collection.prompts),
                collected=collected,
                sensitive=collection.collect.sensitive,
                prompt_end_ms=collection.prompt_end_ms,
                speech_end_ms=collection.last_input_at // SAMPLES_PER_MS if answered else None,
                decided_ms=self.clock_ms,
            )
        )

    def _caller_left(self) -> list[Action]:
        if self._collection is not None:
            self._decide(Collected(CompletionCause.HANGUP, barged_in=self._collection.barged_in))
        if self._final_mark is None:
            self.outcome = "hangup"
            self.variables = self._dialogue.variables
        self.ended = True
        return []

    def _hang_up(self, reason: str) -> list[Action]:
        if self._collection is not None:
            self._record(self._collection, Collected(CompletionCause.ERROR))
            self._collection = None
            self.outcome = reason
            self.variables = self._dialogue.variables
        self.ended = True
        return [Hangup(reason)]


def _whole_ms(seconds: float) -> int:
    """Milliseconds for the endpointer, which counts in frames: 0 s means with the next one."""
    return max(FRAME_SAMPLES // SAMPLES_PER_MS, int(seconds * 1000))


def _shown(prompts: tuple[Prompt, ...]) -> tuple[str, ...]:
    return tuple("(repeats the caller's number)" if p.personal else p.text for p in prompts)
