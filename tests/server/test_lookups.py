"""A call that looks something up: on a real line, from a real API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

CANARY = "90817263"
FLOW = """
flow: fetching
start: ask
defaults: {attempts: 1, on_failure: bye}
steps:
  ask:
    capture: account
    grammar: builtin:digits?length=4
    prompt: Your number please.
    sensitive: true
    next: fetch
  fetch:
    lookup: {http: "http://127.0.0.1:PORT/accounts/{account}", retries: 0}
    results: {holder: name, code: code}
    sensitive: [code]
    say: One moment.
    found: pin
    failed: sorry
  pin:
    capture: pin
    grammar: builtin:digits?length=2
    prompt: "Hello {holder}. Pin?"
    next: done
  done: {end: completed, say: "Thank you."}
  sorry: {end: no_answer, say: "Sorry."}
  bye: {end: gave_up}
"""


class Api:
    """An API that answers when it is let."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.path = ""

    async def handle(self, request: web.Request) -> web.Response:
        """One account."""
        self.path = request.path
        self.asked.set()
        await self.let.wait()
        return web.json_response({"name": "Jane", "code": "98765"})


async def start(api: Api) -> tuple[web.AppRunner, str]:
    """The API on a free port, and the flow that asks it."""
    app = web.Application()
    app.router.add_get("/accounts/{number}", api.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, FLOW.replace("PORT", str(runner.addresses[0][1]))


def test_a_call_goes_on_with_what_was_found(kit: Any) -> None:
    """Keys pressed meanwhile answer the next question; what is secret is masked in the record."""

    async def scenario() -> None:
        api = Api()
        runner, flow = await start(api)
        lookups = {"allowed_hosts": ["127.0.0.1"]}
        async with kit.serving(flow=flow, lookups=lookups) as bench:
            line = await bench.call()
            await line.keys("4155")
            async with asyncio.timeout(10):
                await api.asked.wait()
            await line.silence(3.0)
            await line.keys("12")
            await line.silence(1.0)
            api.let.set()
            await line.until(lambda: "p4" in line.marks)
            await line.say(line.caller.mark("p4"))
            assert await line.closed() == 1000
            record = await bench.ended()
            assert bench.count("found", "lookups") == 1
        await runner.cleanup()
        assert api.path == "/accounts/4155"
        assert record["outcome"] == "completed"
        assert record["variables"] == {
            "account": "****",
            "holder": "Jane",
            "code": "*****",
            "pin": "12",
        }
        turns = [(turn["step"], turn["result"]) for turn in record["turns"]]
        assert turns == [("ask", None), ("fetch", "found"), ("pin", None), ("end", None)]

    kit.run(scenario)


def test_a_caller_who_hangs_up_meanwhile_leaves_nothing_behind(kit: Any) -> None:
    """The late answer is dropped."""

    async def scenario() -> None:
        api = Api()
        runner, flow = await start(api)
        async with kit.serving(flow=flow, lookups={"allowed_hosts": ["127.0.0.1"]}) as bench:
            line = await bench.call()
            await line.keys("4155")
            async with asyncio.timeout(10):
                await api.asked.wait()
            await line.hang_up()
            api.let.set()
            record = await bench.ended()
        await runner.cleanup()
        assert record["outcome"] == "hangup"
        assert record["turns"][-1]["result"] == "failed: hangup"

    kit.run(scenario)


def test_a_failure_leads_on_and_is_logged_without_what_was_asked(kit: Any, capsys: Any) -> None:
    """The call is never lost for an API's sake."""

    async def scenario() -> None:
        # Nobody is there.
        flow = FLOW.replace("PORT", "1").replace("length=4", "length=8")
        lookups = {"allowed_hosts": ["127.0.0.1"]}
        async with kit.serving(flow=flow, lookups=lookups) as bench:
            line = await bench.call()
            await line.keys(CANARY)
            await line.until(lambda: "p3" in line.marks)
            await line.say(line.caller.mark("p3"))
            await line.closed()
            record = await bench.ended()
            async with bench.client.get(bench.url + "/metrics") as response:
                metrics = await response.text()
            assert bench.count("unreachable", "lookups") == 1
        assert 'reason="unreachable"' in metrics
        assert CANARY not in metrics
        assert CANARY not in json.dumps(record)
        assert record["outcome"] == "no_answer"
        assert record["turns"][1]["result"] == "failed: unreachable"

    kit.run(scenario)
    told = capsys.readouterr()
    assert "lookup_failed" in told.out + told.err
    assert CANARY not in told.out + told.err
