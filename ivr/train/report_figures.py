"""What the evaluation's page counts beyond the tables: confusions, shares, mistakes.

Counting only: no picture and no text is made here. A share comes with the interval that chance
leaves open, since nobody should read a difference into two groups of twenty files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ivr.train.alignment import GAP, align
from ivr.train.evaluate import Outcome, symbols

DIGITS = tuple("0123456789")
Z95 = 1.96  # standard normal deviate of a two-sided 95 % interval
SNR_BAND_DB = 5
MAX_SNR_LEVELS = 12  # more different levels than these are put into bands

Key = TypeVar("Key", str, int, float)


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some files are right.

    Attributes:
        label: which files.
        right: files right.
        files: files in all, at least one.
    """

    label: str
    right: int
    files: int

    @property
    def value(self) -> float:
        """The share, 0..1."""
        return self.right / self.files

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Wilson 1927), good for few files and for 0 and 1."""
        n, share = self.files, self.value
        spread = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
        middle = share + Z95**2 / (2 * n)
        scale = 1 + Z95**2 / n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


@dataclass(frozen=True, slots=True)
class Confusion:
    """What was heard for what was said, symbol by symbol.

    Attributes:
        symbols: of rows and columns, in order; `GAP` is the last of both.
        counts: by what was said (`GAP`: nothing, an insertion) and heard (`GAP`: a deletion).
        unanswered: files with a number that gave no answer; their digits are not counted here.
    """

    symbols: tuple[str, ...]
    counts: Counter[tuple[str, str]]
    unanswered: int

    @property
    def mistakes(self) -> list[tuple[str, str, int]]:
        """What was said, what was heard instead, and how often; the most frequent first."""
        wrong = [(*pair, count) for pair, count in self.counts.items() if pair[0] != pair[1]]
        return sorted(wrong, key=lambda mistake: (-mistake[2], mistake))


def confusion(outcomes: Iterable[Outcome]) -> Confusion:
    """The confusion matrix of the files that hold a number and gave an answer.

    A file that gave none says nothing of which digits are confused, and would bury what does.
    """
    counts: Counter[tuple[str, str]] = Counter()
    unanswered = 0
    for outcome in outcomes:
        if not outcome.item.digits:
            continue
        if not outcome.heard:
            unanswered += 1
            continue
        counts.update(align(symbols(outcome.item.digits), symbols(outcome.heard)))
    seen = {symbol for pair in counts for symbol in pair} - {GAP, *DIGITS}
    return Confusion((*DIGITS, *sorted(seen, reverse=True), GAP), counts, unanswered)


def by_group(outcomes: Sequence[Outcome]) -> list[Share]:
    """Numbers right by group of the manifest."""
    return _shares(outcomes, lambda outcome: outcome.item.group or None, str)


def by_length(outcomes: Sequence[Outcome]) -> list[Share]:
    """Numbers right by how many digits they have."""

    def length(outcome: Outcome) -> int | None:
        return len(outcome.item.digits) if outcome.item.digits.isdigit() else None

    return _shares(outcomes, length, lambda n: "1 digit" if n == 1 else f"{n} digits")


def by_snr(outcomes: Sequence[Outcome]) -> list[Share]:
    """Numbers right by signal-to-noise ratio, noisiest first; bands where there are many levels."""
    levels = {outcome.item.snr_db for outcome in outcomes if outcome.item.digits} - {None}
    if len(levels) <= MAX_SNR_LEVELS:
        return _shares(outcomes, lambda outcome: outcome.item.snr_db, lambda db: f"{db:g} dB")

    def band(outcome: Outcome) -> int | None:
        snr_db = outcome.item.snr_db
        return None if snr_db is None else math.floor(snr_db / SNR_BAND_DB) * SNR_BAND_DB

    return _shares(outcomes, band, lambda db: f"{db} to {db + SNR_BAND_DB} dB")


def _shares(
    outcomes: Iterable[Outcome],
    key_of: Callable[[Outcome], Key | None],
    label: Callable[[Key], str],
) -> list[Share]:
    """Shares of the files with a number, by key, in its order; a file whose key is None is none."""
    files: Counter[Key] = Counter()
    right: Counter[Key] = Counter()
    for outcome in outcomes:
        key = key_of(outcome)
        if key is None or not outcome.item.digits:
            continue
        files[key] += 1
        right[key] += outcome.right
    return [Share(label(key), right[key], files[key]) for key in sorted(files)]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A file whose answer was wrong.

    Attributes:
        outcome: the file and its answer.
        kind: what went wrong, without a digit in it that was spoken.
    """

    outcome: Outcome
    kind: str


def mistakes(outcomes: Iterable[Outcome]) -> list[Mistake]:
    """The wrong answers: those that a flow would have taken first, the surest of them first."""
    wrong = [Mistake(outcome, _kind(outcome)) for outcome in outcomes if not outcome.right]
    return sorted(
        wrong,
        key=lambda mistake: (not mistake.outcome.heard, -mistake.outcome.answer.confidence),
    )


def _kind(outcome: Outcome) -> str:
    said, heard, answer = outcome.item.digits, outcome.heard, outcome.answer
    if not said:
        return "a number where none was said"
    if heard:
        pairs = align(symbols(said), symbols(heard))
        inserted = sum(wanted == GAP for wanted, _ in pairs)
        deleted = sum(got == GAP for _, got in pairs)
        changed = sum(wanted != got for wanted, got in pairs) - inserted - deleted
        parts = ((changed, "changed"), (inserted, "too many"), (deleted, "missing"))
        return ", ".join(f"{count} {what}" for count, what in parts if count)
    if answer.value:
        return "right, but not sure enough" if answer.value == said else "wrong and not sure enough"
    return "words, but no number" if answer.words.strip() else "nothing heard"
