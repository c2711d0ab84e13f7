"""Where the boxes of a directed graph go: layers from top to bottom, few crossings, short lines.

Theory of operation, after Sugiyama, Tagawa and Toda (1981): lines that close a circle are turned
round for as long as the layout lasts; each box goes one layer below the lowest box that leads to
it; a line that crosses layers gets a bend in each of them; boxes and bends of a layer are ordered
by the mean place of their neighbours, over and over; then each moves as near to its neighbours as
those beside it allow. Everything follows from the order of the boxes given: no lots are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

_SWEEPS: Final = 12
_GAP_X: Final = 28.0
_GAP_Y: Final = 56.0
_BEND_WIDTH: Final = 12.0

Box = str | tuple[int, int]  # a box by its name; a bend by its line and layer
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """A finished layout, in pixels; x to the right, y downwards, the origin at the top left.

    Attributes:
        centres: of the boxes.
        lines: for each line given, the points from box to box by way of its bends.
        width: of everything.
        height: of everything.
    """

    centres: dict[str, Point]
    lines: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def lay_out(
    sizes: Mapping[str, tuple[float, float]], arrows: Sequence[tuple[str, str]], start: str
) -> Layout:
    """Place boxes and lines.

    Args:
        sizes: width and height of each box, in pixels, in the order of preference.
        arrows: from which box to which; one from a box to itself gets the box's centre twice.
        start: the box at the top.
    """
    downwards = _downwards(list(sizes), arrows, start)
    layer_of = _layers(list(sizes), downwards)
    chains = [_chain(number, arrow, layer_of) for number, arrow in enumerate(downwards)]
    layers: list[list[Box]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for name in sizes:
        layers[layer_of[name]].append(name)
    for chain in chains:
        for bend in chain[1:-1]:
            if isinstance(bend, tuple):
                layers[bend[1]].append(bend)
    near = _Neighbours.of(chains)
    _order(layers, near)
    widths = {box: sizes[box][0] if isinstance(box, str) else _BEND_WIDTH for box in near.boxes}
    widths.update({name: size[0] for name, size in sizes.items()})
    x = _columns(layers, near, widths)
    return _finish(sizes, layers, chains, arrows, x)


def _downwards(
    names: list[str], arrows: Sequence[tuple[str, str]], start: str
) -> list[tuple[str, str]]:
    """The arrows, those turned round that lead back to a box on the way from the start."""
    follow: dict[str, list[str]] = {name: [] for name in names}
    for origin, target in arrows:
        follow[origin].append(target)
    done: set[str] = set()
    way: dict[str, None] = {}  # the boxes on the way from the start, in order
    back: set[tuple[str, str]] = set()
    for first in (start, *names):
        waiting = [] if first in done else [(first, iter(follow[first]))]
        way.update({name: None for name, _ in waiting})
        while waiting:
            name, targets = waiting[-1]
            following = next(targets, None)
            if following is None:
                waiting.pop()
                way.pop(name)
                done.add(name)
            elif following in way:
                back.add((name, following))
            elif following not in done:
                way[following] = None
                waiting.append((following, iter(follow[following])))
    return [arrow[::-1] if arrow in back else arrow for arrow in arrows]


def _layers(names: list[str], arrows: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The layer of each box: one below the lowest that leads to it."""
    before: dict[str, set[str]] = {name: set() for name in names}
    for origin, target in arrows:
        if origin != target:
            before[target].add(origin)
    layer: dict[str, int] = {}
    while len(layer) < len(names):
        for name in names:
            if name not in layer and before[name] <= layer.keys():
                layer[name] = max((layer[other] + 1 for other in before[name]), default=0)
    return layer


def _chain(number: int, arrow: tuple[str, str], layer_of: Mapping[str, int]) -> tuple[Box, ...]:
    """A line from box to box with a bend in every layer between."""
    upper, lower = arrow
    bends = [(number, layer) for layer in range(layer_of[upper] + 1, layer_of[lower])]
    return (upper, *bends, lower)


@dataclass(slots=True)
class _Neighbours:
    """What each box and bend is joined to, in the layer above and in the one below."""

    above: dict[Box, list[Box]] = field(default_factory=dict)
    below: dict[Box, list[Box]] = field(default_factory=dict)
    boxes: set[Box] = field(default_factory=set)

    @classmethod
    def of(cls, chains: Iterable[tuple[Box, ...]]) -> _Neighbours:
        """Those that the lines join."""
        near = cls()
        for chain in chains:
            near.boxes.update(chain)
            for upper, lower in pairwise(chain):
                if upper != lower:
                    near.below.setdefault(upper, []).append(lower)
                    near.above.setdefault(lower, []).append(upper)
        return near


def _order(layers: list[list[Box]], near: _Neighbours) -> None:
    """Sort each layer by the mean place of the neighbours, down and up again."""
    place = {box: float(at) for layer in layers for at, box in enumerate(layer)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        beside = near.above if down else near.below
        for layer in layers if down else reversed(layers):
            layer.sort(key=lambda box: _mean([place[n] for n in beside.get(box, ())], place[box]))
            place.update({box: float(at) for at, box in enumerate(layer)})


def _columns(
    layers: list[list[Box]], near: _Neighbours, widths: Mapping[Box, float]
) -> dict[Box, float]:
    """The middle of each box and bend, as near to the neighbours' as the order allows."""
    x: dict[Box, float] = {}
    for layer in layers:
        _place(layer, dict.fromkeys(layer, 0.0), widths, x)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        beside = near.above if down else near.below
        for layer in layers if down else reversed(layers):
            wanted = {box: _mean([x[n] for n in beside.get(box, ())], x[box]) for box in layer}
            _place(layer, wanted, widths, x)
    return x


def _place(
    layer: list[Box], wanted: Mapping[Box, float], widths: Mapping[Box, float], x: dict[Box, float]
) -> None:
    """Put a layer where it is wanted, pushed apart where boxes would overlap, and centred again."""
    right = float("-inf")
    for box in layer:
        x[box] = max(wanted[box], right + _GAP_X + widths[box] / 2)
        right = x[box] + widths[box] / 2
    shift = sum(wanted[box] - x[box] for box in layer) / len(layer)
    for box in layer:
        x[box] += shift


def _finish(
    sizes: Mapping[str, tuple[float, float]],
    layers: list[list[Box]],
    chains: list[tuple[Box, ...]],
    arrows: Sequence[tuple[str, str]],
    x: Mapping[Box, float],
) -> Layout:
    """Everything with its place, moved so that nothing lies left of the edge."""
    left = min(x[name] - size[0] / 2 for name, size in sizes.items())
    left = min(left, *x.values()) - _GAP_X
    at: dict[Box, Point] = {}
    top = _GAP_Y / 2
    for layer in layers:
        tallest = max((sizes[box][1] for box in layer if isinstance(box, str)), default=0.0)
        for box in layer:
            at[box] = (x[box] - left, top + tallest / 2)
        top += tallest + _GAP_Y
    lines = tuple(
        tuple(at[box] for box in (chain if chain[0] == arrow[0] else chain[::-1]))
        for chain, arrow in zip(chains, arrows, strict=True)
    )
    right = max(at[name][0] + size[0] / 2 for name, size in sizes.items())
    right = max(right, *(point[0] for point in at.values())) + _GAP_X
    return Layout({name: at[name] for name in sizes}, lines, right, top - _GAP_Y / 2)


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
