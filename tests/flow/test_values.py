"""Kinds of values: how each is written, how it is spoken, and where it must not be another."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import ConfigError, FlowError
from ivr.flow.machine import Dialogue
from ivr.flow.schema import parse_flow
from ivr.flow.spoken import spell_amount, spell_date, spell_digits, spell_truth
from ivr.flow.values import canonical, is_canonical, kind_of_grammar
from ivr.recognition import Collected, CompletionCause


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("text", "Jane", "Jane"),
        ("text", 12, "12"),
        ("text", True, "yes"),
        ("digits", "0041", "0041"),
        ("digits", 41, "41"),
        ("number", -3.5, "-3.5"),
        ("number", Decimal("1E+3"), "1000"),
        ("amount", 12, "12.00"),
        ("amount", "12.5", "12.50"),
        ("amount", Decimal("-0.5"), "-0.50"),
        ("amount", 0.1 + 0.2, "0.30"),
        ("date", "1969-06-23", "1969-06-23"),
        ("date", "2024-02-29T12:00:00Z", "2024-02-29"),
        ("boolean", False, "no"),
        ("boolean", "True", "yes"),
        ("boolean", 1, "yes"),
    ],
)
def test_a_value_is_written_in_one_way(kind: str, value: object, written: str) -> None:
    """Whatever another system calls it."""
    assert canonical(kind, value) == written
    assert is_canonical(kind, written)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", None),
        ("text", {"a": 1}),
        ("text", ["a"]),
        ("text", "x" * 1001),
        ("digits", "41-55"),
        ("digits", "٤"),
        ("digits", -4),
        ("digits", ""),
        ("number", "1e3"),
        ("number", Decimal("1E+999999")),
        ("number", float("nan")),
        ("number", 10**40),
        ("amount", "12.345"),
        ("amount", "12,50"),
        ("date", "2023-02-29"),
        ("date", "23.06.1969"),
        ("date", "0000-01-01"),
        ("boolean", "maybe"),
        ("boolean", 2),
    ],
)
def test_what_is_none_of_a_kind_is_refused(kind: str, value: object) -> None:
    """And not quoted: it may be a caller's."""
    with pytest.raises(ValueError, match=r"^no "):
        canonical(kind, value)


@pytest.mark.parametrize(
    ("grammar", "kind"),
    [
        ("builtin:digits?length=8", "digits"),
        ("builtin:digits?pattern=(4|5)1", "digits"),
        ("builtin:number?min=1;max=3", "number"),
        ("builtin:amount", "amount"),
        ("builtin:date?order=dmy", "date"),
        ("builtin:boolean", "boolean"),
        ("builtin:digits?length=8|builtin:phone", "digits"),
        ("builtin:digits?length=8|builtin:amount", "text"),
    ],
)
def test_a_grammar_has_a_kind(grammar: str, kind: str) -> None:
    """Captured values need no declaration."""
    assert kind_of_grammar(grammar) == kind


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        ("12.50", "12 dollars and 50 cents"),
        ("1.01", "1 dollar and 1 cent"),
        ("0.50", "50 cents"),
        ("0.00", "0 dollars"),
        ("-3.00", "minus 3 dollars"),
        ("1234.00", "1234 dollars"),
    ],
)
def test_money_is_spoken(value: str, spoken: str) -> None:
    """In units and cents, what is nothing left out."""
    assert spell_amount(value) == spoken


def test_values_are_spoken_in_other_languages() -> None:
    """By the language's code; one that we do not speak is English."""
    assert spell_amount("12.50", "es") == "12 dólares con 50 centavos"
    assert spell_date("1969-06-23") == "June 23, 1969"
    assert spell_date("1969-06-23", "de-at") == "23. Juni 1969"
    assert spell_digits("41", language="fr") == "quatre un"
    assert spell_truth("yes", "es") == "sí"
    assert spell_date("1969-06-23", "xx") == "June 23, 1969"


@given(st.decimals(min_value=-10_000, max_value=10_000, places=2))
def test_every_amount_can_be_written_and_spoken(amount: Decimal) -> None:
    """And is the same amount."""
    written = canonical("amount", amount)
    assert Decimal(written) == amount
    assert spell_amount(written)


FLOW = """\
flow: paying
start: ask
defaults: {on_failure: bye}
variables: {limit: "500.00", given: }
types: {limit: amount, given: date, copy: amount, flag: boolean}
steps:
  ask: {capture: amount, grammar: "builtin:amount?max=400", prompt: "How much?", next: copy}
  copy: {set: {copy: "{amount}", flag: "no"}, next: tell}
  tell:
    say: "{amount:amount} of {limit:amount}, {given:date}, {flag:boolean}."
    next: bye
  bye: {end: over}
"""


def test_values_are_spoken_as_their_kinds() -> None:
    """In a call's texts; a value from outside is brought to its kind."""
    dialogue = Dialogue(parse_flow(FLOW), {"given": "2026-01-31T00:00:00"})
    dialogue.start()
    turn = dialogue.collected(Collected(CompletionCause.SUCCESS, "12.50"))
    said = "12 dollars and 50 cents of 500 dollars, January 31, 2026, no."
    assert turn.prompts[0].text == said
    with pytest.raises(ConfigError, match='the value for "given" is no date'):
        Dialogue(parse_flow(FLOW), {"given": "tomorrow"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{amount:amount}", "{amount:date}", '"amount" is amount and cannot be spoken as date'),
        ("{given:date}", "{given:amount}", '"given" is date and cannot be spoken as amount'),
        ('limit: "500.00"', 'limit: "500"', "is no amount; write it with two digits"),
        ("limit: amount,", "limit: money,", 'cannot be "money"'),
        ("copy: amount", "copy: date", '"copy" is date; copy a variable of this kind'),
        ('flag: "no"', 'flag: "never"', '"flag" is boolean; .* write yes or no'),
        ("types: {", "types: {amount: amount, ", "ask captures it: its grammar says it"),
        ("types: {", "types: {other: amount, ", 'unknown variable "other"'),
    ],
)
def test_a_value_of_another_kind_is_told(old: str, new: str, message: str) -> None:
    """Before the first call."""
    with pytest.raises(FlowError, match=message):
        parse_flow(FLOW.replace(old, new, 1))
