"""``/v1/stream``: what a client hears while it speaks, and what ends a stream."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import numpy as np
import pytest

from ivr.asr.queue import Urgency
from ivr.audio.espeak import Espeak
from ivr.audio.g711 import mulaw_encode

START = {"type": "start", "encoding": "mulaw", "grammar": "builtin:digits?length=4"}
SPEECH = np.concatenate([Espeak().render("four one five five"), np.zeros(24_000, np.int16)])


async def opened(bench: Any, start: Any = START, **headers: str) -> Any:
    """A stream, and its start."""
    socket = await bench.client.ws_connect(bench.url + "/v1/stream", headers=headers)
    await socket.send_str(json.dumps(start))
    return socket


async def until(socket: Any, kind: str) -> list[dict[str, Any]]:
    """What comes, up to a message of this type."""
    told: list[dict[str, Any]] = []
    while not told or told[-1]["type"] != kind:
        message = await socket.receive(timeout=30)
        assert message.type is aiohttp.WSMsgType.TEXT, (kind, message, told)
        told.append(json.loads(message.data))
    return told


@pytest.mark.parametrize("encoding", ["mulaw", "pcm_s16le"])
def test_utterance_is_told_while_it_is_spoken_and_after(kit: Any, encoding: str) -> None:
    """Started, partial results, the final one with its times, done."""
    audio = mulaw_encode(SPEECH) if encoding == "mulaw" else SPEECH.astype("<i2").tobytes()
    size = len(audio) * 100 // SPEECH.shape[0]  # of 100 samples

    async def scenario() -> None:
        recognizer = kit.recognizer([kit.heard("four one five five")])
        async with kit.serving(recognizer=recognizer) as bench:
            socket = await opened(bench, {**START, "encoding": encoding})
            for offset in range(0, len(audio), size):
                await socket.send_bytes(audio[offset : offset + size])
            told = await until(socket, "final")
            await socket.send_str('{"type": "stop"}')
            told += await until(socket, "done")
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1000
            kinds = [each["type"] for each in told]
            assert kinds[:2] == ["started", "speech_started"]
            assert "partial" in kinds
            final = told[kinds.index("final")]
            assert (final["success"], final["digits"]) == (True, "4155")
            assert 0 <= final["start_ms"] < final["end_ms"] <= SPEECH.shape[0] / 8
            assert final["too_long"] is False
            assert told[-1]["duration_ms"] == SPEECH.shape[0] // 8
            assert set(recognizer.urgencies) == {Urgency.RECORDING}

    kit.run(scenario)


def test_stop_ends_the_utterance_that_is_spoken(kit: Any) -> None:
    """No silence has to be sent first; partial results can be left out."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            socket = await opened(bench, {**START, "partial": False})
            await socket.send_bytes(mulaw_encode(Espeak().render("four one five five")))
            await socket.send_str('{"type": "stop"}')
            told = await until(socket, "done")
            kinds = [each["type"] for each in told]
            assert kinds == ["started", "speech_started", "final", "done"]
            await socket.close()

    kit.run(scenario)


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        (["x"], "bad-message"),
        (['{"type": "stop"}'], "bad-message"),
        ([b"audio first"], "bad-message"),
        (["[]"], "bad-message"),
        (["[" * 5000], "bad-message"),
        ([json.dumps({**START, "encoding": "mp3"})], "bad-parameter"),
        ([json.dumps({**START, "rate": 16000})], "bad-parameter"),
        ([json.dumps({**START, "grammar": "builtin:colours"})], "bad-grammar"),
        ([json.dumps({**START, "encoding": "pcm_s16le"}), b"odd"], "bad-audio"),
        ([json.dumps(START), json.dumps(START)], "bad-message"),
    ],
)
def test_mistake_is_told_and_ends_the_stream(kit: Any, messages: list[Any], name: str) -> None:
    """A problem in a message, and 1008."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            socket = await bench.client.ws_connect(bench.url + "/v1/stream")
            for message in messages:
                send = socket.send_str if isinstance(message, str) else socket.send_bytes
                await send(message)
            told = await until(socket, "error")
            assert told[-1]["problem"]["type"] == f"urn:ivr:problem:{name}"
            await socket.receive()
            assert socket.close_code == 1008

    kit.run(scenario)


def test_stream_is_bounded(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In length, in silence on the wire, in size of a message, and in number."""
    monkeypatch.setattr("ivr.server.api.stream._MAX_SAMPLES", 8000)

    async def scenario() -> None:
        limits = {"max_streams": 1}
        async with kit.serving(api=limits, server={"stall_timeout_s": 0.2}) as bench:
            for audio, close_code in ((bytes(9000), 1008), (b"", 1008), (bytes(70_000), 1009)):
                socket = await opened(bench)
                if audio:
                    await socket.send_bytes(audio)
                else:
                    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                        await opened(bench)
                    assert refused.value.status == 503
                while not socket.closed:
                    await socket.receive()
                assert socket.close_code == close_code

    kit.run(scenario)


def test_stream_needs_the_scope_and_a_websocket(kit: Any) -> None:
    """As every other address."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            key, reader = await bench.key("transcribe"), await bench.key("calls:read")
            plain = await bench.client.get(bench.url + "/v1/stream", headers=key)
            assert plain.status == 426
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await opened(bench, **reader)
            assert refused.value.status == 403
            socket = await opened(bench, **key)
            assert (await until(socket, "started"))[0]["request_id"]
            await socket.close()

    kit.run(scenario)


def test_server_that_stops_closes_streams(kit: Any) -> None:
    """With 1001, as calls."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            socket = await opened(bench)
            await until(socket, "started")
            await bench.runner.app.shutdown()
            await socket.receive()
            assert socket.close_code == 1001

    kit.run(scenario)
