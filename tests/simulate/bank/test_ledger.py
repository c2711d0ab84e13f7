"""The bank's business: money moves once, PINs are not guessed, cards leave four digits."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ivr.simulate.bank.books import Books
from ivr.simulate.bank.ledger import MAX_WRONG_PINS, Ledger, money
from ivr.simulate.bank.office import Office
from ivr.simulate.bank.seed import APPOINTMENTS, CUSTOMERS, METERS, with_check_digit

ALICE, BEN, CLARA = CUSTOMERS
CHECKING, SAVINGS = (account.number for account in ALICE.accounts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the bank's file is."""
    return tmp_path / "bank.sqlite3"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    """A bank of its own."""
    return Ledger(Books(path))


def balance(ledger: Ledger, account: str) -> str:
    """What is on an account."""
    found = ledger.account(account)
    assert found is not None
    return str(found["balance"])


@pytest.mark.parametrize(
    ("base", "number"),
    [("7992739871", "79927398713"), ("0", "00"), ("453201511283036", "4532015112830366")],
)
def test_check_digit_is_luhn(base: str, number: str) -> None:
    """Published examples of ISO/IEC 7812-1."""
    assert with_check_digit(base) == number


def test_customers_are_the_same_everywhere(path: Path, ledger: Ledger) -> None:
    """The file is filled once, and what has changed in it stays."""
    assert balance(ledger, CHECKING) == "1250.75"
    ledger.set_card(CHECKING, "blocked")
    again = Ledger(Books(path)).card(CHECKING)
    assert again == {"last_four": ALICE.card, "status": "blocked"}


def test_file_is_wal_and_has_no_pin(path: Path, ledger: Ledger) -> None:
    """Reading waits for no writer, and what is kept of a PIN is a hash."""
    ledger.pay("4532015112830366", "1230", "417", 500, None)
    connection = sqlite3.connect(path)
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    text = "\n".join(connection.iterdump())
    connection.close()
    assert not any(customer.pin in text.split("'") for customer in CUSTOMERS)
    assert "4532015112830366" not in text
    assert "'0366'" in text


def test_pin_is_tried_three_times(ledger: Ledger) -> None:
    """A right PIN forgives the wrong ones before it; the third in a row locks for good."""
    assert ledger.identify("00000000", "2580") is None
    assert ledger.identify(CHECKING, "1111") == {"status": "wrong_pin", "tries_left": 2}
    assert ledger.identify(SAVINGS, ALICE.pin) == {"status": "ok", "tries_left": 3}
    for left in (2, 1):
        assert ledger.identify(CHECKING, "1111") == {"status": "wrong_pin", "tries_left": left}
    assert ledger.identify(CHECKING, "1111") == {"status": "locked", "tries_left": 0}
    assert ledger.identify(CHECKING, ALICE.pin) == {"status": "locked", "tries_left": 0}
    assert MAX_WRONG_PINS == 3


def test_accounts_statements_and_cards_are_told(ledger: Ledger) -> None:
    """What exists is told, what does not is None."""
    assert ledger.account(CHECKING) == {
        "account": CHECKING,
        "first_name": "Alice",
        "last_name": "Morgan",
        "product": "checking",
        "balance": "1250.75",
    }
    other = ledger.other_account(CHECKING)
    assert other == {"account": SAVINGS, "product": "savings", "balance": "8400.00"}
    assert ledger.other_account(CLARA.accounts[0].number) is None
    first = ledger.transaction(CHECKING, 1)
    assert first == {
        "day": "2026-11-20",
        "text": "Corner Market",
        "amount": "32.40",
        "direction": "debit",
        "next": 2,
    }
    third = ledger.transaction(CHECKING, 3)
    assert third is not None
    assert third["direction"] == "credit"
    assert ledger.transaction(CHECKING, 5) is None
    assert ledger.account("1") is ledger.card("1") is ledger.set_card("1", "blocked") is None


