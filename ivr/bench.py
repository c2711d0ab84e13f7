"""`ivr bench`: where each millisecond goes from a caller's last digit to the flow's next word.

Times every stage of the path for one answer, on one core, with real code and nothing else running;
or races several models and engines over that answer, in turns, so that a busy moment of the machine
falls on all of them. The speech is synthesised, since the times do not depend on who speaks.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ivr.asr.footprint import worker_mb
from ivr.asr.loading import open_engine
from ivr.audio.espeak import Espeak
from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.endpointing.endpointer import Endpointer
from ivr.errors import ConfigError
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret

GRAMMAR = "builtin:digits?length=8"
RATE_HZ = 8_000
FRAME_BYTES = 160
# Percentiles of a contender that takes this long are not worth as many runs: a tenth is enough.
SLOW_MS = 500.0
FEWEST_RUNS = 10


class Entry(Protocol):
    """One contender of a race; see `ivr.train.contenders.Entry`."""

    @property
    def name(self) -> str:
        """What runs and how."""

    @property
    def against(self) -> tuple[str, ...]:
        """Names of the entries whose time this one's is compared with."""

    @property
    def load(self) -> Callable[[], Callable[[], dict[str, float]]]:
        """Loads it; what comes back recognises the answer once, with milliseconds by stage."""


def spoken_answer(seconds: float) -> NDArray[np.int16]:
    """Eight spoken digits, cut or padded to the length; int16 [n] at 8 kHz."""
    speech = Espeak().render("four one five five, zero nine three two")
    wanted = int(seconds * RATE_HZ)
    return np.pad(speech[:wanted], (0, max(0, wanted - speech.shape[0])))


class _Stopwatch:
    """Milliseconds by stage, one number a run."""

    def __init__(self) -> None:
        self.stages: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.stages[stage].append((time.perf_counter() - started) * 1000)


def _take_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}, one core"


def measure(model: Path | None, seconds: float, repeats: int) -> dict[str, Any]:
    """Runs the path `repeats` times after a tenth as many to warm up.

    Returns:
        Milliseconds by stage (p50, p95, p99), the resident memory of a recogniser worker, and the
        machine.
    """
    answer = spoken_answer(seconds)
    resident_mb = worker_mb(model, answer, GRAMMAR)
    _take_one_core()
    engine = open_engine(model)
    wire = mulaw_encode(answer)
    frames = [wire[at : at + FRAME_BYTES] for at in range(0, len(wire), FRAME_BYTES)]
    watch = _Stopwatch()
    warm_up = max(1, repeats // 10)
    for run in range(warm_up + repeats):
        if run == warm_up:
            watch.stages.clear()
        with watch.time("G.711 decode"):
            decoded = [mulaw_decode(frame) for frame in frames]
        endpointer = Endpointer()
        with watch.time("VAD and endpointer"):
            for frame in decoded:
                endpointer.feed(frame)
        with watch.time("recognition, all"):
            recognition = engine.recognize(answer, GRAMMAR)
        for stage, spent_ms in recognition.compute_ms.items():
            watch.stages[f"recognition, {stage}"].append(spent_ms)
        with watch.time("grammar"):
            interpret(parse_grammar(GRAMMAR), recognition)
    return {
        "model": engine.description.name,
        "answer_s": seconds,
        "repeats": repeats,
        "stages_ms": {stage: _percentiles(times) for stage, times in watch.stages.items()},
        "resident_mb": round(resident_mb, 1),
        "machine": _machine(),
    }


def _percentiles(times_ms: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(times_ms, q)), 3) for q in (50, 95, 99)}


