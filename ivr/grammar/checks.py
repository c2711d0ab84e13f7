"""Check digits, one digit at a time: Luhn, mod 97, mod 11, ABA, Verhoeff, Damm.

Theory of operation
-------------------
A check digit makes most misheard numbers impossible. Here each procedure is a rule that reads from
left to right (`ivr.grammar.table`), so that a grammar can hold a hypothesis to it while it grows,
and not merely refuse it at the end. Mod 97, ABA and Damm are defined from left to right anyway. The
others count places from the *last* digit:

- Luhn doubles every other digit. Two sums are kept, as if the latest digit were the last one and as
  if it were the last but one, and each new digit turns them into each other;
- mod 11 and Verhoeff have six weights and eight permutations. To keep a sum for each would be
  millions of states, so these rules are told the length, and a grammar with several lengths has
  one rule for each.

The numbers include their check digits. tests/grammar/test_checks.py holds all of it against
python-stdnum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ivr.grammar.table import Rule


class Luhn:
    """ISO/IEC 7812-1, cards. State: the sum mod 10 with the latest digit plain, and doubled."""

    start = (0, 0)

    def step(self, state: tuple[int, int], digit: str) -> tuple[int, int]:
        """See `Rule`."""
        plain, doubled = state
        value = int(digit)
        return ((doubled + value) % 10, (plain + sum(divmod(2 * value, 10))) % 10)

    def accepts(self, state: tuple[int, int]) -> bool:
        """See `Rule`."""
        return state[0] == 0


class Mod97:
    """ISO 7064 mod 97-10, as in an IBAN: two check digits at the end. State: the remainder."""

    start = 0

    def step(self, state: int, digit: str) -> int:
        """See `Rule`."""
        return (10 * state + int(digit)) % 97

    def accepts(self, state: int) -> bool:
        """See `Rule`."""
        return state == 1


class Aba:
    """Routing numbers of US banks: nine digits, weights 3, 7, 1. State: (how many, sum mod 10)."""

    start = (0, 0)

    def step(self, state: tuple[int, int], digit: str) -> tuple[int, int] | None:
        """See `Rule`."""
        length, total = state
        if length == 9:
            return None
        return (length + 1, (total + int(digit) * (3, 7, 1)[length % 3]) % 10)

    def accepts(self, state: tuple[int, int]) -> bool:
        """See `Rule`."""
        return state == (9, 0)


class Mod11:
    """Weights 2 to 7 from the last digit but one leftwards, repeated; Norway's banks and others.

    The weighted sum and the check digit add up to a multiple of 11; numbers whose check digit would
    be 10 are not given out. State: (how many, sum mod 11).

    Args:
        length: of the whole number.
    """

    start = (0, 0)

    def __init__(self, length: int) -> None:
        self._weights = [*(2 + place % 6 for place in range(length - 2, -1, -1)), 1]

    def step(self, state: tuple[int, int], digit: str) -> tuple[int, int] | None:
        """See `Rule`."""
        place, total = state
        if place == len(self._weights):
            return None
        return (place + 1, (total + int(digit) * self._weights[place]) % 11)

    def accepts(self, state: tuple[int, int]) -> bool:
        """See `Rule`."""
        return state == (len(self._weights), 0)


def _multiply(a: int, b: int) -> int:
    """The product in the dihedral group of order ten: turns are 0-4, flips 5-9."""
    if a < 5:
        return (a + b) % 5 + (0 if b < 5 else 5)
    return (a - b) % 5 + (5 if b < 5 else 0)


class Verhoeff:
    """Verhoeff 1969: finds every wrong digit and every swap of neighbours.

    The procedure multiplies from the right, each digit permuted by its place. Since the product is
    associative, it can as well be built up from the left. State: (how many, product).

    Args:
        length: of the whole number.
    """

    start = (0, 0)
    _permutation = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)

    def __init__(self, length: int) -> None:
        self._length = length
        self._powers = [tuple(range(10))]  # the permutation applied 0 to 7 times
        for _ in range(7):
            self._powers.append(tuple(self._powers[-1][value] for value in self._permutation))

    def step(self, state: tuple[int, int], digit: str) -> tuple[int, int] | None:
        """See `Rule`."""
        place, product = state
        if place == self._length:
            return None
        permuted = self._powers[(self._length - 1 - place) % 8][int(digit)]
        return (place + 1, _multiply(permuted, product))

    def accepts(self, state: tuple[int, int]) -> bool:
        """See `Rule`."""
        return state == (self._length, 0)


class Damm:
    """Damm 2004: like Verhoeff, by one table. State: the interim digit."""

    start = 0
    _table = (
        *("0317598642", "7092154863", "4206871359", "1750983426", "6123045978"),
        *("3674209581", "5869720134", "8945362017", "9438617205", "2581436790"),
    )

    def step(self, state: int, digit: str) -> int:
        """See `Rule`."""
        return int(self._table[state][int(digit)])

    def accepts(self, state: int) -> bool:
        """See `Rule`."""
        return state == 0


# By the names that grammars give them.
CHECKS: dict[str, Callable[[], Rule[Any]]] = {
    "luhn": Luhn,
    "mod97": Mod97,
    "aba": Aba,
    "damm": Damm,
}
# Those that have to know the length of the number.
CHECKS_BY_LENGTH: dict[str, Callable[[int], Rule[Any]]] = {"mod11": Mod11, "verhoeff": Verhoeff}
