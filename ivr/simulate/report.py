"""Calls for people and for machines: the dialogue, the summary table, JSON.

What is printed here is the point of the command, so digits are shown, except those of sensitive
turns; nothing of it is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ivr.simulate.exchange import Exchange, Verdict
from ivr.simulate.masking import masked
from ivr.simulate.playout import RATE_HZ

LATE_MS: Final = 40.0
"""Two frames; a provider's own jitter is about one, and its playback buffer hides two."""


def print_dialogue(console: Console, verdict: Verdict, name: str | None = None) -> None:
    """Print one call as a dialogue, under this name or the script's own."""
    script = verdict.result.script
    verdict = masked(verdict)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for exchange in verdict.exchanges:
        _add_exchange(grid, exchange)
    if not verdict.exchanges:
        for given in verdict.result.inputs:
            grid.add_row("caller", Text(f"{given.kind}: {given.text}", style="cyan"))
    for problem in verdict.problems:
        grid.add_row("problem", Text(problem, style="bold red"))
    title = f"[bold]{escape(name or script.name)}[/bold]  {escape(script.description)}"
    style = "green" if verdict.passed else "red"
    console.print(Panel(grid, title=title, title_align="left", border_style=style))


def _add_exchange(grid: Table, exchange: Exchange) -> None:
    """The lines of one turn."""
    for prompt in exchange.prompts:
        grid.add_row("agent", Text(prompt))
    for given in exchange.inputs:
        verb = {"say": "says", "wav": "plays", "keys": "keys"}[given.kind]
        into = ", into the prompt" if given.barged_in else ""
        grid.add_row("caller", Text(f"{verb} {given.text}{into}", style="cyan"))
    if exchange.cause is not None:
        if not exchange.inputs:
            grid.add_row("caller", Text("(silent)", style="cyan"))
        grid.add_row("heard", _heard(exchange))
    if exchange.action:
        grid.add_row("flow", Text(exchange.action, style="dim"))


def _heard(exchange: Exchange) -> Text:
    """What the server made of the answer, on one line."""
    parts: list[str] = []
    if exchange.words:
        said_so = exchange.value in (None, exchange.words)
        parts.append(exchange.words if said_so else f"{exchange.words} = {exchange.value}")
    parts.append(str(exchange.cause))
    if exchange.words and exchange.confidence is not None:
        parts.append(f"confidence {exchange.confidence:.2f}")
    if exchange.decision_ms is not None:
        what = "key" if exchange.mode == "dtmf" else "word"
        parts.append(f"decided {exchange.decision_ms:.0f} ms after the last {what}")
    if exchange.barged_in:
        parts.append("barged in")
    return Text(", ".join(parts), style="green" if exchange.cause == "success" else "yellow")


def summary_table(verdicts: Sequence[Verdict], names: Sequence[str] | None = None) -> Table:
    """One row a call, under these names or the scripts' own."""
    names = names or [verdict.result.script.name for verdict in verdicts]
    table = Table(title="Calls", title_justify="left")
    for name in ("call", "outcome", "turns", "decided in", "length", "gaps", "as scripted"):
        right = name in ("turns", "decided in", "length", "gaps")
        table.add_column(name, justify="right" if right else "left")
    for name, verdict in zip(names, verdicts, strict=True):
        result = verdict.result
        table.add_row(
            escape(name),
            escape(verdict.outcome or "-"),
            str(sum(exchange.cause is not None for exchange in verdict.exchanges)),
            "-" if verdict.decision_ms is None else f"{verdict.decision_ms:.0f} ms",
            f"{result.duration_s:.1f} s",
            f"{result.underrun_ms:.0f} ms",
            "[green]yes[/green]" if verdict.passed else "[red]no[/red]",
        )
    return table


def print_summary(
    console: Console, verdicts: Sequence[Verdict], names: Sequence[str] | None = None
) -> None:
    """Print the table, what its columns mean, and how many calls went as scripted."""
    console.print(summary_table(verdicts, names))
    console.print(
        "decided in: slowest, from the caller's last spoken sample or key to the decision; "
        "gaps: silence inside prompts, from audio that came too late.",
        style="dim",
    )
    late_ms = max((verdict.result.worst_lateness_ms for verdict in verdicts), default=0.0)
    if late_ms > LATE_MS:
        console.print(
            f"The caller's own frames were up to {late_ms:.0f} ms late: this machine is busy, "
            "and the times above suffer from it.",
            style="yellow",
        )
    passed = sum(verdict.passed for verdict in verdicts)
    console.print(f"{passed} of {len(verdicts)} calls ended as their scripts say.", style="bold")


def as_json(verdict: Verdict) -> dict[str, Any]:
    """One call as plain values; times in milliseconds of the caller's line."""
    verdict = masked(verdict)
    result = verdict.result
    return {
        "call": result.script.name,
        "call_id": result.call_id,
        "passed": verdict.passed,
        "problems": list(verdict.problems),
        "outcome": verdict.outcome,
        "variables": verdict.variables,
        "ended_by": result.ended_by,
        "close_code": result.close_code,
        "duration_s": round(result.duration_s, 3),
        "decision_ms": verdict.decision_ms,
        "underrun_ms": round(result.underrun_ms, 1),
        "worst_lateness_ms": round(result.worst_lateness_ms, 1),
        "turns": [_exchange_json(exchange) for exchange in verdict.exchanges],
        "prompts": [
            {
                "start_ms": prompt.start_sample * 1000 / RATE_HZ,
                "end_ms": prompt.end_sample * 1000 / RATE_HZ,
                "mark": prompt.mark,
                "cleared": prompt.cleared,
            }
            for prompt in result.prompts
        ],
    }


def _exchange_json(exchange: Exchange) -> dict[str, Any]:
    """A turn as plain values."""
    inputs = [
        {
            "kind": given.kind,
            "text": given.text,
            "start_ms": given.start_sample * 1000 / RATE_HZ,
            "end_ms": given.end_sample * 1000 / RATE_HZ,
            "barged_in": given.barged_in,
        }
        for given in exchange.inputs
    ]
    return {**asdict(exchange), "prompts": list(exchange.prompts), "inputs": inputs}
