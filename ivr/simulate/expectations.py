"""What a script expects of its call, compared with what came of it.

Each expectation is one `Check`, met or not; what is wrong is one line in words, which names the
values: a caller is made up, and its numbers stand in the script. Those of sensitive turns are left
out all the same, for reports travel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivr.simulate.exchange import Check, Exchange, Verdict
from ivr.simulate.script import Expect, ExpectedTurn
from ivr.simulate.script_lookups import RESULTS, ExpectedLookup

_PLAIN = ("step", "cause", "mode", "value", "words", "barged_in")  # compared as they are
_SECRET = frozenset({"value", "words"})
_HIDDEN = "is not as expected (sensitive, not shown)"


def compare(verdict: Verdict, expect: Expect) -> list[Check]:
    """All expectations, in the order in which a script has them."""
    asked = [exchange for exchange in verdict.exchanges if exchange.cause is not None]
    return [
        *_outcome(verdict, expect),
        *_variables(verdict, expect),
        *_texts(verdict, expect),
        *_limits(verdict, asked, expect),
        *_turns(asked, expect.turns),
        *_lookups(verdict.exchanges, expect.lookups),
    ]


def _check(expected: str, problem: str, *, met: bool) -> Check:
    return Check(expected, None if met else problem)


def _outcome(verdict: Verdict, expect: Expect) -> Iterator[Check]:
    if (wanted := expect.outcome) is not None:
        problem = f"outcome is {verdict.outcome}, expected {wanted}"
        yield _check(f"outcome {wanted}", problem, met=verdict.outcome == wanted)
    if (by := expect.ended_by) is not None:
        ended_by = verdict.result.ended_by
        problem = f"the call was ended by the {ended_by}, expected the {by}"
        yield _check(f"ended by the {by}", problem, met=ended_by == by)


def _variables(verdict: Verdict, expect: Expect) -> Iterator[Check]:
    for name, value in expect.variables.items():
        got, secret = verdict.variables.get(name), name in verdict.result.secret
        problem = f"variable {name} is {'not set' if got is None else got}, expected {value}"
        if secret:
            problem = f"variable {name} {_HIDDEN}"
        shown = "*" * len(value) if secret else value
        # Written in stars, it holds wherever it is placed: this server tells it in clear.
        starred = secret and got is not None and value == "*" * len(got)
        yield _check(f"variable {name} {shown}", problem, met=got == value or starred)


def _texts(verdict: Verdict, expect: Expect) -> Iterator[Check]:
    said = [text for exchange in verdict.exchanges for text in exchange.prompts]
    at = 0
    for wanted in expect.says:
        found = next((n for n in range(at, len(said)) if _says(said[n], wanted)), None)
        before = any(_says(text, wanted) for text in said[:at])
        problem = f"the agent did not say {wanted!r}" + " after what came before" * before
        yield _check(f"says {wanted!r}", problem, met=found is not None)
        at = at if found is None else found  # one prompt may hold several of them
    for unwanted in expect.never_says:
        met = not any(_says(text, unwanted) for text in said)
        yield _check(f"never says {unwanted!r}", f"the agent said {unwanted!r}", met=met)


def _says(text: str, wanted: str) -> bool:
    """Whether a text holds another, whatever its capitals and spaces."""
    return " ".join(wanted.casefold().split()) in " ".join(text.casefold().split())


def _limits(verdict: Verdict, asked: Sequence[Exchange], expect: Expect) -> Iterator[Check]:
    if (most_s := expect.max_duration_s) is not None:
        length_s = verdict.result.duration_s
        problem = f"the call lasted {length_s:.1f} s, expected at most {most_s:g} s"
        yield _check(f"at most {most_s:g} s", problem, met=length_s <= most_s)
    if (most := expect.max_turns) is not None:
        problem = f"{len(asked)} turns, expected at most {most}"
        yield _check(f"at most {most} turns", problem, met=len(asked) <= most)
    for number, exchange in enumerate(asked, start=1):
        yield from _times(number, exchange, expect.max_decision_ms, expect.max_response_ms)


def _times(
    number: int, exchange: Exchange, max_decision_ms: int | None, max_response_ms: int | None
) -> Iterator[Check]:
    """The times of a turn; one without an answer has none."""
    kinds = (
        ("decided", exchange.decision_ms, max_decision_ms),
        ("the agent spoke", exchange.response_ms, max_response_ms),
    )
    for what, took_ms, most_ms in kinds:
        if took_ms is None or most_ms is None:
            continue
        problem = (
            f"turn {number}: {what} {took_ms:.0f} ms after the caller's last word or key, "
            f"expected at most {most_ms} ms"
        )
        yield _check(f"turn {number}: {what} within {most_ms} ms", problem, met=took_ms <= most_ms)


def _turns(asked: Sequence[Exchange], expected: Sequence[ExpectedTurn] | None) -> Iterator[Check]:
    if expected is None:
        return
    causes = ", ".join(str(exchange.cause) for exchange in asked) or "none"
    problem = f"{len(asked)} turns ({causes}), expected {len(expected)}"
    yield _check(f"{len(expected)} turns", problem, met=len(asked) == len(expected))
    for number, (exchange, wanted) in enumerate(zip(asked, expected, strict=False), start=1):
        yield from _turn(number, exchange, wanted)


def _turn(number: int, exchange: Exchange, wanted: ExpectedTurn) -> Iterator[Check]:
    turn = f"turn {number}:"
    for key in _PLAIN:
        value, got = getattr(wanted, key), getattr(exchange, key)
        if value is None:
            continue
        hidden = exchange.sensitive and key in _SECRET
        problem = f"{turn} {key} " + (_HIDDEN if hidden else f"is {got}, expected {value}")
        shown = "*" * len(value) if hidden else value
        yield _check(f"{turn} {key} {shown}", problem, met=got == value)
    if (text := wanted.says) is not None:
        met = _says(" ".join(exchange.prompts), text)
        yield _check(f"{turn} says {text!r}", f"{turn} the agent did not say {text!r}", met=met)
    if (least := wanted.min_confidence) is not None:
        sure = exchange.confidence
        got_sure = "none" if sure is None else f"{sure:.2f}"
        problem = f"{turn} confidence is {got_sure}, expected at least {least:g}"
        met = sure is not None and sure >= least
        yield _check(f"{turn} confidence at least {least:g}", problem, met=met)
    yield from _times(number, exchange, wanted.max_decision_ms, wanted.max_response_ms)


def _lookups(
    exchanges: Sequence[Exchange], expected: Sequence[ExpectedLookup] | None
) -> Iterator[Check]:
    if expected is None:
        return
    ends = [(each.step, (each.result or "").partition(":")[0]) for each in exchanges]
    made = [(step, result) for step, result in ends if result in RESULTS]
    said = ", ".join(f"{step} {result}" for step, result in made) or "none"
    problem = f"{len(made)} lookups ({said}), expected {len(expected)}"
    yield _check(f"{len(expected)} lookups", problem, met=len(made) == len(expected))
    for number, ((step, result), wanted) in enumerate(zip(made, expected, strict=False), start=1):
        text = f"{wanted.step} {wanted.result or ''}".strip()
        problem = f"lookup {number} is {step} {result}, expected {text}"
        met = wanted.step == step and wanted.result in (None, result)
        yield _check(f"lookup {number}: {text}", problem, met=met)
