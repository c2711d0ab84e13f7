"""The commands about call records: list, show, export, audio, purge, migrate and retry.

Rooms are imported inside the commands, as in `ivr.cli`, which takes these in.
"""

# ruff: noqa: PLC0415, PLR0917 - see above; a typer command's options are its arguments
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli.options import Config
from ivr.errors import ConfigError

if TYPE_CHECKING:
    from ivr.config import RecordSettings

app = typer.Typer(
    help="Look at, export and delete call records; values are stars unless --reveal is given.",
    no_args_is_help=True,
)

Reveal = Annotated[
    bool,
    typer.Option("--reveal", help="Show values as they are stored, encrypted ones in clear."),
]
Since = Annotated[
    str | None, typer.Option(help="Only calls that began no longer ago than this: 30d, 12h, 90m.")
]
Outcome = Annotated[str | None, typer.Option(help="Only calls with this outcome.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print each record as JSON, one a line, for machines.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV with a header, a line a call.")]


def _settings(config: Config) -> RecordSettings:
    from ivr.config import load_settings

    return load_settings(config).records


def _started(since: str | None) -> str | None:
    from ivr.records.duration import parse_age
    from ivr.records.webhook import utc

    return None if since is None else utc(-parse_age(since))


@app.command("list")
def list_records(
    config: Config = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1)] = 50,
    since: Since = None,
    outcome: Outcome = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="Only calls whose result was not delivered yet.")
    ] = False,
    reveal: Reveal = False,
    as_json: JsonLines = False,
    as_csv: Csv = False,
) -> None:
    """Show the newest calls as a table."""
    from ivr.records.command import run_list
    from ivr.records.selection import Filter

    _one_format(as_json, as_csv)
    wanted = Filter(_started(since), outcome, undelivered, limit)
    raise typer.Exit(
        run_list(_settings(config), wanted, reveal=reveal, json_output=as_json, csv_output=as_csv)
    )


@app.command()
def show(
    call: Annotated[str, typer.Argument(help="Its call_id (the provider's) or record_id.")],
    config: Config = None,
    reveal: Reveal = False,
    as_json: JsonLines = False,
) -> None:
    """Show the records of one call.

    Exit status 1 if there is none.
    """
    from ivr.records.command import run_show

    raise typer.Exit(run_show(_settings(config), call, reveal=reveal, json_output=as_json))


@app.command()
def export(
    config: Config = None,
    since: Since = None,
    outcome: Outcome = None,
    reveal: Reveal = False,
    as_json: JsonLines = False,
    as_csv: Csv = False,
) -> None:
    """Print all calls, newest first: JSON lines, or CSV with --csv."""
    from ivr.records.command import run_list
    from ivr.records.selection import Filter

    _one_format(as_json, as_csv)
    wanted = Filter(_started(since), outcome)
    raise typer.Exit(
        run_list(
            _settings(config), wanted, reveal=reveal, json_output=not as_csv, csv_output=as_csv
        )
    )


@app.command()
def audio(
    call: Annotated[str, typer.Argument(help="call_id, record_id, or id of a caller's message.")],
    out: Annotated[Path, typer.Option(help="WAV file to write, in clear: delete it when done.")],
    config: Config = None,
) -> None:
    """Write a call's recording as WAV: caller left, agent right, silence where it was paused.

    Exit status 1 if there is none.
    """
    from ivr.records.command import run_audio

    raise typer.Exit(run_audio(_settings(config), call, out))


@app.command()
def purge(
    older_than: Annotated[str, typer.Option("--older-than", help="Age: 30d, 12h, 90m, 4w.")],
    config: Config = None,
) -> None:
    """Delete calls, their turns, results and audio that began longer ago than an age."""
    from ivr.records.command import run_purge

    raise typer.Exit(run_purge(_settings(config), older_than))


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the database up to date, as a start of the server does."""
    from ivr.records.command import run_migrate

    raise typer.Exit(run_migrate(_settings(config)))


@app.command()
def retry(config: Config = None) -> None:
    """Make results that were given up due again; a running server sends them."""
    from ivr.records.command import run_retry

    raise typer.Exit(run_retry(_settings(config)))


def _one_format(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise ConfigError("give --json or --csv, not both")
