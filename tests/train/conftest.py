"""A stand-in for a synthesiser, so that no test of a corpus needs one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ivr.train import engines, synthesize
from ivr.train.engines import RawSpeech, SynthesisError
from ivr.train.voices import Voice


class ToneEngine:
    """A tone, a quarter of a second a word, at 16 kHz."""

    def speak(self, text: str, voice: Voice) -> RawSpeech:
        """Fails on demand, as engines do."""
        if "broken" in voice.name:
            raise SynthesisError("broken")
        seconds = 0.25 * len(text.split()) / voice.rate
        phase = 2 * np.pi * 400 * voice.pitch * np.arange(round(16000 * seconds)) / 16000
        return np.asarray(6000 * np.sin(phase), dtype=np.int16), 16000


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A tone engine in the place of pico, which is the only one found."""
    monkeypatch.setitem(engines._ENGINES, "pico", ToneEngine)
    monkeypatch.setattr(synthesize, "available_engines", lambda: ["pico"])
    engines._open.cache_clear()
    yield "pico"
    engines._open.cache_clear()
