"""`ivr transcribe`: recordings through the live path, and what a call would have taken from each.

What is printed here is the point of the command, so digits are shown; nothing of it is logged.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ivr.asr.loading import open_engine
from ivr.flow.model import Listening
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.list_file import given_lists
from ivr.grammar.lists import pin, unpinned
from ivr.heard import Alternative, Answer, SpokenWord, alternatives, spoken_words
from ivr.hearing import Listener


class Transcriber:
    """Hears files with one model and one grammar.

    Args:
        folder: the model's folder; None for the embedded model.
        grammar: grammar URI of the question.
        confidence_level: answers below it count as none.

    Raises:
        ConfigError: the grammar is not one.
        ModelError: the model cannot be loaded.
    """

    def __init__(self, folder: Path | None, grammar: str, confidence_level: float) -> None:
        self.grammar, self.confidence_level = grammar, confidence_level
        self._parsed = parse_grammar(grammar)
        engine = open_engine(folder)
        self._model = engine.describe()
        self._listener = Listener(engine, grammar)

    def hear(self, file: Path) -> Answer:
        """What a call would have taken from this file."""
        return self._listener.hear(file)

    def accepted(self, answer: Answer) -> str:
        """The answer's value where it is sure enough, else ""."""
        return answer.value if answer.confidence >= self.confidence_level else ""

    def as_dict(self, file: Path, answer: Answer) -> dict[str, Any]:
        """The object that `--json` prints for a file."""
        return {
            "file": str(file),
            "digits": self.accepted(answer),
            "words": [asdict(word) for word in spoken_words(answer.utterances)],
            "confidence": round(answer.confidence, 4),
            "n_best": [asdict(way) for way in self.n_best(answer)],
            "grammar": unpinned(self.grammar),
            "model": self._model,
            "error": answer.error or None,
        }

    def n_best(self, answer: Answer) -> list[Alternative]:
        """The likeliest ways to hear the file."""
        return alternatives(answer.utterances, self._parsed)


def run_transcribe(
    files: Sequence[Path],
    *,
    grammar: str,
    folder: Path | None,
    confidence_level: float | None,
    json_output: bool,
    lists: Sequence[str] = (),
    console: Console | None = None,
) -> int:
    """Hears files one after the other and prints each as soon as it is heard.

    Args:
        files: recordings.
        grammar: grammar URI of the question.
        folder: the model's folder; None for the embedded model.
        confidence_level: answers below it count as none; None for the flows' default.
        json_output: print a JSON object a line.
        lists: files that the grammar names, each ``NAME=FILE``.
        console: where to print for people.

    Returns:
        The exit status: 1 if a file could not be read, else 0.

    Raises:
        ConfigError: the grammar is not one, or a list is wrong.
        ModelError: the model cannot be loaded.
    """
    directories = given_lists(lists)
    grammar = pin(grammar, directories)
    level = Listening().confidence_level if confidence_level is None else confidence_level
    transcriber = Transcriber(folder, grammar, level)
    console = console or Console()
    errors = Console(stderr=True, soft_wrap=True)
    broken = 0
    for file in files:
        answer = transcriber.hear(file)
        if answer.error:
            broken += 1
            errors.print(Text.assemble(("error: ", "red"), answer.error), highlight=False)
        if json_output:
            sys.stdout.write(json.dumps(transcriber.as_dict(file, answer)) + "\n")
            sys.stdout.flush()
        elif not answer.error:
            print_answer(console, transcriber, file, answer)
    return 1 if broken else 0


def print_answer(console: Console, transcriber: Transcriber, file: Path, answer: Answer) -> None:
    """Prints what was heard in one file, for people."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    accepted = transcriber.accepted(answer)
    grid.add_row("answer", _verdict(transcriber, answer))
    if answer.utterances:
        grid.add_row("words", _words_table(spoken_words(answer.utterances)))
        grid.add_row("n-best", _n_best_table(transcriber.n_best(answer)))
    # A name that is not UTF-8 is shown with escapes rather than not at all.
    name = str(file).encode(errors="backslashreplace").decode()
    style = "green" if accepted else "yellow"
    console.print(Panel(grid, title=Text(name), title_align="left", border_style=style))


def _verdict(transcriber: Transcriber, answer: Answer) -> Text:
    """The answer in one line."""
    if not answer.utterances:
        return Text("no speech was heard", style="yellow")
    if not answer.value:
        return Text("no number was heard, nor yes or no", style="yellow")
    sure = f"confidence {answer.confidence:.2f}"
    if not transcriber.accepted(answer):
        level = f"{transcriber.confidence_level:g}"
        return Text(f"not sure enough: {answer.value}, {sure}, below {level}", style="yellow")
    return Text.assemble((answer.value, "bold green"), f", {sure}")


def _words_table(words: Sequence[SpokenWord]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for word in words:
        untimed = word.start_ms is None or word.end_ms is None
        place = "" if untimed else f"{word.start_ms} to {word.end_ms} ms"
        table.add_row(Text(word.word), place, f"{word.confidence:.2f}")
    return table


def _n_best_table(ways: Sequence[Alternative]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="dim")
    for way in ways:
        words = way.words.strip() or "(nothing)"
        table.add_row(f"{100 * way.probability:.1f} %", way.digits or "-", Text(words))
    return table
