"""Many calls at once on the media socket, polite ones and others."""

from __future__ import annotations

import asyncio
from typing import Any


def test_ten_calls_at_once_do_not_slow_each_other(kit: Any) -> None:
    """While ten calls stream, talk and recognise, another request is answered promptly."""

    async def scenario() -> None:
        async with kit.serving(prompts=kit.prompts(seconds=1.0)) as bench:
            lines = await asyncio.gather(*(bench.call(f"CA{n}") for n in range(10)))

            async def talk(number: int) -> None:
                line = lines[number]
                first = await line.mark()
                await line.silence(0.5)
                await line.say(line.caller.mark(first))
                await line.keys(f"{number:04}")
                await line.say(line.caller.mark(await line.mark(2)))
                assert await line.closed() == 1000

            talking = asyncio.gather(*(talk(number) for number in range(10)))
            loop, waits = asyncio.get_running_loop(), []
            while not talking.done():
                began = loop.time()
                await bench.client.get(bench.url + "/livez")
                waits.append(loop.time() - began)
            await talking
            assert sorted(waits)[len(waits) // 2] < 0.2
            for number in range(10):
                record = await bench.ended(f"CA{number}")
                assert record["variables"] == {"account": f"{number:04}"}

    kit.run(scenario)


def test_flood_of_one_peer_leaves_the_others_their_turn(kit: Any) -> None:
    """A peer that sends as fast as it can does not stop another call's progress."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            loud, quiet = await bench.call("CA1"), await bench.call("CA2")
            await quiet.mark()
            message = loud.caller.media(b"\xff" * 160)

            async def flood() -> None:
                while True:
                    await loud.say(*[message] * 20)

            flooding = asyncio.ensure_future(flood())
            await quiet.keys("4155")
            await quiet.say(quiet.caller.mark(await quiet.mark(2)))
            assert await quiet.closed() == 1000
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)

    kit.run(scenario)
