"""One call, from the caller's voice to the flow's next word.

Theory of operation, along the data path:

    frame -> G.711 -> VAD -> endpointer -> utterance
          -> recognizer -> grammar -> call flow -> prompt -> frame

A `Call` takes what happened (`receive` a provider event, `recognized` an utterance, `tick` of a
stalled stream) and returns what to do (`Action`s). It reads no clock: its time is the number of
samples received, so a recording of the wire replays to the same decisions whatever the chunking.
What came in for the question that is open, and what it amounts to, is a `Collection`
(`ivr.collection`); it goes through

    prompting --mark--> waiting --speech--> speaking --pause--> pausing --decision--> next turn
        |                  |                                       |
        +---- barge-in ----+------------ noinput timer             +-- speech resumes -> speaking

Over a prompt the caller is heard like after it, but the prompt goes on until the recogniser has
heard words in it that can begin an answer; the utterance began before them, so none is lost.

In a pause the utterance so far is recognised provisionally. A complete answer that cannot grow is
taken at once; one that can grow waits `complete_timeout_s`; an incomplete one waits
`incomplete_timeout_s`, so that a caller who pauses between groups is not cut off. A key ends the
utterance in progress and follows it in the answer; keys that come too early wait in `TypeAhead`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.actions import (
    Action,
    CallSettings,
    Clear,
    Hangup,
    LookUp,
    Recognize,
    TurnRecord,
)
from ivr.aside import Aside
from ivr.audio.g711 import mulaw_decode
from ivr.collection import SAMPLES_PER_MS, Collection, samples_of, shown
from ivr.ear import Ear
from ivr.endpointing.events import SpeechPaused, SpeechResumed, SpeechStarted, UtteranceEnded
from ivr.errand import Errand
from ivr.errors import StateError
from ivr.flow.machine import Collect, Dialogue, End, Prompt, Turn
from ivr.flow.request import Answer
from ivr.flow.schema import Flow
from ivr.playout import Playout
from ivr.providers import events as wire
from ivr.question import accepted_by
from ivr.recognition import (
    NOTHING_HEARD,
    Collected,
    CompletionCause,
    InputMode,
    Recognition,
)
from ivr.typeahead import BURST_S, Key, TypeAhead


class Call:
    """Composes flow, endpointer and grammar for one call.

    Args:
        flow: the call flow; a live call keeps the one it began with.
        settings: endpointing and time limits.

    State: `receive(StreamStarted)` begins the dialogue; after `Hangup` or `StreamStopped` every
    method returns no action. `turns`, `outcome` and `variables` are the record; `sensitive` names
        the variables whose values it must not hold.
    Latency: decisions fall on frame boundaries (20 ms).
    Invariant: actions do not depend on how the audio was cut into messages.
    """

    def __init__(self, flow: Flow, settings: CallSettings | None = None) -> None:
        self.settings = settings or CallSettings()
        self.turns: list[TurnRecord] = []
        self.outcome = "unfinished"
        self.variables: dict[str, str] = {}
        self._dialogue = Dialogue(flow)
        self.sensitive = self._dialogue.sensitive
        self._ear = Ear(self.settings.endpoint, inband_dtmf=self.settings.inband_dtmf)
        self._clock = 0
        self._utterances = 0
        self._collection: Collection | None = None
        self._playout = Playout(samples_of(self.settings.mark_timeout_s))
        self._type_ahead = TypeAhead(samples_of(BURST_S))
        self._questions = 0
        self._aside = Aside(self._ear, self._playout, self.turns)
        self._started = False
        self.ended = False

    @property
    def clock_ms(self) -> int:
        """Stream time: milliseconds of audio received and processed."""
        return self._clock // SAMPLES_PER_MS

    @property
    def question(self) -> str | None:
        """The step whose question is open; None between two, and at the end."""
        return self._collection.collect.step if self._collection is not None else None

    @property
    def state(self) -> str:
        """Where in the picture above the call is; or what it does where nothing is asked."""
        if self._collection is None:
            return self._aside.state
        if self._collection.listens and self._ear.in_speech:
            return "pausing" if self._collection.paused else "speaking"
        return "prompting" if self._collection.prompting else "waiting"

    @property
    def private(self) -> bool:
        """Whether a sensitive answer is being given, of which nothing may be recorded."""
        if self._collection is None:  # its last words may come while something is looked up
            looking = self._aside.errand is not None
            return looking and bool(self.turns) and self.turns[-1].sensitive
        return self._collection.collect.sensitive

    # -- what happened ------------------------------------------------------------------------

    def receive(self, event: wire.Event) -> list[Action]:  # noqa: PLR0911 - one a kind of event
        """Takes a provider event.

        Raises:
            StateError: a second StreamStarted; a dialect refuses it before they get here.
        """
        if self.ended:
            return []
        match event:
            case wire.StreamStarted():
                if self._started:
                    raise StateError("a call starts once")
                self._started = True
                return self._perform(self._dialogue.start())
            case wire.StreamStopped():
                return self._caller_left()
            case wire.MediaReceived(payload=payload):
                return self._hear(mulaw_decode(payload))
            case wire.DtmfReceived(digit=digit):
                return self._key(digit)
            case wire.MarkPlayed(name=name):
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
        if self.ended or collection is None:
            return []
        newest = collection.patience.answered(utterance_id, wall_ms)
        if collection.pending != utterance_id:
            # What was said before a key, perhaps.
            if collection.fill(utterance_id, recognition, self._clock):
                return self._weigh(collection, None)
            if newest and recognition is not None:
                collection.plan(recognition, self._clock)
            return []
        collection.pending = None
        if recognition is not None and collection.echoes(recognition):
            recognition = NOTHING_HEARD
        return self._recognized(collection, recognition, wall_ms)

    def _recognized(
        self, collection: Collection, recognition: Recognition | None, wall_ms: float
    ) -> list[Action]:
        """Takes the answer that counts."""
        ended = collection.ended
        unseen = collection.patience.take_unseen()
        actions: list[Action] = []
        if collection.prompting:
            # Only words stop a prompt, neither noise nor its own echo.
            if collection.accepts(recognition):
                actions += self._barge_in(collection)
            elif ended:
                return self._listen_on(collection)
            else:
                recognition = None
        if recognition is not None and collection.takes(recognition, self._clock):
            collection.heard = recognition
            actions += self._weigh(collection, wall_ms)
        elif ended:
            return self._decide(collection.unanswered(CompletionCause.ERROR))
        # Otherwise it was a guess: the next look, or the end of the utterance, asks again.
        decided = self._collection is not collection
        if unseen is None or ended or decided or collection.patience.sure:
            return actions
        return [*actions, *self._ask_recognizer(collection, unseen, provisional=True)]

    def looked_up(self, lookup_id: int, answer: Answer) -> list[Action]:
        """Takes what a lookup came to; a stale id is dropped.

        Args:
            lookup_id: as in the `LookUp` action.
            answer: found, missing or failed.
        """
        if self.ended or not self._aside.returned(lookup_id, str(answer), self._clock):
            return []
        return self._perform(self._dialogue.looked_up(answer))

    def transferred(self, transfer_id: int, failure: str = "") -> list[Action]:
        """Takes whether the caller was handed on; a stale id is dropped.

        Args:
            transfer_id: as in the `Transfer` action.
            failure: why not, a stable name; empty where it was done.
        """
        result = f"failed: {failure}" if failure else "transferred"
        if self.ended or not self._aside.returned(transfer_id, result, self._clock):
            return []
        return self._perform(self._dialogue.transferred(not failure))

    def message_taken(self, message_id: int, recording_id: str | None) -> list[Action]:
        """Takes where a message is kept; a stale id is dropped.

        Args:
            message_id: as in the `StopMessage` action.
            recording_id: None where nothing was said, or it could not be kept.
        """
        if self.ended or not self._aside.kept(message_id, recording_id, self._clock):
            return []
        return self._perform(self._dialogue.message_taken(recording_id))

    def tick(self, stalled_s: float) -> list[Action]:
        """Takes the shell's wall-clock watchdog: seconds since the last frame."""
        if self.ended or stalled_s < self.settings.stall_timeout_s:
            return []
        return self._hang_up("stalled")

    # -- hearing ------------------------------------------------------------------------------

    def _hear(self, samples: NDArray[np.int16]) -> list[Action]:
        actions: list[Action] = []
        for frame in self._ear.frames(samples):
            self._clock += frame.size
            keys, voice = self._ear.keys(frame)
            for key in keys:
                actions += self.receive(wire.DtmfReceived(key))
            if voice is not None and not self.ended:
                actions += self._hear_voice(voice)
            actions += self._check_timers()
            if self.ended:
                break
        return actions

    def _hear_voice(self, voice: NDArray[np.int16]) -> list[Action]:
        # Heard whether something was asked or not: the ear learns the line's noise meanwhile.
        events = self._ear.listen(voice)
        collection = self._collection
        if collection is None or not collection.listens:
            return []
        actions: list[Action] = []
        for event in events:
            collection.note(event.decision, event.at_sample, getattr(event, "start_sample", None))
            match event:
                case SpeechStarted():
                    collection.begins(self._clock)
                case SpeechResumed(onset_sample=onset):
                    collection.resumes(onset, self._clock)
                    self._expect_more(collection.collect)
                case SpeechPaused(speech_end_sample=end, samples=samples, short=short):
                    collection.last_input_at = end
                    if collection.looks(self._clock, samples, short):
                        actions += self._ask_recognizer(collection, samples, provisional=True)
                case UtteranceEnded(speech_end_sample=end, samples=samples, too_long=too_long):
                    collection.last_input_at = end
                    actions += self._utterance_ended(collection, samples, too_long)
        if self._ear.in_speech and collection.looks_in_passing(self._clock):
            samples = self._ear.so_far()
            actions += self._ask_recognizer(collection, samples, provisional=True)
            collection.pass_by()
        return actions

    def _utterance_ended(
        self, collection: Collection, samples: NDArray[np.int16], too_long: bool
    ) -> list[Action]:
        collection.ended, collection.too_long = True, too_long
        if too_long or collection.unheard:
            return self._ask_recognizer(collection, samples, provisional=False)
        # The pause was recognised already, and nothing was said since.
        return self._judge(collection, None) if collection.heard else []

    def _ask_recognizer(
        self, collection: Collection, samples: NDArray[np.int16], *, provisional: bool
    ) -> list[Action]:
        self._utterances += 1
        start = self._ear.start_sample
        collection.ask(self._utterances, self._clock, start, start + samples.size)
        grammar = collection.speech_grammar
        return [Recognize(self._utterances, samples, grammar, provisional)]

    def _weigh(self, collection: Collection, wall_ms: float | None) -> list[Action]:
        """Takes the answer now, or sets how long the caller may pause."""
        if collection.heard is None:
            return self._settle(collection)
        wait_s = None if collection.ended else collection.pause_s(collection.heard, self._clock)
        if wait_s is None:
            return self._judge(collection, wall_ms)
        self._ear.allow_more(wait_s)
        return []

    def _judge(self, collection: Collection, wall_ms: float | None) -> list[Action]:
        if collection.waits:
            return []  # for what was said before a key; it is weighed again then
        collected = collection.judge_speech(self._clock, wall_ms)
        return self._listen_on(collection) if collected is None else self._decide(collected)

    def _listen_on(self, collection: Collection) -> list[Action]:
        """A cough, a door: the endpointer heard something, the recogniser no word. Keep waiting.

        The caller may have begun to speak while this was recognised, so the endpointer goes on as
        it is. The noinput timer does too: noise must not keep a silent caller waiting for ever.
        """
        collection.listen_on()
        self._expect_more(collection.collect)
        return []

    # -- prompts ------------------------------------------------------------------------------

    def _perform(self, turn: Turn) -> list[Action]:
        """Says the turn's prompts and listens, or ends the call after them."""
        plays, mark = self._playout.play(turn.prompts, self._clock)
        if turn.end is not None:
            return [*plays, *self._finish(turn.end, turn.prompts, mark)]
        if turn.collect is None:
            return [*plays, *self._aside.begin(turn, mark, self._clock)]
        self._questions += 1
        grammar = accepted_by(turn.collect)
        collection = Collection(turn.collect, grammar, turn.prompts, mark, self._questions)
        self._collection = collection
        self._await_utterance(turn.collect)
        if mark is None:
            self._start_waiting(collection)
        return [*plays, *self._take_typed_ahead()]

    def _finish(self, end: End, prompts: tuple[Prompt, ...], mark: str | None) -> list[Action]:
        self.outcome, self.variables = end.outcome, dict(end.variables)
        self.turns.append(TurnRecord("end", shown(prompts), None, decided_ms=self.clock_ms))
        if mark is None:
            return self._hang_up(end.outcome)
        self._playout.goodbye = mark
        return []

    def _mark_played(self, name: str) -> list[Action]:
        if name == self._playout.goodbye:
            return self._hang_up(self.outcome)
        self._playout.played(name)
        if self._aside.busy:
            return self._aside.mark_played(name, self._clock)
        collection = self._collection
        if collection is not None and name == collection.last_mark and not collection.barged_in:
            collection.prompt_end_ms = self.clock_ms
            self._type_ahead.pause()
            self._start_waiting(collection)
            return self._take_typed_ahead()
        return []

    def _start_waiting(self, collection: Collection) -> None:
        if collection.prompting:
            self._playout.over()
            collection.time_silence(self._clock)

    def _barge_in(self, collection: Collection) -> list[Action]:
        if not collection.prompting:
            return []
        collection.barged_in = True
        self._start_waiting(collection)
        return [Clear()]

    def _await_utterance(self, collect: Collect) -> None:
        """Drops the utterance in progress, if any; what was learnt of the line's noise stays."""
        self._ear.close()
        self._expect_more(collect)
        self._ear.allow_speech(collect.max_speech_timeout_s)

    def _expect_more(self, collect: Collect) -> None:
        """Lets the caller pause as long as an incomplete answer may."""
        self._ear.allow_pause(collect.incomplete_timeout_s)

    # -- keys ---------------------------------------------------------------------------------

    def _key(self, digit: str) -> list[Action]:
        # During a lookup keys are for the question after it, as ahead of it as they were pressed.
        key = self._type_ahead.press(digit, self._questions, self._clock)
        if (collection := self._collection) is None:
            taking = self._aside.taking
            if taking is not None and taking.listens:
                return self._aside.stop_message(taking, self._clock)
            if self._aside.errand is not None:
                self._type_ahead.keep(key)
            return []
        if digit == collection.collect.term_char:
            self._type_ahead.terminate()
        return self._take_key(key)

    def _take_key(self, key: Key) -> list[Action]:
        if (collection := self._collection) is None:
            return []
        collect = collection.collect
        if not collect.dtmf or not collection.takes_ahead(key):
            collection.ignored_keys += 1  # not to answer a question that was not heard
            return []
        if collection.closed or (collection.prompting and not collect.barges_in(InputMode.DTMF)):
            self._type_ahead.keep(key)  # until a recognition comes, or the prompt was played
            return []
        speaking = collection.listens and self._ear.in_speech
        if not speaking and not collection.says(key.digit):
            # After a full number many callers press # out of habit: alone it says nothing.
            return []
        actions = self._barge_in(collection)
        actions += self._close_utterance(collection)
        collection.press(key.digit, self._clock)
        return actions + self._settle(collection)

    def _close_utterance(self, collection: Collection) -> list[Action]:
        """What is being said when a key comes is a part of the answer, before the key."""
        asked: list[Action] = []
        unheard = collection.listens and collection.unheard
        for event in self._ear.close():
            collection.note(event.decision, event.at_sample, getattr(event, "start_sample", None))
            if unheard and isinstance(event, UtteranceEnded):
                asked += self._ask_recognizer(collection, event.samples, provisional=False)
        collection.close_speech()
        self._await_utterance(collection.collect)
        return asked

    def _settle(self, collection: Collection) -> list[Action]:
        """Decides, once nothing can be added and all that was said is recognised."""
        if not collection.closed or collection.waits:
            return []
        return self._decide(collection.judge_slot(self._clock))

    def _take_typed_ahead(self) -> list[Action]:
        """Takes the keys that waited; those whose time has not come yet wait on."""
        return [action for key in self._type_ahead.take() for action in self._take_key(key)]

    # -- time and ends ------------------------------------------------------------------------

    def _check_timers(self) -> list[Action]:
        collection = self._collection
        if self._playout.is_lost(self._clock):
            return self._prompts_over()
        if self._aside.busy:
            return self._time_aside()
        if collection is None or (collection.collect.speech and self._ear.in_speech):
            return []
        if collection.silent_too_long(self._clock):
            return self._decide(collection.unanswered(CompletionCause.NO_INPUT_TIMEOUT))
        collection.end_keys(self._clock)
        return self._settle(collection)

    def _prompts_over(self) -> list[Action]:
        """The last mark should have come: what it would have told is taken as told."""
        if self._playout.goodbye is not None:
            return self._hang_up(self.outcome)
        if self._aside.busy:
            return self._aside.prompts_over(self._clock)
        if (collection := self._collection) is None:
            return []
        self._start_waiting(collection)
        return self._take_typed_ahead()

    def _time_aside(self) -> list[Action]:
        """What is late has failed, and a message ends."""
        if actions := self._aside.hear(self._clock):
            return actions
        taking, errand = self._aside.taking, self._aside.errand
        if taking is not None and taking.deadline is not None and self._clock >= taking.deadline:
            return self.message_taken(taking.number, None)
        if errand is not None and errand.is_late(self._clock):
            return self._give_up_on(errand)
        return []

    def _decide(self, collected: Collected) -> list[Action]:
        collection = self._collection
        if collection is None:
            raise StateError("decided without a question")
        self._collection = None
        self.turns.append(collection.record(collected, self._clock))
        if collected.cause is CompletionCause.HANGUP:
            return []
        return self._perform(self._dialogue.collected(collected))

    def _caller_left(self) -> list[Action]:
        self._aside.abandon(self._clock)
        if self._collection is not None:
            self._decide(self._collection.unanswered(CompletionCause.HANGUP))
        if self._playout.goodbye is None:
            self.outcome = "hangup"
            self.variables = self._dialogue.variables
        self.ended = True
        return []

    def _give_up_on(self, errand: Errand) -> list[Action]:
        if isinstance(errand.action, LookUp):
            return self.looked_up(errand.number, Answer.failed("no_answer"))
        return self.transferred(errand.number, "no_answer")

    def _hang_up(self, reason: str) -> list[Action]:
        over = self._collection is None and not self._aside.busy
        self._aside.abandon(self._clock)
        if self._collection is not None:
            collected = Collected(CompletionCause.ERROR)
            self.turns.append(self._collection.record(collected, self._clock))
            self._collection = None
        if not over:
            self.outcome = reason
            self.variables = self._dialogue.variables
        self.ended = True
        return [Hangup(reason)]
