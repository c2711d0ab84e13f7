"""Calls for reports: what was said in sensitive turns is not shown.

The callers are made up, but their scripts are written after real ones, and reports travel further
than scripts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ivr.simulate.exchange import Exchange, Verdict
from ivr.simulate.phone import GivenInput

REPEATS: Final = "(repeats the caller's number)"  # as a call record has it
_SHOWN: Final = frozenset({None, "yes", "no"})  # a yes to a secret number is none


def stars(text: str) -> str:
    """A text's length without its letters."""
    return "*" * len(text)


def masked(verdict: Verdict) -> Verdict:
    """A verdict whose sensitive parts are stars; its result keeps what was said."""
    secret = bool(verdict.result.secret) or any(e.sensitive for e in verdict.exchanges)
    variables = {
        name: stars(value) if name in verdict.result.secret else value
        for name, value in verdict.variables.items()
    }
    exchanges = tuple(_masked(exchange, secret=secret) for exchange in verdict.exchanges)
    return replace(verdict, exchanges=exchanges, variables=variables)


def hidden_inputs(verdict: Verdict) -> tuple[GivenInput, ...]:
    """What the caller gave that must not be shown: in sensitive turns, and after the last turn."""
    inputs = verdict.result.inputs
    shown = [given for e in verdict.exchanges if not e.sensitive for given in e.inputs]
    if not verdict.result.secret and not any(e.sensitive for e in verdict.exchanges):
        return ()
    return tuple(given for given in inputs if given not in shown)


def _masked(exchange: Exchange, *, secret: bool) -> Exchange:
    personal = exchange.personal or (False,) * len(exchange.prompts)
    if secret:
        prompts = tuple(
            REPEATS if repeats else text
            for text, repeats in zip(exchange.prompts, personal, strict=True)
        )
        exchange = replace(exchange, prompts=prompts)
    if not exchange.sensitive:
        return exchange
    return replace(
        exchange,
        inputs=tuple(replace(given, text=stars(given.text)) for given in exchange.inputs),
        value=exchange.value if exchange.value in _SHOWN else stars(str(exchange.value)),
        words=stars(exchange.words),
    )
