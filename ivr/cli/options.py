"""What several commands take, and how a missing extra of the package is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ivr.errors import ConfigError

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file (YAML); see config/ivr.example.yaml."),
]
Model = Annotated[
    Path | None, typer.Option("--model", help="Folder of a model; the embedded one by default.")
]
Lists = Annotated[
    list[str] | None,
    typer.Option("--list", help="NAME=FILE, or NAME=FILE.csv#COLUMN: a list the grammar names."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
OptionalPath = Path | None


@contextmanager
def needs_extra(name: str, what: str) -> Iterator[None]:
    """Imports that need an extra of the package: a missing one is told with its cure."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs the package {error.name}; install it with pip install 'ivr[{name}]'"
        ) from error
