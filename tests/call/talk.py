"""A caller, a provider and a recogniser around one `Call`, all in stream time.

The caller speaks synthetic digits: a burst of voice between two hisses. The recogniser counts the
bursts that it is given, so what it "hears" depends on the samples that the call has cut out: a word
lost, doubled or taken from the wrong place shows in the answer. Nothing here reads a clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ivr.actions import Action, CallSettings, Clear, Hangup, Play, Recognize
from ivr.audio.g711 import mulaw_encode
from ivr.call import Call
from ivr.flow.schema import Flow, parse_flow
from ivr.providers.events import (
    DtmfReceived,
    Event,
    MarkPlayed,
    MediaReceived,
    StreamStarted,
    StreamStopped,
)
from ivr.recognition import CompletionCause, Hypothesis, Recognition, Word
from tests.endpointing.speech import digit, line, silence, vowel

Samples = NDArray[np.int16]
Recognizer = Callable[[Recognize], Recognition | None]

NUMBER = ["four", "one", "five", "five", "zero", "zero", "one", "two"]
STARTED = StreamStarted("CA1", "MZ1", {})
GAP_MS = 80  # between the digits of a group


def make_flow(
    grammar: str = "builtin:digits?length=4",
    *,
    confirm: bool = False,
    greeting: bool = False,
    attempts: int = 3,
    goodbye: bool = True,
    sensitive: bool = False,
    max_turns: int = 50,
    **listening: object,
) -> Flow:
    """A flow of one question, or two with its confirmation.

    Args:
        grammar: of the question.
        confirm: ask whether it was right.
        greeting: two prompts before the question.
        attempts: failures until it gives up.
        goodbye: whether the ends say something.
        sensitive: of the question.
        max_turns: of the flow.
        listening: keys of ``defaults``.
    """
    ask = {
        "capture": "number",
        "grammar": grammar,
        "prompt": "Number?",
        "no_input": ["Silent."],
        "no_match": ["Pardon?"],
        "rejected": ["Again?"],
        "sensitive": sensitive,
        "next": "sure" if confirm else "done",
    }
    steps: dict[str, object] = {"ask": ask}
    if greeting:
        steps["hello"] = {"say": "Hello.", "next": "news"}
        steps["news"] = {"say": "News.", "next": "ask"}
    if confirm:
        steps["sure"] = {"confirm": "number", "prompt": "Is {number:digits} right?", "yes": "done"}
    ends = {"done": ("completed", "Thanks."), "bye": ("gave_up", "Goodbye.")}
    for name, (outcome, words) in ends.items():
        steps[name] = {"end": outcome, "say": words} if goodbye else {"end": outcome}
    flow = {
        "flow": "test",
        "start": "hello" if greeting else "ask",
        "max_turns": max_turns,
        # Not the default, so that these calls stay as they are when it is tuned.
        "defaults": {
            "attempts": attempts,
            "on_failure": "bye",
            "incomplete_timeout_s": 1.5,
            **listening,
        },
        "steps": steps,
    }
    return parse_flow(json.dumps(flow))  # JSON is YAML


def heard(*hypotheses: str, confidence: float = 0.95) -> Recognition:
    """A recognition of these words, best first, each e times less likely than the one before."""
    listed = tuple(
        Hypothesis(tuple(Word(word, 0, 0, confidence) for word in text.split()), -float(rank))
        for rank, text in enumerate(hypotheses)
    )
    return Recognition(listed, confidence, audio_ms=1000)


def find_bursts(samples: Samples) -> list[tuple[int, int]]:
    """Begin and end in ms of each voiced burst: runs of 60 ms or more over -32 dBFS."""
    frames = samples[: samples.shape[0] // 80 * 80].reshape(-1, 80).astype(np.float64)
    loud = np.sqrt((frames**2).mean(axis=1)) > 32768 * 10 ** (-32 / 20)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False])))) * 10
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(begin, end) for begin, end in runs if end - begin >= 60]


def count_bursts(samples: Samples) -> int:
    """How many voiced bursts there are."""
    return len(find_bursts(samples))


def count_digits(request: Recognize) -> Recognition:
    """The recogniser: one burst is the first digit of NUMBER, ...; one is yes and two are no."""
    bursts = find_bursts(request.samples)
    if request.grammar.startswith("builtin:boolean"):
        return heard({0: "", 1: "yes", 2: "no"}.get(len(bursts), "<other>"))
    # As with CTC, a word is a moment, early in what is said.
    words = (
        Word(word, begin, begin + 40, 0.95)
        for word, (begin, _) in zip(NUMBER, bursts, strict=False)
    )
    return Recognition((Hypothesis(tuple(words), 0.0),), 0.95, audio_ms=1000)


@lru_cache(maxsize=64)
def spoken(digits: int) -> Samples:
    """So many digits in one go, 540 ms each; the last hiss is the end of speech."""
    return line(*[part for _ in range(digits) for part in (digit(), silence(GAP_MS))])


@lru_cache(maxsize=64)
def quiet(ms: int) -> Samples:
    """The line without speech."""
    return line(silence(ms))


@lru_cache(maxsize=8)
def hum(ms: int) -> Samples:
    """A voice that says nothing: too soft for the recogniser, loud enough for the endpointer."""
    return line(vowel(ms, dbfs=-38.0))


class Talk:
    """One call from the provider's side.

    Args:
        flow: of the call.
        recognizer: answers each `Recognize` that has not been taken by `hold`; None is a failure.
        delay_ms: stream time until it answers.
        settings: of the call.

    Attributes:
        actions: everything the call has done.
        requests: what it asked the recogniser.
    """

    def __init__(
        self,
        flow: Flow | None = None,
        *,
        recognizer: Recognizer = count_digits,
        delay_ms: int = 60,
        settings: CallSettings | None = None,
    ) -> None:
        self.flow = flow or make_flow()
        self.call = Call(self.flow, settings)
        self.recognizer = recognizer
        self.delay_ms = delay_ms
        self.wall_ms = 50.0  # what the shell says that it took
        self.holds = False
        self.actions: list[Action] = []
        self.requests: list[Recognize] = []
        self.sent_ms = 0.0
        self._unplayed: list[str] = []
        self._answers_due: list[tuple[float, Recognize]] = []

    # -- the wire -------------------------------------------------------------------------------

    def give(self, event: Event) -> list[Action]:
        """One event of the provider; what the call does is noted."""
        return self._note(self.call.receive(event))

    def start(self) -> Talk:
        """The stream begins; a second of line so that its noise is known."""
        self.give(STARTED)
        return self.hear(quiet(1000))

    def hear(self, samples: Samples, chunk: int = 160) -> Talk:
        """The caller's audio; the recogniser answers when its time has come."""
        for at in range(0, samples.shape[0], chunk):
            piece = samples[at : at + chunk]
            self.sent_ms += piece.shape[0] / 8
            self.give(MediaReceived(mulaw_encode(piece)))
            self._answer_due()
        return self

    def say(self, digits: int = 4) -> Talk:
        """The caller speaks so many digits."""
        return self.hear(spoken(digits))

    def wait(self, ms: int) -> Talk:
        """The caller is silent."""
        return self.hear(quiet(ms))

    def press(self, keys: str, gap_ms: int = 100) -> Talk:
        """The caller presses keys."""
        for key in keys:
            self.give(DtmfReceived(key))
            self.wait(gap_ms)
        return self

    def played(self) -> Talk:
        """The provider has played all that it was sent, and says so mark by mark."""
        return self.mark(*self._unplayed)

    def mark(self, *names: str) -> Talk:
        """The provider returns these marks."""
        for name in names:
            if name in self._unplayed:
                self._unplayed.remove(name)
            self.give(MarkPlayed(name))
        return self

    def hang_up(self) -> Talk:
        """The caller hangs up."""
        self.give(StreamStopped())
        return self

    # -- the recogniser -------------------------------------------------------------------------

    def answer(self, request: Recognize, recognition: Recognition | None) -> list[Action]:
        """The recogniser's answer, whenever the test likes."""
        self._answers_due = [due for due in self._answers_due if due[1] is not request]
        return self._note(self.call.recognized(request.utterance_id, recognition, self.wall_ms))

    def _answer_due(self) -> None:
        for due_ms, request in list(self._answers_due):
            if due_ms <= self.sent_ms and not self.holds:
                self.answer(request, self.recognizer(request))

    def _note(self, actions: list[Action]) -> list[Action]:
        self.actions += actions
        for action in actions:
            if isinstance(action, Play):
                self._unplayed.append(action.mark)
            elif isinstance(action, Recognize):
                self.requests.append(action)
                self._answers_due.append((self.sent_ms + self.delay_ms, action))
        return actions

    # -- what happened --------------------------------------------------------------------------

    @property
    def unplayed(self) -> list[str]:
        """The marks that the provider still owes."""
        return list(self._unplayed)

    @property
    def said(self) -> list[str]:
        """The texts of the prompts."""
        return [action.prompt.text for action in self.actions if isinstance(action, Play)]

    @property
    def clears(self) -> int:
        """How often the prompt was stopped."""
        return sum(isinstance(action, Clear) for action in self.actions)

    @property
    def hangups(self) -> list[str]:
        """The reasons of the hang-ups; never more than one."""
        return [action.reason for action in self.actions if isinstance(action, Hangup)]

    @property
    def causes(self) -> list[CompletionCause]:
        """How the collections ended."""
        return [turn.collected.cause for turn in self.call.turns if turn.collected]

    @property
    def values(self) -> list[str | None]:
        """What they brought."""
        return [turn.collected.value for turn in self.call.turns if turn.collected]


def shape(actions: Iterable[Action]) -> list[tuple[object, ...]]:
    """Actions as something that compares, samples included."""
    return [
        (action.utterance_id, action.samples.tobytes(), action.grammar, action.provisional)
        if isinstance(action, Recognize)
        else (action,)
        for action in actions
    ]
