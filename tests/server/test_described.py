"""Requests made up from the API's description, and answers held to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ivr.server.api.routes import OPERATIONS
from ivr.server.decoding import _wav

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
WAIT_S = 120  # for a machine that does other things as well
EXAMPLES = 6  # of each operation, right ones and wrong ones


@contextmanager
def served(kit: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """A server in a thread, for a client that blocks: its address and an administrator's key."""
    ready, found = threading.Event(), []

    async def main() -> None:
        stop = asyncio.Event()
        recognizer = kit.recognizer([kit.heard("four one five five")])
        limits = {"requests_per_minute": 1_000_000, "address_requests_per_minute": 1_000_000}
        async with kit.serving(recognizer=recognizer, api=limits) as bench:
            found.append((bench.url, await bench.key("admin"), asyncio.get_running_loop(), stop))
            # The process that decodes is started by the first recording.
            async with bench.client.post(
                bench.url + "/v1/transcribe",
                data=_wav(bytes(1600)),
                headers={**found[0][1], "Content-Type": "audio/wav"},
            ) as response:
                assert response.status == 200
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(WAIT_S)
    url, headers, loop, stop = found[0]
    try:
        yield url, headers
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)


def test_what_is_described_is_what_is_done(kit: Any) -> None:
    """Requests made up from the description get answers that it promises, and never a 500."""
    with served(kit) as (url, headers):
        schema = schemathesis.openapi.from_url(url + "/v1/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        assert {f"{each.method.upper()} {each.path}" for each in operations} == {
            f"{each.method} {each.path}" for each in OPERATIONS
        }
        for operation in operations:
            for mode in GenerationMode:
                _try(operation, mode, url, headers)


def _try(operation: Any, mode: GenerationMode, url: str, headers: dict[str, str]) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def check(case: Any) -> None:
        response = case.call(base_url=url, headers=headers, timeout=WAIT_S)
        # A 500 is described nowhere.
        case.validate_response(response, checks=CHECKS, headers=headers)

    check()
