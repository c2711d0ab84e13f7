"""The provider's HTTP side: TwiML, signatures, and reading the record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ivr.providers.twilio_signature import sign
from ivr.simulate import webhook
from ivr.simulate.webhook import (
    CallRefused,
    Server,
    Stream,
    announce_call,
    fetch_record,
    read_twiml,
)
from tests.simulate.agent import Agent, AgentCall


async def nothing(_: AgentCall) -> None:
    """An agent that no stream reaches."""


def test_twiml_names_stream_and_parameters() -> None:
    """The stream's address and its parameters are read, with XML's escapes undone."""
    stream = read_twiml(
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Connect>'
        '<Stream url="wss://a.example/media?x=1&amp;y=2">'
        '<Parameter name="token" value="a&quot;b"/><Parameter name="flow" value="f"/>'
        "</Stream></Connect></Response>"
    )
    assert stream == Stream("wss://a.example/media?x=1&y=2", {"token": 'a"b', "flow": "f"})


@pytest.mark.parametrize(
    ("twiml", "says"),
    [
        ("", "not TwiML"),
        ("hello", "not TwiML"),
        ("<Response>", "not TwiML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response>&a;</Response>', "not TwiML"),
        ("<Response>" + " " * 70_000 + "</Response>", "not TwiML"),
        ("<Response/>", "it says: nothing"),
        ('<Response><Reject reason="busy"/></Response>', "it says: Reject"),
        ("<Response><Connect><Stream/></Connect></Response>", "it says: Connect"),
    ],
)
def test_other_answers_are_refusals(twiml: str, says: str) -> None:
    """What connects no stream is a CallRefused that says what came instead."""
    with pytest.raises(CallRefused, match=says):
        read_twiml(twiml)


def test_the_webhook_is_signed_where_a_token_is_given() -> None:
    """With an auth token the post bears its signature, without one it bears none."""

    async def go() -> list[tuple[dict[str, str], dict[str, str]]]:
        async with Agent(nothing).running() as agent:
            await announce_call(Server(agent.url + "/", auth_token="12345"), "CA1")
            await announce_call(Server(agent.url), "CA2")
            for form, _ in agent.webhooks:
                form["url"] = agent.url + "/voice"
            return agent.webhooks

    (signed, headers), (_, bare) = asyncio.run(go())
    url = signed.pop("url")
    assert headers["X-Twilio-Signature"] == sign("12345", url, signed.items())
    assert "X-Twilio-Signature" not in bare


def fetch(record: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any] | None:
    """Ask an agent for a record, with little patience."""
    monkeypatch.setattr(webhook, "RECORD_TIMEOUT_S", 0.3)
    monkeypatch.setattr(webhook, "RECORD_POLL_S", 0.02)

    async def go() -> dict[str, Any] | None:
        async with Agent(nothing, record=record).running() as agent:
            return await fetch_record(Server(agent.url), "CA1")

    return asyncio.run(go())


def test_a_finished_record_is_returned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record with an end is what was waited for."""
    record = {"ended_at": "2024-01-01T00:00:00Z", "outcome": "completed"}
    assert fetch(record, monkeypatch) == {"call_id": "CA1", **record}


def test_an_unfinished_record_is_better_than_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that never gets an end is returned when patience is over."""
    record = {"ended_at": None, "outcome": "unfinished"}
    assert fetch(record, monkeypatch) == {"call_id": "CA1", **record}


def test_no_record_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """404 until patience is over, or no server at all: there is no record."""
    assert fetch(None, monkeypatch) is None
    assert asyncio.run(fetch_record(Server("http://127.0.0.1:9"), "CA1")) is None
