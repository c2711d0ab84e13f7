"""The commands about call flows: check, draw, try and begin them.

Rooms are imported inside the commands, as in `ivr.cli`, which takes these in.
"""

# ruff: noqa: PLC0415 - see above
from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ivr.cli.options import Json
from ivr.errors import ConfigError, FlowError

app = typer.Typer(help="Check, draw, try and begin call flows.", no_args_is_help=True)

FlowFile = Annotated[Path, typer.Argument(help="Call flow (YAML).")]


@app.command()
def check(
    flows: Annotated[list[Path], typer.Argument(help="Call flows (YAML).")], as_json: Json = False
) -> None:
    """Check call flows as a server does before its first call.

    Exit status 1 if one of them is wrong. Of each all mistakes are told that can be seen: those in
    the ways through it only once those in its keys are mended.
    """
    from ivr.flow.schema import load_flow

    results = []
    for path in flows:
        try:
            flow = load_flow(path)
        except FlowError as error:
            told = [str(mistake) for mistake in error.mistakes]
            results.append({"file": str(path), "ok": False, "error": told[0], "errors": told})
            if not as_json:
                typer.echo("\n".join(told), err=True)
        else:
            results.append({"file": str(path), "ok": True, "flow": flow.flow})
            if not as_json:
                typer.echo(f"{path}: {flow.flow}, {len(flow.steps)} steps, sound")
    if as_json:
        typer.echo(json.dumps({"flows": results}))
    raise typer.Exit(0 if all(result["ok"] for result in results) else 1)


class Format(StrEnum):
    """What a flow can be drawn as."""

    MERMAID = "mermaid"
    SVG = "svg"


@app.command()
def draw(
    flow: FlowFile,
    form: Annotated[
        Format, typer.Option("--format", help="mermaid: text for documents; svg: a picture.")
    ] = Format.MERMAID,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of the terminal.")
    ] = None,
) -> None:
    """Draw a call flow: its steps, and when each way is taken."""
    from ivr.flow.draw import mermaid
    from ivr.flow.picture import svg
    from ivr.flow.schema import load_flow

    drawn = (mermaid if form is Format.MERMAID else svg)(load_flow(flow))
    if out is None:
        typer.echo(drawn, nl=False)
        return
    try:
        out.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be written ({error.strerror})") from error


@app.command("try")
def try_flow(
    flow: FlowFile,
    script: Annotated[
        Path | None,
        typer.Option(help='Answers, one a line, instead of the keyboard; "# " begins a comment.'),
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: a variable of the flow; may be repeated.")
    ] = None,
    lookups: Annotated[
        bool,
        typer.Option(
            "--lookups", help="Ask for real what the flow looks up, as --config allows it."
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Configuration (YAML) that says whom lookups may ask.")
    ] = None,
) -> None:
    """Talk to a flow as text: type words (four one five), keys (4155#), or both.

    An empty line is silence, Ctrl-D hangs up. Grammar, dialogue and judging are those of a call;
    what is typed is heard without a doubt. A lookup is answered by what it is to find
    (holder=Jane; balance=12.50), (missing) or (failed), or asked for real with --lookups.

    Exit status 1 if a script has too few answers or too many.
    """
    from ivr.cli.rehearse import run_rehearsal
    from ivr.config import load_settings

    settings = load_settings(config) if lookups else None
    variables = {}
    for given in variable or ():
        name, equals, value = given.partition("=")
        if not equals:
            raise ConfigError(f"--variable: {given} has no value; write NAME=VALUE")
        variables[name] = value
    raise typer.Exit(run_rehearsal(flow, variables, script, settings))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the flow: small letters, digits and _.")],
    template: Annotated[
        str,
        typer.Option(
            help="What to begin with: account-id, account-record, appointment, card-payment, menu, "
            "meter-reading, payment or phone-banking."
        ),
    ] = "account-id",
    out: Annotated[
        Path | None, typer.Option(help="File to write; NAME.yaml in this folder by default.")
    ] = None,
) -> None:
    """Begin a call flow from a template that runs as it stands. No file is overwritten."""
    from ivr.flow.new import files_beside, from_template

    path = out or Path(f"{name}.yaml")
    _write_new(path, from_template(template, name))
    for place, text in files_beside(template).items():
        beside = path.parent / place
        if beside.exists():
            typer.echo(f"{beside}: there already, and left as it is")
            continue
        beside.parent.mkdir(exist_ok=True)
        _write_new(beside, text)
    typer.echo(f"{path}; talk to it with: ivr flow try {path}")


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists; choose another name, or --out FILE") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from error


@app.command()
def schema() -> None:
    """Print the JSON Schema of call flows, for an editor to complete and check them by."""
    from ivr.flow.json_schema import flow_schema_text

    typer.echo(flow_schema_text(), nl=False)
