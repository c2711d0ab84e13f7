"""The page's pictures: well-formed, fit for a page of several, in its colours and its font."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from ivr.train.reliability import rejection
from ivr.train.report_figures import Share, confusion
from ivr.train.report_pictures import (
    COLOURS,
    MAX_BARS,
    bars,
    confusion_matrix,
    embed,
    histograms,
    rejection_curve,
)
from tests.train.outcomes import outcome, report_of

SVG = "{http://www.w3.org/2000/svg}"
REPORT = report_of(
    *(outcome("415", "495", 0.6), outcome("77", "77"), outcome("", "7"), outcome("5", "", 0.1))
)


def draw_bars(name: str = "bars") -> str:
    """Two bars with marks."""
    return bars(name, "Shares", [Share("a", 1, 2), Share("b", 3, 3)], [0.4, 0.9])


PICTURES: dict[str, Callable[[], str]] = {
    "bars": draw_bars,
    "matrix": lambda: confusion_matrix("matrix", "Confusions", confusion(REPORT.outcomes)),
    "curve": lambda: rejection_curve("curve", "Rejection", rejection(REPORT.judged)),
    "times": lambda: histograms("times", "Times", {"all": REPORT.latency_ms, "part": [30.0]}),
}


def texts(svg: str) -> list[str]:
    """What can be read in a picture, top to bottom of the file."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_an_element_with_a_name_and_a_description(name: str) -> None:
    """For who cannot see it, and of the width that there is."""
    root = ET.fromstring(PICTURES[name]())  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("width") is None
    assert root.get("viewBox")
    named = {element.get("id"): element.text for element in root}
    for label in (root.get("aria-labelledby") or "").split():
        assert named[label]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_the_pages_colours_and_font(name: str) -> None:
    """Not one of matplotlib's, which would be wrong by night."""
    svg = PICTURES[name]()
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert set(re.findall(r"var\(--(\w+)\)", svg)) <= {*COLOURS, "font"}
    assert "var(--ink)" in svg
    assert all("var(--font)" in font for font in re.findall(r"font: [^;\"]*", svg))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_asks_for_nothing_outside(name: str) -> None:
    """References go to its own ids, which begin with its name."""
    svg = PICTURES[name]()
    references = re.findall(r'href="([^"]*)"|url\(([^)]*)\)', svg)
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    assert {first or second for first, second in references} <= {f"#{known}" for known in ids}
    assert all(known.startswith(f"{name}-") for known in ids)
    assert "<script" not in svg


def test_the_same_figures_give_the_same_picture() -> None:
    """No date and no random id."""
    assert draw_bars() == draw_bars()
    assert draw_bars("other") == draw_bars().replace("bars-", "other-")


def test_bars_name_their_files() -> None:
    """Label and number of files at each bar; the values in the description."""
    svg = draw_bars()
    assert {"a (2)", "b (3)"} <= set(texts(svg))
    assert "a: 50.0 % of 2; b: 100.0 % of 3" in svg


def test_a_label_is_no_markup(recwarn: pytest.WarningsRecorder) -> None:
    """Neither HTML nor mathematics nor a script that the font lacks; a long one is cut."""
    odd = "</text><script>$x_1$ & more"
    svg = bars("odd", "<b>", [Share(odd, 1, 2), Share("\u6771\u4eac", 1, 2), Share("x" * 99, 1, 2)])
    assert "<script" not in svg
    read = texts(svg)
    assert any(text.startswith("</text><script>$x_1$ & mo") for text in read)
    assert "\u6771\u4eac (2)" in read
    assert any(text.startswith("x" * 25 + "\u2026") for text in read)
    assert not recwarn.list


def test_too_many_bars_are_left_out() -> None:
    """A picture a metre high tells nobody anything."""
    read = texts(bars("many", "Many", [Share(f"n{i}", 1, 2) for i in range(MAX_BARS + 5)]))
    assert f"n{MAX_BARS - 1} (2)" in read
    assert f"n{MAX_BARS} (2)" not in read


def test_the_matrix_holds_the_counts() -> None:
    """In its cells, and the most frequent confusions in words."""
    svg = PICTURES["matrix"]()
    assert texts(svg).count("1") >= 4  # axis labels 1 twice; 4, 5 and 1 -> 9 once
    assert "1 heard as 9: 1" in svg
    nothing = confusion_matrix("none", "Confusions", confusion([outcome("4", "4")]))
    assert "No confusions." in nothing


def test_a_curve_of_nothing_is_still_a_picture() -> None:
    """Shares of nothing are no points."""
    assert ET.fromstring(rejection_curve("empty", "Rejection", rejection([]))).tag  # noqa: S314


def test_what_matplotlib_wrote_is_cut_to_the_element() -> None:
    """Prolog, size and metadata go; ids and references keep together."""
    written = (
        '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="9pt" viewBox="0 0 9 9" version="1.1">'
        '<metadata><x id="m"/></metadata><defs><path id="p1"/></defs>'
        '<use xlink:href="#p1" style="fill: #010101"/><g clip-path="url(#p1)"/></svg>\n'
    )
    svg = embed(written, "n", "A & B", "what <is> seen")
    assert svg.startswith('<svg viewBox="0 0 9 9" role="img"')
    assert "<metadata" not in svg
    assert 'id="n-p1"' in svg
    assert 'href="#n-p1"' in svg
    assert "url(#n-p1)" in svg
    assert "fill: var(--ink)" in svg
    assert "A &amp; B" in svg
    assert "what &lt;is&gt; seen" in svg
