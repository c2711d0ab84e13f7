"""``ivr prompts``: what a flow says as files for a studio, and a look at what came back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ivr.audio.wav import write_wav
from ivr.config import PromptSettings
from ivr.errors import ConfigError
from ivr.flow.schema import load_flow
from ivr.prompts.shaping import RATE_HZ
from ivr.prompts.store import PromptStore
from ivr.prompts.studio import Finding, check, half_recorded, script, strangers

SCRIPT: str = "script.csv"


def run_render(settings: PromptSettings, flow: Path, out: Path, *, json_output: bool) -> int:
    """Write every fixed prompt of a flow as WAV, and a script for the voice talent.

    Args:
        settings: of the synthesiser and the recordings there are.
        flow: the file.
        out: the folder; made where it is missing, files in it are written over.
        json_output: print one JSON object.

    Returns:
        The exit status, 0.

    Raises:
        FlowError: the flow is wrong.
        ConfigError: the folder cannot be written.
    """
    lines = script(load_flow(flow))
    prompts = PromptStore.open(settings)
    try:
        for line in lines:
            path = out / line.file
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, prompts.render(line.prompt), RATE_HZ)
        with (out / SCRIPT).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "language", "say", "note"])
            for line in lines:
                note = "a part, to be joined: no silence around it" if line.part else ""
                writer.writerow([line.file, line.language or "", line.text, note])
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be written ({error.strerror})") from error
    if json_output:
        print(json.dumps({"out": str(out), "files": [line.file for line in lines]}))  # noqa: T201
    else:
        print(f"{len(lines)} prompts and {SCRIPT} in {out}")  # noqa: T201
    return 0


def run_check(
    settings: PromptSettings, flow: Path, *, complete: bool = False, json_output: bool = False
) -> int:
    """Look at the recordings of a flow: which are missing, and which are not usable.

    Args:
        settings: with the folder of the recordings.
        flow: the file.
        complete: what is missing is wrong.
        json_output: print one JSON object.

    Returns:
        The exit status: 1 where a recording cannot be used, some digits are there and others not,
        or one is missing that must not be.

    Raises:
        FlowError: the flow is wrong.
        ConfigError: there is no folder.
    """
    folder = settings.recordings_dir
    if folder is None or not folder.is_dir():
        raise ConfigError(
            f"{folder or 'prompts.recordings_dir is not set'}: no folder of recordings; give one "
            "with --recordings, or in the configuration"
        )
    loaded = load_flow(flow)
    findings = list(check(loaded, folder))
    unknown = strangers(loaded, folder)
    half = half_recorded(findings)
    missing = [f for f in findings if f.path is None]
    failed = half or any(f.faults for f in findings) or (complete and bool(missing))
    if json_output:
        print(  # noqa: T201
            json.dumps(
                {
                    "ok": not failed,
                    "prompts": [_row(finding) for finding in findings],
                    "unknown": [path.name for path in unknown],
                    "digits_incomplete": half,
                }
            )
        )
        return int(failed)
    _print(findings)
    for path in unknown:
        print(f"{path}: no prompt of this flow has this name")  # noqa: T201
    if half:
        print("digits: some are recorded and others not; numbers stay synthesised")  # noqa: T201
    print(f"{len(findings) - len(missing)} of {len(findings)} recorded")  # noqa: T201
    return int(failed)


def _print(findings: list[Finding]) -> None:
    table = Table("recording", "level", "state", "text")
    for finding in findings:
        state = "; ".join((*finding.faults, *finding.remarks)) or "good"
        level = "" if finding.level_dbfs is None else f"{finding.level_dbfs:.0f} dBFS"
        table.add_row(
            finding.line.file,
            level,
            "missing: synthesised" if finding.path is None else state,
            finding.line.text,
        )
    Console().print(table)


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.line.file,
        "text": finding.line.text,
        "found": finding.path.name if finding.path is not None else None,
        "level_dbfs": finding.level_dbfs,
        "faults": list(finding.faults),
        "remarks": list(finding.remarks),
    }
