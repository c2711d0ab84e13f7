"""`ivr bench --endpointing`: how soon an answer is taken after its last digit, and who is cut off.

Theory of operation: each recording of a manifest goes through a whole call in stream time
(`ivr.replay`), once with its length known and once with any length, and through a fixed silence
rule. Where the last digit lies is told by the manifest, never by our own detector. The recogniser
is the real one; its time counts as it was measured, or as it is stated, where other work disturbs
the machine.

A caller is *cut off* where the decision came before the last digit began, or before it ended with
another value than the one that was said. Latency is from the end of speech to the decision, of
everybody else; a nomatch counts, a caller who was never heard is listed apart.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ivr.asr.loading import Recognizer, open_engine
from ivr.errors import ConfigError
from ivr.hearing import call_audio
from ivr.line import LINE_BEFORE, SAMPLES_PER_MS
from ivr.recognition import Recognition
from ivr.replay import FIXED_SILENCE_MS, Decision, Hear, replay, replay_fixed
from ivr.train.evaluate import Item, percentiles, read_manifest

BEFORE_MS: Final = LINE_BEFORE // SAMPLES_PER_MS
HISTOGRAM_MS: Final = (0, 200, 400, 600, 800, 1000, 1200, 1500)


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded answer and where its last digit lies; times in ms of the recording.

    Attributes:
        item: its row as `ivr evaluate` reads it.
        last_word_ms: where the last digit begins.
        speech_end_ms: where it ends.
        pauses_ms: the long gaps between groups.
    """

    item: Item
    last_word_ms: float
    speech_end_ms: float
    pauses_ms: tuple[float, ...]


