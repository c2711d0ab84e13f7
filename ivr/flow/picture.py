"""A flow as an SVG picture that needs nothing else: no script, no font, no other file."""

from __future__ import annotations

from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ivr.flow.draw import Node, Way, nodes_of, ways_of
from ivr.flow.layout import Point, lay_out
from ivr.flow.model import Flow

_CHARACTER: Final = 6.6  # width of one in the font below, pixels; a little too wide on purpose
_LINE: Final = 16.0
_MARGIN: Final = 12.0
# Kind -> fill and roundness of its box.
_LOOKS: Final = {
    "say": ("#eef2f7", 4),
    "capture": ("#dbeafe", 4),
    "confirm": ("#dcfce7", 14),
    "menu": ("#fef3c7", 14),
    "lookup": ("#e0e7ff", 4),
    "transfer": ("#fce7f3", 26),
    "record": ("#fce7f3", 4),
    "set": ("#f3e8ff", 0),
    "branch": ("#ffedd5", 14),
    "subflow": ("#cffafe", 0),
    "end": ("#e5e7eb", 26),
}
_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" \
viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}">
{style}<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" \
markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#475569"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>"""
_STYLE: Final = """\
<style>
text { font: 11px ui-monospace, Menlo, Consolas, monospace; fill: #1f2937; text-anchor: middle }
.name { font-weight: bold }
.way { fill: none; stroke: #475569; stroke-width: 1.2 }
.aside { stroke: #b91c1c; stroke-dasharray: 4 4; opacity: 0.6 }
.label { paint-order: stroke; stroke: #fff; stroke-width: 4px }
.box { stroke: #475569 }
</style>
"""


def svg(flow: Flow, *, styled: bool = True) -> str:
    """The flow as SVG, ending with a line break.

    Args:
        flow: to draw.
        styled: with its own look; without, for a page that gives it one.
    """
    nodes, ways = nodes_of(flow), ways_of(flow)
    sizes = {node.name: _size(node) for node in nodes}
    layout = lay_out(sizes, [(way.origin, way.target) for way in ways], flow.start)
    head = _HEAD.format(
        style=_STYLE if styled else "",
        width=layout.width,
        height=layout.height,
        title=f"call flow {escape(flow.flow)}",
    )
    parts = [head]
    labels = []
    for way, points in zip(ways, layout.lines, strict=True):
        halves = (sizes[way.origin][1] / 2, sizes[way.target][1] / 2)
        path, label_at = _line(points, *halves)
        aside = " aside" if way.aside else ""
        parts.append(f'<path class="way{aside}" d="{path}" marker-end="url(#arrow)"/>')
        labels += _label(way, label_at)
    for node in nodes:
        parts += _box(node, layout.centres[node.name], sizes[node.name])
    return "\n".join([*parts, *labels, "</svg>"]) + "\n"


def _size(node: Node) -> tuple[float, float]:
    longest = max(len(line) for line in (node.name, *node.lines))
    return longest * _CHARACTER + 2 * _MARGIN, (1 + len(node.lines)) * _LINE + _MARGIN


def _box(node: Node, centre: Point, size: tuple[float, float]) -> list[str]:
    (x, y), (width, height) = centre, size
    fill, round_by = _LOOKS[node.kind]
    top = y - height / 2
    parts = [
        f'<g class="{node.kind}" data-step={quoteattr(node.name)}>',
        f'<rect class="box" x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{min(round_by, height / 2):.0f}" fill="{fill}"/>',
    ]
    for number, line in enumerate((node.name, *node.lines)):
        name = ' class="name"' if number == 0 else ""
        at = top + _MARGIN / 2 + (number + 0.72) * _LINE
        parts.append(f'<text{name} x="{x:.1f}" y="{at:.1f}">{escape(line)}</text>')
    return [*parts, "</g>"]


def _label(way: Way, at: Point) -> list[str]:
    if not way.label:
        return []
    x, y = at
    return [f'<text class="label" x="{x:.1f}" y="{y:.1f}">{escape(way.label)}</text>']


def _line(points: tuple[Point, ...], leaving: float, entering: float) -> tuple[str, Point]:
    """A curve from edge to edge of the boxes, and where its label goes.

    Args:
        points: from the middle of a box by way of bends to the middle of another.
        leaving: half the height of the first box.
        entering: half the height of the last.
    """
    (x0, y0), (x1, y1) = points[0], points[-1]
    if points[0] == points[-1]:  # to itself: a loop below the box
        low = y0 + leaving
        return f"M{x0 - 12:.1f} {low:.1f}c-6 24 30 24 24 0", (x0, low + 24)
    way_down = 1 if y1 > y0 else -1
    ends = ((x0, y0 + way_down * leaving), *points[1:-1], (x1, y1 - way_down * entering))
    path = f"M{x0:.1f} {ends[0][1]:.1f}"
    for (from_x, from_y), (to_x, to_y) in pairwise(ends):
        middle = (from_y + to_y) / 2
        path += f"C{from_x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
    (a, b), (c, d) = ends[0], ends[1]
    return path, ((a + c) / 2, (b + d) / 2 + 4)
