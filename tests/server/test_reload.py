"""Flows that change while calls are on the line, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ivr.config import Settings
from ivr.server.flows import FlowFiles, Flows
from ivr.server.reload import keep_flows_current

POLL_S = 0.02


@asynccontextmanager
async def reloading(kit: Any, folder: Path, prompts: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A server whose flow stands in `folder`, and what asks it to read that now."""
    (folder / "pin.yaml").write_text(kit.flow)
    settings = Settings.model_validate({"flow": folder / "pin.yaml", "flows_dir": folder})
    files = FlowFiles(settings, warm=lambda flow: prompts.rendered.append(f"warmed {flow.flow}"))
    async with kit.serving(flow=Flows(files.load()), prompts=prompts) as bench:
        asked = asyncio.Event()
        task = asyncio.create_task(keep_flows_current(bench.context, files, asked, POLL_S))
        try:
            yield bench, asked
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("by", ["file", "signal"])
def test_call_goes_on_with_the_flow_it_began_with(kit: Any, tmp_path: Path, by: str) -> None:
    """The file changes during a call: that one ends as it began, the next one is new."""

    async def scenario() -> None:
        prompts = kit.prompts()
        async with reloading(kit, tmp_path, prompts) as (bench, asked):
            old = bench.context.flows.default
            line = await bench.call("CA1")
            await line.mark()
            (tmp_path / "pin.yaml").write_text(kit.flow.replace("Thank you for", "Cheers for"))
            if by == "signal":
                asked.set()
            await bench.until(lambda: bench.context.flows.default is not old)
            assert prompts.rendered[-1] == "warmed pin"
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            await line.closed()
            record = await bench.ended("CA1")
            assert record["flow_version"] == old.version
            assert prompts.rendered[-1] == "Thank you for four one five five."

            line = await bench.call("CA2")
            await line.mark()
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            await line.closed()
            record = await bench.ended("CA2")
            assert record["flow_version"] == bench.context.flows.default.version != old.version
            assert prompts.rendered[-1] == "Cheers for four one five five."
            assert bench.count("done", "flow_reloads") == 1

    kit.run(scenario)


def test_broken_file_is_told_and_calls_go_on(
    kit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Log, counter and /readyz say so once; the server stays ready, with the flow it had."""

    async def scenario() -> None:
        async with reloading(kit, tmp_path, kit.prompts()) as (bench, asked):
            (tmp_path / "pin.yaml").write_text("flow: pin\nstrat: ask\n")
            asked.set()
            await bench.until(lambda: bench.count("failed", "flow_reloads") > 0)
            response = await bench.client.get(bench.url + "/readyz")
            assert response.status == 200
            assert (await response.json())["flows_not_reloaded"] == ["pin.yaml"]
            line = await bench.call("CA1")
            await line.mark()
            await line.hang_up()
            asked.set()
            await bench.until(lambda: not asked.is_set())
            (tmp_path / "pin.yaml").write_text(kit.flow)
            await bench.until(lambda: not bench.context.flows.broken)
            assert bench.count("failed", "flow_reloads") == 1
            assert (
                "flows_not_reloaded"
                not in await (await bench.client.get(bench.url + "/readyz")).json()
            )

    kit.run(scenario)
    said = capsys.readouterr().out
    assert said.count("flow_not_reloaded") == said.count("flow_mended") == 1
    assert "pin.yaml:2" in said


def test_flow_that_goes_between_webhook_and_stream_is_refused(kit: Any, tmp_path: Path) -> None:
    """A call that was announced for a flow does not get another one."""

    async def scenario() -> None:
        async with reloading(kit, tmp_path, kit.prompts()) as (bench, asked):
            (tmp_path / "other.yaml").write_text(kit.other)
            asked.set()
            await bench.until(lambda: "other" in bench.context.flows.names())
            token = await bench.token("CA1", "other")
            (tmp_path / "other.yaml").unlink()
            asked.set()
            await bench.until(lambda: "other" not in bench.context.flows.names())
            line = await bench.line()
            await line.start(token, "CA1")
            assert await line.closed() == 1013
            assert bench.count("unknown_flow") == 1

    kit.run(scenario)


def test_bug_in_reading_does_not_end_the_reading(kit: Any) -> None:
    """Whatever happens while files are read, the flows stay and the next look is taken."""

    class Broken:
        looks = 0

        def changed(self) -> bool:
            self.looks += 1
            raise KeyError("a bug")

    async def scenario() -> None:
        async with kit.serving() as bench:
            files: Any = Broken()
            task = asyncio.create_task(
                keep_flows_current(bench.context, files, asyncio.Event(), POLL_S)
            )
            await bench.until(lambda: files.looks > 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert bench.count("internal", "flow_reloads") > 1
            assert bench.context.flows.names() == ("pin",)

    kit.run(scenario)