def read_answers(path: Path) -> list[Answer]:
    """Reads a manifest with the columns of `ivr evaluate` and where speech ends.

    Raises:
        ConfigError: it is missing, lacks a column, or a row is wrong; the message names the line.
    """
    items = read_manifest(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = {"last_word_ms", "speech_end_ms"} - set(reader.fieldnames or ())
        if missing:
            raise ConfigError(
                f"{path} lacks the column {' and '.join(sorted(missing))}: where the last digit "
                "begins and ends in the recording; ivr testsets --pauses makes such a manifest"
            )
        return [
            _read_answer(item, row, f"{path}, line {line}")
            for line, (item, row) in enumerate(zip(items, reader, strict=True), start=2)
        ]


def _read_answer(item: Item, row: dict[str, str], place: str) -> Answer:
    try:
        last_word_ms, speech_end_ms = float(row["last_word_ms"]), float(row["speech_end_ms"])
        pauses_ms = tuple(float(part) for part in (row.get("pauses_ms") or "").split())
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{place}: last_word_ms, speech_end_ms, pauses_ms are ms") from error
    if not 0 <= last_word_ms < speech_end_ms:
        raise ConfigError(f"{place}: the last digit must begin before it ends")
    if not item.digits.isdigit():
        raise ConfigError(f"{place}: digits must be the number that is said")
    return Answer(item, last_word_ms, speech_end_ms, pauses_ms)


@dataclass
class Figures:
    """One rule on one condition."""

    answers: int = 0
    cut_off: int = 0
    right: int = 0
    unheard: int = 0
    latency_ms: list[float] = field(default_factory=list)
    recognitions: int = 0
    compute_ms: float = 0.0

    def add(self, answer: Answer, decision: Decision | None) -> None:
        """Counts one answer."""
        self.answers += 1
        if decision is None or not decision.heard:
            self.unheard += 1
            return
        self.recognitions += decision.recognitions
        self.compute_ms += decision.compute_ms
        right = decision.value == answer.item.digits
        self.right += right
        latency_ms = decision.at_ms - BEFORE_MS - answer.speech_end_ms
        early = decision.at_ms - BEFORE_MS < answer.last_word_ms
        if early or (latency_ms < 0 and not right):
            self.cut_off += 1
        else:
            self.latency_ms.append(latency_ms)

    def as_dict(self) -> dict[str, Any]:
        """The figures; shares are of all answers, means of each answer."""
        count = max(1, self.answers)
        return {
            "answers": self.answers,
            "latency_ms": percentiles(self.latency_ms),
            "cut_off": round(self.cut_off / count, 5),
            "right": round(self.right / count, 5),
            "unheard": self.unheard,
            "recognitions": round(self.recognitions / count, 2),
            "compute_ms": round(self.compute_ms / count, 1),
        }


Condition = tuple[str, str, str]
"""Group of the manifest, ``known`` or ``variable`` length, rule."""


def measure(
    answers: Sequence[Answer],
    engine: Recognizer,
    *,
    compute_ms: float | None,
    progress: Callable[[int], None],
) -> dict[Condition, Figures]:
    """Plays every answer to both rules, its length known and not.

    Args:
        answers: what to play; their lengths bound the variable one.
        engine: the recogniser.
        compute_ms: what each recognition counts for; None for what it took.
        progress: called with how many answers are done.

    Raises:
        AudioError: a recording cannot be read.
    """
    hear = timed(engine, compute_ms)
    lengths = [len(answer.item.digits) for answer in answers]
    variable = f"builtin:digits?minlength={min(lengths)};maxlength={max(lengths)}"
    found: dict[Condition, Figures] = defaultdict(Figures)
    for number, answer in enumerate(answers):
        line = call_audio(answer.item.file)
        known = f"builtin:digits?length={len(answer.item.digits)}"
        for condition, grammar in (("known", known), ("variable", variable)):
            decided = {
                "grammar": replay(line, grammar, hear),
                "fixed": replay_fixed(line, grammar, hear),
            }
            for rule, decision in decided.items():
                found[answer.item.group, condition, rule].add(answer, decision)
        progress(number + 1)
    return dict(found)


def timed(engine: Recognizer, compute_ms: float | None) -> Hear:
    """The recogniser with the time that it takes, measured or stated."""

    def hear(samples: NDArray[np.int16], grammar: str) -> tuple[Recognition, float]:
        started = time.perf_counter()
        recognition = engine.recognize(samples, grammar)
        took_ms = (time.perf_counter() - started) * 1000
        return recognition, took_ms if compute_ms is None else compute_ms

    return hear


def histogram(answers: Sequence[Answer]) -> dict[str, int]:
    """How many of the gaps between groups lie in each band of `HISTOGRAM_MS`."""
    gaps = [gap_ms for answer in answers for gap_ms in answer.pauses_ms]
    counts, edges = np.histogram(gaps, bins=HISTOGRAM_MS)
    return {
        f"{low}-{high}": int(count)
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    }


def run_endpointing(
    manifest: Path,
    *,
    folder: Path | None,
    limit: int,
    compute_ms: float | None,
    out: Path | None,
    json_output: bool,
) -> int:
    """Measures the endpointing over a manifest and prints it; exit status 0.

    Raises:
        ConfigError: the manifest is none, or `out` cannot be written.
        ModelError: the model is missing or altered.
        AudioError: a recording cannot be read.
    """
    answers = first_of_each(read_answers(manifest), limit)
    try:
        if out is not None:
            out.touch()  # minutes are spent on what belongs there
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be written: {error.strerror}") from error
    engine = open_engine(folder)
    engine.warm_up()
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("replaying", total=len(answers))
        found = measure(
            answers,
            engine,
            compute_ms=compute_ms,
            progress=lambda done: bar.update(task, completed=done),
        )
    groups = list(dict.fromkeys(answer.item.group for answer in answers))
    result: dict[str, Any] = {
        "model": engine.description.name,
        "compute_ms": "measured" if compute_ms is None else compute_ms,
        "fixed_silence_ms": FIXED_SILENCE_MS,
        "pauses_ms": {
            group: histogram([answer for answer in answers if answer.item.group == group])
            for group in groups
        },
        "conditions": [
            {"group": group, "length": length, "rule": rule, **figures.as_dict()}
            for (group, length, rule), figures in found.items()
        ],
    }
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n")
    if json_output:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return 0
    console = Console()
    console.print(_table(result))
    console.print(_pause_table(result["pauses_ms"]))
    return 0


def first_of_each(answers: Sequence[Answer], limit: int) -> list[Answer]:
    """The first `limit` answers of each group; 0 for all."""
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for answer in answers:
        seen[answer.item.group] += 1
        if not limit or seen[answer.item.group] <= limit:
            kept.append(answer)
    return kept


def _table(result: dict[str, Any]) -> Table:
    stated = result["compute_ms"]
    counted = "as measured" if stated == "measured" else f"{stated:g} ms each"
    title = f"end of speech to decision, ms; recognition {counted}"
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("group", "length", "rule"):
        table.add_column(heading, no_wrap=True)
    for heading in ("n", "p50", "p95", "p99", "cut off", "right", "lost", "asked"):
        table.add_column(heading, justify="right")
    for row in result["conditions"]:
        fixed = row["rule"] == "fixed"
        table.add_row(
            *(row["group"], row["length"]),
            f"{result['fixed_silence_ms']} ms" if fixed else row["rule"],
            str(row["answers"]),
            *("-" if ms is None else f"{ms:.0f}" for ms in row["latency_ms"].values()),
            *(f"{row['cut_off']:.1%}", f"{row['right']:.1%}"),
            *(str(row["unheard"]), f"{row['recognitions']:.1f}"),
            end_section=fixed,
        )
    return table


def _pause_table(pauses_ms: dict[str, dict[str, int]]) -> Table:
    title = "pauses between groups, ms: how many"
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("group")
    for band in next(iter(pauses_ms.values()), {}):
        table.add_column(band, justify="right")
    for group, counts in pauses_ms.items():
        table.add_row(group, *(str(count) for count in counts.values()))
    return table