def race(
    entries: Sequence[Entry], repeats: int, progress: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """Times the entries in turns, each after one run to warm up.

    Args:
        entries: who races, all loaded at the same time.
        repeats: timed runs; a tenth of them, but 10 at least, for an entry slower than `SLOW_MS`.
        progress: called with the rounds done and all of them.

    Returns:
        For each entry: name, runs, total_ms and stages_ms (p50, p95, p99 each), and by `against`
        how many times as long its median takes as that of others.
    """
    loaded = [entry.load() for entry in entries]
    few = min(repeats, max(FEWEST_RUNS, repeats // 10))
    runs = []
    for run in loaded:
        run()  # allocations
        started = time.perf_counter()
        run()
        runs.append(few if (time.perf_counter() - started) * 1000 > SLOW_MS else repeats)
    totals: list[list[float]] = [[] for _ in loaded]
    stages: list[dict[str, list[float]]] = [defaultdict(list) for _ in loaded]
    for done in range(repeats):
        progress(done, repeats)
        for number, run in enumerate(loaded):
            # Those with fewer runs are spread over all rounds.
            if done * runs[number] // repeats == (done + 1) * runs[number] // repeats:
                continue
            started = time.perf_counter()
            spent_ms = run()
            totals[number].append((time.perf_counter() - started) * 1000)
            for stage, stage_ms in spent_ms.items():
                stages[number][stage].append(stage_ms)
    progress(repeats, repeats)
    medians = {
        entry.name: float(np.median(total_ms))
        for entry, total_ms in zip(entries, totals, strict=True)
    }
    return [
        {
            "name": entry.name,
            "runs": runs[number],
            "total_ms": _percentiles(totals[number]),
            "stages_ms": {name: _percentiles(times) for name, times in stages[number].items()},
            "against": {
                other: round(medians[entry.name] / medians[other], 2)
                for other in entry.against
                if other in medians
            },
        }
        for number, entry in enumerate(entries)
    ]


def run_bench(
    model: Path | None, *, seconds: float, repeats: int, out: Path | None, json_output: bool
) -> int:
    """Measures the path and prints it; exit status 0.

    Raises:
        ConfigError: `out` cannot be written.
        ModelError: the model is missing or altered.
    """
    _check(out)
    result = measure(model, seconds, repeats)
    _write(result, out)
    if json_output:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return 0
    table = Table(title=f"{seconds:g} s answer, {repeats} runs, {result['machine']}")
    for heading in ("stage", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, shares in result["stages_ms"].items():
        table.add_row(stage, *(f"{value:.2f}" for value in shares.values()))
    console = Console()
    console.print(table)
    console.print(
        "G.711, VAD and endpointer run while the caller speaks; the caller waits for recognition "
        f"and grammar. Resident memory of a recogniser worker: {result['resident_mb']} MB."
    )
    return 0


def run_race(
    model: Path | None,
    entries: Sequence[Entry],
    left_out: Sequence[str],
    *,
    seconds: float,
    repeats: int,
    out: Path | None,
    json_output: bool,
) -> int:
    """Races the entries and prints the table; exit status 0.

    Raises:
        ConfigError: `out` cannot be written.
        ModelError: the model is missing or altered.
    """
    _check(out)
    resident_mb = worker_mb(model, spoken_answer(seconds), GRAMMAR)
    _take_one_core()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("timing", total=None)
        rows = race(
            entries,
            repeats,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    result = {
        "answer_s": seconds,
        "entries": rows,
        "left_out": list(left_out),
        "resident_mb": round(resident_mb, 1),
        "machine": _machine(),
    }
    _write(result, out)
    if json_output:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return 0
    console = Console()
    console.print(_race_table(rows, f"{seconds:g} s answer, {result['machine']}"))
    console.print(_stage_table(rows))
    for reason in left_out:
        console.print(f"left out: {reason}", markup=False, soft_wrap=True)
    console.print(
        "small: the shape of whisper-small, random weights; cut: context and vocabulary. Resident "
        f"memory of a recogniser worker with the given model: {result['resident_mb']} MB."
    )
    return 0


def _race_table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    numbers = {row["name"]: number for number, row in enumerate(rows, start=1)}
    table = Table(title=title)
    for heading in ("", "contender", "runs", "p50 ms", "p95 ms", "p99 ms", "as long as"):
        table.add_column(heading, justify="left" if heading == "contender" else "right")
    for row in rows:
        table.add_row(
            str(numbers[row["name"]]),
            row["name"],
            str(row["runs"]),
            *(f"{value:.1f}" for value in row["total_ms"].values()),
            "\n".join(f"{times:.2f} x {numbers[other]}" for other, times in row["against"].items()),
        )
    return table


def _stage_table(rows: Sequence[dict[str, Any]]) -> Table:
    stages = list(dict.fromkeys(stage for row in rows for stage in row["stages_ms"]))
    table = Table(title="by stage, p50 ms")
    table.add_column("", justify="right")
    for stage in stages:
        table.add_column(stage, justify="right")
    for number, row in enumerate(rows, start=1):
        spent = row["stages_ms"]
        table.add_row(
            str(number),
            *(f"{spent[stage]['p50']:.1f}" if stage in spent else "" for stage in stages),
        )
    return table


def _check(out: Path | None) -> None:
    """Refuses a place that cannot be written before minutes are spent on what belongs there."""
    try:
        if out is not None:
            out.touch()
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be written: {error.strerror}") from error


def _write(result: dict[str, Any], out: Path | None) -> None:
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n")
