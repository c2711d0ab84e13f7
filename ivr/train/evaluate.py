"""Evaluation: recordings through the live path, and what came out.

    ivr evaluate MANIFEST.csv [--grammar builtin:digits?length=8] [--json]

Theory of operation: each file goes through the live path (`ivr.hearing`), read by the natural
reading where no grammar is given. Files run in worker processes; one broken file is one line, and
the rest goes on.
"""

from __future__ import annotations

import csv
import math
import multiprocessing
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ivr.asr.loading import open_engine
from ivr.asr.shared_lists import Place, SharedLists, directories_of, hold
from ivr.errors import ConfigError
from ivr.grammar.grammar import parse_grammar
from ivr.heard import Answer
from ivr.hearing import NATURAL, Listener
from ivr.line import END_SILENCE_MS
from ivr.train.alignment import edits
from ivr.train.reliability import Judged, rejection, reliability


@dataclass(frozen=True, slots=True)
class Item:
    """A row of the manifest.

    Attributes:
        file: the recording.
        digits: what is to be heard: digits, ``yes``, ``no``, or "" where no number is spoken.
        words: what is said, for the reader.
        speaker: who says it, "" where the manifest does not tell.
        group: under what the file is counted besides, "" for nothing.
        snr_db: signal-to-noise ratio in decibels, None where the manifest does not tell.
    """

    file: Path
    digits: str
    words: str
    speaker: str
    group: str
    snr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file that could be read, and what a flow would have got from it.

    Attributes:
        item: what was to be heard.
        answer: what came out.
        heard: the answer's value where its confidence reaches the level, else "".
    """

    item: Item
    answer: Answer
    heard: str

    @property
    def right(self) -> bool:
        """Whether a flow would have got what was said."""
        return self.heard == self.item.digits


def read_manifest(path: Path) -> list[Item]:
    """Reads a manifest: a CSV file in UTF-8 with the columns of `Item`.

    Raises:
        ConfigError: it is missing, empty, lacks a column, or a row is wrong; the message names the
            line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"file", "digits"} - set(reader.fieldnames or ())
            if missing:
                raise ConfigError(
                    f"{path} lacks the column {' and '.join(sorted(missing))}; a manifest has "
                    "file, digits, and optionally words, speaker, group, snr_db"
                )
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise ConfigError(f"{path} lists no file")
    items = []
    for line, row in rows:
        digits = re.sub(r"[\s-]", "", row["digits"] or "").lower()
        if not row["file"] or not re.fullmatch(r"[0-9]*|yes|no", digits):
            raise ConfigError(
                f"{path}, line {line}: needs a file, and digits that are 0-9, yes, no or empty"
            )
        words, speaker, group = (row.get(key) or "" for key in ("words", "speaker", "group"))
        snr_db = _decibels(row.get("snr_db") or "", path, line)
        items.append(Item(path.parent / row["file"], digits, words, speaker, group, snr_db))
    return items


def _decibels(text: str, path: Path, line: int) -> float | None:
    if not text.strip():
        return None
    try:
        decibels = float(text)
    except ValueError:
        decibels = math.nan
    if not math.isfinite(decibels):
        raise ConfigError(f"{path}, line {line}: snr_db is a number of decibels, or empty")
    return decibels


def _load(folder: Path | None, grammar: str, end_silence_ms: int, lists: tuple[Place, ...]) -> None:
    hold(lists)
    global _listener  # noqa: PLW0603 - one listener a worker process
    _listener = Listener(open_engine(folder), grammar, end_silence_ms)


def _hear(file: Path) -> Answer:
    return _figures_only(_listener.hear(file))


_listener: Listener


def _figures_only(answer: Answer) -> Answer:
    """Without the N-best lists: a hundred thousand files' would fill the memory."""
    return replace(answer, utterances=())


def hear_all(
    items: Sequence[Item],
    folder: Path | None,
    grammar: str = NATURAL,
    *,
    end_silence_ms: int = END_SILENCE_MS,
    workers: int = 1,
) -> Iterator[Answer]:
    """Answers in the order of the items, as they come.

    Whoever published the lists that the grammar names keeps them until the last answer.

    Raises:
        ModelError: the model cannot be loaded.
        ConfigError: the grammar is not one.
    """
    parse_grammar(grammar)
    if workers == 1:
        listener = Listener(open_engine(folder), grammar, end_silence_ms)
        yield from (_figures_only(listener.hear(item.file)) for item in items)
        return
    open_engine(folder)  # a bad model shows here, not in a dying worker
    context = multiprocessing.get_context("spawn")
    with (
        closing(SharedLists()) as lists,
        ProcessPoolExecutor(
            workers,
            context,
            initializer=_load,
            initargs=(folder, grammar, end_silence_ms, lists.place(directories_of(grammar))),
        ) as pool,
    ):
        yield from pool.map(_hear, [item.file for item in items], chunksize=8)


