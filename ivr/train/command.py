"""`ivr train`: packs speech, synthesises more, trains, exports; each goes on where it stopped."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ivr.asr.engine import Engine
from ivr.asr.tokens import OTHER, encode
from ivr.errors import ConfigError
from ivr.train.base import load_base
from ivr.train.channel import ChannelSettings, Samples
from ivr.train.corpus import PackedSet, open_packed, pack
from ivr.train.export import export
from ivr.train.mixer import Mixer
from ivr.train.network import NumericWhisper, Shape
from ivr.train.synthesize import Wanted, build_corpus
from ivr.train.train import (
    FINE_TUNING,
    Trainer,
    TrainSettings,
    find_device,
    join_group,
    saved_settings,
    trained_model,
    wait_for_group,
)

# What each known set holds; any other set with a manifest is taken as connected speech.
WORDS = ("speech_commands.train", "prompt_voices")
NOISE, BABBLE = "noise", "babble"
PACKED = "packed/*/index.csv"
MOST_TALK = (
    100  # utterances of a kind that are babble to the others: 80 people ordering coffee are few
)
CHECKS = ("speech_commands.dev", "an4.dev")


@dataclass(frozen=True)
class Start:
    """What training begins from.

    Attributes:
        base: a Whisper checkpoint, a folder or a name on the hub, or the folder of an earlier run;
            None for random weights.
        decoder_layers: decoder layers of the base to keep; 0 keeps all.
        decoder_ffn: width of the decoder's feed-forward layers; 0 keeps it.
        pool: whether the encoder averages neighbouring frames half way up.
    """

    base: str | None = None
    decoder_layers: int = 0
    decoder_ffn: int = 0
    pool: bool = False

    def settings(self) -> TrainSettings:
        """Hyper-parameters that fit such a beginning."""
        return FINE_TUNING if self.base else TrainSettings()

    def weights(self) -> Shape | NumericWhisper:
        """The base's weights, or the size of a network without any.

        Raises:
            ConfigError: there is no such checkpoint.
        """
        if self.base is None:
            return Shape()
        return trained_model(Path(self.base)) or load_base(
            self.base,
            decoder_layers=self.decoder_layers,
            decoder_ffn=self.decoder_ffn,
            pool=self.pool,
        )


def find_sets(data: Path) -> dict[str, Path]:
    """The speech sets of a folder by name: `NAME.tar`, or a folder `NAME` with a manifest.csv.

    Raises:
        ConfigError: the folder is missing or holds none.
    """
    if not data.is_dir():
        raise ConfigError(f"--data: {data} is not a folder")
    sets = {path.stem: path for path in sorted(data.glob("*.tar"))}
    sets |= {path.parent.name: path.parent for path in sorted(data.glob("*/manifest.csv"))}
    if (data / "manifest.csv").is_file():
        sets[data.resolve().name] = data
    if not sets:
        raise ConfigError(f"--data: {data} holds no NAME.tar and no folder with a manifest.csv")
    return sets


def _load_all(packed: PackedSet | None) -> list[Samples]:
    return [packed.load(clip) for clip in packed.clips] if packed else []


def _talk(sets: list[PackedSet], most: int) -> list[Samples]:
    """Utterances of those sets that hold no number, evenly picked, at most so many."""
    others = [
        (packed, clip) for packed in sets for clip in packed.clips if encode(clip.words) == [OTHER]
    ]
    return [packed.load(clip) for packed, clip in others[:: -(-len(others) // most) or 1]]


def build_mixer(packed: dict[str, PackedSet], synthetic: list[PackedSet]) -> Mixer:
    """Sorts packed sets into the roles that the mixer knows.

    Raises:
        ConfigError: there is no speech to train on.
    """
    roles = {*WORDS, NOISE, BABBLE, *CHECKS}
    words = [packed[name] for name in WORDS if name in packed]
    connected = [packed[name] for name in sorted(packed) if name not in roles]
    if not words and not connected and not synthetic:
        raise ConfigError("no speech to train on: give --data, or --synthesize more than 0")
    return Mixer(
        words=words,
        connected=connected,
        synthetic=synthetic,
        noises=_load_all(packed.get(NOISE)),
        # Every other talker is kept for `ivr testsets`, which takes the ones between.
        babble=_load_all(packed.get(BABBLE))[1::2]
        + _talk(connected, MOST_TALK)
        + _talk(synthetic, MOST_TALK),
    )


def _synthesize(folder: Path, count: int, wanted: Wanted, progress: Progress) -> None:
    if count == 0:
        return
    task = progress.add_task("synthesise", total=count, note="")
    build_corpus(
        folder,
        count,
        wanted,
        workers=2,
        progress=lambda done, _total: progress.update(task, completed=done),
    )


def run_train(
    out: Path,
    start: Start,
    *,
    data: Path | None,
    cache: Path | None,
    steps: int | None,
    synthesize: int,
    corpora: tuple[Path, ...] = (),
    phrases: tuple[str, ...] = (),
    accents: tuple[str, ...] = (),
    seed: int,
    export_only: bool,
    json_output: bool,
    device: str = "auto",
) -> int:
    """Trains and exports to `out/model`.

    A run that has a checkpoint goes on with its own weights and hyper-parameters; of those only
    `steps` can be changed.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: the data or the options are wrong.
        ModelError: the checkpoint is broken.
    """
    console = Console(stderr=True)
    computing_on = find_device(device)
    cache = cache or out / "cache"
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=json_output) as progress:
        packed: dict[str, PackedSet] = {}
        synthetic: list[PackedSet] = []
        if not export_only:
            corpus = cache / "-".join(["synthetic", str(seed), *phrases, *accents])
            if join_group()[0] == 0:
                _pack_all(data, cache, progress)
                _synthesize(corpus, synthesize, Wanted(seed, (), phrases, accents), progress)
            wait_for_group()
            packed = {p.parent.name: open_packed(p.parent) for p in cache.glob(PACKED)}
            synthetic = [
                open_packed(folder) for folder in ((corpus,) if synthesize else ()) + corpora
            ]
        mixer = Mixer([], [], [], [], []) if export_only else build_mixer(packed, synthetic)
        checks = {name: packed[name] for name in CHECKS if name in packed}
        resumed = saved_settings(out)
        if export_only and resumed is None:
            raise ConfigError(f"--export-only: {out} holds no checkpoint.pt")
        settings = resumed or replace(start.settings(), seed=seed)
        settings = settings if steps is None else replace(settings, steps=steps)
        weights = Shape() if resumed else start.weights()
        trainer = Trainer(out, settings, weights, mixer, ChannelSettings(), checks, computing_on)
        if not export_only:
            task = progress.add_task("train", total=settings.steps, completed=trainer.step, note="")

            def report(row: dict[str, Any]) -> None:
                if json_output:
                    sys.stdout.write(json.dumps(row) + "\n")
                    sys.stdout.flush()
                shown = ", ".join(f"{k} {v}" for k, v in row.items() if k not in ("step", "rate"))
                progress.update(task, completed=row["step"], note=shown)

            trainer.run(report)
    if trainer.rank != 0:
        return 0  # of several processes the first exports
    folder = out / "model"
    # What was only looked at is no part of what the model learnt from.
    sizes = {name: len(value.clips) for name, value in packed.items() if name not in CHECKS}
    if synthetic:
        sizes["synthetic"] = sum(len(corpus.clips) for corpus in synthetic)
    export(trainer.averaged(), folder, "numeric-whisper", {"step": trainer.step, "clips": sizes})
    Engine(folder).recognize(np.zeros(8_000, np.int16), "builtin:natural")
    console.print(f"exported to {folder}; measure it with: ivr evaluate MANIFEST --model {folder}")
    return 0


def _pack_all(data: Path | None, cache: Path, progress: Progress) -> None:
    if data is None:
        return
    sets = find_sets(data)
    task = progress.add_task("pack", total=len(sets), note="")
    for name, source in sets.items():
        progress.update(task, note=name)
        pack(source, cache / "packed" / name)
        progress.advance(task)
