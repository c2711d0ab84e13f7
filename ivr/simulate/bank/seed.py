"""Whom the bank knows: customers, accounts, cards, meters and appointments, all made up.

Account numbers have eight digits and appointment references six, the last of each a check digit
(Luhn), so that a misheard number is no number. The PINs stand here in clear, because callers of the
demo need them; the bank keeps their hashes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

_SCRYPT: Final = {"n": 2**12, "r": 8, "p": 1}  # a few ms: this is no place for real PINs


@dataclass(frozen=True, slots=True)
class Account:
    """An account: its number, what kind it is, and its balance in cents."""

    number: str
    product: str
    cents: int


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom the bank knows.

    Attributes:
        pin: four digits, for the demo's callers.
        card: the last four digits of the customer's card.
        accounts: one or two.
    """

    first_name: str
    last_name: str
    pin: str
    card: str
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an account's statement; cents are negative where money went."""

    day: str
    text: str
    cents: int


@dataclass(frozen=True, slots=True)
class Appointment:
    """A visit to a branch that was agreed on."""

    reference: str
    first_name: str
    day: str
    time: str
    place: str


def with_check_digit(base: str) -> str:
    """A number and its check digit behind it.

    Source: ISO/IEC 7812-1, annex B (Luhn).
    """
    total = 0
    for place, digit in enumerate(reversed(base)):
        doubled = int(digit) * 2 if place % 2 == 0 else int(digit)
        total += doubled - 9 if doubled > 9 else doubled
    return f"{base}{-total % 10}"


def pin_hash(pin: str, account: str) -> bytes:
    """What is kept of a PIN."""
    return hashlib.scrypt(pin.encode(), salt=account.encode(), dklen=32, **_SCRYPT)


CUSTOMERS: Final = (
    Customer(
        "Alice",
        "Morgan",
        "2580",
        "1109",
        (
            Account(with_check_digit("4155001"), "checking", 125_075),
            Account(with_check_digit("4155002"), "savings", 840_000),
        ),
    ),
    Customer(
        "Ben",
        "Okafor",
        "7391",
        "8846",
        (
            Account(with_check_digit("6210349"), "checking", 4_210),
            Account(with_check_digit("6210350"), "savings", 31_900),
        ),
    ),
    Customer(
        "Clara",
        "Lindqvist",
        "4406",
        "3027",
        (Account(with_check_digit("9037162"), "checking", 260_399),),
    ),
)

# The newest first, the same for every checking account.
STATEMENT: Final = (
    Entry("2026-11-20", "Corner Market", -3_240),
    Entry("2026-11-18", "City Transit", -1_150),
    Entry("2026-11-15", "Northwind Payroll", 215_000),
    Entry("2026-11-12", "Harbour Books", -2_799),
)

# A meter, its last reading, and how much is used at most until the next.
METERS: Final = (("482716", 31_405, 900), ("482733", 8_120, 900))

APPOINTMENTS: Final = (
    Appointment(with_check_digit("70215"), "Alice", "2026-12-03", "10:30 AM", "Market Street"),
    Appointment(with_check_digit("70348"), "Ben", "2026-12-04", "2 PM", "Harbour Road"),
)

# Days and times that are free, the first the soonest.
SLOTS: Final = (
    ("2026-12-07", "9 AM"),
    ("2026-12-08", "3:30 PM"),
    ("2026-12-10", "11 AM"),
)
