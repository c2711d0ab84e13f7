"""The agent's own voice that comes back: through a loudspeaker, or over a line without a canceller.

Theory of operation: while a prompt reads digits to the caller, digits that are heard may be the
prompt's. They are taken for its echo where they are a run of those that it reads, three or more:
two may well be an answer, and three that are just these are one time in a hundred an answer by
chance. Only prompts that hold the caller's numbers count: "for sales say one" is meant to be
answered with its own word. What is passed over so is not lost to a caller who means it: the prompt
goes on, and what he says after it is heard as ever.

While something is still being said, one or two such digits may be the beginning of an echo, and do
not stop the prompt yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ivr.flow.turn import Prompt
from ivr.grammar.words import NUMBER_WORDS, OTHER, SINGLES, natural_reading
from ivr.recognition import Recognition

SHORTEST_ECHO: Final = 3  # digits


def is_echo(heard: Recognition, prompts: Iterable[Prompt], shortest: int = SHORTEST_ECHO) -> bool:
    """Whether what was heard over the prompts is what they read aloud.

    Args:
        heard: what was heard.
        prompts: in whose time it was said.
        shortest: so many digits; fewer for what may be the beginning of an echo.
    """
    words = [word.text for word in heard.best.words if word.text != OTHER]
    digits = natural_reading(words)
    if not set(words) <= NUMBER_WORDS or len(digits) < shortest:
        return False
    return any(digits in run for prompt in prompts if prompt.personal for run in _runs(prompt.text))


def _runs(text: str) -> list[str]:
    """The digits that a text reads in a row, three or more, until another word comes between."""
    runs = [""]
    for token in re.findall(r"[a-z]+|\d", text.lower()):
        digit = token if token.isdigit() else SINGLES.get(token)
        if digit is None:
            runs.append("")
        else:
            runs[-1] += digit
    return [run for run in runs if len(run) >= SHORTEST_ECHO]
