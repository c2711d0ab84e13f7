"""Twilio's dialect: a recorded call, every refusal, and both ends back to back."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.errors import ProtocolError, StateError
from ivr.providers.events import (
    DtmfReceived,
    MarkPlayed,
    MediaReceived,
    SendClear,
    SendMark,
    SendMedia,
    StreamConnected,
    StreamStarted,
    StreamStopped,
)
from ivr.providers.twilio import KEYS, TwilioCaller, TwilioServer

DATA = Path(__file__).parent / "data"
STREAM = "MZ1"
START: dict[str, Any] = {
    "event": "start",
    "streamSid": STREAM,
    "start": {"streamSid": STREAM, "callSid": "CA1"},
}


def start_with(**changes: object) -> str:
    """A start message with other fields in its inner object; ``None`` removes one."""
    inner = {**START["start"], **changes}
    return json.dumps({**START, "start": {k: v for k, v in inner.items() if v is not None}})


def started() -> TwilioServer:
    """A server whose stream has begun."""
    server = TwilioServer()
    server.receive(json.dumps(START))
    return server


def message(event: str, **inner: object) -> str:
    """A message of the started stream."""
    return json.dumps({"event": event, "streamSid": STREAM, event: inner})


def refusal(server: TwilioServer, text: str | bytes) -> tuple[str, bool]:
    """Reason and fatality of the error that a message gives."""
    with pytest.raises(ProtocolError) as caught:
        server.receive(text)
    return caught.value.reason, caught.value.fatal


# -- the server's end --------------------------------------------------------------------------


def test_recorded_call() -> None:
    """A call as Twilio documents it, with the deviations seen in the field, gives these events."""
    server = TwilioServer()
    for line in (DATA / "twilio_call.jsonl").read_text(encoding="utf-8").splitlines():
        step = json.loads(line)
        assert [repr(event) for event in server.receive(json.dumps(step["in"]))] == step["out"]


def test_start_needs_no_connected() -> None:
    """SignalWire-like providers that begin with start are understood."""
    (event,) = TwilioServer().receive(json.dumps(START))
    assert event == StreamStarted("CA1", STREAM, {})


def test_ids_may_stand_in_one_place_only() -> None:
    """The stream's id is found in the message or in its inner object."""
    inner_only = {"event": "start", "start": {"streamSid": "MZ9", "callSid": "CA1"}}
    outer_only = {"event": "start", "streamSid": "MZ9", "start": {"callSid": "CA1"}}
    for body in (inner_only, outer_only):
        server = TwilioServer()
        server.receive(json.dumps(body))
        assert server.stream_id == "MZ9"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "bad_json"),
        ("hello", "bad_json"),
        ("{", "bad_json"),
        ("[]", "bad_json"),
        ("null", "bad_json"),
        ('"start"', "bad_json"),
        ("[" * 100_000, "bad_json"),
        ('{"event":' + "9" * 5000 + "}", "bad_json"),
        (b"\x00\xff", "binary_message"),
        (b"", "binary_message"),
        (message("media", payload="/w=="), "media_before_start"),
        (message("dtmf", digit="1"), "dtmf_before_start"),
        (message("mark", name="p1"), "mark_before_start"),
        (message("stop"), "stop_before_start"),
        ('{"event":"start"}', "bad_start"),
        ('{"event":"start","start":[]}', "bad_start"),
        (start_with(callSid=None), "bad_start"),
        (start_with(callSid=5), "bad_start"),
        (start_with(callSid="a b"), "bad_start"),
        (start_with(callSid="\ud800"), "bad_start"),
        (start_with(callSid="../../etc"), "bad_start"),
        (start_with(callSid="CA1\n"), "bad_start"),
        (start_with(callSid="A" * 129), "bad_start"),
        (start_with(streamSid="MZ2"), "bad_start"),
        (start_with(customParameters=[]), "bad_start"),
        (start_with(customParameters={"token": 5}), "bad_start"),
        (start_with(customParameters={"token": "\udcff"}), "bad_start"),
        (start_with(customParameters={"a": "b" * 5000}), "bad_start"),
        (start_with(customParameters={str(i): "" for i in range(65)}), "bad_start"),
        (start_with(mediaFormat="mulaw"), "bad_start"),
        (start_with(mediaFormat={"encoding": "audio/x-l16"}), "unsupported_media"),
        (start_with(mediaFormat={"sampleRate": "16000"}), "unsupported_media"),
        (start_with(mediaFormat={"channels": 2}), "unsupported_media"),
    ],
)
def test_fatal_before_the_start(text: str | bytes, reason: str) -> None:
    """A peer that begins wrongly is no provider: the socket is to be closed."""
    assert refusal(TwilioServer(), text) == (reason, True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("[1]", "bad_json"),
        ("{}", "no_event"),
        ('{"event":null}', "no_event"),
        ('{"event":["media"]}', "no_event"),
        ('{"event":"video"}', "unknown_event"),
        ('{"event":"Media"}', "unknown_event"),
        ('{"event":"connected"}', "second_connected"),
        (message("media"), "bad_media"),
        (message("media", payload=5), "bad_media"),
        (message("media", payload=None), "bad_media"),
        ('{"event":"media","media":"x"}', "bad_media"),
        (message("media", payload="***"), "bad_base64"),
        (message("media", payload="/w="), "bad_base64"),
        (message("media", payload="/w==\n"), "bad_base64"),
        (message("media", payload="é"), "bad_base64"),
        (message("dtmf"), "bad_dtmf"),
        (message("dtmf", digit=1), "bad_dtmf"),
        (message("dtmf", digit=""), "bad_dtmf"),
        (message("dtmf", digit="12"), "bad_dtmf"),
        (message("dtmf", digit="٣"), "bad_dtmf"),
        ('{"event":"dtmf"}', "bad_dtmf"),
        (message("mark"), "bad_mark"),
        (message("mark", name=["p1"]), "bad_mark"),
        (message("mark", name="\ud800"), "bad_mark"),
        (message("mark", name="p" * 257), "bad_mark"),
        (message("media", payload="/w==").replace(STREAM, "MZ2"), "wrong_stream"),
        (message("stop").replace(STREAM, "MZ2"), "wrong_stream"),
    ],
)
def test_dropped_while_streaming(text: str, reason: str) -> None:
    """One bad message costs itself, not the caller's call."""
    server = started()
    assert refusal(server, text) == (reason, False)
    assert server.receive(message("mark", name="p1")) == [MarkPlayed("p1")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [(json.dumps(START), "second_start"), (b"\x01", "binary_message")],
)
def test_fatal_while_streaming(text: str | bytes, reason: str) -> None:
    """What shows that the two ends do not talk of the same stream ends it."""
    assert refusal(started(), text) == (reason, True)


