"""What came of a call: the server's record beside the caller's own knowledge, and the expectations.

Theory of operation: the record says what the server heard and decided, in stream time:
milliseconds of the caller's audio that it had received. The caller's line position is the same
clock, seen from the other end, and the caller knows to the sample when its last word or key
ended. Their difference is the delay that the caller felt before the decision, recognition
included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ivr.simulate.caller import CallResult
from ivr.simulate.phone import GivenInput
from ivr.simulate.playout import RATE_HZ
from ivr.simulate.script import ExpectedTurn


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn of the dialogue from both ends.

    Attributes:
        step: the flow's step.
        prompts: what the agent said.
        inputs: what the caller gave up to the decision.
        cause: why the collection ended (a `CompletionCause` value), ``None`` if nothing was asked.
        mode: ``speech``, ``dtmf`` or ``None``.
        value: what was understood. Personal.
        words: what was heard or keyed. Personal.
        confidence: 0..1, ``None`` where nothing was heard.
        barged_in: whether the answer stopped the prompt.
        decided_ms: stream time of the decision.
        decision_ms: from the caller's last spoken sample or key to the decision, stream time.
        action: what the flow did next.
        result: of a turn that asked another system instead of the caller: ``found``, ``missing``,
            or why it failed.
    """

    step: str
    prompts: tuple[str, ...] = ()
    inputs: tuple[GivenInput, ...] = ()
    cause: str | None = None
    mode: str | None = None
    value: str | None = None
    words: str = ""
    confidence: float | None = None
    barged_in: bool = False
    decided_ms: float | None = None
    decision_ms: float | None = None
    action: str = ""
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A call judged.

    Attributes:
        result: the call.
        exchanges: its dialogue; empty where the record could not be read.
        outcome: the record's outcome.
        variables: the record's flow variables. Personal.
        problems: what is not as the script says; empty if the call went as it should.
    """

    result: CallResult
    exchanges: tuple[Exchange, ...]
    outcome: str | None
    variables: dict[str, str]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the call went as its script says."""
        return not self.problems

    @property
    def decision_ms(self) -> float | None:
        """The slowest decision of the call."""
        delays = [e.decision_ms for e in self.exchanges if e.decision_ms is not None]
        return max(delays, default=None)


def judge(result: CallResult) -> Verdict:
    """Compare a call with its script's expectations."""
    record = result.record or {}
    outcome = record.get("outcome")
    variables = {str(name): str(value) for name, value in (record.get("variables") or {}).items()}
    exchanges = read_exchanges(record, result.inputs)
    problems = [] if result.failure is None else [result.failure]
    expect = result.script.expect
    if result.record is None:
        if result.failure is None and expect != type(expect)():
            problems.append("no call record to compare with")
    else:
        if expect.outcome is not None and outcome != expect.outcome:
            problems.append(f"outcome is {outcome}, expected {expect.outcome}")
        for name, value in expect.variables.items():
            if variables.get(name) != value:
                got = variables.get(name, "not set")
                problems.append(f"variable {name} is {got}, expected {value}")
        if expect.turns is not None:
            problems += _compare_turns(exchanges, expect.turns)
    return Verdict(result, exchanges, outcome, variables, tuple(problems))


def read_exchanges(
    record: dict[str, Any], inputs: Sequence[GivenInput] = ()
) -> tuple[Exchange, ...]:
    """The dialogue of a record, each turn with what the caller had given since the last one."""
    turns = [turn for turn in record.get("turns") or [] if isinstance(turn, dict)]
    exchanges: list[Exchange] = []
    given = 0
    for index, turn in enumerate(turns):
        exchange = _read_turn(turn)
        here: list[GivenInput] = []
        decided_ms = exchange.decided_ms
        while (
            decided_ms is not None
            and exchange.cause is not None
            and given < len(inputs)
            and _ms(inputs[given].start_sample) <= decided_ms
        ):
            here.append(inputs[given])
            given += 1
        delay: float | None = None
        if here and exchange.mode is not None and decided_ms is not None:
            delay = decided_ms - _ms(here[-1].end_sample)
        following = turns[index + 1] if index + 1 < len(turns) else None
        action = _describe_action(exchange, following, str(record.get("outcome")))
        exchanges.append(replace(exchange, inputs=tuple(here), decision_ms=delay, action=action))
    return tuple(exchanges)


def _ms(sample: int) -> float:
    """A line position in milliseconds."""
    return sample * 1000 / RATE_HZ


def _read_turn(turn: dict[str, Any]) -> Exchange:
    """One turn of a record; what was collected may stand in a mapping of its own."""
    flat = {**turn, **(turn.get("collected") or {})}
    confidence = flat.get("confidence")
    decided_ms = flat.get("decided_ms")
    return Exchange(
        step=str(flat.get("step", "")),
        prompts=tuple(str(text) for text in flat.get("prompts") or ()),
        cause=flat.get("cause"),
        mode=flat.get("mode"),
        value=flat.get("value"),
        words=str(flat.get("words") or ""),
        confidence=None if confidence is None else float(confidence),
        barged_in=bool(flat.get("barged_in")),
        decided_ms=None if decided_ms is None else float(decided_ms),
        result=flat.get("result"),
    )


def _describe_action(exchange: Exchange, following: dict[str, Any] | None, outcome: str) -> str:
    """What the flow did after a turn, in words."""
    step = str(following.get("step", "")) if following else ""
    if exchange.result is not None:
        return f"looked up {exchange.step}: {exchange.result}"
    if exchange.cause is None:
        return "hung up"
    if exchange.cause == "hangup":
        return "the caller hung up"
    if step == exchange.step:
        return "asked again"
    if following is None or step == "end":
        return f"finished: {outcome}"
    return f"went on to {step}"


def _compare_turns(exchanges: Sequence[Exchange], expected: Sequence[ExpectedTurn]) -> list[str]:
    """What differs between the turns of a call and those expected."""
    asked = [exchange for exchange in exchanges if exchange.cause is not None]
    problems: list[str] = []
    if len(asked) != len(expected):
        causes = ", ".join(str(exchange.cause) for exchange in asked) or "none"
        problems.append(f"{len(asked)} turns ({causes}), expected {len(expected)}")
    for number, (exchange, wanted) in enumerate(zip(asked, expected, strict=False), start=1):
        for key in wanted.model_fields_set:
            value, got = getattr(wanted, key), getattr(exchange, key)
            if value is not None and got != value:
                problems.append(f"turn {number}: {key} is {got}, expected {value}")
    return problems
