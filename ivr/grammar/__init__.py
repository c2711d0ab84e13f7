"""From spoken words and keys to accepted values.

`parse_grammar` makes a `Grammar`; `interpret` applies it to what the recogniser heard; `progress`
tells the endpointer whether to wait for more.
"""

from ivr.grammar.grammar import Grammar, State, parse_grammar
from ivr.grammar.interpret import Progress, interpret, progress
from ivr.grammar.words import natural_reading

__all__ = [
    "Grammar",
    "Progress",
    "State",
    "interpret",
    "natural_reading",
    "parse_grammar",
    "progress",
]
