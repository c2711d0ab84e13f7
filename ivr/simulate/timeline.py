"""A call in order of time, from both ends: what was said, given and decided, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ivr.simulate.caller import SaidPrompt
from ivr.simulate.exchange import Exchange, Verdict
from ivr.simulate.masking import REPEATS, hidden_inputs, masked, stars
from ivr.simulate.playout import RATE_HZ, PlayedPrompt

_VERBS: Final = {"say": "says", "wav": "plays", "keys": "keys"}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in a call.

    Attributes:
        who: ``agent``, ``caller``, ``heard`` (what was made of it) or ``flow``.
        start_s, end_s: on the caller's line; the same where it took no time.
        text: what it was; sensitive numbers as stars.
        hidden: its audio must not be heard.
        cut: it was stopped before its end.
    """

    who: str
    start_s: float
    end_s: float
    text: str
    hidden: bool = False
    cut: bool = False


def timeline(verdict: Verdict) -> list[Moment]:
    """All that happened in a call, in order."""
    hidden = hidden_inputs(verdict)
    secret = bool(verdict.result.secret) or any(e.sensitive for e in verdict.exchanges)
    moments = list(_prompts(verdict, secret=secret))
    for given in verdict.result.inputs:
        text = stars(given.text) if given in hidden else given.text
        span = (given.start_sample / RATE_HZ, given.end_sample / RATE_HZ)
        into = ", into the prompt" if given.barged_in else ""
        said = f"{_VERBS[given.kind]} {text}{into}"
        moments.append(Moment("caller", *span, said, hidden=given in hidden))
    for exchange in masked(verdict).exchanges:
        if exchange.decided_ms is not None and exchange.cause is not None:
            at_s = exchange.decided_ms / 1000
            moments.append(Moment("heard", at_s, at_s, _heard(exchange)))
            moments.append(Moment("flow", at_s, at_s, exchange.action))
    order = {"caller": 0, "heard": 1, "flow": 2, "agent": 3}
    return sorted(moments, key=lambda m: (m.end_s if m.who == "heard" else m.start_s, order[m.who]))


def _prompts(verdict: Verdict, *, secret: bool) -> list[Moment]:
    heard = verdict.result.prompts
    said = match(heard, verdict.result.said)
    moments = []
    for prompt, words in zip(heard, said, strict=True):
        text = "(a prompt)" if words is None else words.text
        hidden = secret and words is not None and words.personal
        span = (prompt.start_sample / RATE_HZ, prompt.end_sample / RATE_HZ)
        shown = REPEATS if hidden else text
        moments.append(Moment("agent", *span, shown, hidden=hidden, cut=prompt.cleared))
    return moments


def match(
    heard: Sequence[PlayedPrompt], said: Sequence[SaidPrompt | None]
) -> list[SaidPrompt | None]:
    """The words of each prompt that was heard.

    One that was played to its end has a mark. One that was cut short is the first of those that had
    not been played when the agent fell silent; what stood behind it was never heard.
    """
    matched: list[SaidPrompt | None] = []
    at = 0
    for prompt in heard:
        if prompt.mark is not None:
            places = [n for n, words in enumerate(said) if words and words.mark == prompt.mark]
            at = places[0] + 1 if places else at
            matched.append(said[places[0]] if places else None)
            continue
        while at < len(said) and said[at] is None:
            at += 1
        matched.append(said[at] if at < len(said) else None)
        silences = [n for n in range(at, len(said)) if said[n] is None]
        at = silences[0] + 1 if silences else at + 1
    return matched


def _heard(exchange: Exchange) -> str:
    parts = [exchange.words] if exchange.words else []
    if exchange.value not in (None, exchange.words):
        parts = [f"{exchange.words} = {exchange.value}"]
    parts.append(str(exchange.cause))
    if exchange.words and exchange.confidence is not None:
        parts.append(f"confidence {exchange.confidence:.2f}")
    if exchange.decision_ms is not None:
        what = "key" if exchange.mode == "dtmf" else "word"
        parts.append(f"decided {exchange.decision_ms:.0f} ms after the last {what}")
    return ", ".join(parts)
