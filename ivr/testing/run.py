"""Place the calls of a test and judge them.

Theory of operation: one server for all (`ivr.testing.server`), so many callers at the same time as
there are jobs, each in step with its stream. What is expensive (a recogniser, a synthesiser) is
there once. The result of a call depends on nothing but its script, its flow and the model: not on
the machine, the number of jobs, the other calls, nor on real time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from ivr.config import Settings
from ivr.server.context import Fittings
from ivr.server.pace import Lines
from ivr.server.speech import PromptRenderer
from ivr.simulate.caller import new_call_id, place_call
from ivr.simulate.exchange import Verdict
from ivr.simulate.line import Timing
from ivr.simulate.verdict import judge
from ivr.simulate.voice import Synthesizer, render_sounds
from ivr.simulate.webhook import Server
from ivr.testing.cases import Case
from ivr.testing.listening import Ears, check_words
from ivr.testing.server import StartableRecognizer, flows_of, running, settings_of_test
from ivr.testing.stubs import Stubs, bank, check_lookups, needs_bank, with_bank

HEARING_MS: Final = 100
"""What a recognition counts as having taken: about what the shipped model takes for a number."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A call that was placed.

    Attributes:
        case: what was to be done.
        verdict: what came of it.
        wall_s: how long that took.
    """

    case: Case
    verdict: Verdict
    wall_s: float

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return self.verdict.passed


@dataclass(frozen=True, slots=True)
class Plan:
    """How calls are placed.

    Attributes:
        jobs: so many at the same time.
        real_time: as long as they would last; otherwise as fast as it goes.
        hearing_ms: what a recognition counts as having taken, milliseconds of the line.
    """

    jobs: int = 1
    real_time: bool = False
    hearing_ms: int = HEARING_MS


class CallTest:
    """A server and all that is needed to call it, from `start` to `close`.

    Args:
        cases: whose flows it serves.
        settings: of the user; what a test must not touch is left out of them.
        recognizer: hears the callers.
        prompts: renders what the agent says.
        voice: speaks for the callers.
        plan: how calls are placed.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        settings: Settings,
        recognizer: StartableRecognizer,
        *,
        prompts: PromptRenderer,
        voice: Synthesizer,
        plan: Plan,
    ) -> None:
        for case in cases:
            check_words(case.script)
            check_lookups(case.file, case.script, case.flow)
        self._flows, self._names = flows_of(cases)
        self._with_bank = needs_bank(cases, settings)
        served = with_bank(settings) if self._with_bank else settings
        self._settings = settings_of_test(served, plan.jobs)
        self._prompts, self._voice, self._plan = prompts, voice, plan
        self._recognizer = recognizer
        self._lines = Lines(plan.hearing_ms)
        self._ears = Ears(recognizer)
        self._stubs = Stubs()
        self._places = asyncio.Semaphore(plan.jobs)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Server]:
        """The server, ready for calls; see `running`."""
        ears = self._ears
        fittings = Fittings(self._lines.make, ears.make_tap, ears.recognizer_of, self._stubs.known)
        async with AsyncExitStack() as stack:
            if self._with_bank:
                await stack.enter_async_context(bank())
            yield await stack.enter_async_context(
                running(self._settings, self._flows, self._recognizer, self._prompts, fittings)
            )

    async def place(self, case: Case, server: Server) -> Tested:
        """Place one call, once there is a place for it, and judge it.

        Raises:
            AudioError, ConfigError, ModelError: the caller's speech cannot be rendered.
        """
        async with self._places:
            began_s = time.monotonic()
            sounds = await asyncio.to_thread(render_sounds, case.script, self._voice)
            call_id = new_call_id()
            self._stubs.begin(call_id, case)
            try:
                result = await place_call(
                    case.script,
                    sounds,
                    replace(server, flow=self._names[case]),
                    watch=lambda phone: self._ears.phones.__setitem__(call_id, phone),
                    timing=Timing(self._plan.real_time, self._lines),
                    call_id=call_id,
                )
            finally:
                self._lines.forget(call_id)
                self._stubs.forget(call_id)
                self._ears.phones.pop(call_id, None)
            notes = self._ears.notes.pop(call_id, None)
            if notes is not None:
                result = replace(result, said=tuple(notes.said), secret=notes.secret)
            return Tested(case, judge(result), time.monotonic() - began_s)


async def run_cases(
    cases: Sequence[Case],
    test: CallTest,
    done: Callable[[Tested], None] = lambda _: None,
) -> list[Tested]:
    """Place all calls.

    Args:
        cases: the calls.
        test: the server and its callers.
        done: told of each call that is over, in the order in which they end.

    Returns:
        What came of them, in the order of the cases.

    Raises:
        IvrError: something cannot be started; the first of them.
    """

    async def one(case: Case, server: Server) -> Tested:
        tested = await test.place(case, server)
        done(tested)
        return tested

    async with test.serving() as server, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(case, server)) for case in cases]
    return [task.result() for task in tasks]
