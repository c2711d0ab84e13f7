"""What came of a call: the server's record beside the caller's own knowledge, and the expectations.

Theory of operation: the record says what the server heard and decided, in stream time:
milliseconds of the caller's audio that it had received. The caller's line position is the same
clock, seen from the other end, and the caller knows to the sample when its last word or key
ended. Their difference is the delay that the caller felt before the decision, recognition
included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ivr.simulate.caller import CallResult, SaidPrompt
from ivr.simulate.exchange import Exchange, Verdict
from ivr.simulate.expectations import compare
from ivr.simulate.phone import GivenInput
from ivr.simulate.playout import RATE_HZ, PlayedPrompt


def judge(result: CallResult) -> Verdict:
    """Compare a call with its script's expectations."""
    record = result.record or {}
    outcome = record.get("outcome")
    variables = {str(name): str(value) for name, value in (record.get("variables") or {}).items()}
    exchanges = _with_texts(read_exchanges(record, result.inputs), result.said)
    exchanges = tuple(_with_response(exchange, result.prompts) for exchange in exchanges)
    verdict = Verdict(result, exchanges, outcome, variables, ())
    problems = [] if result.failure is None else [result.failure]
    expect = result.script.expect
    checks = compare(verdict, expect) if result.record is not None else []
    if result.record is not None:
        problems += [check.problem for check in checks if check.problem is not None]
    elif result.failure is None and expect != type(expect)():
        problems.append("no call record to compare with")
    return replace(verdict, problems=tuple(problems), checks=tuple(checks))


def _with_texts(
    exchanges: Sequence[Exchange], said: Sequence[SaidPrompt | None]
) -> tuple[Exchange, ...]:
    """The exchanges with the words of their prompts, which a record does not repeat."""
    prompts = [prompt for prompt in said if prompt is not None]
    if len(prompts) < sum(len(exchange.prompts) for exchange in exchanges):
        return tuple(exchanges)  # nobody listened, or not from the beginning
    told = []
    for exchange in exchanges:
        mine, prompts = prompts[: len(exchange.prompts)], prompts[len(exchange.prompts) :]
        texts = tuple(prompt.text for prompt in mine)
        personal = tuple(prompt.personal for prompt in mine)
        told.append(replace(exchange, prompts=texts, personal=personal))
    return tuple(told)


def _with_response(exchange: Exchange, heard: Sequence[PlayedPrompt]) -> Exchange:
    """The exchange with the time until the agent spoke again."""
    if exchange.decision_ms is None or exchange.decided_ms is None:
        return exchange
    decided = exchange.decided_ms * RATE_HZ / 1000
    for prompt in heard:
        if prompt.start_sample >= decided:
            waited_ms = _ms(prompt.start_sample) - _ms(exchange.inputs[-1].end_sample)
            return replace(exchange, response_ms=waited_ms)
    return exchange


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
        sensitive=bool(flat.get("sensitive")),
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
