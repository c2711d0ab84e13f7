"""Logs hold no digits: not ours, not the libraries', not in words."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ivr.config import LogSettings
from ivr.server.logging import MASK, REMOVED, configure_logging, redact


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Give the next test the logging it found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()


def masked(**event: Any) -> dict[str, Any]:
    """The event after redaction."""
    return dict(redact(None, "info", event))


@pytest.mark.parametrize(
    "text",
    [
        "4155",
        "heard 4155 0012",
        "4-1-5-5",
        "4 1 5 5",
        "4, 1, 5",
        "heard four one five five",
        "Four, One, Five",
        "double seven triple oh",
        "nine hundred twelve",
    ],
)
def test_runs_of_digits_are_masked(text: str) -> None:
    """Digits in figures or in words do not pass."""
    result = masked(event=text)["event"]
    assert MASK in result
    assert not any(character.isdigit() for character in result)
    assert "five" not in result.lower()


@pytest.mark.parametrize("text", ["step 2 of 10", "two of the calls", "no one", "p1", "recognised"])
def test_ordinary_text_passes(text: str) -> None:
    """A count or a word is not a caller's number."""
    assert masked(event=text)["event"] == text


@pytest.mark.parametrize("key", ["value", "words", "digit", "digits", "text", "token", "payload"])
@pytest.mark.parametrize("value", ["1", 4155, ["4", "1"], {"a": 1}, b"x", True])
def test_personal_fields_are_emptied(key: str, value: Any) -> None:
    """A field that by its name holds what was said is removed, whatever its type."""
    assert masked(**{key: value})[key] == REMOVED


def test_nested_fields_are_found() -> None:
    """Depth hides nothing."""
    event = masked(turns=[{"step": "ask", "value": "4155", "note": ["4155"], "confidence": 0.987}])
    assert event["turns"] == [
        {"step": "ask", "value": REMOVED, "note": [MASK], "confidence": 0.987}
    ]


def test_ids_and_numbers_stay() -> None:
    """What is needed to find a call is kept."""
    event = {"call_id": "CA0123456789", "port": 54321, "latency_ms": 123.456, "who": None}
    assert masked(**event) == event


def test_unknown_objects_are_shown_masked() -> None:
    """An object is logged as its text, and that is masked too."""
    assert MASK in masked(error=ValueError("no such account: 4155"))["error"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_are_clean_in_both_forms(capsys: pytest.CaptureFixture[str], form: Any) -> None:
    """Our loggers and the standard library's come out masked."""
    configure_logging(LogSettings(level="debug", format=form))
    structlog.get_logger("ours").info("heard 41550012", value="41550012", call_id="CA1")
    logging.getLogger("theirs").warning("bad account %s", "41550012")
    try:
        raise ValueError("41550012")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Unhandled 41550012")
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all("4155" not in line for line in lines)
    assert "CA1" in lines[0]
    assert "ValueError" in lines[2]
    if form == "json":
        first = json.loads(lines[0])
        assert first["level"] == "info"
        assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_traceback_of_ours_either(capsys: pytest.CaptureFixture[str], form: Any) -> None:
    """An exception that is logged by us leaves its kind and nothing of its text."""
    configure_logging(LogSettings(level="debug", format=form))
    log = structlog.get_logger("ours")
    error = KeyError("41550012")
    try:
        raise ValueError("41550012")
    except ValueError:
        log.exception("failed")
    log.error("failed", exc_info=error)
    log.error("failed", exc_info=(KeyError, error, None))
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all("4155" not in line for line in lines)
    kinds = ("ValueError", "KeyError", "KeyError")
    assert all(kind in line for kind, line in zip(kinds, lines, strict=True))


def test_every_line_of_a_call_has_its_ids(kit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that know nothing of calls, a library's and those of prompts, can be found by call."""
    configure_logging(LogSettings(level="debug", format="json"))

    async def scenario() -> None:
        prompts = kit.prompts(failing=("Your number please.",))
        async with kit.serving(prompts=prompts) as bench:
            first, second = await bench.call("CA1"), await bench.call("CA2")
            await first.mark()
            await second.mark()
            await first.hang_up()
            await second.hang_up()
            await bench.ended("CA1")

    kit.run(scenario)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    failed = [event for event in events if event["event"] == "prompt_failed"]
    started = {event["call_id"]: event for event in events if event["event"] == "call_started"}
    assert {event["call_id"] for event in failed} == {"CA1", "CA2"}
    assert started["CA1"]["record_id"] != started["CA2"]["record_id"]
    assert all("call_id" not in event for event in events if event["event"] == "ready")


def test_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """What is below the level is not written."""
    configure_logging(LogSettings(level="warning"))
    structlog.get_logger("ours").info("quiet")
    structlog.get_logger("ours").warning("loud")
    err = capsys.readouterr().err
    assert "quiet" not in err
    assert "loud" in err


def test_whole_call_leaves_no_digits_in_the_logs(
    kit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call that succeeds, one that is refused and one that fails: no line has the number."""
    configure_logging(LogSettings(level="debug", format="json"))

    async def scenario() -> None:
        async with kit.serving() as bench:
            line = await bench.call()
            await line.mark()
            await line.say("41559876", '{"event":"dtmf","dtmf":{"digit":"4155"}}')
            await line.keys("4155")
            await line.say(line.caller.mark(await line.mark(2)))
            await line.closed()
            await bench.ended()
            refused = await bench.line()
            await refused.say("4155")
            await refused.closed()

    kit.run(scenario)
    err = capsys.readouterr().err
    events = [json.loads(line) for line in err.splitlines()]
    assert "4155" not in err
    assert {"call_started", "call_ended", "refused"} <= {event["event"] for event in events}
    (ended,) = [event for event in events if event["event"] == "call_ended"]
    assert ended["turns"][0]["length"] == 4
