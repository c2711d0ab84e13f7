"""Who may use the API: keys, scopes, this machine, and what a vanished database does to them."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ivr.records.keys import KeyStore
from ivr.server.access import ACCESS


async def get(bench: Any, path: str = "/v1/calls", **headers: str) -> Any:
    """A request; returns the response."""
    return await bench.client.get(bench.url + path, headers=headers)


async def problem(response: Any) -> str:
    """The name of a problem."""
    assert response.content_type == "application/problem+json"
    document = await response.json(content_type=None)
    assert document["status"] == response.status
    assert document["request_id"] == response.headers["X-Request-Id"]
    return str(document["type"]).removeprefix("urn:ivr:problem:")


def test_key_opens_what_its_scopes_say(kit: Any) -> None:
    """Bearer or X-Api-Key; without the scope 403, without a key 401 once there is one."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            reader = await bench.key("calls:read")
            other = await bench.key("transcribe")
            text = reader["Authorization"].removeprefix("Bearer ")
            assert (await get(bench, **reader)).status == 200
            assert (await get(bench, **{"X-Api-Key": text})).status == 200
            refused = await get(bench, **other)
            assert (refused.status, await problem(refused)) == (403, "missing-scope")
            assert 'scope="calls:read"' in refused.headers["WWW-Authenticate"]
            stranger = await get(bench)
            assert (stranger.status, await problem(stranger)) == (401, "no-api-key")

    kit.run(scenario)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Bearer é", "Basic dTpw", "Bearer ivr_000000000000_" + "a" * 43],
)
def test_what_is_no_key_is_refused(kit: Any, header: str) -> None:
    """A wrong key is never taken for none, also on this machine."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await get(bench, Authorization=header)
            assert (response.status, await problem(response)) == (401, "bad-api-key")
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert bench.count("bad_api_key") == 1

    kit.run(scenario)


def test_right_id_with_a_wrong_secret_is_refused(kit: Any) -> None:
    """The public half is worth nothing."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            text = (await bench.key("admin"))["Authorization"]
            wrong = re.sub("_[^_]{43}$", "_" + "A" * 43, text[:-43] + "A" * 43)
            assert (await get(bench, Authorization=wrong)).status == 401

    kit.run(scenario)


def test_expired_key_is_refused(kit: Any) -> None:
    """The problem says that it has expired."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await get(bench, **await bench.key("admin", expires_in_s=-1.0))
            assert (response.status, await problem(response)) == (401, "expired-api-key")

    kit.run(scenario)


def test_revoked_key_is_refused_once_the_keys_are_read_again(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within seconds; here at once."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            headers = await bench.key("admin")
            assert (await get(bench, **headers)).status == 200
            await KeyStore(bench.context.store.database).revoke(headers["Authorization"][7:23])
            monkeypatch.setattr("ivr.server.access._FRESH_S", 0.0)
            monkeypatch.setattr("ivr.server.access._UNKNOWN_S", 0.0)
            response = await get(bench, **headers)
            assert (response.status, await problem(response)) == (401, "revoked-api-key")

    kit.run(scenario)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"X-Forwarded-For": "203.0.113.9"}, 403),
        ({"Forwarded": "for=203.0.113.9"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "rebound.example"}, 403),
        ({"Host": "localhost:8080"}, 200),
    ],
)
def test_without_keys_only_this_machine_is_answered(
    kit: Any, headers: dict[str, str], status: int
) -> None:
    """No proxy's visitors, no other site's pages, no name that was bent to this machine."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert (await get(bench, **headers)).status == status
            assert bench.count("not_local") == (status == 403)

    kit.run(scenario)


