"""``POST /v1/transcribe``: EchoEntry's fields and more, batches, and bodies that are too much."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.asr.queue import Urgency
from ivr.audio.espeak import Espeak
from ivr.errors import Overloaded
from ivr.server.api.uploads import UPLOADS
from ivr.server.decoding import _wav

WORD = _wav(Espeak().render("five").tobytes())


def form(*files: bytes, **fields: str) -> aiohttp.FormData:
    """A form with recordings."""
    data = aiohttp.FormData(fields)
    for number, file in enumerate(files):
        data.add_field("file", io.BytesIO(file), filename=f"{number}.wav")
    return data


async def settled(bench: Any) -> None:
    """Wait for lines on which a refused body may still come: for a moment, then they are cut."""

    def reading() -> list[str]:
        names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
        return [name for name in names if name == "RequestHandler.start"]

    await bench.client.close()
    await bench.until(lambda: not reading())


async def post(bench: Any, data: Any, query: str = "", **headers: str) -> tuple[int, Any]:
    """Send recordings; returns the status and the answer."""
    async with bench.client.post(
        f"{bench.url}/v1/transcribe{query}", data=data, headers=headers
    ) as response:
        return response.status, await response.json(content_type=None)


def test_recording_is_heard_with_the_fields_of_echoentry_and_more(kit: Any) -> None:
    """One recording: what was heard, how surely, and by what."""

    async def scenario() -> None:
        recognizer = kit.recognizer([kit.heard("four one five five")])
        recognizer.model = {"name": "numeric", "sha256": {"encoder.onnx": "00"}}
        async with kit.serving(recognizer=recognizer) as bench:
            status, heard = await post(bench, form(WORD, grammar="builtin:digits?length=4"))
            assert status == 200
            assert heard.pop("request_id")
            assert [word["word"] for word in heard.pop("words")] == ["four", "one", "five", "five"]
            assert heard.pop("n_best")[0]["digits"] == "4155"
            assert heard.pop("duration_ms") > 100
            assert heard == {
                "success": True,
                "digits": "4155",
                "raw_text": "four one five five",
                "filename": "0.wav",
                "confidence": 0.95,
                "grammar": "builtin:digits?length=4",
                "model": recognizer.model,
            }
            assert recognizer.urgencies == [Urgency.RECORDING]
            # What is not sure enough, or not of the grammar, is no success.
            for query in ("?confidence_level=0.99", "?grammar=builtin:digits?length=5"):
                status, heard = await post(bench, WORD, query, **{"Content-Type": "audio/wav"})
                assert (status, heard["success"], heard["digits"]) == (200, False, "")
            # Silence holds no utterance.
            status, heard = await post(bench, form(_wav(bytes(16000))))
            assert (status, heard["success"], heard["n_best"]) == (200, False, [])
            # A batch has a result each.
            status, batch = await post(bench, form(WORD, b"no recording", WORD))
            assert (status, batch["success"]) == (200, False)
            assert [result["success"] for result in batch["results"]] == [True, False, True]
            failed = batch["results"][1]
            assert failed["error"]["type"] == "urn:ivr:problem:unreadable-recording"
            assert (failed["digits"], failed["filename"]) == ("", "1.wav")
            status, problem = await post(bench, form(b"no recording"))
            assert (status, problem["type"]) == (422, "urn:ivr:problem:unreadable-recording")
            # No capacity is not the recording's fault.
            recognizer.script = [Overloaded("busy")]
            status, problem = await post(bench, form(WORD))
            assert (status, problem["type"]) == (503, "urn:ivr:problem:overloaded")

    kit.run(scenario)


@pytest.mark.parametrize(
    ("data", "query", "headers", "status", "name"),
    [
        (form, "?grammar=builtin:colours", {}, 400, "bad-grammar"),
        (form, "?grammar=builtin:digits?list=accounts", {}, 400, "bad-grammar"),
        (form, "?gramar=builtin:digits", {}, 400, "bad-parameter"),
        (form, "?confidence_level=2", {}, 400, "bad-parameter"),
        (b"", "", {"Content-Type": "audio/wav"}, 400, "no-file"),
        (b"{}", "", {"Content-Type": "application/json"}, 415, "unsupported-media-type"),
        (b"x", "", {"Content-Type": "multipart/form-data"}, 400, "bad-body"),
        (b"x", "", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "bad-body"),
        (b"--b--\r\n", "", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "no-file"),
    ],
)
def test_bad_requests_are_problems(  # noqa: PLR0917
    kit: Any, data: Any, query: str, headers: dict[str, str], status: int, name: str
) -> None:
    """Each with its name; none is a bug."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            body = form(WORD) if data is form else data
            answered, problem = await post(bench, body, query, **headers)
            assert (answered, problem["type"]) == (status, f"urn:ivr:problem:{name}")

    kit.run(scenario)


