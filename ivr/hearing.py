"""A recording through the live path, for `ivr transcribe` and `ivr evaluate`.

Theory of operation: a recording is put on a line and cut into utterances (`ivr.line`), the
recogniser hears each, and the grammar reads it (`ivr.heard`).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.asr.loading import Recognizer
from ivr.audio.wav import read_speech
from ivr.endpointing.endpointer import UtteranceEnded
from ivr.errors import AudioError
from ivr.grammar.grammar import parse_grammar
from ivr.heard import Answer, Utterance, answer, utterance
from ivr.line import END_SILENCE_MS, on_the_line, utterances

NATURAL = "builtin:natural"


def call_audio(file: Path) -> NDArray[np.int16]:
    """A recording as the server hears it: line before, line after, through mu-law; 8 kHz.

    Raises:
        AudioError: it cannot be decoded.
    """
    return on_the_line(read_speech(file))


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
        self._end_silence_ms = end_silence_ms

    def hear(self, file: Path) -> Answer:
        """What a call would have taken from this recording."""
        try:
            line = call_audio(file)
        except AudioError as error:
            return Answer(error=str(error))
        return answer([self._recognize(one) for one in utterances(line, self._end_silence_ms)])

    def _recognize(self, event: UtteranceEnded) -> Utterance:
        started = time.perf_counter()
        recognition = self._engine.recognize(event.samples, self._uri)
        compute_ms = (time.perf_counter() - started) * 1000
        return utterance(event, recognition, self._grammar, compute_ms)
