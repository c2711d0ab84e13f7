"""Lookups in databases, CSV files and functions: what is found, and what is not."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from ivr.config import Settings
from ivr.errors import ConfigError, FlowError
from ivr.flow.request import MISSING, Answer, CallRequest, CsvRequest, Request, SqlRequest
from ivr.flow.schema import load_flow, parse_flow
from ivr.lookups.service import Lookups


def ask(*requests: Request, **lookups: Any) -> list[Answer]:
    """What lookups come to, one after the other."""

    async def main() -> list[Answer]:
        asker = Lookups(Settings.model_validate({"lookups": lookups}).lookups)
        try:
            return [await asker.look_up(request) for request in requests]
        finally:
            await asker.close()

    return asyncio.run(main())


# -- databases -------------------------------------------------------------------------------------


@pytest.fixture
def bank(tmp_path: Path) -> str:
    """A database with two accounts."""
    path = tmp_path / "bank.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            create table accounts (id text, holder text, balance real, opened date, closed int);
            insert into accounts values ('0041', 'Jane', 12.5, '2024-02-29', 0);
            insert into accounts values ('0042', null, 7, null, 1);
            """
        )
    connection.close()
    return f"sqlite:///{path}"


def sql(text: str, kinds: Mapping[str, str] | None = None, **parameters: str) -> SqlRequest:
    """A request to the bank."""
    every = {name: (kinds or {}).get(name, "text") for name in parameters}
    return SqlRequest(text, "bank", parameters, every, 5.0)


def test_a_row_is_found_by_its_columns(bank: str) -> None:
    """The first one; none is missing; a value is never part of the text."""
    select = "select holder, balance as money, opened from accounts where id = :id"
    found, nobody, injected = ask(
        sql(select, id="0041"),
        sql(select, id="9"),
        sql(select, id="' or 1=1 --"),
        databases={"bank": bank},
    )
    assert found == Answer.found({"holder": "Jane", "money": 12.5, "opened": "2024-02-29"})
    assert (nobody, injected) == (MISSING, MISSING)


def test_values_are_bound_by_their_kinds(bank: str) -> None:
    """Numbers compare as numbers, days as days, truth as truth."""
    kinds = {"n": "amount", "d": "date", "b": "boolean", "i": "number"}
    where = "balance > :n and opened = :d and closed = :b and :i < 3"
    values = {"n": "9.00", "d": "2024-02-29", "b": "no", "i": "2"}
    request = sql("select holder from accounts where " + where, kinds, **values)  # noqa: S608
    assert ask(request, databases={"bank": bank}) == [Answer.found({"holder": "Jane"})]


def test_a_database_is_only_read(bank: str) -> None:
    """Even by a statement that slipped past the reader of flows."""
    deleted, still = ask(
        sql("delete from accounts"),
        sql("select count(*) as n from accounts"),
        databases={"bank": bank},
    )
    assert deleted == Answer.failed("database_error")
    assert still == Answer.found({"n": 2})


def test_a_database_that_fails(tmp_path: Path, bank: str) -> None:
    """It is not there, it has no such table, nobody named it."""
    gone = f"sqlite:///{tmp_path / 'gone.sqlite3'}"
    assert ask(sql("select 1"), databases={"bank": gone}) == [Answer.failed("database_gone")]
    assert ask(sql("select 1 from nothing"), databases={"bank": bank}) == [
        Answer.failed("database_error")
    ]
    assert ask(sql("select 1")) == [Answer.failed("unknown_database")]


def test_an_address_that_is_none_is_told() -> None:
    """Without its password."""
    for url in ("bank", "mysql://u:secret@h/d", "sqlite://"):
        with pytest.raises(ConfigError, match=r"^lookups\.databases: bank: write postgres") as told:
            ask(databases={"bank": url})
        assert "secret" not in str(told.value)


# -- CSV files -------------------------------------------------------------------------------------

TABLE = "# accounts\nid, branch, holder\n0041, 1, Jane\n0041, 2, Joe\n\n0042, 1\n"
FLOW = """\
flow: looking
start: fetch
variables: {number: "0041"}
steps:
  fetch:
    lookup: {csv: accounts.csv, where: {id: "{number}", branch: "2"}}
    results: {holder: holder}
    found: told
    failed: told
  told: {end: told}
"""


