"""The commands about API keys: create, list, rotate and revoke.

Rooms are imported inside the commands, as in `ivr.cli`, which takes these in.
"""

# ruff: noqa: PLC0415, PLR0917 - see above; a typer command's options are its arguments
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli.options import Config

if TYPE_CHECKING:
    from ivr.config import RecordSettings

app = typer.Typer(
    help="Make, look at and end the keys of the API; a secret is shown once.",
    no_args_is_help=True,
)

KeyId = Annotated[str, typer.Argument(help="Its id, ivr_ and 12 hex digits, as the list has it.")]
ExpiresIn = Annotated[
    str | None, typer.Option("--expires-in", help="Life of the new key: 90d, 12h, 52w.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line, for machines.")]


def _settings(config: Config) -> RecordSettings:
    from ivr.config import load_settings

    return load_settings(config).records


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it, such as crm-production.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it may do, once each: transcribe, calls:read, calls:write, numbers:read, "
            "audio:read, flows:read, metrics:read, admin."
        ),
    ],
    config: Config = None,
    expires_in: ExpiresIn = None,
    own_calls: Annotated[
        bool,
        typer.Option(
            "--own-calls", help="Let it see only calls placed with it, none that came in."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a key, and print it this once."""
    from ivr.records.key_command import run_create

    raise typer.Exit(
        run_create(
            _settings(config),
            name,
            scope,
            expires_in=expires_in,
            own_calls=own_calls,
            json_output=as_json,
        )
    )


@app.command("list")
def list_keys(config: Config = None, as_json: Json = False) -> None:
    """Show the keys: ids, names, scopes, state and use; nothing secret."""
    from ivr.records.key_command import run_list

    raise typer.Exit(run_list(_settings(config), json_output=as_json))


@app.command()
def rotate(
    key_id: KeyId,
    config: Config = None,
    overlap: Annotated[
        str, typer.Option(help="How long the old key is still good: 7d, 12h, 0m.")
    ] = "7d",
    expires_in: ExpiresIn = None,
    as_json: Json = False,
) -> None:
    """Make the successor of a key, with its name, scopes and calls, and print it this once."""
    from ivr.records.key_command import run_rotate

    raise typer.Exit(
        run_rotate(
            _settings(config),
            key_id,
            overlap=overlap,
            expires_in=expires_in,
            json_output=as_json,
        )
    )


@app.command()
def revoke(key_id: KeyId, config: Config = None) -> None:
    """End a key."""
    from ivr.records.key_command import run_revoke

    raise typer.Exit(run_revoke(_settings(config), key_id))
