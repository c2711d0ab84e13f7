"""How often a key and an address may ask, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.server.limits import Buckets


def test_bucket_gives_a_minutes_worth_and_fills_evenly() -> None:
    """Time is data: six a minute are six at once, and then one every ten seconds."""
    now = [0.0]
    buckets = Buckets("key", 6, lambda: now[0])
    assert [buckets.take("a").left for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    assert buckets.take("a").wait_s == pytest.approx(10.0)
    assert buckets.take("b").wait_s == 0.0
    now[0] = 9.0
    assert buckets.take("a").wait_s == pytest.approx(1.0)
    now[0] = 10.0
    assert buckets.take("a").wait_s == 0.0
    now[0] = 1000.0
    assert buckets.take("a").left == 5


def test_buckets_are_forgotten() -> None:
    """Neither time nor many names make them grow."""
    now = [0.0]
    buckets = Buckets("key", 6, lambda: now[0])
    for number in range(20_000):
        buckets.take(str(number))
    assert len(buckets._buckets) <= 10_000
    now[0] = 61.0
    buckets.take("last")
    assert list(buckets._buckets) == ["last"]


def test_key_is_limited_wherever_it_is_used(kit: Any) -> None:
    """429 tells when to come again; answers tell what is left; other keys are not touched."""

    async def scenario() -> None:
        async with kit.serving(api={"requests_per_minute": 2}) as bench:
            one, other = await bench.key("calls:read"), await bench.key("calls:read")
            for left in (1, 0):
                response = await bench.client.get(bench.url + "/v1/calls", headers=one)
                assert response.status == 200
                assert response.headers["RateLimit"] == f'"key";r={left};t=30'
                assert response.headers["RateLimit-Policy"] == '"key";q=2;w=60'
            response = await bench.client.get(bench.url + "/v1/calls", headers=one)
            assert response.status == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 30
            problem = await response.json(content_type=None)
            assert problem["type"] == "urn:ivr:problem:too-many-requests"
            response = await bench.client.get(bench.url + "/v1/calls", headers=other)
            assert response.status == 200

    kit.run(scenario)


def test_guessing_keys_is_limited_by_address(kit: Any) -> None:
    """Before a key is looked at; a proxy that is trusted tells addresses apart, no other does."""

    async def scenario() -> None:
        limits = {"address_requests_per_minute": 1}
        async with kit.serving(api={**limits, "trusted_proxies": ["127.0.0.0/8"]}) as bench:
            await bench.key("admin")

            async def status(forwarded: str, path: str = "/v1/calls") -> int:
                headers = {"X-Forwarded-For": forwarded, "X-Api-Key": "guess"}
                response = await bench.client.get(bench.url + path, headers=headers)
                return int(response.status)

            assert await status("203.0.113.1") == 401
            assert await status("203.0.113.1") == 429
            # What a client puts before the proxy's own word is the client's invention.
            assert await status("198.51.100.7, 203.0.113.1") == 429
            assert await status("203.0.113.2, 127.0.0.3") == 401
            # One line's IPv6 addresses are one.
            assert await status("2001:db8::1") == 401
            assert await status("2001:db8::2") == 429
            assert await status("203.0.113.1", "/livez") == 200
        async with kit.serving(api=limits) as bench:
            await bench.key("admin")
            headers = {"X-Api-Key": "guess"}
            for number, expected in ((1, 401), (2, 429)):
                forwarded = {"X-Forwarded-For": f"203.0.113.{number}", **headers}
                response = await bench.client.get(bench.url + "/v1/calls", headers=forwarded)
                assert response.status == expected

    kit.run(scenario)
