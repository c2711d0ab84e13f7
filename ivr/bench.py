"""`ivr bench`: where each millisecond goes from a caller's last digit to the flow's next word.

Times every stage of the path for one answer, on one core, with real code and nothing else running.
The speech is synthesised, since the times do not depend on who speaks.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ivr.asr.engine import Engine
from ivr.audio.espeak import Espeak
from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.endpointing.endpointer import Endpointer
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import interpret

GRAMMAR = "builtin:digits?length=8"
RATE_HZ = 8_000
FRAME_BYTES = 160


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


def measure(model: Path | None, seconds: float, repeats: int) -> dict[str, Any]:
    """Runs the path `repeats` times after a tenth as many to warm up.

    Returns:
        Milliseconds by stage (p50, p95, p99), the sum after the last sample, and the machine.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    engine = Engine(model)
    answer = spoken_answer(seconds)
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
        "resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core",
    }


def _percentiles(times_ms: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(times_ms, q)), 3) for q in (50, 95, 99)}


def run_bench(model: Path | None, *, seconds: float, repeats: int, json_output: bool) -> int:
    """Measures and prints; exit status 0."""
    result = measure(model, seconds, repeats)
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
        f"and grammar. Resident memory of this process: {result['resident_mb']} MB."
    )
    return 0
