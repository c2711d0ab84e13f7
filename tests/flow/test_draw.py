"""Flows as diagrams: complete, well-formed, and laid out without boxes in each other's way."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow.draw import mermaid, nodes_of, ways_of
from ivr.flow.graph import edges
from ivr.flow.layout import lay_out
from ivr.flow.model import Flow
from ivr.flow.picture import svg
from ivr.flow.schema import load_flow, parse_flow

DATA = Path(__file__).parent / "data" / "flows"
FLOWS = [load_flow(path) for path in sorted(DATA.glob("*.yaml"))]
SMALL = """\
flow: small
start: ask
defaults: {on_failure: end}
steps:
  ask: {capture: code, grammar: "builtin:digits?length=4", prompt: 'A "code" <or> #?', next: look}
  look:
    branch:
      - {if: code, in: ["0000", "1111"], next: end}
      - {if: code, above: 5, at_most: 9, next: ask}
    else: end
  end: {end: over, say: "Goodbye, and thank you very much for calling Example Bank today."}
"""


def test_mermaid() -> None:
    """Nodes in their shapes, ways with their labels; Mermaid's own words and signs do no harm."""
    assert (
        mermaid(parse_flow(SMALL))
        == """\
flowchart TD
  step_ask[/"ask<br/>A #34;code#34; #60;or#62; #35;?<br/>code: digits?length=4"/]
  step_look{"look<br/>1. code in 0000, 1111<br/>2. code #62; 5 and #60;= 9"}
  step_end(["end<br/>Goodbye, and thank you very much for call...<br/>end: over"])
  start(( )) --> step_ask
  step_ask --> step_look
  step_ask -.->|"failure"| step_end
  step_look -->|"1, else"| step_end
  step_look -->|"2"| step_ask
"""
    )


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.flow)
def test_nothing_is_left_out(flow: Flow) -> None:
    """Every step and every edge of the checks is in the drawing, once."""
    assert [node.name for node in nodes_of(flow)] == list(flow.steps)
    ways = ways_of(flow)
    assert {way[:2] for way in ways} == {edge[:2] for edge in edges(flow)}
    assert len({(way.origin, way.target, way.aside) for way in ways}) == len(ways)


@pytest.mark.parametrize("flow", [*FLOWS, parse_flow(SMALL)], ids=lambda flow: flow.flow)
def test_svg_is_well_formed(flow: Flow) -> None:
    """It can be read as XML, every step has its box and name, every way its line."""
    root = ElementTree.fromstring(svg(flow))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    names = {text.text for text in root.iter(f"{space}text") if text.get("class") == "name"}
    assert names == set(flow.steps)
    lines = [path for path in root.iter(f"{space}path") if path.get("marker-end")]
    assert len(lines) == len(ways_of(flow))


def test_a_picture_is_the_same_every_time() -> None:
    """Documents that hold one change only where the flow does."""
    assert svg(load_flow(DATA / "caller.yaml")) == svg(load_flow(DATA / "caller.yaml"))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_graph_is_laid_out(data: st.DataObject) -> None:
    """Circles, lines to themselves, several lines between two: boxes never overlap."""
    count = data.draw(st.integers(1, 9))
    names = [f"s{number}" for number in range(count)]
    sizes = {name: (data.draw(st.integers(40, 300)) * 1.0, 30.0) for name in names}
    name = st.sampled_from(names)
    arrows = data.draw(st.lists(st.tuples(name, name), max_size=20))
    layout = lay_out(sizes, arrows, "s0")
    assert [(points[0], points[-1]) for points in layout.lines] == [
        (layout.centres[origin], layout.centres[target]) for origin, target in arrows
    ]
    for one, other in combinations(names, 2):
        (x, y), (a, b) = layout.centres[one], layout.centres[other]
        apart = abs(x - a) >= (sizes[one][0] + sizes[other][0]) / 2
        assert apart or abs(y - b) >= 30.0
    for each in names:
        x, y = layout.centres[each]
        assert 0 <= x - sizes[each][0] / 2 <= x + sizes[each][0] / 2 <= layout.width
        assert 0 <= y - 15 <= y + 15 <= layout.height


def test_the_way_goes_down() -> None:
    """A step lies below those that lead to it, but for the way back."""
    sizes = dict.fromkeys("abcd", (50.0, 20.0))
    arrows = [("a", "b"), ("b", "c"), ("c", "b"), ("a", "d"), ("c", "d")]
    y = {name: centre[1] for name, centre in lay_out(sizes, arrows, "a").centres.items()}
    assert y["a"] < y["b"] < y["c"] < y["d"]
