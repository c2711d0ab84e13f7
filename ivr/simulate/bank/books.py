"""The bank's SQLite file: its tables, its first customers, and transactions on it.

Blocking: call it in a thread. Each `Books.begin` is a connection and a transaction of its own, so
that it may be used from several threads; SQLite lets one write at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from ivr.simulate.bank.seed import APPOINTMENTS, CUSTOMERS, METERS, SLOTS, STATEMENT, pin_hash

_LOCK_TIMEOUT_S: Final = 2.0

_SCHEMA: Final = """
create table customers (
    id integer primary key, first_name text not null, last_name text not null,
    wrong_pins integer not null default 0
) strict;
create table accounts (
    number text primary key, customer integer not null references customers (id),
    product text not null, cents integer not null check (cents >= 0), pin_hash blob not null
) strict;
create table entries (
    id integer primary key, account text not null references accounts (number),
    day text not null, text text not null, cents integer not null
) strict;
create index entries_by_account on entries (account, day desc, id desc);
create table cards (
    customer integer primary key references customers (id), last_four text not null,
    status text not null default 'active' check (status in ('active', 'blocked'))
) strict;
create table transfers (
    id integer primary key, idempotency_key text unique,
    source text not null references accounts (number),
    target text not null references accounts (number), cents integer not null check (cents > 0),
    status text not null default 'prepared' check (status in ('prepared', 'done'))
) strict;
create table payments (
    id integer primary key, idempotency_key text unique, last_four text not null,
    cents integer not null check (cents > 0),
    status text not null check (status in ('approved', 'declined'))
) strict;
create table meters (
    number text primary key, reading integer not null, most_used integer not null
) strict;
create table appointments (
    reference text primary key, first_name text not null, day text not null, time text not null,
    place text not null,
    status text not null default 'open' check (status in ('open', 'confirmed', 'cancelled'))
) strict;
create table slots (id integer primary key, day text not null, time text not null) strict;
"""


class Books:
    """The bank's file.

    Args:
        path: of the SQLite file; made, with the customers of `ivr.simulate.bank.seed`, where there
            is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._connect()) as connection:
            connection.execute("pragma journal_mode = wal")
            if not connection.execute("select 1 from sqlite_master limit 1").fetchone():
                connection.executescript(_SCHEMA)
                connection.execute("begin immediate")
                _seed(connection)
                connection.execute("commit")

    @contextmanager
    def begin(self) -> Iterator[sqlite3.Connection]:
        """A transaction: kept where the block ends, undone where it raises."""
        with closing(self._connect()) as connection:
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma foreign_keys = on")
        return connection


def _seed(connection: sqlite3.Connection) -> None:
    for number, customer in enumerate(CUSTOMERS, 1):
        connection.execute(
            "insert into customers (id, first_name, last_name) values (?, ?, ?)",
            (number, customer.first_name, customer.last_name),
        )
        connection.execute(
            "insert into cards (customer, last_four) values (?, ?)", (number, customer.card)
        )
        for account in customer.accounts:
            hashed = pin_hash(customer.pin, account.number)
            connection.execute(
                "insert into accounts values (?, ?, ?, ?, ?)",
                (account.number, number, account.product, account.cents, hashed),
            )
            if account.product == "checking":
                connection.executemany(
                    "insert into entries (account, day, text, cents) values (?, ?, ?, ?)",
                    # Oldest first, so that among those of a day the highest id is the newest.
                    [(account.number, e.day, e.text, e.cents) for e in reversed(STATEMENT)],
                )
    connection.executemany("insert into meters values (?, ?, ?)", METERS)
    connection.executemany(
        "insert into appointments (reference, first_name, day, time, place) values (?, ?, ?, ?, ?)",
        [(a.reference, a.first_name, a.day, a.time, a.place) for a in APPOINTMENTS],
    )
    connection.executemany("insert into slots (day, time) values (?, ?)", SLOTS)
