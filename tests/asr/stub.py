"""A recogniser that says what it is told, for tests of what is made of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.recognition import Hypothesis, Recognition, Word


def recognition(words: str, confidence: float = 0.9) -> Recognition:
    """A recogniser's answer of one hypothesis."""
    spoken = tuple(Word(word, 0, 10, confidence) for word in words.split())
    return Recognition((Hypothesis(spoken, 0.0),), confidence, audio_ms=1000)


class StubEngine:
    """Stands in for the engine: says what it is told, one utterance after the other."""

    answers: Sequence[str | Recognition] = ()
    confidence = 0.9

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self._left = folder, list(self.answers)

    def recognize(self, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """The next answer."""
        assert samples.dtype == np.int16
        assert grammar.startswith("builtin:")
        answer = self._left.pop(0)
        return recognition(answer, self.confidence) if isinstance(answer, str) else answer

    def describe(self) -> dict[str, object]:
        """As the engine's."""
        return {"name": "stub", "sha256": {"encoder.onnx": "e", "decoder.onnx": "d"}}
