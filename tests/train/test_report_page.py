"""The evaluation's page: it needs nothing but itself, and shows digits only where asked to."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ivr.asr.model_files import open_model
from ivr.audio.espeak import Espeak
from ivr.audio.level import level_speech
from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.hearing import NATURAL
from ivr.train import evaluate, report_page
from ivr.train.evaluate import Report
from ivr.train.evaluation_report import run_evaluate
from ivr.train.report_page import Making, prepare_folder, write_page
from tests.asr.stub import StubEngine
from tests.train.outcomes import outcome, report_of

MAKING = Making(
    manifest=Path("/sets/manifest.csv"),
    model="tiny",
    sha256={"encoder.onnx": "e" * 64, "decoder.onnx": "d" * 64},
    grammar="builtin:digits?length=3",
    workers=2,
    at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
)
# Numbers that occur nowhere else on the page.
SAID, HEARD = "734734", "734739"
REPORT = report_of(
    outcome(SAID, HEARD, 0.8, file="/sets/a/<1>.wav", group="clean", speaker="ann", words="w o r"),
    outcome("9", "9", file="/sets/b.wav", group="noisy", speaker="bob", snr_db=10.0),
    outcome("yes", "", file="/sets/c.wav", group="noisy", speaker="bob"),
    outcome("", "8", file="/elsewhere/d.wav", group="talk"),
    errors=("/sets/e.wav: not a readable recording",),
)


class Page(HTMLParser):
    """Elements, attributes and text of a page; unclosed elements are an error."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG that ends at once."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """The innermost element ends."""
        assert self.open.pop() == tag
        self.text += " " if tag in {"td", "th", "dt"} else ""

    def handle_data(self, data: str) -> None:
        """Text, that of the style sheet left out."""
        if self.open[-1:] != ["style"]:
            self.text += data

    def count(self, tag: str) -> int:
        """How many elements have this name."""
        return sum(name == tag for name, _ in self.elements)


def page_of(folder: Path, report: Report = REPORT, **changes: Any) -> tuple[str, Page]:
    """The page as it is written and as a browser reads it."""
    folder.mkdir(exist_ok=True)
    path = write_page(folder, report, replace(MAKING, **changes))
    assert path == folder / "index.html"
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def squeezed(text: str) -> str:
    """With single spaces."""
    return " ".join(text.split())


def test_the_page_says_how_it_was_made(tmp_path: Path) -> None:
    """Model and digests, grammar, level, files, date."""
    _, page = page_of(tmp_path)
    text = squeezed(page.text)
    for made in (
        *("manifest.csv, 2026-01-02 03:04 UTC", "tiny", "e" * 64, "d" * 64),
        *("builtin:digits?length=3", "confidence level 0.5", "2 processes at once"),
        "4 heard: 3 with a number, 1 without; 1 could not be read",
        "/sets/e.wav: not a readable recording",
    ):
        assert made in text
    assert "33.3 % of 3 numbers all right" in text
    assert "100.0 % of 1 files without a number gave one" in text


