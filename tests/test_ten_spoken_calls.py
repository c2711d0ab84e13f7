"""Ten callers who speak at the same time, through a real server's socket and its workers.

The words are those of the tiny model, so that nothing here depends on how well a trained one
hears. What must be the same as in a call alone is compared exactly: what was heard, how the call
went, and where each answer ended in stream time, which any lost or doubled frame would shift. What
depends on the machine has bounds that a busy one keeps: they are there to tell a call that is held
up from one that is not, and measure nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ivr.recognition import CompletionCause, InputMode
from ivr.simulate.caller import CallResult, place_call
from ivr.simulate.demo import SERVE, run_server
from ivr.simulate.script import CallerVoice, Expect, ExpectedTurn, Say, Script, WaitPrompt
from ivr.simulate.verdict import judge
from ivr.simulate.voice import Sound
from ivr.simulate.webhook import Server
from tests.asr.tiny import make_model, voiced

FLOW = """
flow: ten
start: ask
defaults:
  attempts: 2
  on_failure: bye
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=4
    prompt: Your number?
    no_input: [Silence.]
    no_match: ["Pardon?"]
    next: sure
  sure:
    confirm: account
    prompt: Is {account:digits} right?
    no_input: [Silence.]
    no_match: ["Pardon?"]
    yes: done
  done:
    end: completed
    say: Thanks.
  bye:
    end: gave_up
    say: Goodbye.
"""
DIGIT_OF_WORD = {"one": "1", "four": "4", "five": "5"}
NUMBERS = (
    *("four one five five", "one four five one", "five five one four", "one one four five"),
    *("five four one one", "four four one five", "one five five four", "five one four four"),
    *("four five one one", "one four four five"),
)

FRAME_MS = 20
# In stream time, from the last word: the decision is due after a pause of 200 ms and the
# recogniser's answer. A decision later than this has waited for something else.
DECIDED_MS = 3000.0
# Of wall time: how far the server may be behind the line when the call ends.
BEHIND_MS = 2000.0
# Of silence inside all the prompts of a call. They are sent up to 3 s ahead.
UNDERRUN_MS = 500.0


@dataclass(frozen=True)
class Spoken:
    """One answer: what the server made of it, against what the caller knows of it.

    Attributes:
        cause: of the collection.
        mode: how it was given.
        words: as they were heard.
        end_error_ms: where the endpointer heard the last word end, after where it did, stream time.
        prompt_ms: how long the prompt before it was played.
        decided_ms: from the last word to the decision, stream time.
    """

    cause: str
    mode: str
    words: str
    end_error_ms: float
    prompt_ms: float
    decided_ms: float


def make_script(number: int) -> Script:
    """A caller who says a number of its own, then yes."""
    words = NUMBERS[number]
    value = "".join(DIGIT_OF_WORD[word] for word in words.split())
    cause, mode = CompletionCause.SUCCESS, InputMode.SPEECH
    listen = WaitPrompt(settle_s=0.2)
    return Script(
        name=f"caller {number}",
        caller=CallerVoice(noise_dbfs=-60.0, seed=number),
        steps=(listen, Say(say=words), listen, Say(say="yes")),
        expect=Expect(
            outcome="completed",
            variables={"account": value},
            turns=(
                ExpectedTurn(step="ask", cause=cause, mode=mode, value=value),
                ExpectedTurn(step="sure", cause=cause, mode=mode, value="yes"),
            ),
        ),
    )


async def call(script: Script, server: Server) -> CallResult:
    """Place one call, its words spoken in tones."""
    sounds = {}
    for index, step in enumerate(script.steps):
        if isinstance(step, Say):
            samples = voiced(step.say)
            sounds[index] = Sound(samples, samples.size, step.say)
    return await place_call(script, sounds, server)


def answers(result: CallResult) -> list[Spoken]:
    """What came of the call's two answers."""
    assert result.record is not None
    turns: list[dict[str, Any]] = result.record["turns"][:2]
    spoken = []
    for turn, given, prompt in zip(turns, result.inputs, result.prompts, strict=False):
        said_ms = given.end_sample / 8
        spoken.append(
            Spoken(
                cause=turn["collected"]["cause"],
                mode=turn["collected"]["mode"],
                words=turn["collected"]["words"],
                end_error_ms=turn["speech_end_ms"] - said_ms,
                prompt_ms=(prompt.end_sample - prompt.start_sample - prompt.underrun_samples) / 8,
                decided_ms=turn["decided_ms"] - said_ms,
            )
        )
    return spoken


def when(result: CallResult, key: str) -> datetime:
    """A time in the call's record."""
    assert result.record is not None
    return datetime.fromisoformat(result.record[key])


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> tuple[CallResult, list[CallResult]]:
    """A call alone, then ten at once, to the same server: its own process, two workers."""
    folder = tmp_path_factory.mktemp("ten")
    model = make_model(folder / "model")
    flow = folder / "flow.yaml"
    flow.write_text(FLOW)
    scripts = [make_script(number) for number in range(len(NUMBERS))]

    async def go(command: tuple[str, ...], flow: Path) -> tuple[CallResult, list[CallResult]]:
        async with run_server(flow, command) as server:
            alone = await call(scripts[0], server)
            together = await asyncio.gather(*(call(script, server) for script in scripts))
            return alone, list(together)

    return asyncio.run(go((*SERVE, "--model", str(model)), flow))


def test_every_call_goes_as_its_script_says(
    calls: tuple[CallResult, list[CallResult]],
) -> None:
    """Ten numbers, ten owners: each hears its own read back, says yes, and is let go."""
    alone, together = calls
    problems = {result.script.name: judge(result).problems for result in [alone, *together]}
    assert not any(problems.values()), problems
    assert len(together) == 10
    assert max(when(r, "started_at") for r in together) < min(when(r, "ended_at") for r in together)


def test_every_answer_is_heard_as_in_a_call_alone(
    calls: tuple[CallResult, list[CallResult]],
) -> None:
    """The same words, ending at the same frame of the line: no frame was lost, doubled or late."""
    alone, together = calls
    for result in [alone, *together]:
        number, yes = answers(result)
        assert (number.words, yes.words) == (result.script.steps[1].say, "yes")  # type: ignore[union-attr]
        for spoken in (number, yes):
            assert (spoken.cause, spoken.mode) == ("success", "speech")
            assert abs(spoken.end_error_ms) <= 2 * FRAME_MS
            assert 0 < spoken.decided_ms < DECIDED_MS


def test_no_caller_is_kept_waiting_for_the_agents_voice(
    calls: tuple[CallResult, list[CallResult]],
) -> None:
    """Each prompt is played whole, to its mark, and as long as in a call alone."""
    alone, together = calls
    for result in [alone, *together]:
        assert [prompt.mark is not None for prompt in result.prompts] == [True] * 3
        assert result.underrun_ms < UNDERRUN_MS
        assert answers(result)[0].prompt_ms == answers(alone)[0].prompt_ms


def test_the_server_keeps_up_with_every_line(
    calls: tuple[CallResult, list[CallResult]],
) -> None:
    """Had it fallen behind, a call would last longer for the server than on the line."""
    alone, together = calls
    for result in [alone, *together]:
        assert result.record is not None
        behind_ms = result.record["duration_ms"] - result.duration_s * 1000
        assert behind_ms < BEHIND_MS + result.worst_lateness_ms
        assert result.record["refusals"] == {}
