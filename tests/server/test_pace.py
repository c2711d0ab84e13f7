"""The time of a stream: the wall's, or the line's own."""

from __future__ import annotations

import asyncio

from ivr.server.pace import LinePace, Lines, WallPace


async def settled(line: LinePace, clock_ms: int) -> bool:
    """Whether the line can go on at this moment without anything else happening."""
    settling = asyncio.ensure_future(line.settle(clock_ms))
    for _ in range(5):
        await asyncio.sleep(0)
    done = settling.done()
    settling.cancel()
    return done


def test_errands_come_back_when_the_line_has_gone_on_and_in_order() -> None:
    """However soon or late they were done, they count as having taken as long."""

    async def main() -> None:
        line = Lines(100).make()
        told: list[tuple[str, float]] = []

        async def run(name: str, work: asyncio.Future[None]) -> None:
            errand = line.errand()
            await work
            told.append((name, await errand.returned()))
            errand.over()

        loop = asyncio.get_running_loop()
        slow, quick = loop.create_future(), loop.create_future()
        tasks = [
            asyncio.ensure_future(run("slow", slow)),
            asyncio.ensure_future(run("quick", quick)),
        ]
        await asyncio.sleep(0)
        quick.set_result(None)
        assert await settled(line, 80)
        assert told == []
        assert not await settled(line, 100)  # the line waits for the first
        slow.set_result(None)
        await line.settle(100)
        assert told == [("slow", 100.0), ("quick", 100.0)]
        await asyncio.gather(*tasks)

    asyncio.run(main())


def test_an_errand_that_is_given_up_holds_nothing_up() -> None:
    """A newer utterance makes an older look worthless."""

    async def main() -> None:
        line = Lines(100).make()
        line.errand().over()
        await line.settle(200)

    asyncio.run(main())


def test_what_is_to_be_sent_later_is_sent_as_the_line_comes_to_it() -> None:
    """Sleeping counts as resting; waking does not."""

    async def main() -> None:
        line = Lines(100).make()
        line.busy()
        sleeper = asyncio.ensure_future(line.wait_until(0.5))
        await asyncio.sleep(0)
        await line.settle(480)
        assert not sleeper.done()
        assert not await settled(line, 500)  # it has woken, and something is to be sent
        assert sleeper.done()
        line.rest()
        await line.settle(500)

    asyncio.run(main())


def test_the_caller_learns_how_far_the_server_is() -> None:
    """By the call's id; None once the stream is over."""

    async def main() -> None:
        lines = Lines(100)
        line = lines.make()
        waiting = asyncio.ensure_future(lines.settled("CA1", 2))
        line.started("CA1")
        line.sent()
        line.took()
        await asyncio.sleep(0)
        assert not waiting.done()
        line.took()
        assert await waiting == 1
        line.over()
        assert await lines.settled("CA1", 3) is None
        lines.forget("CA1")

    asyncio.run(main())


def test_live_nothing_waits() -> None:
    """An errand has taken what it took."""

    async def main() -> None:
        pace = WallPace()
        errand = pace.errand()
        await pace.settle(0)
        await pace.wait_until(pace.now_s() - 1)
        assert 0 <= await errand.returned() < 10_000

    asyncio.run(main())