def test_the_page_has_tables_and_pictures(tmp_path: Path) -> None:
    """By group and speaker; each picture with a description, a caption and its table."""
    _, page = page_of(tmp_path)
    text = squeezed(page.text)
    assert page.count("svg") == page.count("figure") == page.count("figcaption") == 7
    assert sum(attributes.get("role") == "img" for _, attributes in page.elements) == 7
    assert page.count("desc") == 7
    assert page.count("table") == 3 + 7  # groups, speakers, wrong answers
    for title in (
        *("Numbers right by group", "Numbers right by length", "signal-to-noise ratio"),
        *("Digits confused", "What a confidence is worth", "at each confidence level"),
        *("Time to the decision", "Worst speakers", "Wrong answers"),
    ):
        assert title in text


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    """No script, no address, and a policy that forbids both; ids are there once."""
    text, page = page_of(tmp_path)
    assert page.count("script") == page.count("link") == page.count("img") == 0
    policy = [a["content"] for n, a in page.elements if a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    addresses = set(re.findall(r"https?://[^\"' ]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names
    assert not re.search(r"@import|url\((?!#)", text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_is_for_phones_and_for_the_night(tmp_path: Path) -> None:
    """Its width is the screen's, wide tables scroll by themselves, colours follow the reader's."""
    text, page = page_of(tmp_path)
    metas = {a["name"]: a["content"] for n, a in page.elements if n == "meta" and "name" in a}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["color-scheme"] == "light dark"
    assert "prefers-color-scheme: dark" in text
    defined = set(re.findall(r"--(\w+):", text))
    assert set(re.findall(r"var\(--(\w+)\)", text)) <= defined


def test_digits_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    """The wrong answers have names, groups and kinds; with consent also what was said and heard."""
    text, page = page_of(tmp_path)
    assert SAID not in text
    assert HEARD not in text
    assert "w o r" not in text
    read = squeezed(page.text)
    assert "a/<1>.wav clean 1 changed 0.80" in read
    assert "/elsewhere/d.wav talk a number where none was said" in read
    assert "--with-digits shows it" in read
    text, page = page_of(tmp_path, with_digits=True)
    assert f"1 changed 0.80 {SAID} {HEARD} w o r" in squeezed(page.text)
    assert "They may be personal data" in squeezed(page.text)


def test_names_are_no_markup(tmp_path: Path) -> None:
    """Groups, speakers, files and models may be called anything."""
    odd = "<script>alert(1)</script>"
    report = report_of(
        outcome("1", "2", file=f"/sets/{odd}", group=odd, speaker=odd, words=odd),
        outcome("1", "1", group="b", speaker="b"),
        errors=(odd,),
    )
    text, page = page_of(tmp_path, report, model=odd, grammar=odd, with_digits=True)
    assert page.count("script") == 0
    assert "<script" not in text
    assert page.text.count(odd) >= 8


def test_a_page_of_little_says_what_is_missing(tmp_path: Path) -> None:
    """No picture of nothing: a sentence in its place; no shares of nothing."""
    _, page = page_of(tmp_path, report_of(outcome("", "", words="")))
    text = squeezed(page.text)
    assert "names no group" in text
    assert "no column snr_db" in text
    assert "No file with a number gave an answer" in text
    assert "No file gave an answer" in text
    assert "\u2013 of 0 numbers all right" in text
    assert "Worst speakers" not in text
    assert page.count("svg") == 2  # times, and a curve of no points
    assert text.endswith("Wrong answers None.")
    _, page = page_of(tmp_path, report_of(errors=("a.wav: broken",)))
    assert "No speech was found in any file" in squeezed(page.text)


def test_the_worst_speakers_are_ten_at_most(tmp_path: Path) -> None:
    """Worst first; of equally bad ones those of whom more was heard."""
    made = [outcome("1", "1", speaker=f"good{i}") for i in range(20)]
    made += [outcome("1", "2", speaker=name) for name in ("twice", "once", "twice")]
    _, page = page_of(tmp_path, report_of(*made))
    text = squeezed(page.text)
    assert text.index("twice 2 0.0 %") < text.index("once 1 0.0 %") < text.index("good0 1 100.0 %")
    assert "Of 22:" in text
    assert "good8" not in text


def test_a_long_list_of_wrong_answers_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so."""
    monkeypatch.setattr(report_page, "MAX_MISTAKES", 3)
    made = [outcome("1", "2", file=f"/sets/{i}.wav") for i in range(5)]
    _, page = page_of(tmp_path, report_of(*made))
    assert "The first 3 are listed; --results has all." in squeezed(page.text)
    assert "4.wav" not in page.text


def test_a_name_that_is_no_text_is_shown_with_escapes(tmp_path: Path) -> None:
    """Rather than no page at all."""
    _, page = page_of(tmp_path, report_of(outcome("1", "2", file="/sets/caf\udce9.wav")))
    assert r"caf\udce9.wav" in page.text


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    """Told before anything is heard."""
    prepare_folder(tmp_path / "new" / "page")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "page"):
        with pytest.raises(ConfigError, match=r"--report: .* cannot be written"):
            prepare_folder(folder)
        with pytest.raises(ConfigError, match=r"--report: .* cannot be written"):
            write_page(folder, REPORT, MAKING)


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files to evaluate, of which the stub hears one right; and one that is no recording."""
    stub = type("Stub", (StubEngine,), {"answers": ["four one", "five"]})
    monkeypatch.setattr(evaluate, "open_engine", stub)
    speech = level_speech(Espeak().render("four one five"))
    write_wav(tmp_path / "a.wav", speech, 8000)
    write_wav(tmp_path / "b.wav", speech, 8000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    path = tmp_path / "m.csv"
    path.write_text("file,digits,group,snr_db\na.wav,41,x,20\nb.wav,9,x,0\nbroken.wav,1,,\n")
    return path


def run(manifest: Path, **options: Any) -> int:
    """The command; its status."""
    settings = {"grammar": NATURAL, "folder": None, "confidence_level": 0.5, "workers": 1}
    return run_evaluate(manifest, **({"results": None, "json_output": True} | settings | options))


def test_the_command_writes_the_page(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside what it prints, and tells where; a broken file is in it and in the status."""
    folder = manifest.parent / "new" / "page"
    assert run(manifest, page=folder) == 1
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert f"page: {folder / 'index.html'}" in err
    text = squeezed(Page((folder / "index.html").read_text(encoding="utf-8")).text)
    assert "2 heard: 2 with a number, 0 without; 1 could not be read" in text
    _, description = open_model(None)
    assert description.name in text
    assert all(digest in text for digest in description.sha256.values())
    assert "b.wav x 1 changed 0.90" in text


def test_consent_is_about_a_page(manifest: Path) -> None:
    """Alone it would promise something that does not happen."""
    with pytest.raises(ConfigError, match="--with-digits: belongs to --report"):
        run(manifest, with_digits=True)


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_without_the_extra_the_error_is_the_cure(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Before anything is heard; without a page nothing is missed."""
    for name in ("report_page", "report_pictures"):
        monkeypatch.delitem(sys.modules, f"ivr.train.{name}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=rf"package {missing}; .* pip install 'ivr\[report\]'"):
        run(manifest, page=manifest.parent / "page")
    assert run(manifest) == 1


def test_results_that_cannot_be_written_are_one_error(manifest: Path) -> None:
    """Told before anything is heard."""
    with pytest.raises(ConfigError, match=r"--results: .* cannot be written"):
        run(manifest, results=manifest.parent / "gone" / "results.jsonl")
