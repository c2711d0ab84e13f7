"""A recorded answer through a whole call in stream time, for `ivr bench --endpointing`.

Theory of operation: the caller of a `Call` whose flow asks one question is a recording. It comes
frame by frame; the recogniser hears what the call asks it to hear, and its answer is delivered when
its time is over, counted in samples received like everything else. So the replay takes no longer
than the computing, and comes to the decisions that a live call would have come to, at the same
moments. One worker serves the call: what is asked while it is at work waits.

`replay_fixed` is the rule to compare with: the same detector, the same recogniser, but the answer
ends after a fixed silence, whatever was said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.actions import Action, CallSettings, Recognize
from ivr.audio.g711 import mulaw_encode
from ivr.call import Call
from ivr.ear import FRAME_MS, FRAME_SAMPLES
from ivr.endpointing.endpointer import Endpointer, EndpointSettings, UtteranceEnded
from ivr.flow.schema import Flow, parse_flow
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret
from ivr.providers.events import MarkPlayed, MediaReceived, StreamStarted
from ivr.recognition import Recognition

SAMPLES_PER_MS: Final = 8
FIXED_SILENCE_MS: Final = 700  # a common setting of platforms that do not know what they listen for

Samples = NDArray[np.int16]
Hear = Callable[[Samples, str], tuple[Recognition, float]]
"""Recognises samples [n] int16, 8 kHz, with a grammar URI; and the milliseconds that it takes."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How the question ended.

    Attributes:
        at_ms: stream time of the decision, the recogniser's time included.
        value: what was accepted; None for a nomatch, and where the caller was not heard.
        heard: whether speech was: False for a noinput.
        recognitions: how often the recogniser was asked.
        compute_ms: its time in all.
    """

    at_ms: float
    value: str | None
    heard: bool
    recognitions: int
    compute_ms: float


def one_question(grammar: str) -> Flow:
    """A flow of one question, asked once, with the defaults of every flow.

    Raises:
        FlowError: the grammar is not one.
    """
    ask = {"capture": "number", "grammar": grammar, "prompt": "?", "next": "done"}
    flow = {
        "flow": "replay",
        "start": "ask",
        # A recording begins when it likes.
        "defaults": {"attempts": 1, "on_failure": "done", "no_input_timeout_s": 60},
        "steps": {"ask": ask, "done": {"end": "completed"}},
    }
    return parse_flow(json.dumps(flow))  # JSON is YAML


class _Worker:
    """The recogniser and what it has been asked, in stream time."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._free_at_ms = 0.0
        self.answers: list[tuple[float, int, Recognition, float]] = []
        self.recognitions = 0
        self.compute_ms = 0.0

    def ask(self, request: Recognize, now_ms: float) -> None:
        """Answers when it is through with this and with what was asked before."""
        recognition, took_ms = self._hear(request.samples, request.grammar)
        self._free_at_ms = max(now_ms, self._free_at_ms) + took_ms
        waited_ms = self._free_at_ms - now_ms
        self.answers.append((self._free_at_ms, request.utterance_id, recognition, waited_ms))
        self.recognitions += 1
        self.compute_ms += took_ms


def replay(
    samples: Samples, grammar: str, hear: Hear, settings: CallSettings | None = None
) -> Decision | None:
    """Plays a recording to a call until it has decided.

    Args:
        samples: [n] int16, 8 kHz, with the line before and after the answer.
        grammar: URI of the question's grammar.
        hear: the recogniser.
        settings: of the call.

    Returns:
        The decision; None where the recording ended before it.

    Raises:
        FlowError: the grammar is not one.
    """
    call = Call(one_question(grammar), settings)
    worker = _Worker(hear)
    call.receive(StreamStarted("replay", "replay", {}))
    call.receive(MarkPlayed("p1"))
    wire = mulaw_encode(samples)
    now_ms = 0.0

    def perform(actions: list[Action], at_ms: float) -> None:
        for action in actions:
            if isinstance(action, Recognize):
                worker.ask(action, at_ms)

    def decision(at_ms: float) -> Decision | None:
        if not call.turns or call.turns[0].collected is None:
            return None
        collected = call.turns[0].collected
        heard = collected.mode is not None
        return Decision(at_ms, collected.value, heard, worker.recognitions, worker.compute_ms)

    for at in range(0, len(wire), FRAME_SAMPLES):
        # Answers come between frames, in their order.
        while worker.answers and worker.answers[0][0] < now_ms + FRAME_MS:
            due_ms, utterance_id, recognition, wall_ms = worker.answers.pop(0)
            due_ms = max(due_ms, now_ms)
            perform(call.recognized(utterance_id, recognition, wall_ms), due_ms)
            if (decided := decision(due_ms)) is not None:
                return decided
        frame = wire[at : at + FRAME_SAMPLES]
        now_ms += len(frame) / SAMPLES_PER_MS
        perform(call.receive(MediaReceived(frame)), now_ms)
        if (decided := decision(now_ms)) is not None:
            return decided
    return None


def replay_fixed(
    samples: Samples, grammar: str, hear: Hear, silence_ms: int = FIXED_SILENCE_MS
) -> Decision | None:
    """Plays a recording to the rule of a fixed silence.

    Args:
        samples: as in `replay`.
        grammar: URI of the question's grammar.
        hear: the recogniser.
        silence_ms: that ends the answer.

    Returns:
        The decision; None where nobody was heard. An utterance without a word is passed over.
    """
    accepts = parse_grammar(grammar)
    # The additions of ours are no part of a fixed rule.
    settings = replace(
        EndpointSettings(), end_silence_ms=silence_ms, grace_ms=0, noise_allowance_ms=0
    )
    recognitions, compute_ms = 0, 0.0
    for event in Endpointer(settings).feed(samples):
        if not isinstance(event, UtteranceEnded):
            continue
        recognition, took_ms = hear(event.samples, grammar)
        recognitions, compute_ms = recognitions + 1, compute_ms + took_ms
        if recognition.best.words:
            answer = interpret(accepts, recognition)
            value = None if answer is None else answer.value
            at_ms = event.at_sample / SAMPLES_PER_MS + took_ms
            return Decision(
                at_ms, value, heard=True, recognitions=recognitions, compute_ms=compute_ms
            )
    return None