@pytest.mark.parametrize("event", ["connected", "start", "media", "dtmf", "mark", "stop"])
def test_nothing_follows_stop(event: str) -> None:
    """A straggler after stop is counted and dropped."""
    server = started()
    assert server.receive(message("stop")) == [StreamStopped()]
    assert refusal(server, message(event, payload="/w==", digit="1", name="p")) == (
        "message_after_stop",
        False,
    )


def test_second_connected_before_start_is_dropped() -> None:
    """A repeated greeting is harmless."""
    server = TwilioServer()
    assert server.receive('{"event":"connected"}') == [StreamConnected()]
    assert refusal(server, '{"event":"connected"}') == ("second_connected", False)
    assert len(server.receive(json.dumps(START))) == 1


def test_refused_start_leaves_the_stream_unstarted() -> None:
    """A message is checked in full before the state moves."""
    server = TwilioServer()
    refusal(server, start_with(customParameters=[]))
    assert server.stream_id == ""
    assert refusal(server, message("media", payload="/w==")) == ("media_before_start", True)


def test_errors_hold_nothing_of_the_message() -> None:
    """Neither the error nor its cause repeats what may be a caller's digits."""
    for text in ("41550012", message("dtmf", digit="41550012"), message("media", payload="4155!")):
        with pytest.raises(ProtocolError) as caught:
            started().receive(text)
        assert "4155" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_nothing_can_be_sent_before_the_start() -> None:
    """A stream without an id cannot be addressed: a bug of ours."""
    server = TwilioServer()
    for send in (lambda: server.send_media(b""), lambda: server.send_mark("p"), server.send_clear):
        with pytest.raises(StateError):
            send()


def test_sent_messages_have_twilios_shape() -> None:
    """Media, mark and clear are as documented, media's hand-made JSON included."""
    server = started()
    assert json.loads(server.send_media(b"\xff\xfe")) == {
        "event": "media",
        "streamSid": STREAM,
        "media": {"payload": "//4="},
    }
    assert json.loads(server.send_mark('p"1')) == {
        "event": "mark",
        "streamSid": STREAM,
        "mark": {"name": 'p"1'},
    }
    assert json.loads(server.send_clear()) == {"event": "clear", "streamSid": STREAM}


