"""Placed calls: how far they have come, whose they are, and that they are asked for once."""

from __future__ import annotations

from ivr.config import RecordSettings
from ivr.records.placed import PlacedStore, new_placed
from ivr.records.selection import Viewer
from ivr.records.store import CallStore
from tests.records.calls import with_store


def test_status_never_goes_back(settings: RecordSettings) -> None:
    """The provider's messages come in any order, and an end is an end."""

    async def scenario(store: CallStore) -> None:
        placed, calls = new_placed("a", "flow", None, "asked"), PlacedStore(store.database)
        assert await calls.add(placed) == placed
        for told, known in (
            *(("queued", "queued"), ("ringing", "ringing"), ("initiated", "ringing")),
            *(("busy", "busy"), ("completed", "busy"), ("in-progress", "busy")),
        ):
            await calls.note(placed.placed_id, told, "CA1")
            found = await calls.get(placed.placed_id)
            assert found is not None
            assert (found.status, found.call_id) == (known, "CA1")
        await calls.note(placed.placed_id, "failed", "CA2")  # of another call, or a liar's
        found = await calls.find("CA1", Viewer("a", everything=False))
        assert found is not None
        assert await calls.find("CA2", Viewer()) is None
        assert await calls.find("CA1", Viewer("b", everything=False)) is None

    with_store(settings, scenario)


def test_key_is_used_once(settings: RecordSettings) -> None:
    """The second finds the first; neither key nor what was asked can be read or tried out."""

    async def scenario(store: CallStore) -> None:
        calls = PlacedStore(store.database)
        first = await calls.add(new_placed("a", "flow", "once", "+15550100"))
        assert await calls.add(new_placed("a", "flow", "once", "+15550100")) == first
        other = await calls.add(new_placed("a", "flow", "once", "+15550101"))
        assert other.placed_id == first.placed_id
        assert new_placed("a", "flow", "once", "+15550101").fingerprint != first.fingerprint
        assert (await calls.add(new_placed("b", "flow", "once", ""))).placed_id != first.placed_id
        assert "once" not in repr(first)
        await calls.forget(first.placed_id)
        assert await calls.get(first.placed_id) is None

    with_store(settings, scenario)


def test_purge_deletes_placed_calls(settings: RecordSettings) -> None:
    """Also those that nobody answered."""

    async def scenario(store: CallStore) -> None:
        placed, calls = new_placed("a", "flow", None, ""), PlacedStore(store.database)
        await calls.add(placed)
        await store.purge("2020-01-01T00:00:00.000+00:00")
        assert await calls.get(placed.placed_id) is not None
        await store.purge("2999-01-01T00:00:00.000+00:00")
        assert await calls.get(placed.placed_id) is None

    with_store(settings, scenario)
