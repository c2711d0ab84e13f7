"""Amounts of money: dollars and cents, however they are said.

Theory of operation: an amount has a few forms, each of them an alternative of the grammar with a
cost. A form is a pattern over what the words write (`ivr.grammar.speech`), and the bounds of the
amount: read as a number of cents, digit by digit, its digits must lie between them.

    12d            twelve dollars                  12d/50         twelve dollars fifty
    12d/5c         twelve dollars and five cents   12p/5          twelve point five
    50c            fifty cents                     125            one hundred twenty five
    12/50          twelve fifty: 12.50             12,50          twelve fifty: 1250

Without a word for the currency, numbers one after another are dollars and cents, or the parts of
one number. Both leave something out and both cost `BARE`: that is a tie, in which 12.50 comes
first. A ``max`` below 1250 decides it. "One hundred twenty five" leaves nothing out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ivr.grammar.digits import DIGITS, Number, NumberState
from ivr.grammar.pattern import Pattern
from ivr.grammar.readers import DigitReader, Written
from ivr.grammar.speech import JOINED, MONEY, NEXT_FIELD
from ivr.grammar.table import compile_rules

# What it costs to hear dollars and cents, or one number, in numbers one after another.
BARE: Final = 2
POINT_KEY: Final = "*"
_SYMBOLS: Final = DIGITS + JOINED + NEXT_FIELD + "dcp"


class _Form(NamedTuple):
    """One way to say or key an amount.

    Attributes:
        pattern: what is written.
        end: digits that are not said: cents after whole dollars.
        before: a digit that is not said before the cents: of "five cents".
        cost: of hearing this form.
    """

    pattern: str
    end: str = ""
    before: str = ""
    cost: int = 0


_WHOLE: Final = "(0|[1-9](,?[0-9])*)"  # in any grouping
_CENTS: Final = "[0-9],?[0-9]"
# At equal cost the earlier form comes first.
_FORMS: Final = (
    _Form(f"{_WHOLE}d", end="00"),
    _Form(f"{_WHOLE}d/{_CENTS}c?"),
    _Form(f"{_WHOLE}d/[0-9]c", before="0"),
    _Form(f"{_WHOLE}?p/{_CENTS}d?"),
    _Form(f"{_WHOLE}?p/[0-9]d?", end="0"),
    _Form(f"{_CENTS}c"),
    _Form("[0-9]c"),
    _Form("0|[1-9][0-9]*", end="00"),
    _Form(f"{_WHOLE}/{_CENTS}", cost=BARE),
    _Form("[1-9][0-9]?(,[0-9]{1,2})+", end="00", cost=BARE),
)
_KEYED: Final = (
    _Form("0|[1-9][0-9]*", end="00"),
    _Form(r"(0|[1-9][0-9]*)?\*[0-9]{2}"),
)


class _Bounds:
    """The cents of one form lie between two bounds; a `Rule`. State: the comparison with them.

    Args:
        form: says which digits are not written.
        minimum: in cents.
        maximum: likewise, ``None`` for no limit.
    """

    start: NumberState = Number.start  # zeros in front leave it here

    def __init__(self, form: _Form, minimum: int, maximum: int | None) -> None:
        self._form = form
        self._number = Number(minimum, maximum)
        self._zero = minimum == 0

    def step(self, state: NumberState, symbol: str) -> NumberState | None:
        """See `Rule`."""
        if symbol in DIGITS:
            return self._append(state, symbol)
        return self._append(state, self._form.before) if symbol == "d" else state

    def accepts(self, state: NumberState) -> bool:
        """See `Rule`."""
        end = self._append(state, self._form.end)
        return end is not None and (self._number.accepts(end) if end != self.start else self._zero)

    def _append(self, state: NumberState, digits: str) -> NumberState | None:
        following: NumberState | None = state
        for digit in digits:
            if following is None:
                return None
            if following != self.start or digit != "0":
                following = self._number.step(following, digit)
        return following


def amount_readers(minimum: int, maximum: int | None) -> list[DigitReader[int]]:
    """Amounts between two bounds; the value is dollars and two digits of cents, ``12.50``.

    Keys are whole dollars, or dollars, ``*`` and two digits of cents.

    Args:
        minimum: in cents, at least 0.
        maximum: likewise, at least `minimum`; ``None`` for no limit.
    """
    keys = [_written(form, minimum, maximum, DIGITS + POINT_KEY) for form in _KEYED]
    readers: list[DigitReader[int]] = []
    for form in _FORMS:
        written = _written(form, minimum, maximum, _SYMBOLS)
        if written is not None:
            readers.append(
                DigitReader(
                    written.acceptor,
                    speech=MONEY,
                    value=written.value,
                    cost=form.cost,
                    keys=[] if readers else [key for key in keys if key is not None],
                )
            )
    return readers


def _written(form: _Form, minimum: int, maximum: int | None, symbols: str) -> Written | None:
    """What a form may be written as, ``None`` where no amount between the bounds has that form."""
    pattern = Pattern(form.pattern, marks=symbols.removeprefix(DIGITS))
    acceptor = compile_rules(pattern, _Bounds(form, minimum, maximum), symbols=symbols)
    return None if acceptor is None else Written(acceptor, _value_of(form), symbols)


def _value_of(form: _Form) -> Callable[[str], str]:
    def value(text: str) -> str:
        filled = text.replace("d", form.before) + form.end
        cents = int("".join(symbol for symbol in filled if symbol in DIGITS))
        return f"{cents // 100}.{cents % 100:02d}"

    return value
