"""`ivr replay`: a captured call once more, told on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from ivr.asr.loading import open_engine
from ivr.capture import Capture, read_capture
from ivr.errors import ConfigError
from ivr.flow.schema import load_flow
from ivr.server.flows import flow_version
from ivr.testing.replay import Replayed, in_words, replay

EXIT_EXACT = 0
EXIT_DEPARTED = 1


def run_replay(
    file: Path,
    *,
    flow: Path | None = None,
    model: Path | None = None,
    as_heard: bool = False,
    show: bool = False,
    json_output: bool = False,
    console: Console | None = None,
) -> int:
    """Repeat a captured call and print where it departs.

    Args:
        file: the capture.
        flow: another flow than the captured one.
        model: a model's folder; the embedded one by default.
        as_heard: take what was heard then instead of hearing it anew.
        show: print what the caller said; otherwise stars.
        json_output: print one JSON object.
        console: where to print.

    Returns:
        The exit status: 0 if all went as captured, otherwise 1.

    Raises:
        ConfigError: the capture or the flow cannot be read.
        ModelError: the model cannot be loaded.
    """
    console = console or Console()
    capture = read_capture(file)
    flow_file = flow or _flow_file(capture)
    followed = load_flow(flow_file)
    changed = flow_version(followed) != capture.head.get("flow_version")
    hear = None if as_heard else open_engine(model).recognize
    result = replay(capture, followed, hear)
    if json_output:
        console.print_json(json.dumps(_as_json(capture, result, changed=changed, show=show)))
    else:
        _tell(console, capture, result, changed=changed, show=show)
    return EXIT_EXACT if result.exact else EXIT_DEPARTED


def _flow_file(capture: Capture) -> Path:
    named = capture.head.get("flow_file")
    if isinstance(named, str) and Path(named).is_file():
        return Path(named)
    raise ConfigError(
        f"the call followed the flow {capture.head.get('flow')}, whose file is not here any more; "
        "say where it is with --flow FILE"
    )


def _tell(
    console: Console, capture: Capture, result: Replayed, *, changed: bool, show: bool
) -> None:
    """Print it for people."""

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False)

    say(f"call {capture.head['call_id']}, flow {capture.head.get('flow')}")
    if changed:
        say("the flow is another version than the call followed", "yellow")
    if capture.cut is not None:
        say(f"the capture does not reach to the end of the call: {capture.cut}", "yellow")
    for other in result.heard_otherwise:
        then, now = (_heard(words, show=show) for words in (other.captured, other.replayed))
        say(f"line {other.line}: heard {now}, captured {then}", "yellow")
    if (departure := result.departure) is None:
        length = f"{result.clock_ms / 1000:.1f} s, {result.compared} decisions and actions"
        say(f"exactly as captured: {length}", "green")
        return
    say(f"departs at line {departure.line}, after {result.compared} that are the same:", "red")
    say(f"  captured {in_words(departure.captured, shown=show)}")
    say(f"  replayed {in_words(departure.replayed, shown=show)}")


def _heard(words: tuple[str, float] | None, *, show: bool) -> str:
    if words is None:
        return "nothing (failed)"
    text, sure = words
    return f'"{text if show else "*" * len(text)}" with {sure:.2f}'


def _as_json(capture: Capture, result: Replayed, *, changed: bool, show: bool) -> dict[str, Any]:
    departure = result.departure
    return {
        "call_id": capture.head["call_id"],
        "flow": capture.head.get("flow"),
        "flow_changed": changed,
        "cut": capture.cut,
        "exact": result.exact,
        "compared": result.compared,
        "clock_ms": result.clock_ms,
        "heard_otherwise": [
            {
                "line": other.line,
                "captured": _heard(other.captured, show=show),
                "replayed": _heard(other.replayed, show=show),
            }
            for other in result.heard_otherwise
        ],
        "departure": departure
        and {
            "line": departure.line,
            "captured": in_words(departure.captured, shown=show),
            "replayed": in_words(departure.replayed, shown=show),
        },
    }
