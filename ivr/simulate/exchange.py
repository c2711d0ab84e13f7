"""A call as a dialogue, and what was wrong with it: values only."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.simulate.caller import CallResult
from ivr.simulate.phone import GivenInput


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
        response_ms: from there to the first sample that the agent said next.
        sensitive: what was said here must not be shown.
        personal: which of the prompts repeat what the caller said, where that is known.
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
    response_ms: float | None = None
    sensitive: bool = False
    personal: tuple[bool, ...] = ()
    action: str = ""
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation.

    Attributes:
        expected: what it is, in words.
        problem: how it was missed; ``None`` where it was met.
    """

    expected: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A call judged.

    Attributes:
        result: the call.
        exchanges: its dialogue; empty where the record could not be read.
        outcome: the record's outcome.
        variables: the record's flow variables. Personal.
        problems: what is not as the script says; empty if the call went as it should.
        checks: the expectations one by one; empty where there was nothing to compare them with.
    """

    result: CallResult
    exchanges: tuple[Exchange, ...]
    outcome: str | None
    variables: dict[str, str]
    problems: tuple[str, ...]
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the call went as its script says."""
        return not self.problems

    @property
    def decision_ms(self) -> float | None:
        """The slowest decision of the call."""
        delays = [e.decision_ms for e in self.exchanges if e.decision_ms is not None]
        return max(delays, default=None)
