"""The call records over HTTP: who may read them, and what a list leaves out."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest


async def finished_call(bench: Any, call_id: str, digits: str) -> None:
    """A call that keyed its number and was thanked."""
    line = await bench.call(call_id)
    await line.mark()
    await line.keys(digits)
    await line.say(line.caller.mark(await line.mark(2)))
    await line.closed()


def test_live_call_is_shown_as_it_stands(kit: Any) -> None:
    """A record can be read while its call goes on."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            record = await bench.record()
            assert record["status"] == "in-progress"
            assert record["ending"] is None
            assert record["ended_at"] is None
            assert record["call_id"] == "CA1"
            assert record["stream_id"] == "MZCA1"

    kit.run(scenario)


def test_record_outlives_the_server(kit: Any, tmp_path: Path) -> None:
    """What the API returned before a restart it returns after."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db") as bench:
            await finished_call(bench, "CA1", "4155")
            before = await bench.ended()
        async with kit.serving(records=tmp_path / "calls.db") as bench:
            assert await bench.record() == before

    kit.run(scenario)


def test_killed_server_leaves_a_record_without_an_end(kit: Any, tmp_path: Path) -> None:
    """The record is written at the start, so that a crash can be seen."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db") as bench:
            line = await bench.call()
            await line.mark()
            rows: list[Any] = []

            def written() -> bool:
                database = sqlite3.connect(tmp_path / "calls.db")
                rows[:] = database.execute("SELECT document FROM calls").fetchall()
                database.close()
                return bool(rows)

            await bench.until(written)
            assert '"status": "in-progress"' in rows[0][0]

    kit.run(scenario)


def test_full_disk_does_not_stop_a_call(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be written is counted, and the call ends as it would have."""

    async def scenario() -> None:
        async with kit.serving() as bench:

            async def full(document: Any) -> None:
                raise OSError("database or disk is full")

            monkeypatch.setattr(bench.context.store, "_write", full)
            await finished_call(bench, "CA1", "4155")
            await bench.until(lambda: bench.count("record", "failures") == 1)

    kit.run(scenario)


def test_list_has_the_newest_first_and_no_numbers(kit: Any) -> None:
    """The list tells how calls ended, not what was said in them."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            for number in range(3):
                await finished_call(bench, f"CA{number}", "4155")
            live = await bench.call("CA9")
            await live.mark()
            response = await bench.client.get(bench.url + "/v1/calls")
            text = await response.text()
            calls = (await response.json())["calls"]
            assert [call["call_id"] for call in calls] == ["CA9", "CA2", "CA1", "CA0"]
            assert calls[1]["outcome"] == "completed"
            assert "4155" not in text
            two = await bench.client.get(bench.url + "/v1/calls?limit=2")
            assert len((await two.json())["calls"]) == 2
            assert response.headers["Cache-Control"] == "no-store"

    kit.run(scenario)


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "", "1e3", "٣", "9" * 5000])
def test_bad_limit_is_a_problem(kit: Any, limit: str) -> None:
    """A limit out of range is a 400 with problem details."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.get(bench.url + "/v1/calls", params={"limit": limit})
            assert response.status == 400
            assert response.content_type == "application/problem+json"

    kit.run(scenario)


def test_unknown_call_is_a_problem(kit: Any) -> None:
    """An id that no record has is a 404 with problem details."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.get(bench.url + "/v1/calls/CA404")
            assert response.status == 404
            assert response.content_type == "application/problem+json"
            body = await response.json(content_type=None)
            assert body["status"] == 404

    kit.run(scenario)


def test_broken_database_is_a_problem(kit: Any, tmp_path: Path) -> None:
    """Records that cannot be read now are a 503, not a traceback."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db") as bench:
            database = sqlite3.connect(tmp_path / "calls.db")
            database.execute("DROP TABLE calls")
            database.close()
            for path in ("/v1/calls", "/v1/calls/CA1"):
                response = await bench.client.get(bench.url + path)
                assert response.status == 503

    kit.run(scenario)


def test_pages_follow_each_other(kit: Any) -> None:
    """The cursor of a page leads to the next, each call is seen once, and the last has none."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            for number in range(5):
                await finished_call(bench, f"CA{number}", "4155")
            seen, cursor = [], {}
            for _ in range(3):
                response = await bench.client.get(
                    bench.url + "/v1/calls", params={"limit": "2", **cursor}
                )
                page = await response.json()
                seen += [call["call_id"] for call in page["calls"]]
                cursor = {"cursor": page["next_cursor"]}
            assert seen == ["CA4", "CA3", "CA2", "CA1", "CA0"]
            assert cursor == {"cursor": None}

    kit.run(scenario)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("outcome=completed", 1),
        ("outcome=gave_up", 0),
        ("status=ended", 1),
        ("status=in-progress", 1),
        ("since=2020-01-01T00:00:00Z", 2),
        ("since=2020-01-01T00:00:00+01:00", 2),
        ("until=2020-01-01T00:00:00Z", 0),
    ],
)
def test_filters(kit: Any, query: str, count: int) -> None:
    """Live and stored calls are filtered alike."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            await finished_call(bench, "CA1", "4155")
            live = await bench.call("CA2")
            await live.mark()
            response = await bench.client.get(f"{bench.url}/v1/calls?{query}")
            assert len((await response.json())["calls"]) == count

    kit.run(scenario)


@pytest.mark.parametrize(
    "query",
    [
        *("cursor=x", "cursor=", "cursor=bnVsbA", "cursor=WzEsMl0", "cursor=%00", "cursor=%F0%9F"),
        *("since=yesterday", "until=2020-01-01", "since=9999-12-31T23:59:59-12:00"),
        *("status=gone", "outcome=%00", "outcome=" + "x" * 101),
    ],
)
def test_bad_filter_is_a_problem(kit: Any, query: str) -> None:
    """A filter that is none is a 400 that names it."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.get(f"{bench.url}/v1/calls?{query}")
            assert response.status == 400
            problem = await response.json(content_type=None)
            name = "bad-cursor" if query.startswith("cursor") else "bad-parameter"
            assert problem["type"] == f"urn:ivr:problem:{name}"

    kit.run(scenario)


SENSITIVE = """
flow: pin
start: ask
steps:
  ask:
    capture: pin
    grammar: builtin:digits?length=4
    prompt: Your PIN please.
    sensitive: true
    no_input: [Again.]
    no_match: [Again.]
    on_failure: bye
    next: bye
  bye:
    end: completed
    say: Goodbye.
"""


def test_sensitive_answer_is_nowhere_in_the_record(kit: Any) -> None:
    """What the flow marks as sensitive is starred in the record, turns and variables alike."""

    async def scenario() -> None:
        async with kit.serving(flow=SENSITIVE) as bench:
            await finished_call(bench, "CA1", "4155")
            record = await bench.ended()
            assert record["turns"][0]["collected"]["value"] == "****"
            assert record["variables"] == {"pin": "****"}
            assert "4155" not in str(record)

    kit.run(scenario)


def test_turns_are_stored_while_the_call_lasts(kit: Any, tmp_path: Path) -> None:
    """A server that is killed in the middle of a call leaves the answers before."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db") as bench:
            line = await bench.call()
            await line.mark()
            await line.keys("4155")
            await line.mark(2)

            def stored() -> bool:
                database = sqlite3.connect(tmp_path / "calls.db")
                rows = database.execute("SELECT step, cause FROM turns").fetchall()
                database.close()
                return ("ask", "success") in rows

            await bench.until(stored)

    kit.run(scenario)
