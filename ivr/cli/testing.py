"""The commands that test call flows by calls: test, replay.

Rooms are imported inside the commands, as in `ivr.cli`, which takes these in.
"""

# ruff: noqa: PLC0415, PLR0917 - see above; a typer command's options are its arguments
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ivr.cli.options import Config, Json, Model, needs_extra

app = typer.Typer()


@app.command("test")
def place_test_calls(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders, flows or scripts (*.call.yaml).", metavar="FLOW_DIR_OR_FILES"
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Only calls whose name contains this, or matches it (* and ?)."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Calls at a time; one a core.")
    ] = None,
    real_time: Annotated[
        bool,
        typer.Option(
            "--real-time/--fast",
            help="As long as the calls would last, or as fast as this machine goes: the result "
            "is the same.",
        ),
    ] = False,
    hearing_ms: Annotated[
        int,
        typer.Option(min=20, max=5000, help="What a recognition counts as having taken, ms."),
    ] = 100,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page: each call's waveform, dialogue and audio."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep each call as a stereo WAV in this folder.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every dialogue, not only failed ones.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of scripts, for an editor.")
    ] = False,
    config: Config = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Test call flows by simulated calls: every *.call.yaml beside a flow is one.

    A server of its own, real audio through a real socket; what a call comes to does not depend on
    the machine. Exit status 0 if every call went as its script says, 1 if not, 2 if a script or a
    flow is wrong.
    """
    import os

    if schema:
        from ivr.simulate.json_schema import script_schema_text

        typer.echo(script_schema_text(), nl=False)
        return
    from ivr.config import load_settings
    from ivr.testing.command import Output, run_test
    from ivr.testing.run import Plan

    if html is not None:
        with needs_extra("report", "the report"):
            import jinja2  # noqa: F401
    recognizer = {"model_dir": model} if model is not None else {}
    settings = load_settings(config, {"recognizer": recognizer})
    plan = Plan(jobs or os.cpu_count() or 1, real_time, hearing_ms)
    output = Output(as_json, junit, html, record, verbose)
    raise typer.Exit(run_test(places or [Path()], settings, plan, output, only=only))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Capture of a call, from ivr serve --capture DIR.")],
    flow: Annotated[
        Path | None, typer.Option(help="Follow this flow instead of the one captured.")
    ] = None,
    model: Model = None,
    as_heard: Annotated[
        bool, typer.Option("--as-heard", help="Take what was heard then; hear nothing anew.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print what the caller said; otherwise stars.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Repeat a captured call through the same code, and say where it first departs.

    Exit status 0 if every decision, prompt and mark is the same and comes at the same time, 1 if
    not.
    """
    from ivr.testing.replay_command import run_replay

    raise typer.Exit(
        run_replay(file, flow=flow, model=model, as_heard=as_heard, show=show, json_output=as_json)
    )
