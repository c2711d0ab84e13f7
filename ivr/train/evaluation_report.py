"""`ivr evaluate`: runs an evaluation with a progress bar and prints it as tables or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from rich.text import Text

from ivr.asr.model_files import open_model
from ivr.errors import ConfigError
from ivr.flow.model import Listening
from ivr.grammar.list_file import given_lists
from ivr.grammar.lists import pin
from ivr.train.evaluate import Report, hear_all, read_manifest


def run_evaluate(
    manifest: Path,
    *,
    grammar: str,
    folder: Path | None,
    confidence_level: float | None,
    workers: int,
    lists: Sequence[str] = (),
    results: Path | None,
    json_output: bool,
    page: Path | None = None,
    with_digits: bool = False,
) -> int:
    """Evaluates a manifest and prints the figures.

    Args:
        manifest: the recordings and what is said in them.
        grammar: grammar URI of the question.
        lists: files that it names, each ``NAME=FILE``.
        folder: the model's folder; None for the embedded model.
        confidence_level: answers below it count as none; None for the flows' default.
        workers: processes.
        results: where to write what was heard in each file.
        json_output: print one JSON object instead of tables.
        page: folder for the evaluation as an HTML page.
        with_digits: the page may show what was said and heard.

    Returns:
        The exit status: 1 if a file could not be read, else 0.

    Raises:
        ConfigError: the manifest or the grammar is wrong, or something cannot be written.
        ModelError: the model cannot be loaded.
    """
    items = read_manifest(manifest)
    directories = given_lists(lists)
    question = pin(grammar, directories)
    if with_digits and page is None:
        raise ConfigError("--with-digits: belongs to --report")
    # Whatever cannot be written shows now, not after an hour of hearing.
    write = None
    if page is not None:
        write = _page_writer(page, manifest, folder, grammar, workers, with_digits=with_digits)
    if results is not None:
        _write(results, "")
    level = Listening().confidence_level if confidence_level is None else confidence_level
    report = Report(confidence_level=level)
    console = Console(stderr=True)
    answers = hear_all(items, folder, question, workers=workers)
    shown = track(answers, "hearing", len(items), console=console, disable=json_output)
    for item, answer in zip(items, shown, strict=True):
        report.add(item, answer)
        if answer.error:
            message = Text.assemble(("error: ", "red"), answer.error)
            console.print(message, highlight=False, soft_wrap=True)
    if results is not None:
        _write(results, "".join(json.dumps(row) + "\n" for row in report.results))
    if json_output:
        sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n")
    else:
        print_report(Console(), report)
    if write is not None:
        console.print(Text(f"page: {write(report)}"), highlight=False, soft_wrap=True)
    return 1 if report.errors else 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise ConfigError(f"--results: {path} cannot be written ({error.strerror})") from error


def _page_writer(
    page: Path,
    manifest: Path,
    folder: Path | None,
    grammar: str,
    workers: int,
    *,
    with_digits: bool,
) -> Callable[[Report], Path]:
    """Writes the page of a report into a folder; what it needs is checked at once."""
    try:
        # matplotlib and jinja2 are an extra, and slow to import.
        from ivr.train.report_page import Making, prepare_folder, write_page  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--report needs the package {error.name}; install it with pip install 'ivr[report]'"
        ) from error
    prepare_folder(page)
    _, description = open_model(folder)
    making = Making(
        manifest=manifest,
        model=description.name,
        sha256=description.sha256,
        grammar=grammar,
        workers=workers,
        at=datetime.now(UTC),
        with_digits=with_digits,
    )
    return lambda report: write_page(page, report, making)


def print_report(console: Console, report: Report) -> None:
    """Prints the tables for people: all, by group, the ten worst speakers, confidence, latency."""
    figures = report.as_dict()
    table = Table(title=f"answers at confidence {report.confidence_level:g} and above")
    for heading in ("", "files", "all right", "digit errors", "sub / ins / del", "false accepts"):
        left = not heading
        table.add_column(heading, justify="left" if left else "right", no_wrap=left)
    table.add_row("all", *_cells(figures))
    for name, group in figures["groups"].items():
        table.add_row(escape(name), *_cells(group))
    speakers = [
        item for item in figures["speakers"].items() if item[1]["string_accuracy"] is not None
    ]
    worst = sorted(speakers, key=lambda item: item[1]["string_accuracy"])[:10]
    for name, speaker in worst if len(speakers) > 1 else []:
        table.add_row(f"speaker {escape(name)}", *_cells(speaker), style="dim")
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
