"""The commands about models: train, measure, fit, time and show them.

Rooms are imported inside the commands, as in `ivr.cli`, which takes these in.
"""

# ruff: noqa: PLC0415, PLR0917 - see above; a typer command's options are its arguments
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ivr.cli.options import Json, Lists, Model, OptionalPath, needs_extra
from ivr.errors import ConfigError

app = typer.Typer()


@app.command()
def evaluate(
    manifest: Annotated[
        Path, typer.Argument(help="CSV: file, digits; optional words, speaker, group, snr_db.")
    ],
    grammar: Annotated[
        str, typer.Option(help="Grammar of the question, e.g. builtin:digits?length=8.")
    ] = "builtin:natural",
    lists: Lists = None,
    model: Model = None,
    confidence_level: Annotated[
        float | None, typer.Option(help="Answers below it count as none; the flows' default.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0 takes one a core.")] = 0,
    results: Annotated[
        OptionalPath, typer.Option(help="Write what was heard in each file (JSON lines).")
    ] = None,
    report: Annotated[
        OptionalPath, typer.Option(help="Write a page with tables and pictures to this folder.")
    ] = None,
    with_digits: Annotated[
        bool, typer.Option("--with-digits", help="Show on that page what was said and heard.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send recordings through the live path and report how well they are heard.

    Paths are relative to the manifest; an empty `digits` means that no number is spoken.
    Exit status 1 if a file could not be read.
    """
    from ivr.train.evaluation_report import run_evaluate

    raise typer.Exit(
        run_evaluate(
            manifest,
            grammar=grammar,
            folder=model,
            confidence_level=confidence_level,
            workers=workers or os.cpu_count() or 1,
            lists=lists or (),
            results=results,
            json_output=as_json,
            page=report,
            with_digits=with_digits,
        )
    )


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoint, log, exported model.")],
    data: Annotated[
        OptionalPath, typer.Option(help="Folder of speech: sets as tar files or folders.")
    ] = None,
    cache: Annotated[
        OptionalPath, typer.Option(help="Packed and synthesised speech; OUT/cache by default.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Begin from a Whisper checkpoint (folder, hub name) or another run."),
    ] = None,
    decoder_layers: Annotated[
        int, typer.Option(help="Decoder layers of BASE to keep, the last ones; 0 for all.")
    ] = 0,
    decoder_ffn: Annotated[
        int, typer.Option(help="Units of BASE's decoder feed-forward layers to keep; 0 for all.")
    ] = 0,
    pool: Annotated[
        bool, typer.Option(help="Average frames of BASE's encoder in pairs half way up: faster.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(help="Training steps in all, earlier ones included.")
    ] = None,
    synthesize: Annotated[int, typer.Option(help="Phrases to synthesise, 0 for none.")] = 30_000,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="A corpus synthesised before, as well; may be given again."),
    ] = None,
    phrases: Annotated[
        str, typer.Option(help="Kinds of phrases to synthesise, with commas; all by default.")
    ] = "",
    accents: Annotated[
        str, typer.Option(help="espeak-ng accents to synthesise with, with commas; all by default.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Repeats the run.")] = 1,
    export_only: Annotated[
        bool, typer.Option(help="Export the checkpoint as it is, without training.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or auto: a GPU where there is one.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the log as JSON lines.")] = False,
) -> None:
    r"""Train the recogniser on DATA and on speech it synthesises, and export it to OUT/model.

    Interrupted, it goes on from its last checkpoint when called again. Needs the train extra:
    pip install 'ivr\[train]'.
    """
    with needs_extra("train", "training"):
        from ivr.train.command import Start, run_train
    raise typer.Exit(
        run_train(
            out,
            Start(base, decoder_layers, decoder_ffn, pool),
            data=data,
            cache=cache,
            steps=steps,
            synthesize=synthesize,
            corpora=tuple(corpus or ()),
            phrases=tuple(filter(None, phrases.split(","))),
            accents=tuple(filter(None, accents.split(","))),
            seed=seed,
            export_only=export_only,
            json_output=as_json,
            device=device,
        )
    )


@app.command()
def export(
    base: Annotated[
        str, typer.Argument(help="Whisper checkpoint: a folder, or a name on the hub.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder for the model.")],
    stock: Annotated[
        bool, typer.Option("--stock", help="Untouched, held to numbers by its search alone.")
    ] = False,
) -> None:
    r"""Write a Whisper checkpoint as it is as a model that serve and evaluate run: the baseline.

    It hears 30 s every time, so it is slow. Needs the train extra: pip install 'ivr\[train]'.
    """
    if not stock:
        raise ConfigError(
            "give --stock to serve the checkpoint untouched; cut to numbers it must be trained: "
            f"ivr train --base {base}"
        )
    with needs_extra("train", "exporting"):
        from ivr.train.stock import run_export
    raise typer.Exit(run_export(base, out))


@app.command()
def testsets(
    packed: Annotated[Path, typer.Argument(help="Packed speech: RUN/cache/packed of a training.")],
    out: Annotated[Path, typer.Argument(help="Folder for the WAV files and manifest.csv.")],
    seed: Annotated[int, typer.Option(help="Repeats the sets.")] = 1,  # noqa: PT028 - no test
    pauses: Annotated[
        bool,
        typer.Option("--pauses", help="Make answers in groups with pauses, for bench instead."),
    ] = False,  # noqa: PT028 - no test
) -> None:
    """Make evaluation sets of speakers kept out of training: words, strings, noise, connected."""
    from ivr.train.pauses import make_pauses
    from ivr.train.testsets import make_testsets

    make = make_pauses if pauses else make_testsets
    typer.echo(make(packed, out, seed))


@app.command()
def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of the model; its model.json changes.")],
    manifest: Annotated[Path, typer.Argument(help="Recordings of speakers kept out of training.")],
) -> None:
    """Fit the decoding constants and the confidence curve of a model to recordings."""
    from rich.progress import Progress

    from ivr.train.calibrate import calibrate as fit_model
    from ivr.train.evaluate import read_manifest

    items = read_manifest(manifest)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("hearing", total=len(items))
        fitted = fit_model(model, items, lambda done: progress.update(task, completed=done))
    typer.echo(json.dumps(fitted.decoding.__dict__))


@app.command()
def bench(
    model: Model = None,
    seconds: Annotated[float, typer.Option(help="Length of the answer.")] = 3.0,
    repeats: Annotated[int, typer.Option(help="Timed runs.", min=1)] = 200,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Race models and engines, whisper-small's shape too."),
    ] = False,
    cache: Annotated[
        OptionalPath,
        typer.Option(help="Keep what --compare builds (3 GB) here; a temporary folder by default."),
    ] = None,
    endpointing: Annotated[
        OptionalPath,
        typer.Option(
            "--endpointing", help="Manifest of answers with pauses: replay them through a call."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Answers of each group for --endpointing; 0 for all.", min=0)
    ] = 0,
    compute_ms: Annotated[
        float | None,
        typer.Option(help="Time of a recognition for --endpointing; measured by default.", min=0),
    ] = None,
    out: Annotated[OptionalPath, typer.Option(help="Write the result to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    r"""Time each stage of the path for one answer, on one core; or compare engines over it.

    --compare needs the train extra, and CTranslate2 for all of it: pip install 'ivr\[bench]'.
    --endpointing replays recorded answers through a call in stream time instead.
    """
    if endpointing is not None:
        from ivr.train.endpointing import run_endpointing

        status = run_endpointing(
            endpointing,
            folder=model,
            limit=limit,
            compute_ms=compute_ms,
            out=out,
            json_output=as_json,
        )
        raise typer.Exit(status)
    from ivr.bench import GRAMMAR, run_bench, run_race, spoken_answer

    if not compare:
        status = run_bench(model, seconds=seconds, repeats=repeats, out=out, json_output=as_json)
        raise typer.Exit(status)
    with needs_extra("bench", "comparing"):
        from ivr.train.contenders import open_field
    with open_field(model, spoken_answer(seconds), GRAMMAR, cache) as field:
        status = run_race(
            model,
            field.entries,
            field.left_out,
            seconds=seconds,
            repeats=repeats,
            out=out,
            json_output=as_json,
        )
    raise typer.Exit(status)


model_app = typer.Typer(help="What is known of a model.", no_args_is_help=True)
app.add_typer(model_app, name="model")


@model_app.command()
def info(model: Model = None, as_json: Json = False) -> None:
    """Show a model's description and card, after checking its files against their SHA-256.

    Exit status 1 if a file is missing or altered.
    """
    from ivr.model_info import run_model_info

    raise typer.Exit(run_model_info(model, json_output=as_json))
