"""A recording through the live path, for `ivr transcribe` and `ivr evaluate`.

Theory of operation: a recording becomes a call's audio: two seconds of line, the recording, three
more; mu-law there and back. The same endpointer as in a live call finds its utterances, the
recogniser hears each, and the grammar reads it. The numbers of several utterances are joined: a
caller who pauses too long still said one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.asr.loading import Recognizer
from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.audio.wav import read_speech
from ivr.endpointing.endpointer import Endpointer, EndpointSettings, UtteranceEnded
from ivr.errors import AudioError
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret
from ivr.recognition import Interpretation, Recognition

NATURAL = "builtin:natural"
# Samples: 2 s, as long as the shortest prompt. A caller answers a question, so the endpointer has
# always heard the line; with 0.5 s it knows no noise level yet, and 6 of 203 words went unheard.
LINE_BEFORE = 16_000
LINE_AFTER = 24_000  # 3 s, longer than any silence that ends an utterance
# As long as a call lets an incomplete answer pause (incomplete_timeout_s): a number of known length
# is not cut in two between its groups.
END_SILENCE_MS = 2_200
SAMPLES_PER_MS = 8


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance of a recording and what was made of it.

    Attributes:
        start_ms: where its samples begin, milliseconds from the start of the recording; below 0
            where the pre-roll reaches into the line before.
        recognition: what the recogniser heard.
        answer: what the grammar accepted of it; None for nothing.
        latency_ms: from the end of speech to the decision: silence waited for, and computing.
        compute_ms: the computing alone.
    """

    start_ms: float
    recognition: Recognition
    answer: Interpretation | None
    latency_ms: float
    compute_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came out for one file.

    Attributes:
        value: digits, ``yes``, ``no``, or "" when no number was accepted.
        words: all that was heard.
        confidence: of the value; 0 where there is none.
        latency_ms: of the last utterance, from the end of speech to the decision: silence waited
            for, and computing.
        compute_ms: the computing alone.
        utterances: what the answer was made of.
        error: why the file could not be used.
    """

    value: str = ""
    words: str = ""
    confidence: float = 0.0
    latency_ms: float | None = None
    compute_ms: float | None = None
    utterances: tuple[Utterance, ...] = ()
    error: str = ""


def call_audio(file: Path) -> NDArray[np.int16]:
    """A recording as the server hears it: line before, line after, through mu-law; 8 kHz.

    Raises:
        AudioError: it cannot be decoded.
    """
    before, after = np.zeros(LINE_BEFORE, np.int16), np.zeros(LINE_AFTER, np.int16)
    return mulaw_decode(mulaw_encode(np.concatenate([before, read_speech(file), after])))


class Listener:
    """Hears a recording as a live call would.

    Args:
        engine: the recogniser.
        grammar: grammar URI of the question.
        end_silence_ms: silence that ends an utterance.

    Raises:
        ConfigError: the grammar is not one.
    """

    def __init__(
        self, engine: Recognizer, grammar: str, end_silence_ms: int = END_SILENCE_MS
    ) -> None:
        self._engine, self._uri = engine, grammar
        self._grammar = parse_grammar(grammar)
        self._settings = EndpointSettings(end_silence_ms=end_silence_ms)

    def hear(self, file: Path) -> Answer:
        """What a call would have taken from this recording."""
        try:
            line = call_audio(file)
        except AudioError as error:
            return Answer(error=str(error))
        endpointer = Endpointer(self._settings)
        events = endpointer.feed(line) + endpointer.finish()
        heard = tuple(
            self._recognize(event) for event in events if isinstance(event, UtteranceEnded)
        )
        if not heard:
            return Answer()
        taken = [utterance.answer for utterance in heard if utterance.answer]
        return Answer(
            value=joined([answer.value for answer in taken]),
            words=" ".join(utterance.recognition.best.text for utterance in heard),
            confidence=min((answer.confidence for answer in taken), default=0.0),
            latency_ms=heard[-1].latency_ms,
            compute_ms=heard[-1].compute_ms,
            utterances=heard,
        )

    def _recognize(self, event: UtteranceEnded) -> Utterance:
        started = time.perf_counter()
        recognition = self._engine.recognize(event.samples, self._uri)
        compute_ms = (time.perf_counter() - started) * 1000
        waited_ms = (event.at_sample - event.speech_end_sample) / SAMPLES_PER_MS
        return Utterance(
            start_ms=(event.start_sample - LINE_BEFORE) / SAMPLES_PER_MS,
            recognition=recognition,
            answer=interpret(self._grammar, recognition),
            latency_ms=waited_ms + compute_ms,
            compute_ms=compute_ms,
        )


def joined(values: list[str]) -> str:
    """The values of a file's utterances as one: the digits in a row, or the last yes or no."""
    numbers = [value for value in values if value.isdigit()]
    return "".join(numbers) if numbers else (values[-1] if values else "")
