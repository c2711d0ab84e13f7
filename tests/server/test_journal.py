"""What a record keeps of a value: as the flow says, in every place that holds it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ivr.errors import ConfigError
from ivr.flow.schema import parse_flow
from ivr.records.protection import Keyring
from ivr.server.journal import Keeping, strictest

KEY = "k1:" + base64.b64encode(b"k" * 32).decode()
FLOW = """
flow: pin
start: ask
defaults: {{no_input_timeout_s: 1.0, attempts: 2, on_failure: bye}}
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=4
    prompt: Your number please.
    store: {store}
    next: sure
  sure:
    confirm: account
    prompt: "{{account:digits}}, is that right?"
    yes: done
  done: {{end: completed}}
  bye: {{end: gave_up}}
"""


@pytest.mark.parametrize("store", ["masked", "hash", "encrypted", "plain"])
def test_value_is_kept_as_the_flow_says(kit: Any, store: str) -> None:
    """Turn and variable hold the same kind of thing, and nothing else of the record the value."""

    async def scenario() -> None:
        async with kit.serving(flow=FLOW.format(store=store), keys=KEY) as bench:
            line = await bench.call()
            await line.mark()
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            await line.keys("1")
            await line.closed()
            record = await bench.ended()
        said = record["turns"][0]["collected"]["value"]
        kept = record["variables"]["account"]
        ring = Keyring.parse(KEY)
        if store == "plain":
            assert (said, kept) == ("4155", "4155")
            return
        assert "4155" not in json.dumps(record)
        assert record["turns"][0]["collected"]["words"] == "*"
        assert record["turns"][1]["collected"]["value"] == "yes"
        if store == "masked":
            assert (said, kept) == ("****", "****")
        elif store == "hash":
            assert said == kept == ring.hash("4155")
        else:
            assert ring.reveal(said, record["record_id"]) == "4155"
            assert ring.reveal(kept, record["record_id"]) == "4155"

    kit.run(scenario)


@pytest.mark.parametrize("store", ["hash", "encrypted"])
def test_flow_that_needs_a_key_is_refused_without(store: str) -> None:
    """Before the first call, not in the middle of one."""
    flow = parse_flow(FLOW.format(store=store))
    with pytest.raises(ConfigError, match=r"records\.keys"):
        Keeping(flow, Keyring())
    Keeping(flow, Keyring.parse(KEY))


def test_strictest_wins() -> None:
    """A value that two steps keep differently is kept as the stricter says."""
    assert strictest(["plain", "encrypted"]) == "encrypted"
    assert strictest(["hash", "masked", "plain"]) == "masked"
    assert strictest([]) == "plain"


LOOKUP = """
flow: balance
start: fetch
variables: {balance: nothing}
steps:
  fetch:
    lookup: {http: "https://api.example.com/balance"}
    results: {balance: balance}
    %s
    found: done
    missing: done
    failed: done
  done: {end: completed, say: "You have {balance}."}
"""


@pytest.mark.parametrize(("line", "plain"), [("sensitive: [balance]", False), ("", True)])
def test_flow_is_plain_only_if_its_lookups_are(line: str, plain: bool) -> None:
    """A prompt with a caller's number is shown to watchers only where nothing in it is secret."""
    assert Keeping(parse_flow(LOOKUP % line), Keyring()).plain is plain
