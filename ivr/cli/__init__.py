"""The command line: one function a command, each a call into the room that does the work.

Rooms are imported inside the commands: `ivr --help` is quick, and serving never imports torch.
"""

# ruff: noqa: PLC0415, PLR0917 - see above; a typer command's options are its arguments
from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ivr import __version__
from ivr.asr.threads import keep_to_one_thread
from ivr.cli.flow import app as flow_commands
from ivr.cli.keys import app as key_commands
from ivr.cli.models import app as model_commands
from ivr.cli.options import Config, Json, Lists, Model, OptionalPath
from ivr.cli.prompts import app as prompt_commands
from ivr.cli.records import app as record_commands
from ivr.cli.testing import app as test_commands
from ivr.errors import ConfigError, IvrError

app = typer.Typer(
    name="ivr",
    help="A telephony voice server that hears numbers: call audio in, digits out, on the CPU.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(model_commands)
app.add_typer(test_commands)
app.add_typer(flow_commands, name="flow")
app.add_typer(record_commands, name="records")
app.add_typer(prompt_commands, name="prompts")
app.add_typer(key_commands, name="keys")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Hears numbers on telephone calls."""


@app.command()
def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; overrides the file.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind; 0 takes a free one.")] = None,
    flow: Annotated[OptionalPath, typer.Option(help="Call flow (YAML) that answers calls.")] = None,
    model: Model = None,
    capture: Annotated[
        OptionalPath,
        typer.Option(
            help="Write each call's wire to this folder, for ivr replay: it holds what callers say."
        ),
    ] = None,
) -> None:
    """Answer calls: webhook POST /voice, media socket GET /media, records GET /v1/calls/{id}.

    SIGTERM turns /readyz off, takes no new calls and lets the current ones finish.
    """
    from ivr.config import load_settings
    from ivr.server.run import run_server

    server = {"host": host, "port": port}
    overrides: dict[str, object] = {
        "server": {key: value for key, value in server.items() if value is not None},
        "recognizer": {"model_dir": model} if model is not None else {},
        "capture": {"dir": capture} if capture is not None else {},
    }
    if flow is not None:
        overrides["flow"] = flow
    settings = load_settings(config, overrides)
    raise typer.Exit(run_server(settings))


@app.command()
def demo(
    scripts: Annotated[
        Path, typer.Option(help="Folder of *.call.yaml files, and of folders of them.")
    ] = Path("config/demo"),
    flow: Annotated[
        Path, typer.Option(help="Call flow of scripts that name none; the others stand beside it.")
    ] = Path("config/flows/account_id.yaml"),
    only: Annotated[
        str | None, typer.Option(help="Only the calls to this flow, or the one of this name.")
    ] = None,
    record: Annotated[
        OptionalPath, typer.Option(help="Keep each call as a stereo WAV in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a server, place several simulated calls through its socket, and print each dialogue.

    The flows look things up in a small bank that is started with them (ivr bank).

    Exit status 0 only if every call ended as its script says.
    """
    from ivr.simulate.demo import run_demo

    raise typer.Exit(
        run_demo(scripts=scripts, flow=flow, only=only, record_dir=record, json_output=as_json)
    )


@app.command()
def bank(
    port: Annotated[int, typer.Option(help="Port to bind; 0 takes a free one.")] = 8790,
    file: Annotated[
        OptionalPath, typer.Option(help="Keep its SQLite file here; else it begins anew.")
    ] = None,
) -> None:
    """Start the small bank that the example flows look things up in, on this machine only.

    It prints its customers, who are made up, and ends on Ctrl-C.
    """
    from ivr.simulate.bank.command import run_bank

    raise typer.Exit(run_bank(port, file))


@app.command()
def call(
    server: Annotated[
        str | None, typer.Option(help="Address of the server, for webhook and call record.")
    ] = "http://127.0.0.1:8080",
    url: Annotated[
        str | None, typer.Option(help="Media socket (ws://...), to call without the webhook.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="Call token for --url.")] = None,
    script: Annotated[OptionalPath, typer.Option(help="Dialogue file (*.call.yaml).")] = None,
    say: Annotated[
        list[str] | None, typer.Option(help='What to say at each prompt, e.g. "four one, five".')
    ] = None,
    wav: Annotated[
        list[Path] | None, typer.Option(help="Recording to play at each prompt (wav, flac, ...).")
    ] = None,
    keys: Annotated[
        list[str] | None, typer.Option(help="Keys to press at each prompt, e.g. 4155#.")
    ] = None,
    record: Annotated[
        OptionalPath, typer.Option(help="Write the call as a stereo WAV: caller left, agent right.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Place one simulated call in real time and print the dialogue.

    --say, --wav and --keys answer one prompt each, in the order given on the command line.
    """
    from ivr.simulate.commands import run_call

    answers = _answers_in_order({"say": say or [], "wav": wav or [], "keys": keys or []})
    raise typer.Exit(
        run_call(
            server=server,
            url=url,
            token=token,
            script=script,
            answers=answers,
            record=record,
            json_output=as_json,
            # From the environment, where no other process sees them.
            auth_token=os.environ.get("IVR_TWILIO__AUTH_TOKEN"),
            api_key=os.environ.get("IVR_API_KEY"),
        )
    )


@app.command()
def doctor(
    config: Config = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Leave out what needs the network.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at everything that a call needs, and say what to do where it is wrong.

    Configuration, flows, model, database, disks, extras; the Twilio account, the public address
    and the clock. Nothing is changed. Exit status 1 if something failed, 2 if the configuration is
    wrong.
    """
    from ivr.server.doctor.report import run_doctor

    raise typer.Exit(run_doctor(config, offline=offline, json_output=as_json))


def _answers_in_order(given: dict[str, list[str] | list[Path]]) -> list[tuple[str, str]]:
    """The options' values in the order of the command line, which the parser does not keep."""
    waiting = {kind: [str(value) for value in values] for kind, values in given.items()}
    answers = []
    for argument in sys.argv[1:]:
        kind = argument.split("=", 1)[0].removeprefix("--")
        if argument.startswith("--") and waiting.get(kind):
            answers.append((kind, waiting[kind].pop(0)))
    return answers + [(kind, value) for kind, values in waiting.items() for value in values]


@app.command()
def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(help=r"Recordings: wav, flac, mp3, ogg; with ivr\[media] webm, m4a."),
    ],
    grammar: Annotated[
        str, typer.Option(help="Grammar of the question, e.g. builtin:digits?length=8.")
    ] = "builtin:natural",
    lists: Lists = None,
    model: Model = None,
    confidence_level: Annotated[
        float | None,
        typer.Option(help="Answers below it count as none; the flows' default.", min=0, max=1),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each file, one a line.")
    ] = False,
) -> None:
    """Hear recordings as a call would: digits, words, confidence and N-best of each.

    Exit status 1 if a file could not be read; the others are heard all the same.
    """
    from ivr.transcribe import run_transcribe

    raise typer.Exit(
        run_transcribe(
            files,
            grammar=grammar,
            folder=model,
            confidence_level=confidence_level,
            lists=lists or (),
            json_output=as_json,
        )
    )


def main() -> None:
    """The `ivr` command: an expected error is one message and a status, never a traceback."""
    keep_to_one_thread()  # before any command loads numpy
    try:
        app()
    except IvrError as error:
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": str(error)}))
        message = Text.assemble(("error: ", "red"), str(error))
        Console(stderr=True, soft_wrap=True).print(message, highlight=False)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
