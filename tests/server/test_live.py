"""The hub: bounded for who does not read, in order for who does, nothing for nobody."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import numpy as np
import pytest

from ivr.audio.g711 import mulaw_encode
from ivr.errors import Overloaded
from ivr.server.live import Hub, LiveEvent, level_dbfs


def event(number: int, kind: str = "state", call_id: str = "CA1") -> LiveEvent:
    """The n-th event of a call."""
    return LiveEvent(kind, call_id, number, {"number": number}, {"number": "*"})


def test_slow_reader_loses_the_oldest_and_is_told() -> None:
    """A watcher that does not read holds 500 events, and the publisher never waits."""
    hub = Hub()
    with hub.subscribe() as subscription:
        for number in range(700):
            hub.publish(event(number))
        events = asyncio.run(subscription.take())
    assert len(events) == 500
    assert events[0].at_ms == 200
    assert subscription.lost == 200


def test_level_replaces_the_one_before() -> None:
    """Levels come ten times a second: only the newest of a call waits, and drops no event."""
    hub = Hub()
    with hub.subscribe() as subscription:
        hub.publish(event(0))
        for number in range(1000):
            hub.publish(event(number, "level"))
            hub.publish(event(number, "level", "CA2"))
        events = asyncio.run(subscription.take())
    assert [(each.kind, each.at_ms) for each in events] == [
        *(("state", 0), ("level", 999), ("level", 999)),
    ]
    assert subscription.lost == 0


def test_watcher_of_one_call_hears_of_no_other() -> None:
    """``?call=ID`` is that call alone."""
    hub = Hub()
    with hub.subscribe("CA2") as subscription:
        hub.publish(event(1))
        hub.publish(event(2, call_id="CA2"))
        events = asyncio.run(subscription.take())
    assert [each.at_ms for each in events] == [2]


def test_who_watches_is_let_go_at_the_end() -> None:
    """A server that stops ends the streams, and takes no new watcher."""

    async def scenario() -> None:
        hub = Hub()
        with hub.subscribe() as subscription:
            waiting = asyncio.ensure_future(subscription.take())
            await asyncio.sleep(0)
            hub.close()
            assert await waiting == []
        with pytest.raises(Overloaded), hub.subscribe():
            pass

    asyncio.run(scenario())


def test_watchers_are_few() -> None:
    """Each costs memory and sends: there is a limit, and leaving makes room."""
    hub = Hub()
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(hub.subscribe())
        with pytest.raises(Overloaded), hub.subscribe():
            pass
    assert not hub.watched
    with hub.subscribe():
        assert hub.watched


def test_event_shows_numbers_to_who_may_see_them() -> None:
    """Two forms of one event; where there are no numbers in it, one."""
    assert event(4155).document(numbers=True)["number"] == 4155
    assert event(4155).document(numbers=False)["number"] == "*"
    plain = LiveEvent("cleared", "CA1", 0, {"a": 1})
    assert plain.document(numbers=False) == plain.document(numbers=True)
    assert "4155" not in repr(event(4155))


def test_late_watcher_is_told_what_was_before(kit: Any) -> None:
    """Who opens the page in the middle of a call sees the dialogue so far."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            with bench.context.hub.subscribe() as subscription:
                kinds = [each.kind for each in await subscription.take()]
            assert kinds[0] == "started"
            assert "said" in kinds
            await line.hang_up()
            await bench.ended()
            with bench.context.hub.subscribe() as subscription:
                assert subscription.put is not None
                bench.context.hub.close()
                assert await subscription.take() == []

    kit.run(scenario)


@pytest.mark.parametrize(("peak", "level"), [(32_124, -3.0), (3212, -23.0), (0, -90.0)])
def test_level_is_that_of_the_sound(peak: int, level: float) -> None:
    """RMS of full scale: a sine at full scale has -3 dB, silence the floor."""
    sine = (peak * np.sin(np.arange(800) * 2 * np.pi * 440 / 8000)).astype(np.int16)
    assert level_dbfs(mulaw_encode(sine)) == pytest.approx(level, abs=0.3)
