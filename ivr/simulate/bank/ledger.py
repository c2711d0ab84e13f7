"""What the bank does with money: who a caller is, balances, statements, transfers, cards, payments.

Theory of operation: what a caller may be told is an answer ("insufficient_funds"), not an error;
what does not exist is `None`. Money moves once, however often it is asked for: a transfer is
prepared, then done, and doing it again changes nothing; preparing and paying take an idempotency
key. Cards are kept by their last four digits.

Blocking, as `ivr.simulate.bank.books`.
"""

from __future__ import annotations

import hmac
import sqlite3
from typing import Any, Final

from ivr.simulate.bank.books import Books
from ivr.simulate.bank.seed import pin_hash

Answer = dict[str, Any]

MAX_WRONG_PINS: Final = 3
TODAY: Final = "2026-11-25"  # the bank's books stand still: the demo is the same every day
_DECLINED_CODE: Final = "000"  # a security code that no payment is approved with, for trials


def money(cents: int) -> str:
    """``1250.75`` for 125075 cents."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


class Ledger:
    """The bank's business.

    Args:
        books: its file.
    """

    def __init__(self, books: Books) -> None:
        self._books = books

    def identify(self, account: str, pin: str) -> Answer | None:
        """Whether a PIN is right: ``ok``, ``wrong_pin``, or ``locked`` after too many."""
        with self._books.begin() as books:
            row = _account(books, account)
            if row is None:
                return None
            wrong = row["wrong_pins"]
            right = hmac.compare_digest(row["pin_hash"], pin_hash(pin, account))
            if wrong < MAX_WRONG_PINS:
                wrong = 0 if right else wrong + 1
                books.execute(
                    "update customers set wrong_pins = ? where id = ?", (wrong, row["customer"])
                )
                right = right and wrong == 0
            else:
                right = False
        locked = wrong >= MAX_WRONG_PINS
        status = "locked" if locked else "ok" if right else "wrong_pin"
        return {"status": status, "tries_left": MAX_WRONG_PINS - wrong}

    def account(self, account: str) -> Answer | None:
        """Whose it is, what it is, what is on it."""
        with self._books.begin() as books:
            row = _account(books, account)
        if row is None:
            return None
        return {
            "account": row["number"],
            "first_name": row["first_name"],
            "last_name": row["last_name"],
            "product": row["product"],
            "balance": money(row["cents"]),
        }

    def other_account(self, account: str) -> Answer | None:
        """The same customer's other account."""
        with self._books.begin() as books:
            row = books.execute(
                "select o.* from accounts a join accounts o on o.customer = a.customer"
                " and o.number != a.number where a.number = ? order by o.number",
                (account,),
            ).fetchone()
        if row is None:
            return None
        return {
            "account": row["number"],
            "product": row["product"],
            "balance": money(row["cents"]),
        }

    def transaction(self, account: str, place: int) -> Answer | None:
        """A line of the statement, 1 for the newest."""
        with self._books.begin() as books:
            row = books.execute(
                "select * from entries where account = ? order by day desc, id desc"
                " limit 1 offset ?",
                (account, place - 1),
            ).fetchone()
        if row is None:
            return None
        return {
            "day": row["day"],
            "text": row["text"],
            "amount": money(abs(row["cents"])),
            "direction": "debit" if row["cents"] < 0 else "credit",
            "next": place + 1,
        }

    def prepare_transfer(
        self, source: str, target: str, cents: int, key: str | None
    ) -> Answer | None:
        """Note a transfer between accounts of one customer; no money moves yet."""
        with self._books.begin() as books:
            here, there = _account(books, source), _account(books, target)
            if here is None or there is None or here["customer"] != there["customer"]:
                return None
            if here["cents"] < cents:
                return {"status": "insufficient_funds", "transfer": ""}
            done = books.execute(
                "select id from transfers where idempotency_key = ?", (key,)
            ).fetchone()
            number = (
                done["id"]
                if done is not None
                else books.execute(
                    "insert into transfers (idempotency_key, source, target, cents)"
                    " values (?, ?, ?, ?)",
                    (key, source, target, cents),
                ).lastrowid
            )
        return {"status": "prepared", "transfer": str(number)}

    def do_transfer(self, number: int) -> Answer | None:
        """Move the money of a prepared transfer, once."""
        with self._books.begin() as books:
            row = books.execute("select * from transfers where id = ?", (number,)).fetchone()
            if row is None:
                return None
            source, target, cents = row["source"], row["target"], row["cents"]
            before = _account(books, source)
            assert before is not None  # noqa: S101 - the table refers to it
            if row["status"] == "prepared":
                if before["cents"] < cents:
                    return {"status": "insufficient_funds", "balance": money(before["cents"])}
                for account, change in ((source, -cents), (target, cents)):
                    books.execute(
                        "update accounts set cents = cents + ? where number = ?", (change, account)
                    )
                    books.execute(
                        "insert into entries (account, day, text, cents) values (?, ?, ?, ?)",
                        (account, TODAY, "Transfer", change),
                    )
                books.execute("update transfers set status = 'done' where id = ?", (number,))
            after = _account(books, source)
            assert after is not None  # noqa: S101
        return {"status": "done", "balance": money(after["cents"])}

    def card(self, account: str) -> Answer | None:
        """The card of an account's owner."""
        with self._books.begin() as books:
            row = books.execute(
                "select c.* from cards c join accounts a on a.customer = c.customer"
                " where a.number = ?",
                (account,),
            ).fetchone()
        return None if row is None else {"last_four": row["last_four"], "status": row["status"]}

    def set_card(self, account: str, status: str) -> Answer | None:
        """Block a card, or let it be used again."""
        with self._books.begin() as books:
            books.execute(
                "update cards set status = ? where customer ="
                " (select customer from accounts where number = ?)",
                (status, account),
            )
        return self.card(account)

    def pay(self, card: str, expiry: str, code: str, cents: int, key: str | None) -> Answer:
        """Charge a card: ``approved`` with a reference, or ``declined``."""
        month, year = int(expiry[:2]), 2000 + int(expiry[2:])
        expired = f"{year:04}-{month:02}" < TODAY[:7]
        status = "declined" if expired or code == _DECLINED_CODE else "approved"
        with self._books.begin() as books:
            row = books.execute(
                "select id, status from payments where idempotency_key = ?", (key,)
            ).fetchone()
            if row is not None:
                number, status = row["id"], row["status"]
            else:
                number = books.execute(
                    "insert into payments (idempotency_key, last_four, cents, status)"
                    " values (?, ?, ?, ?)",
                    (key, card[-4:], cents, status),
                ).lastrowid
        return {"status": status, "reference": f"{900_000 + (number or 0)}"}


def _account(books: sqlite3.Connection, number: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = books.execute(
        "select a.*, c.first_name, c.last_name, c.wrong_pins"
        " from accounts a join customers c on c.id = a.customer where a.number = ?",
        (number,),
    ).fetchone()
    return row
