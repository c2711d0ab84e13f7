"""`ivr evaluate`: runs an evaluation with a progress bar and prints it as tables or as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from ivr.flow.model import Listening
from ivr.train.evaluate import Report, hear_all, read_manifest


def run_evaluate(
    manifest: Path,
    *,
    grammar: str,
    folder: Path | None,
    confidence_level: float | None,
    workers: int,
    results: Path | None,
    json_output: bool,
) -> int:
    """Evaluates a manifest and prints the figures.

    Returns:
        The exit status: 1 if a file could not be read, else 0.

    Raises:
        ConfigError: the manifest or the grammar is wrong.
        ModelError: the model cannot be loaded.
    """
    items = read_manifest(manifest)
    level = Listening().confidence_level if confidence_level is None else confidence_level
    report = Report(confidence_level=level)
    console = Console(stderr=True)
    answers = hear_all(items, folder, grammar, workers=workers)
    shown = track(answers, "hearing", len(items), console=console, disable=json_output)
    for item, answer in zip(items, shown, strict=True):
        report.add(item, answer)
        if answer.error:
            console.print(f"[red]error:[/red] {answer.error}", highlight=False)
    if results is not None:
        results.write_text("".join(json.dumps(row) + "\n" for row in report.results))
    if json_output:
        sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n")
    else:
        print_report(Console(), report)
    return 1 if report.errors else 0


def print_report(console: Console, report: Report) -> None:
    """Prints the tables for people: all, by group, the ten worst speakers, confidence, latency."""
    figures = report.as_dict()
    table = Table(title=f"answers at confidence {report.confidence_level:g} and above")
    for heading in ("", "files", "all right", "digit errors", "sub / ins / del", "false accepts"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("all", *_cells(figures))
    for name, group in figures["groups"].items():
        table.add_row(name, *_cells(group))
    speakers = [
        item for item in figures["speakers"].items() if item[1]["string_accuracy"] is not None
    ]
    worst = sorted(speakers, key=lambda item: item[1]["string_accuracy"])[:10]
    for name, speaker in worst if len(speakers) > 1 else []:
        table.add_row(f"speaker {name}", *_cells(speaker), style="dim")
    console.print(table)
    console.print(_confidence_table(figures))
    for key, meaning in (
        ("latency_ms", "end of speech to decision, without a grammar"),
        ("compute_ms", "of that, recognition"),
    ):
        shares = ", ".join(f"{share} {value} ms" for share, value in figures[key].items())
        console.print(f"{meaning}: {shares}", highlight=False)


def _confidence_table(figures: dict[str, Any]) -> Table:
    """What each confidence level would answer, and how much of that is right."""
    table = Table(title="what a flow gets at each confidence level")
    for heading in ("confidence", "numbers answered", "answers right", "false accepts"):
        table.add_column(heading, justify="right")
    for row in figures["rejection"]:
        shares = (row["answered"], row["right"], row["false_accept_rate"])
        table.add_row(f"{row['confidence_level']:g}", *map(_percent, shares))
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _cells(figures: dict[str, Any]) -> list[str]:
    kinds = ("substitutions", "insertions", "deletions")
    return [
        str(figures["files"]),
        _percent(figures["string_accuracy"]),
        _percent(figures["digit_error_rate"]),
        " / ".join(str(figures[kind]) for kind in kinds),
        _percent(figures["false_accept_rate"]),
    ]
