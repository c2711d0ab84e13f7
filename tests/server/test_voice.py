"""The voice webhook: TwiML, signatures, and requests that are none."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from ivr.providers.twilio_signature import sign
from ivr.server.voice import masked_caller

AUTH = "12345"
PUBLIC = {"public_url": "https://mycompany.com"}


def stream_of(twiml: str) -> ElementTree.Element:
    """The Stream element of an answer."""
    stream = ElementTree.fromstring(twiml).find("Connect/Stream")  # noqa: S314 - our own server's
    assert stream is not None
    return stream


def test_answer_connects_the_call_to_the_media_socket(kit: Any) -> None:
    """The TwiML names the socket where the request came in, and a token."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.post_voice(CallSid="CA1", From="+15550100", To="+15550101")
            assert response.status == 200
            assert response.content_type == "text/xml"
            stream = stream_of(await response.text())
            assert stream.attrib["url"] == bench.url.replace("http://", "ws://") + "/media"
            parameter = stream.find("Parameter")
            assert parameter is not None
            assert parameter.attrib["name"] == "token"
            assert len(parameter.attrib["value"]) == 32

    kit.run(scenario)


def test_each_call_has_its_own_token(kit: Any) -> None:
    """Two webhooks never give the same token."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert len({await bench.token("CA1") for _ in range(20)}) == 20

    kit.run(scenario)


@pytest.mark.parametrize(
    ("public_url", "media_url"),
    [
        ("https://ivr.example.com", "wss://ivr.example.com/media"),
        ("https://ivr.example.com/", "wss://ivr.example.com/media"),
        ("https://example.com/ivr", "wss://example.com/ivr/media"),
        ("http://localhost:8080", "ws://localhost:8080/media"),
    ],
)
def test_public_address_wins_over_host(kit: Any, public_url: str, media_url: str) -> None:
    """Behind a proxy the configured address is the right one."""

    async def scenario() -> None:
        async with kit.serving(server={"public_url": public_url}) as bench:
            response = await bench.post_voice(CallSid="CA1")
            assert stream_of(await response.text()).attrib["url"] == media_url

    kit.run(scenario)


def test_tunnel_is_answered_with_wss(kit: Any) -> None:
    """A trial through an https tunnel needs no configuration."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            headers = {"Host": "abc.tunnel.example", "X-Forwarded-Proto": "https"}
            response = await bench.client.post(
                bench.url + "/voice", data={"CallSid": "CA1"}, headers=headers
            )
            stream = stream_of(await response.text())
            assert stream.attrib["url"] == "wss://abc.tunnel.example/media"

    kit.run(scenario)


@pytest.mark.parametrize("host", ["a b", 'x"/><Hangup/>', "a:b:c", "évil"])
def test_host_that_is_no_host_is_refused(kit: Any, host: str) -> None:
    """What a header says does not get into the TwiML unchecked."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.post(
                bench.url + "/voice", data={"CallSid": "CA1"}, headers={"Host": host}
            )
            assert response.status == 400

    kit.run(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"CallSid",
        b"CallSid=a%20b",
        b"CallSid=" + b"A" * 129,
        b"CallSid=%ff",
        b"&".join(b"a%d=1" % n for n in range(300)),
        b'{"CallSid":"CA1"}',
    ],
)
def test_request_that_is_no_webhook_is_refused(kit: Any, body: bytes) -> None:
    """A body that is no form of a provider is a counted 400."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.post(bench.url + "/voice", data=body)
            assert response.status == 400
            assert bench.count("bad_webhook") == 1

    kit.run(scenario)


