"""Synthesised speech: corpora of phrases rendered by several unrelated synthesisers.

    python -m ivr.train.synthesize corpus OUT --count 30000 --seed 1 --workers 2
    python -m ivr.train.synthesize heldout OUT --engine pico

Theory of operation: phrase and voice of item i are a function of (seed, i) and the engines alone,
drawn from a generator seeded with both, so an interrupted build goes on where it stopped and a
larger count continues a smaller one. (The samples repeat to within espeak's oscillators, which run
on from clip to clip.) Audio is appended to ``audio.i16`` first, then the batch's rows to
``index.csv`` in one write: what the index names is on the disk, so a corpus may be read while it
grows.

`ivr.train.phrases` draws what is said, `voices` who says it, `engines` speaks, `clips` trims.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import logging
import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from ivr.errors import ConfigError
from ivr.train.clips import ClipSamples, check_clip, render
from ivr.train.engines import SynthesisError, available_engines
from ivr.train.heldout import build_heldout
from ivr.train.phrases import KIND_WEIGHTS, Phrase, sample_phrase
from ivr.train.voices import (
    ENGLISH,
    FOREIGN,
    HELD_OUT_ENGINE,
    INSTALL,
    Voice,
    sample_voice,
)

logger = logging.getLogger(__name__)

BATCH: Final = 50  # items between two writes of the index
ATTEMPTS: Final = 8  # phrases and voices tried for an item before the engines count as broken


@dataclass(frozen=True)
class Wanted:
    """What a corpus holds.

    Attributes:
        seed: draws phrases and voices.
        engines: names; every available one but `HELD_OUT_ENGINE` if empty.
        kinds: kinds of phrases, keys of `ivr.train.phrases.KIND_WEIGHTS`; all if empty.
        accents: espeak languages, keys of `ivr.train.voices.ENGLISH` or of `FOREIGN`; all if empty.
            The other engines have no accents to choose from, so with accents only espeak speaks.
    """

    seed: int
    engines: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    accents: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses names that nobody knows.

        Raises:
            ConfigError: names the kind or the accent, and the ones that there are.
        """
        for what, names, known in (
            ("kind of phrase", self.kinds, tuple(KIND_WEIGHTS)),
            ("accent", self.accents, (*ENGLISH, *FOREIGN)),
        ):
            for name in names:
                if name not in known:
                    raise ConfigError(f"unknown {what} {name!r} (known: {', '.join(known)})")

    def identity(self) -> dict[str, object]:
        """What makes this corpus another one than the next; what is not restricted is left out."""
        lists = {key: list(value) for key, value in asdict(self).items() if key != "seed"}
        return {"seed": self.seed, **{key: value for key, value in lists.items() if value}}


def _item(task: tuple[int, Wanted]) -> tuple[Phrase, Voice, ClipSamples]:
    number, wanted = task
    weights = {kind: KIND_WEIGHTS[kind] for kind in wanted.kinds or KIND_WEIGHTS}
    for attempt in range(ATTEMPTS):
        rng = random.Random(f"{wanted.seed}/{number}/{attempt}")
        phrase = sample_phrase(rng, weights)
        voice = sample_voice(rng, wanted.engines, wanted.accents)
        try:
            audio = render(phrase.text, voice)
            check_clip(audio, phrase.text)
        except SynthesisError as error:
            logger.debug("item %d, %s: %s", number, voice, error)
            continue
        return phrase, voice, audio
    raise SynthesisError(f"item {number}: no engine gave speech")


def _items(
    tasks: list[tuple[int, Wanted]], workers: int
) -> Iterator[tuple[Phrase, Voice, ClipSamples]]:
    if workers <= 1:
        yield from map(_item, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_item, tasks, chunksize=25)


def _resume(out: Path, identity: dict[str, object]) -> tuple[int, int]:
    """Items and samples already there; cuts what an interruption left behind.

    Raises:
        ConfigError: the folder holds a corpus of another seed or other engines.
    """
    out.mkdir(parents=True, exist_ok=True)
    note, index, audio = out / "corpus.json", out / "index.csv", out / "audio.i16"
    if note.exists() and json.loads(note.read_text()) != identity:
        raise ConfigError(
            f"{out} holds another corpus ({note.read_text()}); use another folder, or the same "
            "seed and engines"
        )
    note.write_text(json.dumps(identity))
    if not index.exists():
        index.write_text("start,samples,words,kind,engine,voice\n")
        audio.write_bytes(b"")
    text = index.read_text()
    text = text[: text.rindex("\n") + 1]
    index.write_text(text)
    rows = list(csv.DictReader(io.StringIO(text)))
    samples = int(rows[-1]["start"]) + int(rows[-1]["samples"]) if rows else 0
    os.truncate(audio, 2 * samples)
    return len(rows), samples


def _engines_before(out: Path) -> tuple[str, ...]:
    """The engines of the corpus in a folder; none if there is no corpus."""
    note = out / "corpus.json"
    return tuple(json.loads(note.read_text()).get("engines", ())) if note.exists() else ()


def build_corpus(
    out: Path,
    count: int,
    wanted: Wanted,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _count: None,
) -> None:
    """Renders a corpus, or the rest of it, which is spoken by the engines that it has.

    Args:
        out: folder for audio.i16, index.csv and corpus.json.
        count: items in all.
        wanted: what it holds.
        workers: processes.
        progress: called with (items done, count) after each batch.

    Raises:
        ConfigError: no engine, or `out` holds another corpus.
        SynthesisError: no engine gave speech for an item.
    """
    asked = wanted.engines or tuple(name for name in INSTALL if name != HELD_OUT_ENGINE)
    if wanted.accents:
        asked = tuple(name for name in asked if name == "espeak")
    names = tuple(name for name in available_engines() if name in asked)
    if not names:
        cures = "; ".join(f"{name}: {INSTALL[name]}" for name in asked if name in INSTALL)
        raise ConfigError(f"no speech synthesiser was found; install one ({cures})")
    before = _engines_before(out)
    if not wanted.engines and before and set(before) <= set(names):
        names = before  # an engine installed since does not make it another corpus
    wanted = replace(wanted, engines=names)
    done, start = _resume(out, wanted.identity())
    with (
        (out / "audio.i16").open("ab") as audio_file,
        (out / "index.csv").open("a", newline="") as index_file,
    ):
        rows = io.StringIO()
        for phrase, voice, audio in _items([(i, wanted) for i in range(done, count)], workers):
            audio_file.write(audio.astype("<i2").tobytes())
            csv.writer(rows, lineterminator="\n").writerow(
                (start, len(audio), phrase.words, phrase.kind, voice.engine, voice.name)
            )
            start, done = start + len(audio), done + 1
            if done % BATCH == 0 or done == count:
                audio_file.flush()
                os.fsync(audio_file.fileno())
                index_file.write(rows.getvalue())
                index_file.flush()
                rows = io.StringIO()
                progress(done, count)


def main() -> None:
    """The command line, see the module's docstring."""
    parser = argparse.ArgumentParser(description="Build synthesised speech.")
    parser.add_argument("what", choices=("corpus", "heldout"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=30_000, help="corpus: phrases in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="corpus: processes")
    parser.add_argument("--engine", action="append", help="corpus: only these; heldout: this one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    if options.what == "heldout":
        build_heldout(options.out, (options.engine or [HELD_OUT_ENGINE])[0], options.seed)
        return
    build_corpus(
        options.out,
        options.count,
        Wanted(options.seed, tuple(options.engine or ())),
        workers=options.workers,
        progress=lambda done, count: logger.info("%d of %d", done, count),
    )


if __name__ == "__main__":
    main()
