"""The words that are heard everywhere, and what is no command."""

from __future__ import annotations

import pytest

from ivr.grammar.commands import PHRASES, Command, command_of
from ivr.grammar.grammar import parse_grammar
from ivr.grammar.interpret import command_in, correction_in
from tests.call.talk import heard

FOUR = parse_grammar("builtin:digits?length=4")
BOOLEAN = parse_grammar("builtin:boolean")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("repeat", "repeat"),
        ("<other> repeat <other>", "repeat"),
        ("<other> again", "repeat"),
        ("help help", "help"),
        ("<other> operator <other>", "operator"),
        ("start again", "restart"),
        ("start <other>", "restart"),  # "start over"
        ("cancel", "restart"),
        ("no cancel <other>", "restart"),
        ("start", None),
        ("four help", None),
        ("stop", None),
        ("yes", None),
        ("", None),
    ],
)
def test_a_command_is_all_that_was_said(words: str, command: str | None) -> None:
    """Speech outside the vocabulary may surround it, nothing else."""
    assert command_of(words.split()) == (command and Command(command))


def test_an_answer_that_is_likelier_wins() -> None:
    """The N-best list is walked in order; what answers the question ends the walk."""
    assert command_in(heard("four one five five", "help"), FOUR) is None
    assert command_in(heard("", "help"), FOUR) is None
    found = command_in(heard("four one five", "help"), FOUR)
    assert found is not None
    assert found.command is Command.HELP
    assert found.confidence == pytest.approx(0.95 * 0.3679, abs=0.01)


def test_no_that_says_what_is_right() -> None:
    """A plain no is an answer; a no with digits is a correction."""
    assert correction_in(heard("no"), BOOLEAN) is None
    assert correction_in(heard("no", "no five"), BOOLEAN) is None
    found = correction_in(heard("no five <other> not nine"), BOOLEAN)
    assert found is not None
    assert found.words == ("no", "five", "not", "nine")
    assert "five" not in repr(found)


def test_every_phrase_is_in_the_grammar_for_the_recogniser() -> None:
    """The decoder can be held to the phrases that are understood."""
    grammar = parse_grammar("builtin:digits?length=4|builtin:command")
    for phrase, command in PHRASES.items():
        state = grammar.walk(phrase)
        assert state is not None
        assert state.values == (command,)
