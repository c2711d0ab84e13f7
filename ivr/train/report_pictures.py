"""The evaluation's pictures: matplotlib draws, and what it drew is made fit to stand in a page.

Theory of operation: each picture is an SVG element for the inside of an HTML page. Colours are
drawn as stand-ins and replaced by the page's CSS variables, so that one picture serves light and
dark; text stays text in the page's font; ids get a prefix, since several pictures share the page;
title and description are for who cannot see it. Pictures are narrow, for a phone.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ivr.train.evaluate import percentiles
from ivr.train.report_figures import Confusion, Share

# Stand-ins by the name of their CSS variable; no colour of matplotlib's own is among them.
COLOURS = {"ink": "#010101", "line": "#020202", "good": "#030303", "bad": "#040404"}
INK, LINE, GOOD, BAD = COLOURS.values()
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ivr",  # the same figures give the same page
    "text.parse_math": False,  # a $ in a group's name is a $
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
WIDTH_IN = 4.6  # 442 px, little more than a phone has, so that text stays readable there
MAX_BARS = 40
MAX_LABEL = 26  # characters
STRONGEST = 0.5  # opacity of a matrix's fullest cell; text on it stays readable


def bars(name: str, title: str, shares: Sequence[Share], marks: Sequence[float] = ()) -> str:
    """A bar for each share with its interval.

    Args:
        name: of the picture, for its ids.
        title: what it shows.
        shares: top to bottom, at least one; those behind `MAX_BARS` are left out.
        marks: another value 0..1 for each bar, drawn as a diamond.

    Returns:
        An SVG element.
    """
    shares = shares[:MAX_BARS]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        rows = range(len(shares))
        axes.barh(rows, [100 * share.value for share in shares], 0.6, color=GOOD, alpha=0.6)
        for row, share in enumerate(shares):
            low, high = share.interval
            axes.plot([100 * low, 100 * high], [row, row], color=INK, linewidth=1)
        if marks:
            axes.plot([100 * m for m in marks[: len(shares)]], rows, "D", color=BAD, markersize=5)
        axes.set_yticks(rows, [f"{_short(share.label)} ({share.files})" for share in shares])
        axes.invert_yaxis()
        axes.set_xlim(0, 102)
        axes.set_xlabel("%")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)

    described = "; ".join(
        f"{share.label}: {100 * share.value:.1f} % of {share.files}" for share in shares
    )
    return _svg(name, title, described, draw, 0.7 + 0.27 * len(shares))


def confusion_matrix(name: str, title: str, matrix: Confusion) -> str:
    """What was said (rows) and heard (columns); counts in the cells.

    Returns:
        An SVG element.
    """
    worst = max((count for *_, count in matrix.mistakes), default=1)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, said in enumerate(matrix.symbols):
            total = sum(matrix.counts[said, heard] for heard in matrix.symbols)
            for column, heard in enumerate(matrix.symbols):
                if count := matrix.counts[said, heard]:
                    right = said == heard
                    # Right ones by their share of the row, mistakes against the most frequent one.
                    strength = count / total if right else math.sqrt(count / worst)
                    corner = (column - 0.5, row - 0.5)
                    colour = GOOD if right else BAD
                    cell = Rectangle(corner, 1, 1, color=colour, alpha=STRONGEST * strength, lw=0)
                    axes.add_patch(cell)
                    size = 8 if count < 10_000 else 6
                    axes.text(column, row, str(count), ha="center", va="center", fontsize=size)
        n = len(matrix.symbols)
        names = matrix.symbols[:-1]
        axes.set_xticks(range(n), [*names, "none"])
        axes.set_yticks(range(n), [*names, "none"])
        axes.set_xlim(-0.5, n - 0.5)
        axes.set_ylim(n - 0.5, -0.5)
        axes.set_xlabel("heard")
        axes.set_ylabel("said")
        axes.tick_params(length=0, labelsize=8)
        for at in range(n - 1):
            axes.axhline(at + 0.5, color=LINE, linewidth=0.3)
            axes.axvline(at + 0.5, color=LINE, linewidth=0.3)

    most = [
        f"{said or 'nothing'} heard as {heard or 'nothing'}: {count}"
        for said, heard, count in matrix.mistakes[:5]
    ]
    described = "The most frequent confusions: " + "; ".join(most) if most else "No confusions."
    return _svg(name, title, described, draw, WIDTH_IN)


def rejection_curve(name: str, title: str, curve: Sequence[dict[str, Any]]) -> str:
    """What a flow gets at each confidence level.

    Args:
        name: of the picture, for its ids.
        title: what it shows.
        curve: as `ivr.train.reliability.rejection` gives it.

    Returns:
        An SVG element.
    """
    lines = (
        ("answered", "numbers answered", INK, "o-"),
        ("right", "answers right", GOOD, "s-"),
        ("false_accept_rate", "false accepts", BAD, "D--"),
    )

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        levels = [f"{point['confidence_level']:g}" for point in curve]
        for key, label, colour, style in lines:
            points = [(at, 100 * p[key]) for at, p in enumerate(curve) if p[key] is not None]
            if points:
                axes.plot(*zip(*points, strict=True), style, color=colour, label=label, ms=4, lw=1)
        axes.set_xticks(range(len(levels)), levels)
        axes.set_ylim(-2, 102)
        axes.set_xlabel("confidence level")
        axes.set_ylabel("%")
        axes.grid(axis="y")
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside upper left", ncols=3, fontsize=8, handlelength=1.6)

    described = "; ".join(
        f"at {point['confidence_level']:g}: "
        + ", ".join(
            f"{label} {100 * point[key]:.1f} %"
            for key, label, *_ in lines
            if point[key] is not None
        )
        for point in curve
    )
    return _svg(name, title, described, draw, 3.2)


def histograms(name: str, title: str, times_ms: dict[str, list[float]]) -> str:
    """A histogram for each list of milliseconds, one under the other, p50 and p95 marked.

    Args:
        name: of the picture, for its ids.
        title: what it shows.
        times_ms: by what they are; none of the lists is empty.

    Returns:
        An SVG element.
    """

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(times_ms), squeeze=False)
        for axes, (label, times) in zip(grid[:, 0], times_ms.items(), strict=True):
            _histogram(axes, label, times)

    described = "; ".join(
        f"{label}: " + ", ".join(f"{share} {value} ms" for share, value in percentiles(ms).items())
        for label, ms in times_ms.items()
    )
    return _svg(name, title, described, draw, 1.9 * len(times_ms))


def _histogram(axes: Axes, label: str, times_ms: list[float]) -> None:
    # The slowest hundredth would squeeze all the rest into a few bars.
    shares = percentiles(times_ms)
    limit = shares["p99"] or 0.0
    axes.hist([min(ms, limit) for ms in times_ms], bins=24, color=GOOD, alpha=0.6)
    for share, style in (("p50", "-"), ("p95", "--")):
        axes.axvline(shares[share] or 0.0, color=INK, linestyle=style, linewidth=1, label=share)
    axes.set_xlabel(f"{label}, ms")
    axes.set_ylabel("files")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.legend(fontsize=8)


def _short(label: str) -> str:
    return label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _svg(
    name: str, title: str, described: str, draw: Callable[[Figure], None], height_in: float
) -> str:
    """Draws a figure and makes it an element of the page."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Measuring a label in a script that matplotlib's font lacks; the browser has a font for it.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return embed(written.getvalue(), name, title, described)


def embed(svg: str, name: str, title: str, described: str) -> str:
    """An SVG file as matplotlib writes it, made fit for the inside of a page.

    Args:
        svg: the file.
        name: prefix of its ids.
        title: its accessible name.
        described: what can be seen, in words.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: ([^;\"]*?\d)px [^;\"]*", r"font: \1px var(--font)", svg)
    for variable, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    box = re.search(r'viewBox="[^"]+"', svg)
    head = (
        f'<svg {box[0] if box else ""} role="img" aria-labelledby="{name}-title {name}-desc" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(described)}</desc>'
    )
    return head + svg[svg.index(">") + 1 :]
