"""`ivr bench --endpointing`: who counts as cut off, what counts as latency, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ivr import cli
from ivr.actions import Recognize
from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.recognition import Recognition
from ivr.replay import Decision
from ivr.train import endpointing
from ivr.train.endpointing import (
    BEFORE_MS,
    Answer,
    Figures,
    first_of_each,
    histogram,
    read_answers,
    run_endpointing,
)
from ivr.train.evaluate import Item
from tests.call.talk import count_digits, quiet, spoken

HEADER = "file,digits,group,last_word_ms,speech_end_ms,pauses_ms\n"


def answer(digits: str = "4155", group: str = "a", pauses_ms: tuple[float, ...] = ()) -> Answer:
    """A recording whose last digit lies from 2,000 to 2,400 ms."""
    return Answer(Item(Path("x.wav"), digits, "", "", group), 2000.0, 2400.0, pauses_ms)


def decision(at_ms: float, value: str | None = "4155", *, heard: bool = True) -> Decision:
    """A decision at a moment of the recording."""
    return Decision(BEFORE_MS + at_ms, value, heard, recognitions=3, compute_ms=90.0)


@pytest.mark.parametrize(
    ("decided", "cut_off", "unheard"),
    [
        (decision(2600), 0, 0),
        (decision(2600, None), 0, 0),  # a nomatch is a decision
        (decision(2390), 0, 0),  # in the last breath of the right number
        (decision(2390, "415"), 1, 0),
        (decision(1900, "4155"), 1, 0),  # nobody can know what is not said yet
        (decision(1900, None), 1, 0),
        (decision(9000, None, heard=False), 0, 1),
        (None, 0, 1),
    ],
)
def test_who_is_cut_off(decided: Decision | None, cut_off: int, unheard: int) -> None:
    """Whoever had more to say; a caller who was never heard is another matter."""
    figures = Figures()
    figures.add(answer(), decided)
    assert (figures.cut_off, figures.unheard) == (cut_off, unheard)
    assert len(figures.latency_ms) == 1 - cut_off - unheard


def test_figures_are_shares_and_means() -> None:
    """Of all answers, those that were cut off included."""
    figures = Figures()
    for decided in (decision(2600), decision(2800, "4156"), decision(1000, None), decision(2500)):
        figures.add(answer(), decided)
    assert figures.as_dict() == {
        "answers": 4,
        "latency_ms": {"p50": 200.0, "p95": 400.0, "p99": 400.0},
        "cut_off": 0.25,
        "right": 0.5,
        "unheard": 0,
        "recognitions": 3.0,
        "compute_ms": 90.0,
    }


def test_pauses_are_counted_by_bands() -> None:
    """The histogram that stands beside the figures."""
    counts = histogram([answer(pauses_ms=(250.0, 1499.0)), answer(pauses_ms=(399.0,)), answer()])
    assert counts["200-400"] == 2
    assert counts["1200-1500"] == 1
    assert sum(counts.values()) == 3


def test_limit_keeps_some_of_each_group() -> None:
    """A quick run still has every condition."""
    answers = [answer(group=group) for group in "aabbb"]
    assert [kept.item.group for kept in first_of_each(answers, 2)] == list("aabb")
    assert first_of_each(answers, 0) == answers


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,digits\na.wav,4155\n", "lacks the column last_word_ms and speech_end_ms"),
        (HEADER + "a.wav,4155,,late,2400,\n", "line 2: last_word_ms"),
        (HEADER + "a.wav,4155,,2400,2000,\n", "line 2: the last digit must begin"),
        (HEADER + "a.wav,yes,,2000,2400,\n", "line 2: digits must be the number"),
        (HEADER + "a.wav,,,2000,2400,\n", "line 2: digits must be the number"),
    ],
)
def test_wrong_manifest_is_told(tmp_path: Path, text: str, told: str) -> None:
    """Line, column and cure."""
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_answers(manifest)


class FakeEngine:
    """Counts bursts, as the recogniser of the other tests of calls."""

    class description:  # noqa: N801 - stands for an attribute
        """What `run_endpointing` reads of it."""

        name = "counting"

    def warm_up(self) -> None:
        """Nothing to warm."""

    def recognize(self, samples: np.ndarray, grammar: str) -> Recognition:
        """As `ivr.asr.loading.Recognizer`."""
        return count_digits(Recognize(1, samples, grammar, provisional=True))


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two answers of four digits, one of them with a pause of a second."""
    monkeypatch.setattr(endpointing, "open_engine", lambda _: FakeEngine())
    rows = []
    for name, pause_ms in (("a", 0), ("b", 1000)):
        parts = [quiet(500), spoken(2), quiet(pause_ms), spoken(2), quiet(3500)]
        write_wav(tmp_path / f"{name}.wav", np.concatenate(parts), 8000)
        end_ms = 500 + 4 * 540 + pause_ms - 80
        rows.append(f"{name}.wav,4155,{name},{end_ms - 460},{end_ms},{pause_ms or ''}\n")
    path = tmp_path / "manifest.csv"
    path.write_text(HEADER + "".join(rows))
    return path


def test_command_compares_both_rules(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller who pauses is cut off by the fixed rule and not by ours; JSON and file agree."""
    out = tmp_path / "out.json"
    arguments = ["bench", "--endpointing", str(manifest), "--compute-ms", "60", "--json"]
    with pytest.raises(SystemExit) as ended:
        cli.app([*arguments, "--out", str(out)])
    assert ended.value.code == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(out.read_text())
    assert result["compute_ms"] == 60
    assert result["pauses_ms"]["b"]["1000-1200"] == 1
    by = {(row["group"], row["length"], row["rule"]): row for row in result["conditions"]}
    assert by["b", "known", "grammar"]["cut_off"] == 0
    assert by["b", "known", "fixed"]["cut_off"] == 1
    assert by["a", "known", "grammar"]["right"] == 1
    assert by["a", "known", "grammar"]["latency_ms"]["p50"] < 300
    assert by["a", "known", "fixed"]["latency_ms"]["p50"] > 650


def test_table_is_for_people(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both rules, the pauses, and how the recogniser's time was counted; no digits."""
    status = run_endpointing(
        manifest, folder=None, limit=1, compute_ms=None, out=None, json_output=False
    )
    assert status == 0
    shown = capsys.readouterr().out
    for part in ("as measured", "700 ms", "known", "variable", "pauses between groups"):
        assert part in shown
    assert "4155" not in shown


def test_place_that_cannot_be_written_is_told_first(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after minutes of replaying."""
    monkeypatch.setattr(endpointing, "measure", lambda *_, **__: pytest.fail("measured first"))
    with pytest.raises(ConfigError, match="--out"):
        run_endpointing(
            manifest,
            folder=None,
            limit=0,
            compute_ms=60.0,
            out=tmp_path / "nowhere" / "out.json",
            json_output=True,
        )
