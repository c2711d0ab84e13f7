"""Lookup steps: what is asked with the values of a call, and what an answer gives."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ivr.errors import FlowError, StateError
from ivr.flow.machine import Dialogue, Turn
from ivr.flow.request import MISSING, Answer, HttpRequest
from ivr.flow.schema import Flow, parse_flow
from ivr.recognition import Collected, CompletionCause

FLOW = """\
flow: fetching
start: ask
defaults: {on_failure: bye}
variables: {greeting: there, bank: b/1}
steps:
  ask: {capture: account, grammar: "builtin:digits?length=4", prompt: "Account?", next: fetch}
  fetch:
    lookup:
      http: "https://api.example/{bank}/accounts/{account}?q={account:digits}"
      method: POST
      headers: {X-Bank: "{bank}"}
      json: {account: "{account}", list: ["{bank}", 1, true]}
    results: {holder: name, balance: accounts.0.balance, greeting: greeting}
    sensitive: [balance]
    say: One moment.
    found: told
    missing: nobody
    failed: sorry
  told: {say: "Hello {greeting}, {holder}, {balance}.", next: bye}
  nobody: {say: "Hello {greeting}.", next: ask}
  sorry: {say: "Sorry.", next: ask}
  bye: {end: over}
"""
FOUND = Answer.found({"name": "Jane", "accounts": [{"balance": Decimal("12.50")}]})


def asked(flow: Flow, digits: str = "4155") -> tuple[Dialogue, Turn]:
    """A dialogue that looks up an account, and the turn that does."""
    dialogue = Dialogue(flow)
    dialogue.start()
    return dialogue, dialogue.collected(Collected(CompletionCause.SUCCESS, digits))


def test_a_request_has_the_values_of_the_call_each_encoded_for_its_place() -> None:
    """In an address no value opens a folder or a parameter; in JSON it is a text."""
    _, turn = asked(parse_flow(FLOW))
    assert [prompt.text for prompt in turn.prompts] == ["One moment."]
    assert turn.lookup is not None
    request = turn.lookup.request
    assert isinstance(request, HttpRequest)
    assert request.url == ("https://api.example/b%2F1/accounts/4155?q=four%20one%20five%20five")
    assert request.headers == {"X-Bank": "b/1"}
    assert request.body == {"account": "4155", "list": ["b/1", 1, True]}
    assert "4155" not in repr(turn)


def test_an_answer_gives_the_results() -> None:
    """Each from its path; what the answer lacks keeps the text that the file gives it."""
    dialogue, _ = asked(parse_flow(FLOW))
    turn = dialogue.looked_up(FOUND)
    assert [prompt.text for prompt in turn.prompts] == ["Hello there, Jane, 12.50."]
    assert all(prompt.personal for prompt in turn.prompts)
    assert turn.end is not None
    assert turn.end.variables == {
        "account": "4155",
        "holder": "Jane",
        "balance": "12.50",
        "greeting": "there",
    }
    assert dialogue.sensitive == {"balance"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (MISSING, "Hello there."),
        (Answer.found(None), "Hello there."),
        (Answer.found([]), "Hello there."),
        (Answer.failed("timeout"), "Sorry."),
        (Answer.found({"name": "Jane"}), "Sorry."),
        (Answer.found({"name": {"first": "Jane"}, "accounts": [{"balance": 1}]}), "Sorry."),
        (Answer.found({"name": "Jane", "accounts": {"0": {}}}), "Sorry."),
        (Answer.found("Jane"), "Sorry."),
    ],
)
def test_no_answer_or_another_than_expected_leads_elsewhere(answer: Answer, said: str) -> None:
    """Nothing of it is taken, and what an earlier answer gave is not there either."""
    dialogue, _ = asked(parse_flow(FLOW))
    turn = dialogue.looked_up(answer)
    assert turn.prompts[0].text == said
    assert dialogue.variables == {}


def test_results_of_an_earlier_lookup_are_forgotten_by_the_next() -> None:
    """The second account's holder is not the first one's."""
    flow = parse_flow(FLOW.replace("next: bye}", "next: ask}", 1))
    dialogue, _ = asked(flow)
    dialogue.looked_up(Answer.found({**FOUND.data, "greeting": "Madam"}))
    turn = dialogue.collected(Collected(CompletionCause.SUCCESS, "4156"))
    assert turn.lookup is not None
    assert dialogue.variables.keys() == {"account"}
    assert dialogue.looked_up(MISSING).prompts[0].text == "Hello there."


def test_a_value_that_would_lead_elsewhere_is_not_asked_with() -> None:
    """A path's way up, and a line break in a header, fail without a request."""
    for bank in ("..", "a\\nB: c"):
        dialogue = Dialogue(parse_flow(FLOW.replace("b/1", f'"{bank}"')))
        dialogue.start()
        turn = dialogue.collected(Collected(CompletionCause.SUCCESS, "4155"))
        assert turn.lookup is None
        assert turn.prompts[0].text == "Sorry."


def test_an_answer_that_nobody_waits_for_is_our_mistake() -> None:
    """Before the start, and at a question."""
    dialogue = Dialogue(parse_flow(FLOW))
    with pytest.raises(StateError):
        dialogue.looked_up(MISSING)
    dialogue.start()
    with pytest.raises(StateError):
        dialogue.looked_up(MISSING)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("api.example/{bank}", "{bank}.example", "host in full"),
        ("https://api", "ftp://api", "host in full"),
        ("api.example/", "user@api.example/", "host in full"),
        ("/accounts/", "/my accounts/", "no spaces"),
        ("method: POST", "method: STEAL", "cannot be"),
        ("method: POST", "sql: select 1", "both http and sql; ask one of them"),
        ("http: ", "htpp: ", "names no source; write one of http, sql, csv, call"),
        ("{bank}/accounts", "{band}/accounts", 'unknown variable "band"'),
        ("sensitive: [balance]", "sensitive: [balanced]", "none of the results"),
        ("{holder: name", "{account: name", "ask captures it as well"),
        ("balance: accounts.0.balance", "balance: a..b", "cannot be"),
        ("Hello {greeting}.", "Hello {holder}.", "look it up before on every way"),
        ("missing: nobody", "missing: nowhere", 'unknown step "nowhere"'),
        ("failed: sorry", "failed: again", 'unknown step "again"'),
        ('Sorry.", next: ask', 'Sorry.", next: fetch', "circle of steps"),
        ('{bank}", 1', '{bank", 1', "lone"),
        ("X-Bank", "Host", "is the server's to say"),
    ],
)
def test_a_mistake_is_told(old: str, new: str, message: str) -> None:
    """With what is wrong and what to do."""
    assert old in FLOW
    with pytest.raises(FlowError, match="^flow:.*" + message.replace("(", r"\(")):
        parse_flow(FLOW.replace(old, new, 1))


def test_a_sensitive_result_cannot_be_copied() -> None:
    """A copy of it would be kept plain."""
    copying = FLOW.replace("next: bye}", "next: copy}", 1)
    copying += '  copy: {set: {note: "{balance}"}, next: bye}\n'
    with pytest.raises(FlowError, match='"balance" is kept masked'):
        parse_flow(copying)
