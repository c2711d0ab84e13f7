"""What lookups come to in a test: what the script says, or what the demo's bank does.

Theory of operation: a script's answers (`lookups`) are checked against its flow before any call is
placed, so that a stub gives what the flow would take from its real system, and nothing else. A step
that a script answers asks nobody; the answers are taken one by one, and the last one holds on. The
others ask where their flow sends them; where that is the bank of the examples, it is started.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from ivr.actions import LookUp
from ivr.config import Settings
from ivr.errors import ConfigError
from ivr.flow.lookup import HttpSource
from ivr.flow.request import MISSING, Answer, HttpRequest, read_results
from ivr.flow.schema import Flow
from ivr.flow.steps import LookupStep
from ivr.flow.values import canonical
from ivr.rehearsal import placed
from ivr.server.context import Known
from ivr.simulate.bank.command import HOST, PORT, serving_bank
from ivr.simulate.script import Script
from ivr.simulate.script_lookups import StubbedLookup
from ivr.simulate.script_yaml import Document, read_document
from ivr.testing.cases import Case

_BANK: Final = f"{HOST}:{PORT}"


class Stubs:
    """The answers of the calls that go on.

    State: how often each step of each call was answered.
    """

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._answered: dict[tuple[str, str], int] = {}

    def begin(self, call_id: str, case: Case) -> None:
        """A call is placed."""
        self._cases[call_id] = case

    def forget(self, call_id: str) -> None:
        """A call is over."""
        self._cases.pop(call_id, None)
        self._answered = {key: n for key, n in self._answered.items() if key[0] != call_id}

    def known(self, call_id: str, lookup: LookUp) -> Known | None:
        """What a call's lookup comes to; None where its script does not say."""
        case = self._cases.get(call_id)
        answers = case.script.lookups.get(lookup.step) if case is not None else None
        if case is None or not answers:
            return None
        times = self._answered.get((call_id, lookup.step), 0)
        self._answered[call_id, lookup.step] = times + 1
        stub = answers[min(times, len(answers) - 1)]
        took_ms = None if stub.after_s is None else round(stub.after_s * 1000)
        request = lookup.request
        attempts = request.attempts if isinstance(request, HttpRequest) else 1
        longest_ms = round(request.timeout_s * attempts * 1000)
        if took_ms is not None and took_ms > longest_ms:
            return Known(Answer.failed("timeout"), longest_ms)  # as the flow would have it
        return Known(_answer(stub, case.flow.steps[lookup.step]), took_ms)


def _answer(stub: StubbedLookup, step: object) -> Answer:
    if stub.result == "missing":
        return MISSING
    if stub.result == "failed" or not isinstance(step, LookupStep):
        return Answer.failed("scripted")
    return Answer.found(_data(stub, step))


def _data(stub: StubbedLookup, step: LookupStep) -> Any:
    """What a system would have answered for these values to be found in it."""
    data: Any = {}
    for name, value in stub.values.items():
        data = placed(data, step.results[name], value)
    return data


def check_lookups(file: Path, script: Script, flow: Flow) -> None:
    """Refuse answers that the flow does not ask for, or could not use.

    Args:
        file: of the script.
        script: read from it.
        flow: that answers its call.

    Raises:
        ConfigError: with file, line, key path and cure.
    """
    if not script.lookups and not script.expect.lookups:
        return
    document = read_document(file)
    steps = {name: step for name, step in flow.steps.items() if isinstance(step, LookupStep)}
    cure = f"looks nothing up in flow {flow.flow}; use {', '.join(steps) or 'no lookups'}"
    for number, wanted in enumerate(script.expect.lookups or ()):
        if wanted.step not in steps:
            raise document.error(("expect", "lookups", number), f"{wanted.step} {cure}")
    for name, answers in script.lookups.items():
        if name not in steps:
            raise document.error(("lookups", name), cure)
        for number, stub in enumerate(answers):
            if stub.result == "found":
                _check_values(stub, number, name, flow, document)


def _check_values(
    stub: StubbedLookup, number: int, name: str, flow: Flow, document: Document
) -> None:
    """Refuse values that the step does not take, and too few of them."""
    step = flow.steps[name]
    assert isinstance(step, LookupStep)  # noqa: S101 - the caller's to see to
    inside = isinstance(document.value, dict) and document.value.get("lookups")
    listed = isinstance(inside, dict) and isinstance(inside[name], list)
    place = ("lookups", name, *((number,) if listed else ()), "found")
    known = ", ".join(step.results) or "no values"
    for variable, value in stub.values.items():
        if variable not in step.results:
            problem = f"no result of this step; use {known}"
            raise document.error((*place, variable), problem)
        try:
            canonical(flow.kind(variable), value)
        except ValueError:
            problem = f"is no {flow.kind(variable)}, as the flow has this variable"
            raise document.error((*place, variable), f"{problem}; write one") from None
    declared = {name: text for name, text in flow.variables.items() if text is not None}
    lacking = [each for each in step.results if each not in {*stub.values, *declared}]
    if lacking:
        raise document.error(place, f"lacks {', '.join(lacking)}; the flow takes {known}")
    if read_results(_data(stub, step), step.results, declared, flow.kind) is None:
        raise document.error(place, f"these values cannot stand in one answer; the flow: {known}")


def needs_bank(cases: Sequence[Case], settings: Settings) -> bool:
    """Whether the demo's bank is asked, and the user has none at its address."""
    if _BANK in settings.lookups.allowed_hosts:
        return False  # one that is there already
    return any(
        isinstance(step, LookupStep)
        and isinstance(step.lookup, HttpSource)
        and step.lookup.http.startswith(f"http://{_BANK}/")
        and name not in case.script.lookups
        for case in cases
        for name, step in case.flow.steps.items()
    )


def with_bank(settings: Settings) -> Settings:
    """Settings that let flows ask the demo's bank."""
    lookups = settings.lookups
    hosts = [*lookups.allowed_hosts, _BANK]
    return settings.model_copy(
        update={"lookups": lookups.model_copy(update={"allowed_hosts": hosts})}
    )


@contextlib.asynccontextmanager
async def bank() -> AsyncIterator[None]:
    """The demo's bank where the examples ask it, with new books.

    Raises:
        ConfigError: something else listens there.
    """
    with tempfile.TemporaryDirectory(prefix="ivr-test-bank-") as folder:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(serving_bank(Path(folder) / "bank.sqlite3"))
            except ConfigError:
                raise ConfigError(
                    f"the flows ask the demo's bank, and {_BANK} is taken; end what listens there,"
                    f" or, if that is a bank, allow it with lookups: {{allowed_hosts: [{_BANK}]}}"
                    " in --config"
                ) from None
            yield
