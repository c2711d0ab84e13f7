"""The commands about prompts: render them for a studio, check what came back.

Rooms are imported inside the commands, as in `ivr.cli`, which takes these in.
"""

# ruff: noqa: PLC0415 - see above
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli.options import Config, Json

if TYPE_CHECKING:
    from ivr.config import PromptSettings

app = typer.Typer(help="Render and check the prompts of a flow.", no_args_is_help=True)

FlowFile = Annotated[Path, typer.Argument(help="Call flow (YAML).")]


def _settings(config: Config) -> PromptSettings:
    from ivr.config import load_settings

    return load_settings(config).prompts


@app.command()
def render(
    flow: FlowFile,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write a flow's fixed prompts as WAV files, named as recordings, and a script as CSV."""
    from ivr.prompts.command import run_render

    raise typer.Exit(run_render(_settings(config), flow, out, json_output=as_json))


@app.command()
def check(
    flow: FlowFile,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of recordings, instead of the configuration's.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Exit status 1 where a recording is missing.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look at a flow's recordings: missing, clipped, faint, of a wrong rate or name.

    Exit status 1 if one cannot be used.
    """
    from ivr.prompts.command import run_check

    settings = _settings(config)
    if recordings is not None:
        settings = settings.model_copy(update={"recordings_dir": recordings})
    raise typer.Exit(run_check(settings, flow, complete=complete, json_output=as_json))
