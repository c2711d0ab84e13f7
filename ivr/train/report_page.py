"""`ivr evaluate --report`: an evaluation as one HTML page, which needs nothing but itself.

Theory of operation: `ivr.train.report_figures` counts, `ivr.train.report_pictures` draws, and the
template beside this file has the words. No script and no address of another file is in the page; a
Content-Security-Policy says so to the browser. Digits are in it only where they were asked for.

matplotlib and jinja2 are the extra `report`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ivr import __version__
from ivr.errors import ConfigError
from ivr.train.evaluate import Outcome, Report, percentiles
from ivr.train.report_figures import (
    Share,
    by_group,
    by_length,
    by_snr,
    confusion,
    mistakes,
)
from ivr.train.report_pictures import (
    MAX_BARS,
    bars,
    confusion_matrix,
    histograms,
    rejection_curve,
)

PAGE = "index.html"
TEMPLATE = "report_page.html.jinja"
WORST_SPEAKERS = 10
MAX_MISTAKES = 500  # rows; --results has all of them
MAX_CONFUSIONS = 20  # rows of the table under the matrix


@dataclass(frozen=True, slots=True)
class Making:
    """How an evaluation was made.

    Attributes:
        manifest: what was evaluated; file names are shown relative to its folder.
        model: name of the model.
        sha256: hex digests of its files, by name.
        grammar: grammar URI of the question.
        workers: processes that heard files at the same time.
        at: when.
        with_digits: the page may show what was said and heard.
    """

    manifest: Path
    model: str
    sha256: dict[str, str]
    grammar: str
    workers: int
    at: datetime
    with_digits: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page.

    Attributes:
        title: what it shows.
        svg: the picture; "" where there is nothing to show.
        caption: how to read it, or why it is not there.
        headings, rows: the same as a table.
    """

    title: str
    svg: str
    caption: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def prepare_folder(folder: Path) -> None:
    """Makes the page's folder, before an hour of hearing.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PAGE).touch()
    except OSError as error:
        raise ConfigError(
            f"--report: {folder} cannot be written to ({error.strerror}); name another folder"
        ) from error


def write_page(folder: Path, report: Report, making: Making) -> Path:
    """Writes the page of an evaluation; returns its path.

    Raises:
        ConfigError: it cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    wrong = mistakes(report.outcomes)
    page = environment.get_template(
        TEMPLATE
    ).render(
        making=making,
        version=__version__,
        figures=report.as_dict(),
        worst_speakers=_worst_speakers(report),
        # Their texts were escaped where they were drawn.
        pictures=[(picture, Markup(picture.svg)) for picture in _pictures(report)],  # noqa: S704
        numbers=report.total.with_number,
        wrong=[
            (_name(mistake.outcome, making.manifest), mistake.kind, mistake.outcome)
            for mistake in wrong[:MAX_MISTAKES]
        ],
        wrong_files=len(wrong),
    )
    path = folder / PAGE
    try:
        # A file name that is not UTF-8 is shown with escapes.
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(f"--report: {path} cannot be written ({error.strerror})") from error
    return path


