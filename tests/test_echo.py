"""The agent's own digits that come back, told from an answer."""

from __future__ import annotations

import pytest

from ivr.echo import is_echo
from ivr.flow.turn import Prompt
from tests.call.talk import heard

READ_BACK = Prompt("I have four one five five, zero zero one two. Is that right?", personal=True)


@pytest.mark.parametrize(
    ("words", "echo"),
    [
        ("four one five five", True),
        ("five five oh oh one", True),  # "oh" is how the recogniser hears a zero
        ("<other> zero zero one two", True),
        ("one two", False),  # two digits may be an answer
        ("four one five nine", False),
        ("no four one five five zero", False),
        ("four one five five zero zero one two three", False),
        ("yes", False),
        ("", False),
    ],
)
def test_a_run_of_the_digits_that_the_prompt_reads_is_its_echo(words: str, echo: bool) -> None:
    """Three digits or more, and nothing else."""
    assert is_echo(heard(words), [READ_BACK]) == echo


def test_digits_on_both_sides_of_a_word_are_no_run() -> None:
    """The prompt's words lie between them."""
    prompt = Prompt("four one, then something, five five", personal=True)
    assert not is_echo(heard("four one five five"), [prompt])


def test_figures_are_digits() -> None:
    """A flow may write a number as it is."""
    assert is_echo(heard("four one five"), [Prompt("Account 4155.", personal=True)])


def test_a_menu_is_answered_with_its_own_words() -> None:
    """Only what holds the caller's numbers is read back."""
    menu = Prompt("Say one two three for sales.")
    assert not is_echo(heard("one two three"), [menu])


def test_one_digit_may_be_the_beginning_of_an_echo() -> None:
    """But not of a prompt that reads no number."""
    assert is_echo(heard("five"), [READ_BACK], shortest=1)
    assert not is_echo(heard("nine"), [READ_BACK], shortest=1)
    assert not is_echo(heard(""), [READ_BACK], shortest=1)
    assert not is_echo(heard("one"), [Prompt("Ann, say one or two.", personal=True)], shortest=1)
