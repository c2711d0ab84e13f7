"""The benchmark: the table of stages, and a race that treats all alike."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr import bench
from ivr.asr.footprint import resident_mb, worker_mb
from ivr.bench import GRAMMAR, measure, race, run_bench, run_race, spoken_answer
from ivr.cli import main
from ivr.errors import ModelError
from tests.asr.tiny import make_model


@pytest.fixture(autouse=True)
def every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests after these may run on all cores again."""
    monkeypatch.setattr(bench, "_take_one_core", lambda: None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model."""
    return make_model(tmp_path_factory.mktemp("bench") / "model")


class Entry:
    """A contender that takes no time, or some."""

    def __init__(
        self, name: str, against: Sequence[str] = (), *, log: list[str], takes_s: float = 0.0
    ) -> None:
        self.name, self.against, self._log, self._takes_s = name, tuple(against), log, takes_s

    @property
    def load(self) -> Callable[[], Callable[[], dict[str, float]]]:
        """Loads at once."""
        return lambda: self._run

    def _run(self) -> dict[str, float]:
        self._log.append(self.name)
        time.sleep(self._takes_s)
        return {"encode": 2.0, "decode": 1.0}


def test_the_answer_has_its_length() -> None:
    """Cut or padded."""
    assert spoken_answer(0.5).shape == (4_000,)
    assert spoken_answer(9.0).shape == (72_000,)
    assert spoken_answer(3.0).any()


def test_every_stage_of_the_path_is_timed(model: Path) -> None:
    """With percentiles in order, and the memory of a worker of its own."""
    result = measure(model, 1.0, 3)
    assert result["model"] == "tiny"
    assert {
        *("G.711 decode", "VAD and endpointer", "recognition, all", "recognition, mel", "grammar"),
        *("recognition, encode", "recognition, search", "recognition, rescore"),
    } <= set(result["stages_ms"])
    for shares in result["stages_ms"].values():
        assert 0 <= shares["p50"] <= shares["p95"] <= shares["p99"]
    assert 20 < result["resident_mb"] < 500


def test_a_worker_is_measured_on_its_own(model: Path) -> None:
    """What this process holds besides is not counted."""
    ballast = np.ones(200_000_000, np.uint8)
    assert resident_mb() > 200
    assert worker_mb(model, spoken_answer(0.5), GRAMMAR) < resident_mb()
    assert ballast.all()


def test_a_worker_without_a_model_is_an_error(tmp_path: Path) -> None:
    """One that the command line can show."""
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        worker_mb(tmp_path, spoken_answer(0.5), GRAMMAR)


def test_the_result_is_printed_and_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table for people, JSON for machines, the same JSON in a file."""
    out = tmp_path / "bench.json"
    assert run_bench(model, seconds=0.5, repeats=2, out=out, json_output=True) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())
    assert run_bench(model, seconds=0.5, repeats=2, out=None, json_output=False) == 0
    printed = capsys.readouterr().out
    assert "recognition, encode" in printed
    assert "p99 ms" in printed
    assert "MB" in printed


def test_entries_race_in_turns() -> None:
    """After one run to warm up and one to see how slow they are; progress is told."""
    log: list[str] = []
    seen: list[tuple[int, int]] = []
    rows = race(
        [Entry("a", log=log), Entry("b", ["a"], log=log)],
        3,
        lambda done, total: seen.append((done, total)),
    )
    assert "".join(log) == "aabb" + "ab" * 3
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [row["name"] for row in rows] == ["a", "b"]
    assert rows[0]["runs"] == 3
    assert rows[0]["stages_ms"]["encode"] == {"p50": 2.0, "p95": 2.0, "p99": 2.0}
    assert rows[0]["against"] == {}
    assert set(rows[1]["against"]) == {"a"}


def test_a_slow_entry_runs_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spread over all rounds, so that a busy moment falls on it as on the others."""
    monkeypatch.setattr(bench, "SLOW_MS", 1.0)
    monkeypatch.setattr(bench, "FEWEST_RUNS", 2)
    log: list[str] = []
    rows = race(
        [Entry("q", log=log), Entry("s", ["q"], log=log, takes_s=0.005)], 20, lambda *_: None
    )
    assert [row["runs"] for row in rows] == [20, 2]
    assert "".join(log) == "qqss" + "q" * 10 + "s" + "q" * 10 + "s"
    assert rows[1]["against"]["q"] > 1
    assert rows[1]["total_ms"]["p50"] >= 5.0


def test_an_absent_opponent_is_no_error() -> None:
    """An entry that could not race leaves no gap in the table of another."""
    rows = race([Entry("a", ["left out"], log=[])], 2, lambda *_: None)
    assert rows[0]["against"] == {}


def race_and_print(model: Path, out: Path | None, *, json_output: bool) -> int:
    """A race of two over half a second."""
    log: list[str] = []
    entries = [Entry("first", log=log), Entry("second", ["first"], log=log)]
    return run_race(
        model,
        entries,
        ["third: it is ill"],
        seconds=0.5,
        repeats=2,
        out=out,
        json_output=json_output,
    )


def test_the_race_is_printed_and_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ratios and stages of each, and who could not race; the file holds what --json prints."""
    out = tmp_path / "race.json"
    assert race_and_print(model, out, json_output=True) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert result == json.loads(out.read_text())
    assert [entry["name"] for entry in result["entries"]] == ["first", "second"]
    assert result["left_out"] == ["third: it is ill"]
    assert result["resident_mb"] > 20
    assert race_and_print(model, None, json_output=False) == 0
    printed = capsys.readouterr().out
    assert "second" in printed
    assert "left out: third: it is ill" in printed


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `ivr bench` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["ivr", "bench", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_a_file_that_cannot_be_written_is_one_line(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Told before the clock runs, not after."""
    out = tmp_path / "nowhere" / "bench.json"
    arguments = ("--model", str(model), "--repeats", "2", "--out", str(out))
    monkeypatch.setattr(bench, "measure", lambda *_: pytest.fail("measured first"))
    assert run(monkeypatch, *arguments) == 2
    assert "--out" in capsys.readouterr().err


def test_comparing_without_the_extra_is_told_with_its_cure(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who installed the package alone is told what to install."""
    monkeypatch.delitem(sys.modules, "ivr.train.contenders", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(monkeypatch, "--model", str(model), "--compare") == 2
    assert "pip install 'ivr[bench]'" in capsys.readouterr().err
