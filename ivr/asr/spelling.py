"""From the pieces of text that a stock Whisper writes to spoken words, held to a grammar.

Theory of operation: a stock checkpoint writes " 4155", " four one", " Fifty-one." or " 4, 1, 5" for
the same speech, in pieces of one or more characters. Read character by character, a digit is the
word of that digit, letters collect until something else ends their word, and marks between words
say nothing. `spell` takes one more piece and gives None as soon as no answer that the grammar
accepts could be written like this; so a search that follows only what `spell` lets through cannot
come out anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.asr.tokens import DIGITS
from ivr.grammar.grammar import Grammar, State

# What Whisper puts between numbers: "4, 1", "555-0932", "10:30", "one. Two!"
MARKS = " ,.-:;!?"


@dataclass(frozen=True, slots=True)
class Spelled:
    """What some pieces spell.

    Attributes:
        state: the grammar's state after the words that are whole.
        letters: the beginning of a word that goes on, or that the next mark ends; lower case.
    """

    state: State
    letters: str = ""


def begin(grammar: Grammar) -> Spelled:
    """Nothing spelt yet."""
    return Spelled(grammar.start())


def spell(grammar: Grammar, spelled: Spelled, text: str) -> Spelled | None:
    """What is spelt with one more piece of text.

    Args:
        grammar: what the answer is held to.
        spelled: what was spelt before.
        text: the piece's text, upper and lower case alike.

    Returns:
        None where no accepted answer is written like this.
    """
    state: State | None = spelled.state
    letters = spelled.letters
    for character in text.lower():
        if character.isascii() and character.isalpha():
            letters += character
            continue
        if letters and state is not None:
            state = grammar.advance(state, letters)
            letters = ""
        if state is None:
            return None
        if character.isascii() and character.isdecimal():
            state = grammar.advance(state, DIGITS[int(character)])
        elif character not in MARKS:
            return None
    if state is None:
        return None
    if letters and not any(word.startswith(letters) for word in state.next_words):
        return None
    return Spelled(state, letters)


def end(grammar: Grammar, spelled: Spelled) -> State | None:
    """The grammar's state if nothing follows; None where that is no accepted answer."""
    state: State | None = spelled.state
    if spelled.letters and state is not None:
        state = grammar.advance(state, spelled.letters)
    return state if state is not None and state.complete else None
