"""A test of calls without espeak and model: tones for speech, scripts for what is heard."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ivr.asr.pool import PoolState
from ivr.asr.queue import Urgency
from ivr.config import Settings
from ivr.flow.turn import Prompt
from ivr.recognition import Hypothesis, Recognition
from ivr.simulate.report import as_json
from ivr.testing.cases import Case, find_cases
from ivr.testing.run import CallTest, Plan, Tested, run_cases
from tests.asr.tiny import voiced

FLOW = """
flow: pin
start: ask
defaults:
  attempts: 2
  on_failure: bye
  no_input_timeout_s: 1.0
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=4
    prompt: Your number please.
    no_input: [Say it now.]
    no_match: [Once more.]
    next: sure
  sure:
    confirm: account
    prompt: "Is {account:digits} right?"
    no_input: ["Well?"]
    no_match: ["Pardon?"]
    yes: done
  done:
    end: completed
    say: Thank you.
  bye:
    end: gave_up
    say: Goodbye.
"""
SECRET_FLOW = FLOW.replace("    capture: account\n", "    capture: account\n    sensitive: true\n")

SPOKEN = """
caller: {noise: {kind: pink, level_dbfs: -60}, seed: 3}
line: {loss: 0.02}
steps:
  - wait_prompt: {settle_s: 0.2}
  - say: "one two three four"
    heard_as: "one two three four"
  - barge_in: {after_s: 0.1, keys: "1"}
expect:
  outcome: completed
  variables: {account: "1234"}
  says: ["your NUMBER", "thank you"]
  turns:
    - {step: ask, cause: success, mode: speech, words: "one two three four", min_confidence: 0.9}
    - {step: sure, mode: dtmf, says: right}
"""
KEYED = """
steps:
  - wait_prompt: {settle_s: 0.2}
  - keys: "1234"
    gap_s: 0.1
  - wait_prompt: {settle_s: 0.2}
  - keys: "1"
expect: {outcome: completed, ended_by: agent, max_duration_s: 10, max_response_ms: 400}
"""


class ToneVoice:
    """Speaks in tones that are taken for speech."""

    def render(
        self,
        text: str,
        voice: str = "en-us",
        *,
        rate_wpm: int = 150,
        pitch: int = 50,
    ) -> NDArray[np.int16]:
        """Four words, whatever the text."""
        return voiced("one four five four")


class TonePrompts:
    """Prompts of 0.4 s, made in so many seconds."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s

    def render(self, prompt: Prompt) -> NDArray[np.int16]:
        """A constant level."""
        time.sleep(self._delay_s)
        return np.full(3200, 1000, np.int16)


class Deaf:
    """A recogniser that hears nothing, in so many seconds; scripts say what is heard."""

    ready = True
    model: dict[str, Any] | None = None

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to stop."""

    def state(self) -> PoolState:
        """Nobody is at work."""
        return PoolState(workers=1, alive=1, busy=0, waiting=0, queue_limit=1, restarts=0)

    async def recognize(
        self, samples: NDArray[np.int16], grammar: str, urgency: Urgency = Urgency.ANSWER
    ) -> Recognition:
        """No word."""
        await asyncio.sleep(self._delay_s)
        return Recognition((Hypothesis((), 0.0),), 0.9, len(samples) // 8)


def write(folder: Path, flow: str = FLOW, **scripts: str) -> list[Case]:
    """A folder with a flow and scripts; its cases."""
    folder.mkdir(exist_ok=True)
    (folder / "pin.yaml").write_text(flow)
    for name, text in scripts.items():
        (folder / f"{name}.call.yaml").write_text(text)
    return find_cases([folder])


def place(cases: list[Case], plan: Plan | None = None, delay_s: float = 0.0) -> list[Tested]:
    """Place the calls of some cases."""
    test = CallTest(
        cases,
        Settings(),
        Deaf(delay_s),
        prompts=TonePrompts(delay_s),
        voice=ToneVoice(),
        plan=plan or Plan(),
    )
    return asyncio.run(run_cases(cases, test))


def outcome(tested: Tested) -> dict[str, Any]:
    """All that is known of a call, but what is other each time."""
    known = as_json(tested.verdict)
    return {key: known[key] for key in known if key not in ("call_id", "worst_lateness_ms")}
