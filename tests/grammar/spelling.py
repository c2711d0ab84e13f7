"""Numbers in words, as people say them: what the tests of grammars speak with."""

from __future__ import annotations

from hypothesis import strategies as st

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    *["ten", "eleven", "twelve", "thirteen", "fourteen"],
    *["fifteen", "sixteen", "seventeen", "eighteen", "nineteen"],
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def one_by_one(digits: str) -> str:
    """Digit by digit."""
    return " ".join(ONES[int(digit)] for digit in digits)


def below_hundred(value: int) -> str:
    """The words of 1-99."""
    if value < 10:
        return ONES[value]
    if value < 20:
        return TEENS[value - 10]
    return TENS[value // 10 - 2] + (f" {ONES[value % 10]}" if value % 10 else "")


def below_thousand(value: int, joint: str, one: str) -> str:
    """The words of 1-999; `joint` is " and " in the British manner, `one` may be "a"."""
    hundreds, rest = divmod(value, 100)
    if not hundreds:
        return below_hundred(rest)
    head = f"{one if hundreds == 1 else ONES[hundreds]} hundred"
    return head + (joint + below_hundred(rest) if rest else "")


def spell(value: int, *, british: bool = False, article: bool = False) -> str:
    """A number from 0 to 999,999 in words, as it is taught at school."""
    joint, one = " and " if british else " ", "a" if article else "one"
    if value == 0:
        return "zero"
    thousands, rest = divmod(value, 1000)
    if not thousands:
        return below_thousand(rest, joint, one)
    head = f"{one if thousands == 1 else below_thousand(thousands, joint, 'one')} thousand"
    if not rest:
        return head
    small = joint if rest < 100 else " "
    return head + small + below_thousand(rest, joint, "one")


def two_digits(value: int) -> st.SearchStrategy[str]:
    """00-99 as the end of a number: "oh five", "zero five", "fifty five", "five five"."""
    digits = f"{value:02d}"
    said = [one_by_one(digits), one_by_one(digits).replace("zero", "oh")]
    return st.sampled_from([*said, below_hundred(value)] if value >= 10 else said)


def year_words(year: int) -> st.SearchStrategy[str]:
    """1900-2099: "nineteen sixty nine", "two thousand and five", "twenty oh five", by digits."""
    said = [one_by_one(str(year)), spell(year), spell(year, british=True)]
    century, rest = divmod(year, 100)
    if rest >= 10:
        said.append(f"{below_hundred(century)} {below_hundred(rest)}")
    elif rest:
        said.append(f"{below_hundred(century)} oh {ONES[rest]}")
    elif century % 10:
        said.append(f"{below_hundred(century)} hundred")
    return st.sampled_from(said)