def test_huge_request_is_refused(kit: Any) -> None:
    """A body beyond the limit is a 413."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            response = await bench.client.post(bench.url + "/voice", data=b"a=" + b"x" * 100_000)
            assert response.status == 413

    kit.run(scenario)


def test_get_is_not_answered(kit: Any) -> None:
    """Only POST is a webhook."""

    async def scenario() -> None:
        async with kit.serving() as bench:
            assert (await bench.client.get(bench.url + "/voice")).status == 405

    kit.run(scenario)


@pytest.mark.parametrize(
    ("signature", "status"),
    [
        ("right", 200),
        ("port", 200),
        ("wrong", 403),
        ("other field", 403),
        ("none", 403),
        ("unicode", 403),
    ],
)
def test_webhook_must_be_signed_where_a_token_is_configured(
    kit: Any, signature: str, status: int
) -> None:
    """Only who knows the auth token gets a call token."""

    async def scenario() -> None:
        port = ":8443" if signature == "port" else ""
        server = {"public_url": PUBLIC["public_url"] + port}
        async with kit.serving(server=server, twilio={"auth_token": AUTH}) as bench:
            fields = {"CallSid": "CA1", "From": "+1 (555) 0100", "Empty": ""}
            signed = {**fields, "From": "x"} if signature == "other field" else fields
            url = "https://mycompany.com/voice?a=%2f&b"
            headers = {"X-Twilio-Signature": sign(AUTH, url, list(signed.items()))}
            if signature == "wrong":
                headers["X-Twilio-Signature"] = sign("54321", url, list(fields.items()))
            if signature == "none":
                headers = {}
            if signature == "unicode":
                headers["X-Twilio-Signature"] = "é" * 28
            target = yarl_raw(bench.url + "/voice?a=%2f&b")
            response = await bench.client.post(target, data=fields, headers=headers)
            assert response.status == status
            assert bench.count("bad_signature") == (status == 403)

    kit.run(scenario)


def yarl_raw(url: str) -> Any:
    """The address as written: the client must not tidy what was signed."""
    import yarl  # noqa: PLC0415 - a dependency of aiohttp, needed here only

    return yarl.URL(url, encoded=True)


def test_address_chooses_the_flow(kit: Any) -> None:
    """The call that was announced for a flow follows it, though the stream does not name it."""

    async def scenario() -> None:
        async with kit.serving(flow=kit.flows(kit.flow, kit.other)) as bench:
            line = await bench.call("CA1", flow="other")
            await line.hang_up()
            assert (await bench.ended("CA1"))["flow"] == "other"
            plain = await bench.call("CA2")
            await plain.hang_up()
            assert (await bench.ended("CA2"))["flow"] == "pin"

    kit.run(scenario)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("othre", "did you mean other?"),
        ("zzz", "this server has other, pin"),
        ("", "this server has other, pin"),
    ],
)
def test_flow_that_is_unknown_is_refused(kit: Any, name: str, cure: str) -> None:
    """A misspelt address is told with the names that there are."""

    async def scenario() -> None:
        async with kit.serving(flow=kit.flows(kit.flow, kit.other)) as bench:
            response = await bench.post_voice(name, CallSid="CA1")
            assert response.status == 404
            assert await response.text() == f"unknown_flow: {cure}"
            assert bench.count("unknown_flow") == 1

    kit.run(scenario)


def test_no_call_is_taken_before_the_model_is_ready(kit: Any) -> None:
    """A webhook that comes too early hears a busy signal, with a 503 for the fallback address."""

    async def scenario() -> None:
        recognizer = kit.recognizer([], ready=False)
        async with kit.serving(recognizer=recognizer) as bench:
            response = await bench.post_voice(CallSid="CA1")
            assert response.status == 503
            assert "<Reject" in await response.text()
            assert bench.count("recognizer_not_ready") == 1

    kit.run(scenario)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+15551234567", "caller …67"), ("anonymous", None), ("", None), ("12345", None)],
)
def test_caller_is_shown_by_two_digits(number: str, shown: str | None) -> None:
    """Who watches can tell two callers apart, and call neither."""
    assert masked_caller([("From", number)]) == shown
    assert masked_caller([]) is None