def percent(value: float | None) -> str:
    """A share as people write it; a dash for a share of nothing."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f} %"


def _name(outcome: Outcome, manifest: Path) -> str:
    file = outcome.item.file
    return str(file.relative_to(manifest.parent) if file.is_relative_to(manifest.parent) else file)


def _worst_speakers(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """The speakers with the smallest shares of numbers right; none where there is but one."""
    speakers = [
        (name, tally.as_dict()) for name, tally in report.speakers.items() if tally.with_number
    ]
    # Of equally bad ones those of whom more was heard.
    worst = sorted(
        speakers, key=lambda item: (item[1]["string_accuracy"], -item[1]["files"], item[0])
    )
    return worst[:WORST_SPEAKERS] if len(speakers) > 1 else []


def _pictures(report: Report) -> Iterator[Picture]:
    outcomes = report.outcomes
    yield _share_picture(
        "group",
        "Numbers right by group",
        by_group(outcomes),
        missing="The manifest names no group of files with a number.",
    )
    yield _share_picture(
        "length",
        "Numbers right by length",
        by_length(outcomes),
        missing="No file holds a number of digits.",
    )
    yield _share_picture(
        "snr",
        "Numbers right by signal-to-noise ratio",
        by_snr(outcomes),
        missing="The manifest has no column snr_db, or no value in it for a file with a number.",
    )
    yield _confusion_picture(report)
    yield _reliability_picture(report)
    yield _rejection_picture(report)
    yield _latency_picture(report)


def _share_picture(name: str, title: str, shares: Sequence[Share], missing: str) -> Picture:
    if not shares:
        return Picture(title, "", missing)
    caption = "Bars: share of the files, whose number is in brackets. Lines: 95 % intervals."
    if len(shares) > MAX_BARS:
        caption += f" The first {MAX_BARS} of {len(shares)}; the table has all."
    rows = []
    for share in shares:
        low, high = share.interval
        interval = f"{100 * low:.1f} to {100 * high:.1f} %"
        rows.append((share.label, f"{share.files}", percent(share.value), interval))
    headings = ("", "files", "all right", "95 % interval")
    return Picture(title, bars(name, title, shares), caption, headings, tuple(rows))


def _confusion_picture(report: Report) -> Picture:
    title = "Digits confused"
    matrix = confusion(report.outcomes)
    if not matrix.counts:
        return Picture(title, "", "No file with a number gave an answer.")
    caption = (
        "Rows: what was said. Columns: what was heard, by the cheapest alignment of both. The row "
        '"none" holds digits that nobody said, the column "none" digits that went unheard. Numbers '
        "in the cells: how often. "
        f"{matrix.unanswered} files with a number gave no answer and are not counted here."
    )
    rows = tuple(
        (said or "none", heard or "none", str(count))
        for said, heard, count in matrix.mistakes[:MAX_CONFUSIONS]
    )
    svg = confusion_matrix("confusion", title, matrix)
    return Picture(title, svg, caption, ("said", "heard", "times"), rows)


def _reliability_picture(report: Report) -> Picture:
    title = "What a confidence is worth"
    bands = report.as_dict()["reliability"]
    if not bands:
        return Picture(title, "", "No file gave an answer.")
    shares = [
        Share(
            f"{band['from']:g} to {band['to']:g}",
            round(band["right"] * band["answers"]),
            band["answers"],
        )
        for band in bands
    ]
    marks = [band["mean_confidence"] for band in bands]
    caption = (
        "For each band of confidence, whatever the level: bars show the share of the answers that "
        "is right, diamonds the mean confidence that they claim. Calibrated, each diamond lies at "
        "the end of its bar. Lines: 95 % intervals; in brackets: answers."
    )
    rows = tuple(
        (share.label, f"{share.files}", percent(mark), percent(share.value))
        for share, mark in zip(shares, marks, strict=True)
    )
    svg = bars("reliability", title, shares, marks)
    headings = ("confidence", "answers", "claimed", "right")
    return Picture(title, svg, caption, headings, rows)


def _rejection_picture(report: Report) -> Picture:
    title = "What a flow gets at each confidence level"
    curve = report.as_dict()["rejection"]
    shares = ("answered", "right", "false_accept_rate")
    rows = tuple(
        (f"{point['confidence_level']:g}", *(percent(point[share]) for share in shares))
        for point in curve
    )
    caption = (
        "A higher level answers fewer of the numbers, and more of the answers are right. False "
        "accepts: files without a number that gave one."
    )
    headings = ("level", "numbers answered", "answers right", "false accepts")
    svg = rejection_curve("rejection", title, curve)
    return Picture(title, svg, caption, headings, rows)


def _latency_picture(report: Report) -> Picture:
    title = "Time to the decision"
    times = {
        "end of speech to decision": report.latency_ms,
        "of that, recognition": report.compute_ms,
    }
    if not report.latency_ms:
        return Picture(title, "", "No speech was found in any file.")
    rows = tuple(
        (label, *(f"{value} ms" for value in percentiles(ms).values()))
        for label, ms in times.items()
    )
    caption = (
        "Most of it is silence: here an utterance ends after 1.2 s of it, whatever was said; in a "
        "call the grammar shortens that. The slowest hundredth is drawn into the last bar."
    )
    svg = histograms("latency", title, times)
    return Picture(title, svg, caption, ("", "p50", "p95", "p99"), rows)