@dataclass
class Tally:
    """Counts over some files."""

    files: int = 0
    with_number: int = 0
    right: int = 0
    digits: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0
    without_number: int = 0
    false_accepts: int = 0

    def add(self, digits: str, heard: str) -> None:
        """Counts one file."""
        self.files += 1
        if not digits:
            self.without_number += 1
            self.false_accepts += bool(heard)
            return
        self.with_number += 1
        self.right += heard == digits
        self.digits += len(symbols(digits))
        substitutions, insertions, deletions = edits(symbols(digits), symbols(heard))
        self.substitutions += substitutions
        self.insertions += insertions
        self.deletions += deletions

    def as_dict(self) -> dict[str, Any]:
        """The figures; a share of nothing is None."""
        errors = self.substitutions + self.insertions + self.deletions
        return {
            "files": self.files,
            "string_accuracy": _share(self.right, self.with_number),
            "digit_error_rate": _share(errors, self.digits),
            "substitutions": self.substitutions,
            "insertions": self.insertions,
            "deletions": self.deletions,
            "false_accept_rate": _share(self.false_accepts, self.without_number),
        }


def symbols(value: str) -> list[str]:
    """Digits count one by one, "yes" and "no" as one symbol."""
    return list(value) if value.isdigit() else [value] if value else []


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """p50, p95 and p99 by nearest rank."""
    ordered = sorted(values)
    return {
        f"p{share}": round(ordered[math.ceil(len(ordered) * share / 100) - 1], 1)
        if ordered
        else None
        for share in (50, 95, 99)
    }


@dataclass
class Report:
    """The figures of an evaluation; `as_dict` is what `--json` prints."""

    confidence_level: float
    total: Tally = field(default_factory=Tally)
    groups: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    speakers: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    errors: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, item: Item, answer: Answer) -> None:
        """Counts one file; an answer below the confidence level is none."""
        if answer.error:
            self.errors.append(answer.error)
            return
        heard = answer.value if answer.confidence >= self.confidence_level else ""
        for tally in (
            self.total,
            *([self.groups[item.group]] if item.group else []),
            *([self.speakers[item.speaker]] if item.speaker else []),
        ):
            tally.add(item.digits, heard)
        self.outcomes.append(Outcome(item, answer, heard))

    @property
    def latency_ms(self) -> list[float]:
        """From the end of speech to the decision, of each file with an utterance."""
        times = (outcome.answer.latency_ms for outcome in self.outcomes)
        return [ms for ms in times if ms is not None]

    @property
    def compute_ms(self) -> list[float]:
        """The recognition of that, of each file with an utterance."""
        times = (outcome.answer.compute_ms for outcome in self.outcomes)
        return [ms for ms in times if ms is not None]

    @property
    def judged(self) -> list[Judged]:
        """The answers whatever their confidence, for the reliability diagram."""
        return [
            Judged(outcome.item.digits, outcome.answer.value, outcome.answer.confidence)
            for outcome in self.outcomes
        ]

    @property
    def results(self) -> list[dict[str, Any]]:
        """What was heard in each file, for `--results`; it holds the numbers."""
        return [
            {
                "file": str(outcome.item.file),
                "group": outcome.item.group,
                "digits": outcome.item.digits,
                "heard": outcome.answer.value,
                "words": outcome.answer.words,
                "confidence": round(outcome.answer.confidence, 4),
            }
            for outcome in self.outcomes
        ]

    def as_dict(self) -> dict[str, Any]:
        """The object that `ivr evaluate --json` prints."""
        return {
            **self.total.as_dict(),
            "confidence_level": self.confidence_level,
            "latency_ms": percentiles(self.latency_ms),
            "compute_ms": percentiles(self.compute_ms),
            "groups": {name: tally.as_dict() for name, tally in sorted(self.groups.items())},
            "speakers": {name: tally.as_dict() for name, tally in sorted(self.speakers.items())},
            "reliability": reliability(self.judged),
            "rejection": rejection(self.judged),
            "errors": self.errors,
        }