def test_a_line_is_found_by_its_columns(tmp_path: Path) -> None:
    """By one or several; the first of several lines; again when the file has changed."""
    path = tmp_path / "accounts.csv"
    path.write_text(TABLE)
    asked = [{"id": "0041"}, {"id": "0041", "branch": "2"}, {"id": "0042"}, {"id": "9"}]
    first, second, short, nobody = ask(*(CsvRequest(str(path), where, 5.0) for where in asked))
    assert first == Answer.found({"id": "0041", "branch": "1", "holder": "Jane"})
    assert second.data["holder"] == "Joe"
    assert short.data["holder"] == ""
    assert nobody == MISSING

    async def main() -> list[Answer]:
        asker = Lookups(Settings.model_validate({}).lookups)
        before = await asker.look_up(CsvRequest(str(path), {"id": "9"}, 5.0))
        path.write_text(TABLE + "9,1,New\n")
        return [before, await asker.look_up(CsvRequest(str(path), {"id": "9"}, 5.0))]

    before, after = asyncio.run(main())
    assert (before, after.data["holder"]) == (MISSING, "New")


def test_a_file_that_fails(tmp_path: Path) -> None:
    """It is not there, or no table."""
    broken = tmp_path / "broken.csv"
    broken.write_text("id,id\n1,2\n")
    requests = [CsvRequest(str(path), {"id": "1"}, 5.0) for path in (tmp_path / "no.csv", broken)]
    assert ask(*requests) == [Answer.failed("unreadable"), Answer.failed("bad_file")]


def test_a_flow_finds_its_table_beside_it(tmp_path: Path) -> None:
    """Wherever the server is started; and reads it anew with the flow."""
    (tmp_path / "accounts.csv").write_text(TABLE)
    (tmp_path / "flow.yaml").write_text(FLOW)
    flow = load_flow(tmp_path / "flow.yaml")
    assert tmp_path / "accounts.csv" in flow.files
    for old, new, message in [
        ("accounts.csv", "account.csv", "cannot be read"),
        ("branch:", "brunch:", 'unknown column "brunch"; did you mean "branch"?'),
        ("holder: holder", "holder: name", 'unknown column "name"'),
    ]:
        (tmp_path / "flow.yaml").write_text(FLOW.replace(old, new))
        with pytest.raises(FlowError, match=message):
            load_flow(tmp_path / "flow.yaml")


# -- functions -------------------------------------------------------------------------------------


def customer(account: str) -> Mapping[str, object] | None:
    """A bank's own function."""
    if account == "broken":
        raise KeyError(account)
    if account == "slow":
        BUSY.wait(5)
    return None if account == "nobody" else {"holder": f"Jane {account}"}


BUSY = threading.Event()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function, and one that cannot be imported, as a package would offer them."""
    group = "ivr.lookups"
    offered = EntryPoints(
        [
            EntryPoint("customer", f"{__name__}:customer", group),
            EntryPoint("gone", "no_such_module:f", group),
        ]
    )
    monkeypatch.setattr("ivr.lookups.function.entry_points", offered.select)
    monkeypatch.setattr(EntryPoint, "load", lambda self: _load(self.value))


def _load(value: str) -> Any:
    if value.startswith("no_such"):
        raise ImportError(value)
    return customer


@pytest.mark.usefixtures("installed")
def test_a_function_is_called_in_a_thread() -> None:
    """What it returns is the answer; what it raises, or too late, is none."""
    asked = [
        CallRequest("customer", {"account": account}, 0.2 if account == "slow" else 5.0)
        for account in ("0041", "nobody", "broken", "slow")
    ]
    found, nobody, broken, slow = ask(*asked)
    BUSY.set()
    assert found == Answer.found({"holder": "Jane 0041"})
    assert (nobody, broken, slow) == (
        MISSING,
        Answer.failed("function_error"),
        Answer.failed("timeout"),
    )


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{call: customer}", ""),
        ("{call: costumer}", "no entry point of ivr.lookups; installed are: customer, gone"),
        ("{call: gone}", r"gone cannot be loaded \(ImportError\)"),
        ("{sql: select 1, database: bank}", ""),
        ("{sql: select 1, database: shop}", "add it to lookups.databases, it has bank"),
    ],
)
def test_what_cannot_be_asked_is_told_at_the_start(source: str, message: str, bank: str) -> None:
    """With the cure."""
    flow = parse_flow(
        f"{{flow: x, start: a, steps: {{a: {{lookup: {source}, found: b, failed: b}}, "
        "b: {end: over}}}"
    )
    asker = Lookups(Settings.model_validate({"lookups": {"databases": {"bank": bank}}}).lookups)
    if not message:
        asker.check(flow)
        return
    with pytest.raises(ConfigError, match=message):
        asker.check(flow)