# -- the caller's end --------------------------------------------------------------------------


def test_caller_counts_sequence_chunks_and_time() -> None:
    """Numbers are strings, the sequence counts messages, the timestamp follows the audio."""
    caller = TwilioCaller()
    caller.connected()
    assert json.loads(caller.start("CA1", STREAM))["sequenceNumber"] == "1"
    first = json.loads(caller.media(bytes(160)))
    assert (first["sequenceNumber"], first["media"]["chunk"]) == ("2", "1")
    assert first["media"]["timestamp"] == "0"
    caller.dtmf("1")
    second = json.loads(caller.media(bytes(400)))
    assert (second["sequenceNumber"], second["media"]["chunk"]) == ("4", "2")
    assert second["media"]["timestamp"] == "20"
    assert json.loads(caller.media(b""))["media"]["timestamp"] == "70"
    assert json.loads(caller.stop())["stop"]["callSid"] == "CA1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "bad_json"),
        (b"{}", "binary_message"),
        ('{"event":"start"}', "unknown_event"),
        ("{}", "no_event"),
        ('{"event":"clear"}', "wrong_stream"),
        ('{"event":"media","streamSid":"MZ1"}', "bad_media"),
        ('{"event":"media","streamSid":"MZ1","media":{"payload":"?"}}', "bad_base64"),
        ('{"event":"mark","streamSid":"MZ1","mark":{}}', "bad_mark"),
    ],
)
def test_caller_refuses_what_a_provider_would(text: str | bytes, reason: str) -> None:
    """The simulator finds the server's mistakes as a provider would."""
    caller = TwilioCaller()
    caller.start("CA1", STREAM)
    with pytest.raises(ProtocolError) as caught:
        caller.receive(text)
    assert caught.value.reason == reason


# -- both, back to back ------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)


@settings(deadline=None)  # a loaded machine is no failure
@given(call_id=IDS, stream_id=IDS, parameters=st.dictionaries(TEXT, TEXT, max_size=5))
def test_caller_to_server(call_id: str, stream_id: str, parameters: dict[str, str]) -> None:
    """What the caller's end starts, the server's end sees."""
    caller, server = TwilioCaller(), TwilioServer()
    assert server.receive(caller.connected()) == [StreamConnected()]
    assert server.receive(caller.start(call_id, stream_id, parameters)) == [
        StreamStarted(call_id, stream_id, parameters)
    ]
    assert server.receive(caller.stop()) == [StreamStopped()]


@settings(deadline=None)  # a loaded machine is no failure
@given(
    payloads=st.lists(st.binary(min_size=1, max_size=2000), max_size=8),
    keys=st.text(st.sampled_from(sorted(KEYS)), max_size=8),
    mark=TEXT,
)
def test_conversation(payloads: list[bytes], keys: str, mark: str) -> None:
    """Audio of any size, keys and marks come through in both directions unchanged."""
    caller, server = TwilioCaller(), TwilioServer()
    server.receive(caller.start("CA1", STREAM))
    sent = 0
    for payload in payloads:
        assert server.receive(caller.media(payload)) == [MediaReceived(payload, sent // 8)]
        assert caller.receive(server.send_media(payload)) == [SendMedia(payload)]
        sent += len(payload)
    for key in keys:
        assert server.receive(caller.dtmf(key)) == [DtmfReceived(key)]
    assert caller.receive(server.send_mark(mark)) == [SendMark(mark)]
    assert server.receive(caller.mark(mark)) == [MarkPlayed(mark)]
    assert caller.receive(server.send_clear()) == [SendClear()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["event", "streamSid", "start", "media", "dtmf", "mark", "stop", "payload", "digit", "name"]
)
NEAR_MISSES = st.dictionaries(
    FIELDS,
    JSON
    | st.sampled_from(["start", "media", "dtmf", "mark", "stop", "connected", STREAM])
    | st.dictionaries(FIELDS, JSON, max_size=3),
    max_size=5,
).map(json.dumps)


@settings(deadline=None)  # a loaded machine is no failure
@given(st.lists(st.text() | st.binary() | JSON.map(json.dumps) | NEAR_MISSES, max_size=6))
def test_garbage_raises_only_protocol_errors(messages: list[str | bytes]) -> None:
    """Whatever arrives, in whatever state, the only error is a ProtocolError."""
    caller = TwilioCaller()
    caller.start("CA1", STREAM)
    for end in (TwilioServer(), started(), caller):
        for text in messages:
            with contextlib.suppress(ProtocolError):
                end.receive(text)
