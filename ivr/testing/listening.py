"""What a test knows of a call beside its record: what was said, in clear; and mishearings.

Theory of operation: `Ears` is at both ends of every call. At the server's it is a tap, which notes
what the call wants said, and the recogniser, which hears what a script says is to be heard
(`heard_as`). At the caller's it is told of each frame, so it knows what is being said just then; in
step with the server (`ivr.server.pace`) that is the utterance that is recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.actions import Action, CallSettings, Clear, Play
from ivr.asr.queue import Urgency
from ivr.call import Call
from ivr.errors import ConfigError
from ivr.providers.events import StreamStarted
from ivr.recognition import Hypothesis, Recognition, Word
from ivr.rehearsal import VOCABULARY
from ivr.server.context import Recognizer
from ivr.server.flows import Served
from ivr.server.tap import Tap
from ivr.simulate.caller import SaidPrompt
from ivr.simulate.phone import Phone
from ivr.simulate.script import BargeIn, Say, Script, Wav

_RATE_HZ: Final = 8000


class Notes(Tap):
    """The tap of one stream: what the call wanted said.

    Attributes:
        said: in order; ``None`` where it fell silent for the caller.
        secret: names of the variables that must not be shown.
    """

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self.said: list[SaidPrompt | None] = []
        self.secret: frozenset[str] = frozenset()

    def started(
        self,
        started: StreamStarted,
        served: Served,  # noqa: ARG002
        settings: CallSettings,  # noqa: ARG002
    ) -> None:
        """From now on the call's notes can be found by its id."""
        self._ears.notes[started.call_id] = self

    def did(self, call: Call, actions: Sequence[Action]) -> None:
        """Note what is said."""
        self.secret = call.sensitive
        for action in actions:
            if isinstance(action, Play):
                prompt = action.prompt
                self.said.append(SaidPrompt(action.mark, prompt.text, prompt.personal))
            elif isinstance(action, Clear):
                self.said.append(None)


class Ears:
    """All calls of a test.

    Args:
        recognizer: hears what no script wants misheard.

    Attributes:
        notes: of the calls, by id.
        phones: of the calls that go on, by id.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.notes: dict[str, Notes] = {}
        self.phones: dict[str, Phone] = {}

    def make_tap(self) -> Notes:
        """The tap of a new stream."""
        return Notes(self)

    def recognizer_of(self, call_id: str | None) -> Recognizer:
        """What hears a call's caller."""
        phone = self.phones.get(call_id or "")
        saying = phone.saying if phone is not None else None
        if saying is None or saying.heard_as is None:
            return self._recognizer
        return _Mishearing(saying, self._recognizer)


class _Mishearing:
    """A recogniser that hears what it is told to."""

    ready = True
    model = None

    def __init__(self, saying: Say | Wav, recognizer: Recognizer) -> None:
        self.state = recognizer.state
        self._words = (saying.heard_as or "").split()
        self._sure = saying.heard_confidence

    async def recognize(
        self,
        samples: NDArray[np.int16],
        grammar: str,  # noqa: ARG002
        urgency: Urgency = Urgency.ANSWER,  # noqa: ARG002
    ) -> Recognition:
        """The words, spread over the utterance."""
        audio_ms = samples.size * 1000 // _RATE_HZ
        each_ms = audio_ms // max(1, len(self._words))
        words = tuple(
            Word(text, at * each_ms, (at + 1) * each_ms, self._sure)
            for at, text in enumerate(self._words)
        )
        return Recognition((Hypothesis(words, 0.0),), self._sure, audio_ms)


def check_words(script: Script) -> None:
    """Refuse words that no recogniser of ours can hear.

    Raises:
        ConfigError: `heard_as` holds one.
    """
    for number, step in enumerate(script.steps, start=1):
        answer = step.input if isinstance(step, BargeIn) else step
        if not isinstance(answer, Say | Wav) or answer.heard_as is None:
            continue
        unknown = sorted(set(answer.heard_as.split()) - {*VOCABULARY, "<other>"})
        if unknown:
            raise ConfigError(
                f"{script.name}: step {number}: heard_as: the recogniser has no word "
                f'"{unknown[0]}"; write what it can hear, such as "four one five", or "<other>" '
                "for speech outside its words"
            )
