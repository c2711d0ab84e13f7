"""`ivr flow try`: a rehearsal in the terminal, by hand or from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from ivr.config import Settings
from ivr.errors import ConfigError
from ivr.flow.machine import Lookup
from ivr.flow.request import Answer
from ivr.flow.schema import Flow, load_flow
from ivr.lookups.service import Lookups
from ivr.recognition import Collected
from ivr.rehearsal import HANG_UP, Rehearsal, answer_of

_COMMENT = "# "  # with a space: a # alone is a key


Ask = Callable[[Lookup], Answer]


def run_rehearsal(
    path: Path, variables: dict[str, str], script: Path | None, settings: Settings | None = None
) -> int:
    """Talk to a flow as text, and print the dialogue.

    Args:
        path: of the flow.
        variables: values for the flow's ``variables``.
        script: the answers, one a line; without it they are asked for.
        settings: whom lookups may ask; without them they are answered like questions.

    Returns:
        The exit status: 1 if a script has too few answers or too many, otherwise 0.

    Raises:
        FlowError: the flow is wrong.
        ConfigError: the script cannot be read, a variable is wrong, a line of the script is no
            answer to a lookup, or the flow asks what it may not.
    """
    flow = load_flow(path)
    ask = _asking(settings, flow) if settings is not None else None
    rehearsal = Rehearsal(flow, variables)
    lines = _script(script) if script is not None else None
    read = _typed if lines is None else (lambda _: next(lines, None))
    answered = _talk(rehearsal, read, ask, echo=lines is not None)
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


def _talk(
    rehearsal: Rehearsal, read: Callable[[str], str | None], ask: Ask | None, *, echo: bool
) -> int:
    """The dialogue, until the call is over or nothing is read any more; the number of answers."""
    answered = 0
    while True:
        for prompt in rehearsal.prompts:
            typer.echo(f"agent   {prompt.text or '(a tone)'}")
        if rehearsal.lookup is not None and ask is not None:
            answer = ask(rehearsal.lookup)
            typer.echo(f"lookup  {rehearsal.lookup.step}: {answer.reason or answer.cause}")
            rehearsal.looked_up(answer)
            continue
        asked = "lookup" if rehearsal.lookup else "transfer" if rehearsal.transfer else "caller"
        if rehearsal.end is not None or (line := read(asked)) is None:
            return answered
        if line == HANG_UP and asked != "caller":
            rehearsal.hang_up()
            continue
        if rehearsal.lookup is not None:
            answered += _look_up(rehearsal, rehearsal.lookup, line, echo=echo)
            continue
        if rehearsal.transfer is not None:
            number, done = rehearsal.transfer.number, rehearsal.transferred(line)
            typer.echo(f"{'handed' if done else 'failed'}  {number}")
            answered += 1
            continue
        masks = rehearsal.masks
        if echo:
            typer.echo(f"caller  {_shown(line, masks)}")
        collected = rehearsal.answer(line)
        answered += 1
        if collected is not None:
            typer.echo(f"heard   {_heard(collected, masks)}")


def _look_up(rehearsal: Rehearsal, lookup: Lookup, line: str, *, echo: bool) -> int:
    """Answers a lookup with a line; whether it was one."""
    try:
        answer = answer_of(lookup, line)
    except ValueError as error:
        if echo:
            raise ConfigError(f"--script: {lookup.step} is a lookup; {error}") from None
        typer.echo(f"        {lookup.step}: {error}")
        return 0
    if echo:
        typer.echo(f"lookup  {lookup.step}: {answer.cause}")
    rehearsal.looked_up(answer)
    return 1


def _asking(settings: Settings, flow: Flow) -> Ask:
    """Asks as a server with these settings does."""
    Lookups(settings.lookups).check(flow)

    async def ask(lookup: Lookup) -> Answer:
        lookups = Lookups(settings.lookups)
        try:
            return await lookups.look_up(lookup.request)
        finally:
            await lookups.close()

    return lambda lookup: asyncio.run(ask(lookup))


def _typed(asked: str) -> str:
    """A line from the terminal; the end of the input is a caller who hangs up."""
    try:
        return input(f"{asked}> ")
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
