"""Corpora: an index that never lies, builds that resume, errors that say what to do."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ivr.errors import ConfigError
from ivr.train import synthesize
from ivr.train.clips import PEAK
from ivr.train.engines import SynthesisError
from ivr.train.synthesize import Wanted, build_corpus
from ivr.train.voices import Voice


def read_index(out: Path) -> list[dict[str, str]]:
    """Rows of a corpus."""
    with (out / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_corpus_is_what_its_index_says(tone: str, tmp_path: Path) -> None:
    """Clips follow one another without gaps, and fill the file."""
    build_corpus(tmp_path, 40, Wanted(3, (tone,)))
    rows = read_index(tmp_path)
    assert list(rows[0]) == ["start", "samples", "words", "kind", "engine", "voice"]
    assert len(rows) == 40
    end = 0
    for row in rows:
        assert int(row["start"]) == end
        end += int(row["samples"])
    audio = np.fromfile(tmp_path / "audio.i16", "<i2")
    assert len(audio) == end
    assert abs(int(np.abs(audio).max()) - PEAK) <= 1


def test_corpus_resumes_after_an_interruption(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a row and audio that no row names are cut; the rest is as if built in one go."""
    monkeypatch.setattr(synthesize, "BATCH", 5)
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    build_corpus(whole, 30, Wanted(3, (tone,)))
    build_corpus(halved, 12, Wanted(3, (tone,)))
    with (halved / "audio.i16").open("ab") as file:
        file.write(b"\1\2" * 999)
    with (halved / "index.csv").open("a") as text:
        text.write("123,45")
    build_corpus(halved, 30, Wanted(3, (tone,)))
    for name in ("index.csv", "audio.i16"):
        assert (whole / name).read_bytes() == (halved / name).read_bytes()


def test_index_never_runs_ahead_of_the_audio(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each batch a reader finds all the samples that the index names."""
    monkeypatch.setattr(synthesize, "BATCH", 4)
    seen: list[int] = []

    def look(done: int, count: int) -> None:
        last = read_index(tmp_path)[-1]
        end = int(last["start"]) + int(last["samples"])
        assert (tmp_path / "audio.i16").stat().st_size >= 2 * end
        assert count == 10
        seen.append(done)

    build_corpus(tmp_path, 10, Wanted(1, (tone,)), progress=look)
    assert seen == [4, 8, 10]


def test_a_finished_corpus_is_left_alone(tone: str, tmp_path: Path) -> None:
    """Building it again changes nothing."""
    build_corpus(tmp_path, 6, Wanted(3, (tone,)))
    before = (tmp_path / "index.csv").read_bytes()
    build_corpus(tmp_path, 6, Wanted(3, (tone,)))
    assert (tmp_path / "index.csv").read_bytes() == before


def test_another_seed_is_refused(tone: str, tmp_path: Path) -> None:
    """Two corpora in one folder would be neither."""
    build_corpus(tmp_path, 4, Wanted(3, (tone,)))
    with pytest.raises(ConfigError, match="another corpus"):
        build_corpus(tmp_path, 8, Wanted(4, (tone,)))


def test_an_engine_installed_since_leaves_a_corpus_as_it_is(
    tone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is spoken by the engines that it has, unless others are asked for by name."""
    build_corpus(tmp_path, 4, Wanted(3, (tone,)))
    monkeypatch.setattr(synthesize, "HELD_OUT_ENGINE", "")
    monkeypatch.setattr(synthesize, "available_engines", lambda: ["espeak", tone])
    build_corpus(tmp_path, 6, Wanted(3))
    assert {row["engine"] for row in read_index(tmp_path)} == {tone}
    with pytest.raises(ConfigError, match="another corpus"):
        build_corpus(tmp_path, 8, Wanted(3, ("espeak", tone)))


def test_without_an_engine_the_error_says_how_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The held-out engine alone makes no corpus unless asked for by name."""
    monkeypatch.setattr(synthesize, "available_engines", lambda: ["pico"])
    with pytest.raises(ConfigError, match="pip install espeakng-loader"):
        build_corpus(tmp_path, 4, Wanted(1))


def test_an_engine_that_always_fails_stops_the_build(tone: str) -> None:
    """Rather than an empty row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            synthesize, "sample_voice", lambda _rng, _engines, _accents: Voice(tone, "broken")
        )
        with pytest.raises(SynthesisError, match="item 7"):
            synthesize._item((7, Wanted(1, (tone,))))


def test_a_corpus_may_hold_certain_phrases_and_accents_only(tmp_path: Path) -> None:
    """Numbers in two accents: nothing else is said, and only espeak, which has them, speaks."""
    wanted = Wanted(1, kinds=("number",), accents=("en-us", "hi"))
    build_corpus(tmp_path, 8, wanted)
    with (tmp_path / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"number"}
    assert {row["engine"] for row in rows} == {"espeak"}
    assert {row["voice"].split("+")[0] for row in rows} <= {"en-us", "hi"}
    with pytest.raises(ConfigError, match="another corpus"):
        build_corpus(tmp_path, 8, Wanted(1))


@pytest.mark.parametrize(
    ("restriction", "named"),
    [({"kinds": ("numbers",)}, "kind of phrase 'numbers'"), ({"accents": ("xx",)}, "accent 'xx'")],
)
def test_unknown_kinds_and_accents_are_named(
    restriction: dict[str, tuple[str, ...]], named: str
) -> None:
    """With the ones that there are."""
    with pytest.raises(ConfigError, match=f"unknown {named}.*known"):
        Wanted(1, **restriction)
