"""`ivr test`: place every simulated call beside a flow, and say which did not go as it should."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ivr.asr.pool import RecognizerPool
from ivr.config import Settings
from ivr.errors import ConfigError
from ivr.server.logging import configure_logging
from ivr.simulate.commands import EXIT_AS_SCRIPTED, EXIT_NOT_AS_SCRIPTED, save_recording
from ivr.simulate.report import as_json, print_dialogue, print_summary
from ivr.testing.cases import Case, find_cases
from ivr.testing.junit import write_junit
from ivr.testing.prompts import open_prompts
from ivr.testing.run import CallTest, Plan, Tested, run_cases
from ivr.testing.voices import FreshVoice

_QUEUE: Final = 1000  # a test's calls wait for the recogniser, however many
_STUCK_S: Final = 300.0  # and a machine that is busy with other things is waited for


@dataclass(frozen=True, slots=True)
class Output:
    """What is written of a test, and where.

    Attributes:
        json_output: one JSON object on standard output, instead of text.
        junit: a JUnit file.
        html: a page with each call's waveform, dialogue and audio.
        record: a folder for each call as a stereo WAV.
        verbose: print every call's dialogue, not only of those that failed.
    """

    json_output: bool = False
    junit: Path | None = None
    html: Path | None = None
    record: Path | None = None
    verbose: bool = False


def run_test(
    places: Sequence[Path],
    settings: Settings,
    plan: Plan,
    output: Output,
    *,
    only: str | None = None,
    console: Console | None = None,
) -> int:
    """Test flows by calls.

    Args:
        places: folders, flows and scripts.
        settings: of the server; what a test must not touch is left out of them.
        plan: how calls are placed.
        output: what is written.
        only: a part of the names of the calls to place, or a pattern of them.
        console: where to print.

    Returns:
        The exit status: 0 if all calls went as their scripts say, otherwise 1.

    Raises:
        ConfigError: scripts, flows, options or files to be written are wrong.
        AudioError, ModelError: something cannot be heard or spoken.
    """
    console = console or Console()
    check_writable(output)
    configure_logging(settings.log.model_copy(update={"level": "error"}))
    cases = find_cases(places, only)
    tested = place_all(
        cases, settings, plan, Console(stderr=True) if output.json_output else console
    )
    write_all(tested, plan, output)
    passed = all(each.passed for each in tested)
    if output.json_output:
        console.print_json(json.dumps(summary(tested, plan)))
    else:
        for each in tested:
            if output.verbose or not each.passed:
                print_dialogue(console, each.verdict, each.case.name)
        print_summary(console, [each.verdict for each in tested], [t.case.name for t in tested])
    return EXIT_AS_SCRIPTED if passed else EXIT_NOT_AS_SCRIPTED


def place_all(
    cases: Sequence[Case], settings: Settings, plan: Plan, console: Console
) -> list[Tested]:
    """Place the calls, with a progress bar; on no terminal, with a line for each that is over."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
    )
    failed = 0
    with FreshVoice() as voice, Progress(*columns, console=console, transient=True) as progress:
        prompts = open_prompts(settings.prompts, voice)
        workers = min(plan.jobs, os.cpu_count() or 1)
        recognizer = RecognizerPool(settings.recognizer.model_dir, workers, _QUEUE, _STUCK_S)
        test = CallTest(cases, settings, recognizer, prompts=prompts, voice=voice, plan=plan)
        task = progress.add_task("calls", total=len(cases), failed="")

        def done(tested: Tested) -> None:
            nonlocal failed
            failed += not tested.passed
            progress.update(task, advance=1, failed=f"[red]{failed} failed" if failed else "")
            if not console.is_terminal:
                console.print(f"{tested.case.name}: {'passed' if tested.passed else 'failed'}")

        return asyncio.run(run_cases(cases, test, done))


def summary(tested: Sequence[Tested], plan: Plan) -> dict[str, Any]:
    """The test as plain values."""
    return {
        "passed": all(each.passed for each in tested),
        "real_time": plan.real_time,
        "hearing_ms": plan.hearing_ms,
        "calls": [
            {
                "name": each.case.name,
                "file": str(each.case.file),
                "flow": str(each.case.flow_file),
                "wall_s": round(each.wall_s, 3),
                **as_json(each.verdict),
            }
            for each in tested
        ],
    }


def check_writable(output: Output) -> None:
    """Make the folders of what is to be written, before the calls are placed.

    Raises:
        ConfigError: one cannot be made or written to.
    """
    folders = {
        "--junit": output.junit and output.junit.parent,
        "--html": output.html and output.html.parent,
        "--record": output.record,
    }
    for option, folder in folders.items():
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{option}: the folder {folder} cannot be made ({error.strerror}); name another"
            ) from error


def write_all(tested: Sequence[Tested], plan: Plan, output: Output) -> None:
    """Write the files.

    Raises:
        AudioError, ConfigError: one cannot be written.
    """
    if output.junit is not None:
        write_junit(output.junit, tested)
    if output.html is not None:
        from ivr.testing.html import write_html  # noqa: PLC0415 - an extra

        write_html(output.html, tested, plan)
    if output.record is not None:
        for each in tested:
            name = each.case.name.replace("/", "-")
            save_recording(each.verdict.result, output.record / f"{name}.wav")