def test_transfer_moves_money_once(ledger: Ledger) -> None:
    """Prepared, it moves nothing; done, it moves it; done again, it moves nothing."""
    prepared = ledger.prepare_transfer(CHECKING, SAVINGS, 5_000, "key")
    assert prepared == ledger.prepare_transfer(CHECKING, SAVINGS, 5_000, "key")
    assert balance(ledger, CHECKING) == "1250.75"
    assert prepared is not None
    number = int(prepared["transfer"])
    for _ in range(2):
        assert ledger.do_transfer(number) == {"status": "done", "balance": "1200.75"}
    assert balance(ledger, SAVINGS) == "8450.00"
    newest = ledger.transaction(SAVINGS, 1)
    assert newest is not None
    assert (newest["text"], newest["amount"], newest["direction"]) == (
        "Transfer",
        "50.00",
        "credit",
    )
    assert ledger.do_transfer(999) is None


def test_transfer_that_cannot_be_is_none(ledger: Ledger) -> None:
    """Not to others' accounts, and not more than there is."""
    assert ledger.prepare_transfer(CHECKING, BEN.accounts[0].number, 100, None) is None
    too_much = ledger.prepare_transfer(CHECKING, SAVINGS, 125_076, None)
    assert too_much == {"status": "insufficient_funds", "transfer": ""}
    two = [ledger.prepare_transfer(CHECKING, SAVINGS, 100_000, None) for _ in range(2)]
    done = [ledger.do_transfer(int(each["transfer"])) for each in two if each is not None]
    assert [each["status"] for each in done if each] == ["done", "insufficient_funds"]


def test_transfers_at_once_lose_nothing(ledger: Ledger) -> None:
    """From many threads, the money stays the same."""

    def move(_: int) -> None:
        prepared = ledger.prepare_transfer(CHECKING, SAVINGS, 1_000, None)
        assert prepared is not None
        ledger.do_transfer(int(prepared["transfer"]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(move, range(12)))
    assert balance(ledger, CHECKING) == "1130.75"
    assert balance(ledger, SAVINGS) == "8520.00"


def test_payment_is_made_once(ledger: Ledger) -> None:
    """Under one key a card is charged once; one that has run out is declined."""
    paid = ledger.pay("4532015112830366", "1126", "417", 2_500, "key")
    assert paid["status"] == "approved"
    assert ledger.pay("4532015112830366", "1126", "417", 2_500, "key") == paid
    assert ledger.pay("4532015112830366", "1126", "417", 2_500, None) != paid
    assert ledger.pay("4532015112830366", "1026", "417", 2_500, None)["status"] == "declined"
    assert ledger.pay("4532015112830366", "1130", "000", 2_500, None)["status"] == "declined"


@pytest.mark.parametrize(("cents", "text"), [(5, "0.05"), (-1250, "-12.50"), (100, "1.00")])
def test_money_has_two_places(cents: int, text: str) -> None:
    """Cents as flows want them."""
    assert money(cents) == text


def test_meter_readings_are_plausible_or_meant(path: Path) -> None:
    """Less than the last time, or far more, is taken only from a caller who is sure."""
    office = Office(Books(path))
    meter, last, most = METERS[0]
    assert office.meter(meter) == {"meter": meter, "last_reading": last}
    low = office.read_meter(meter, last - 1, sure=False)
    assert low == {"status": "too_low", "used": 0}
    assert office.read_meter(meter, last + most + 1, sure=False) == {
        "status": "too_high",
        "used": most + 1,
    }
    assert office.read_meter(meter, last + 12, sure=False) == {"status": "accepted", "used": 12}
    assert office.read_meter(meter, last + 9_999, sure=True) == {
        "status": "accepted",
        "used": 9_987,
    }
    assert office.meter("1") is office.read_meter("1", 5, sure=True) is None


def test_appointment_moves_to_a_free_time(path: Path) -> None:
    """A time that was taken is free no longer, and asking twice takes one."""
    office = Office(Books(path))
    reference = APPOINTMENTS[0].reference
    confirmed = office.set_appointment(reference, "confirmed")
    assert confirmed is not None
    assert (confirmed["status"], confirmed["day"]) == ("confirmed", "2026-12-03")
    slot = office.slot(1)
    assert slot is not None
    moved = [office.move_appointment(reference, slot["slot"]) for _ in range(2)]
    assert moved[0] == moved[1]
    assert moved[0] is not None
    assert (moved[0]["day"], moved[0]["time"]) == (slot["day"], slot["time"])
    assert office.slot(1) != slot
    assert office.slot(3) is None
    assert office.appointment("1") is office.move_appointment("1", 2) is None