def test_vanished_database_does_not_lock_out(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that were read stay good for a while; then the answer is "try again", not "no"."""

    async def scenario() -> None:
        async with kit.serving(records=tmp_path / "calls.db") as bench:
            headers = await bench.key("admin")
            assert (await get(bench, **headers)).status == 200
            database = sqlite3.connect(tmp_path / "calls.db")
            database.execute("ALTER TABLE api_keys RENAME TO gone")
            database.close()
            monkeypatch.setattr("ivr.server.access._FRESH_S", 0.0)
            monkeypatch.setattr("ivr.server.access._UNKNOWN_S", 0.0)
            assert (await get(bench, **headers)).status == 200
            assert bench.count("keys", "failures") > 0
            monkeypatch.setattr("ivr.server.access._STALE_S", 0.0)
            response = await get(bench, **headers)
            assert (response.status, await problem(response)) == (503, "keys-unavailable")

    kit.run(scenario)


def test_uses_are_counted(kit: Any) -> None:
    """Each accepted request counts; they are written at the end at the latest."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            headers = await bench.key("calls:read")
            for _ in range(3):
                await get(bench, **headers)
            await bench.runner.app[ACCESS].close()
            (key,) = await KeyStore(bench.context.store.database).all()
            assert key.uses == 3
            assert key.last_used_at is not None

    kit.run(scenario)


def test_numbers_are_stars_without_the_scope(kit: Any) -> None:
    """Who may read calls does not see what was said, unless the key says so."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call("CA1")
            await line.mark()
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            await line.closed()
            masked = await get(bench, "/v1/calls/CA1", **await bench.key("calls:read"))
            assert "4155" not in await masked.text()
            shown = await get(
                bench, "/v1/calls/CA1", **await bench.key("calls:read", "numbers:read")
            )
            assert "4155" in await shown.text()

    kit.run(scenario)


def test_keys_do_not_see_each_others_calls(kit: Any) -> None:
    """A call placed with a key is its own, one that came in everybody's but of --own-calls keys."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            a, b = await bench.key("calls:read"), await bench.key("calls:read")
            own = await bench.key("calls:read", own_calls_only=True)
            owners = {"CAa": a["Authorization"][7:23], "CAb": b["Authorization"][7:23]}
            for number, call_id in enumerate(("CAa", "CAb", "CAin")):
                await bench.context.store.put(
                    {
                        "record_id": f"r{number}",
                        "call_id": call_id,
                        "started_at": f"2025-01-01T00:00:0{number}.000+00:00",
                        "owner": owners.get(call_id),
                        "turns": [],
                    }
                )
            for headers, seen in (
                (a, ["CAin", "CAa"]),
                (b, ["CAin", "CAb"]),
                (own, []),
                (await bench.key("admin"), ["CAin", "CAb", "CAa"]),
            ):
                listed = await (await get(bench, **headers)).json()
                assert [call["call_id"] for call in listed["calls"]] == seen
                for number, call_id in enumerate(("CAa", "CAb", "CAin")):
                    for path in (f"/v1/calls/{call_id}", f"/v1/calls/r{number}"):
                        response = await get(bench, path, **headers)
                        assert response.status == (200 if call_id in seen else 404)

    kit.run(scenario)


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1/nothing", 404, "not-found"),
        ("PUT", "/v1/calls", 405, "method-not-allowed"),
    ],
)
def test_everything_that_goes_wrong_is_a_problem(
    kit: Any, method: str, path: str, status: int, name: str
) -> None:
    """Also what no handler of ours has seen."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.request(method, bench.url + path)
            assert (response.status, await problem(response)) == (status, name)
            assert status != 405 or "GET" in response.headers["Allow"]

    kit.run(scenario)


def test_bug_is_a_problem_that_tells_nothing(
    kit: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The text of an exception may hold what a caller said: it goes nowhere."""

    async def scenario() -> None:
        async with kit.serving() as bench:

            def broken(*_: Any) -> Any:
                raise RuntimeError("four one five five")

            monkeypatch.setattr(bench.context.store, "list", broken)
            response = await get(bench)
            assert (response.status, await problem(response)) == (500, "internal-error")
            assert "four" not in await response.text()

    kit.run(scenario)
