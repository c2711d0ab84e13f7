"""Regular expressions over digits, without backtracking.

Theory of operation
-------------------
The expression is read from left to right by recursive descent. Each part becomes a *piece*: a
function that is told the state to go on to and gives the state to begin at, having made the states
between (Thompson 1968). So a piece can be placed as often as a repetition wants. The result is a
non-deterministic automaton; the rule that `ivr.grammar.table` compiles is the set of its states
that the symbols so far can be in. Time and memory follow from the expression, never from what is
said.

    4(155|62)[0-9]{4}     4155 or 462, and four more digits

An expression always means the whole string, so there are no anchors, and what has no use for digits
(groups to capture, look-around, back references) is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ivr.grammar.digits import DIGITS

_Piece = Callable[[int], int]  # the state that follows -> the state to begin at

# A pattern of a hundred digits has a few hundred states; more than this is a slip in a repetition.
_MAX_STATES: Final = 20_000
_MAX_REPEATS: Final = 100  # no answer is longer
_DEEPEST: Final = 20  # nested groups
_SIGNS: Final = ("?", "*", "+", "{")


class Pattern:
    r"""The strings that a regular expression matches as a whole; a `Rule`.

    Digits, ``.`` and ``\d`` (any digit), ``[0-46]`` and ``[^0]``, ``( )``, ``|``, ``?``, ``*``,
    ``+``, ``{3}``, ``{2,}``, ``{2,4}``. State: where in the expression the string can be.

    Args:
        text: the expression.
        marks: characters that may occur beside digits, as themselves.

    Raises:
        ValueError: what is wrong, and what would be right.
    """

    def __init__(self, text: str, *, marks: str = "") -> None:
        self._text = text
        self._marks = marks
        self._at = 0
        self._symbols: list[str] = []  # for each state, what leads on from it; "" for nothing
        self._targets: list[tuple[int, ...]] = []  # and where to
        self._end = self._state("", ())
        piece = self._choice(0)
        if self._at < len(text):
            raise self._error("a ) without its (")
        self.start = self._settle({piece(self._end)})

    def step(self, state: frozenset[int], symbol: str) -> frozenset[int] | None:
        """See `Rule`."""
        reached = {
            target
            for number in state
            if symbol in self._symbols[number]
            for target in self._targets[number]
        }
        return self._settle(reached) if reached else None

    def accepts(self, state: frozenset[int]) -> bool:
        """See `Rule`."""
        return self._end in state

    def _settle(self, states: set[int]) -> frozenset[int]:
        """The states that wait for a symbol (or are the end), reached from these without one."""
        waiting, seen = list(states), set(states)
        while waiting:
            number = waiting.pop()
            if not self._symbols[number]:
                fresh = set(self._targets[number]) - seen
                seen |= fresh
                waiting += fresh
        return frozenset(n for n in seen if self._symbols[n] or n == self._end)

    def _state(self, symbols: str, targets: tuple[int, ...]) -> int:
        if len(self._symbols) >= _MAX_STATES:
            raise self._error("too large; count lower in { }")
        self._symbols.append(symbols)
        self._targets.append(targets)
        return len(self._symbols) - 1

    # -- reading ------------------------------------------------------------------------------

    def _error(self, what: str) -> ValueError:
        return ValueError(f"pattern {self._text!r}: {what}")

    def _peek(self) -> str:
        """The next character, "" at the end."""
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def _choice(self, depth: int) -> _Piece:
        pieces = [self._sequence(depth)]
        while self._peek() == "|":
            self._take()
            pieces.append(self._sequence(depth))
        if len(pieces) == 1:
            return pieces[0]
        return lambda end: self._state("", tuple(piece(end) for piece in pieces))

    def _sequence(self, depth: int) -> _Piece:
        pieces = []
        while self._peek() not in {"", "|", ")"}:
            pieces.append(self._repeated(self._atom(depth)))
        if not pieces:
            raise self._error("an empty alternative; write ? after what may be left out")

        def place(end: int) -> int:
            for piece in reversed(pieces):
                end = piece(end)
            return end

        return place

    def _atom(self, depth: int) -> _Piece:
        character = self._take()
        if character == "(":
            if depth == _DEEPEST:
                raise self._error("nested too deeply")
            piece = self._choice(depth + 1)
            if self._take() != ")":
                raise self._error("a ( without its )")
            return piece
        symbols = self._symbols_of(character)
        return lambda end: self._state(symbols, (end,))

    def _symbols_of(self, character: str) -> str:
        """The symbols that one place may hold."""
        if character == ".":
            return DIGITS
        if character == "[":
            return self._set()
        if character == "\\":
            escaped = self._take()
            if escaped == "d":
                return DIGITS
            if escaped and escaped in self._marks:
                return escaped
            raise self._error(f"\\{escaped} means nothing here; \\d is any digit")
        if character in DIGITS or character in self._marks:
            return character
        if character in _SIGNS:
            raise self._error(f"nothing before {character} to repeat; group it in ( )")
        raise self._error(
            f"{character!r} has no meaning; write digits, ., [0-9], ( ), |, ?, *, + or {{2,4}}"
        )

    def _set(self) -> str:
        """What lies between [ and ]."""
        inside, closed, _ = self._text[self._at :].partition("]")
        self._at += len(inside) + 1
        chosen: set[str] = set()
        rest = inside.removeprefix("^")
        while rest:
            first, last = rest[0], rest[0]
            if rest[1:2] == "-":
                last, rest = rest[2:3], rest[2:]
            if not last or first not in DIGITS or last not in DIGITS or first > last:
                raise self._error(f"[{inside}] must hold digits, as [0-46] does")
            chosen.update(DIGITS[int(first) : int(last) + 1])
            rest = rest[1:]
        if inside.startswith("^"):
            chosen = set(DIGITS) - chosen
        if not closed or not inside.strip("^") or not chosen:
            raise self._error(f"[{inside} must hold digits and end with ]")
        return "".join(sorted(chosen))

    # -- repetition ---------------------------------------------------------------------------

    def _repeated(self, piece: _Piece) -> _Piece:
        """The piece, as often as the sign after it says."""
        sign = self._peek()
        if sign not in _SIGNS:
            return piece
        self._take()
        least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(sign) or self._counts()
        if self._peek() in _SIGNS:
            raise self._error(f"{self._peek()} after a repetition; group it in ( )")

        def place(end: int) -> int:
            if most is None:
                end = self._loop(piece, end)
            else:
                for _ in range(most - least):
                    end = self._state("", (piece(end), end))
            for _ in range(least):
                end = piece(end)
            return end

        return place

    def _loop(self, piece: _Piece, end: int) -> int:
        """Any number of times: a state that leads into the piece, which leads back to it."""
        turn = self._state("", ())
        self._targets[turn] = (piece(turn), end)
        return turn

    def _counts(self) -> tuple[int, int | None]:
        """What lies between { and }."""
        inside, closed, _ = self._text[self._at :].partition("}")
        self._at += len(inside) + 1
        low, comma, high = inside.partition(",")
        counts = [low, *([high] if comma and high else [])]
        if not closed or not all(c.isascii() and c.isdecimal() and len(c) <= 3 for c in counts):
            raise self._error(f"{{{inside} must be a count, as {{4}} or {{2,4}} is")
        least, most = int(low), int(high) if high else None if comma else int(low)
        if max(least, most or 0) > _MAX_REPEATS or most == 0 or (most or least) < least:
            raise self._error(f"{{{inside}}} must go upwards, to {_MAX_REPEATS} at most")
        return least, most
