"""`ivr flow try`: a rehearsal in the terminal, by hand or from a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from ivr.errors import ConfigError
from ivr.flow.schema import load_flow
from ivr.recognition import Collected
from ivr.rehearsal import HANG_UP, Rehearsal

_COMMENT = "# "  # with a space: a # alone is a key


def run_rehearsal(path: Path, variables: dict[str, str], script: Path | None) -> int:
    """Talk to a flow as text, and print the dialogue.

    Args:
        path: of the flow.
        variables: values for the flow's ``variables``.
        script: the answers, one a line; without it they are asked for.

    Returns:
        The exit status: 1 if a script has too few answers or too many, otherwise 0.

    Raises:
        FlowError: the flow is wrong.
        ConfigError: the script cannot be read, or a variable is wrong.
    """
    rehearsal = Rehearsal(load_flow(path), variables)
    lines = _script(script) if script is not None else None
    read = _typed if lines is None else (lambda: next(lines, None))
    answered = _talk(rehearsal, read, echo=lines is not None)
    if rehearsal.end is None:
        typer.echo("the script is over and the call is not; add answers", err=True)
        return 1
    typer.echo(f"end     {rehearsal.end.outcome}")
    for name, value in sorted(rehearsal.variables.items()):
        typer.echo(f"        {name} = {_shown(value, name in rehearsal.sensitive)}")
    if lines is not None and (left := len(list(lines))):
        typer.echo(f"the call is over after {answered} answers; {left} are left", err=True)
        return 1
    return 0


def _talk(rehearsal: Rehearsal, read: Callable[[], str | None], *, echo: bool) -> int:
    """The dialogue, until the call is over or nothing is read any more; the number of answers."""
    answered = 0
    while True:
        for prompt in rehearsal.prompts:
            typer.echo(f"agent   {prompt.text}")
        if rehearsal.end is not None or (line := read()) is None:
            return answered
        masks = rehearsal.masks
        if echo:
            typer.echo(f"caller  {_shown(line, masks)}")
        collected = rehearsal.answer(line)
        answered += 1
        if collected is not None:
            typer.echo(f"heard   {_heard(collected, masks)}")


def _typed() -> str:
    """A line from the terminal; the end of the input is a caller who hangs up."""
    try:
        return input("caller> ")
    except EOFError:
        typer.echo()
        return HANG_UP


def _script(path: Path) -> Iterator[str]:
    """The answers of a script, without comments and empty lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--script: {path} cannot be read; give a text file") from error
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith(_COMMENT))


def _heard(collected: Collected, masked: bool) -> str:
    """What was made of an answer."""
    if collected.value is None:
        return str(collected.cause)
    return f"{_shown(collected.value, masked)}, {collected.cause}"


def _shown(value: str, masked: bool) -> str:
    return "*" * len(value) if masked else value