def resident_kb() -> int:
    """This process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def test_large_body_is_refused_before_it_is_read(kit: Any) -> None:
    """By its length, or by what has come of it; memory does not grow by what was sent."""

    async def scenario() -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 1_000_000
                yield bytes(1_000_000)

        async with kit.serving(api={"max_upload_bytes": 65_536}) as bench:
            before_kb = resident_kb()
            for headers in ({}, {"Content-Length": "1000000000"}):
                try:
                    status, problem = await post(
                        bench, endless(), **{"Content-Type": "audio/wav", **headers}
                    )
                except aiohttp.ClientError:
                    continue  # cut off while sending, which is as good
                assert (status, problem["type"]) == (413, "urn:ivr:problem:too-large")
            status, problem = await post(bench, form(bytes(100_000), bytes(100_000)))
            assert (status, problem["type"]) == (413, "urn:ivr:problem:too-large")
            assert sent < 500_000_000
            assert resident_kb() - before_kb < 50_000
            await settled(bench)

    kit.run(scenario)


def test_announced_body_is_refused_before_it_is_sent(kit: Any) -> None:
    """``Expect: 100-continue`` with a length that is too much gets 413 and no 100."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            host, _, port = bench.url.removeprefix("http://").partition(":")
            for length, expected in (("1073741824", b" 413 "), ("10", b" 100 ")):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(
                    b"POST /v1/transcribe HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
                    b"Content-Type: audio/wav\r\nContent-Length: %s\r\n\r\n" % length.encode()
                )
                assert expected in await reader.readline()
                writer.close()
                await writer.wait_closed()
            await settled(bench)

    kit.run(scenario)


def test_compressed_body_does_not_unpack_beyond_the_limit(kit: Any) -> None:
    """A bomb is counted by what comes out of it."""
    bomb = zlib.compress(bytes(50_000_000))

    async def scenario() -> None:
        async with kit.serving(api={"max_upload_bytes": 65_536}) as bench:
            headers = {"Content-Type": "audio/wav", "Content-Encoding": "deflate"}
            status, _ = await post(bench, bomb, **headers)
            assert status in (400, 413)

    kit.run(scenario)


def test_slow_body_is_given_up(kit: Any) -> None:
    """A sender who takes too long gets 408, and its place is free again."""

    async def scenario() -> None:
        async with kit.serving(api={"upload_timeout_s": 0.05, "max_uploads": 1}) as bench:
            hold = asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b"RIFF"
                await hold.wait()

            waiting = asyncio.create_task(post(bench, slow(), **{"Content-Type": "audio/wav"}))
            status, problem = await waiting
            hold.set()
            assert (status, problem["type"]) == (408, "urn:ivr:problem:too-slow")
            await settled(bench)

    kit.run(scenario)


def test_places_for_bodies_are_few(kit: Any) -> None:
    """Where they are taken, the next sender is told to come again."""

    async def scenario() -> None:
        async with kit.serving(api={"max_uploads": 1}) as bench:
            hold = asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b"RIFF"
                await hold.wait()

            first = asyncio.create_task(post(bench, slow(), **{"Content-Type": "audio/wav"}))

            await bench.until(lambda: bench.runner.app[UPLOADS]._taken == 1)
            status, problem = await post(bench, b"x", **{"Content-Type": "audio/wav"})
            assert status == 503
            assert problem["type"] == "urn:ivr:problem:overloaded"
            hold.set()
            assert (await first)[0] == 422

    kit.run(scenario)


def test_scope_is_needed(kit: Any) -> None:
    """A key that may read calls may not have recordings heard."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            headers = await bench.key("calls:read")
            status, problem = await post(bench, form(WORD), **headers)
            assert (status, problem["scope"]) == (403, "transcribe")

    kit.run(scenario)
