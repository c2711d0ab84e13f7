"""`ivr records` as a user runs it: what it prints, and what it does not."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ivr.cli import main
from ivr.config import RecordSettings, WebhookSettings
from ivr.errors import ConfigError
from ivr.records.duration import parse_age
from ivr.records.protection import Keyring
from ivr.records.store import CallStore
from tests.records.calls import ended, opened, turn, until

KEY = "k1:" + base64.b64encode(b"k" * 32).decode()


def call(number: int, kept: str = "plain", **changes: Any) -> dict[str, Any]:
    """An ended call with a value that is kept in some way."""
    record_id = f"r{number}"
    value = Keyring.parse(KEY).keep("41550012", kept, record_id)
    said = turn(0)
    said["collected"] |= {"value": value, "words": "41550012", "n_best": [[value, 1.0]]}
    return {**ended(number, variables={"account": value}, **changes), "turns": [said]}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordSettings:
    """A file with three calls, which the environment names."""
    settings = RecordSettings(path=tmp_path / "calls.db")
    monkeypatch.setenv("IVR_RECORDS__PATH", str(settings.path))

    async def fill() -> None:
        async with opened(settings) as store:
            await store.put(call(1, started_at="2020-01-01T00:00:00.000+00:00"))
            await store.put(call(2, "encrypted", started_at="2099-01-01T00:00:00.000+00:00"))
            await store.put(call(3, "hash", outcome="gave_up"))

    asyncio.run(fill())
    return settings


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """`ivr records ...` with its exit status."""
    monkeypatch.setattr(sys, "argv", ["ivr", "records", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended_with:
        main()
    return int(ended_with.value.code or 0)


@pytest.mark.usefixtures("database")
def test_list_is_a_table_with_stars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Newest first, and no value, not even one that is stored plain."""
    assert run(monkeypatch, "list") == 0
    printed = capsys.readouterr().out
    assert printed.index("CA2") < printed.index("CA3") < printed.index("CA1")
    assert "account=********" in printed
    assert "41550012" not in printed
    assert "aes-256" not in printed


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_export_has_every_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """For machines, masked as well."""
    assert run(monkeypatch, "export", form) == 0
    printed = capsys.readouterr().out
    assert "41550012" not in printed
    if form == "--json":
        records = [json.loads(line) for line in printed.splitlines()]
        assert [r["record_id"] for r in records] == ["r2", "r3", "r1"]
        assert records[2]["turns"][0]["collected"]["words"] == "*"
    else:
        rows = list(csv.DictReader(io.StringIO(printed)))
        assert [row["call_id"] for row in rows] == ["CA2", "CA3", "CA1"]
        assert rows[2]["variables"] == "account=********"


@pytest.mark.usefixtures("database")
def test_reveal_needs_the_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With it the encrypted value is shown, without it nothing is."""
    assert run(monkeypatch, "show", "CA2", "--reveal") == 2
    out, err = capsys.readouterr()
    assert "41550012" not in out
    assert "IVR_RECORDS__KEYS" in err
    monkeypatch.setenv("IVR_RECORDS__KEYS", KEY)
    assert run(monkeypatch, "show", "CA2", "--reveal", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["variables"] == {"account": "41550012"}
    assert record["turns"][0]["collected"]["n_best"] == [["41550012", 1.0]]
    other = "k1:" + base64.b64encode(b"x" * 32).decode()
    monkeypatch.setenv("IVR_RECORDS__KEYS", other)
    assert run(monkeypatch, "show", "CA2", "--reveal") == 2
    assert "41550012" not in "".join(capsys.readouterr())


@pytest.mark.usefixtures("database")
def test_filters(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By time, by outcome, by number, by id."""
    for arguments, expected in (
        (["list", "--json", "--limit", "2"], ["r2", "r3"]),
        (["list", "--json", "--since", "1d"], ["r2"]),
        (["list", "--json", "--outcome", "gave_up"], ["r3"]),
        (["list", "--json", "--undelivered"], []),
        (["show", "r1", "--json"], ["r1"]),
    ):
        assert run(monkeypatch, *arguments) == 0
        printed = capsys.readouterr().out.splitlines()
        assert [json.loads(line)["record_id"] for line in printed] == expected
    assert run(monkeypatch, "show", "CA404") == 1


def test_purge_and_migrate(
    database: RecordSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old calls go, and the spool of a server is not touched."""
    spool = database.spool_folder
    assert spool is not None
    (spool / "r9.json").write_text(json.dumps(call(9)))
    assert run(monkeypatch, "purge", "--older-than", "30d") == 0
    assert capsys.readouterr().out == "2 calls deleted\n"
    assert run(monkeypatch, "purge", "--older-than", "soon") == 2
    assert (spool / "r9.json").exists()
    assert run(monkeypatch, "migrate") == 0
    assert "up to date" in capsys.readouterr().out


def test_more_calls_than_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An export is read in pages: none is left out, none is there twice."""
    settings = RecordSettings(path=tmp_path / "calls.db")
    monkeypatch.setenv("IVR_RECORDS__PATH", str(settings.path))

    async def fill() -> None:
        async with opened(settings) as store:
            same = "2025-01-01T00:00:00.000+00:00"
            await asyncio.gather(*(store.put(call(n, started_at=same)) for n in range(450)))

    asyncio.run(fill())
    capsys.readouterr()  # the log of the server
    assert run(monkeypatch, "export") == 0
    found = [json.loads(line)["record_id"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(found) == sorted(f"r{n}" for n in range(450))


def test_dead_results_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was given up is listed, and due again on demand."""
    settings = RecordSettings(path=tmp_path / "calls.db")
    monkeypatch.setenv("IVR_RECORDS__PATH", str(settings.path))
    nobody = WebhookSettings.model_validate(
        {"url": "http://127.0.0.1:9/", "secret": "a secret of the test", "attempts": 1}
    )

    async def fill() -> None:
        store = CallStore(settings, nobody)
        await store.open()
        await store.put(call(1))
        await until(lambda: store.counts["dead"] == 1)
        await store.close()

    asyncio.run(fill())
    capsys.readouterr()  # the log of the server
    assert run(monkeypatch, "list", "--undelivered", "--json") == 0
    assert json.loads(capsys.readouterr().out)["record_id"] == "r1"
    assert run(monkeypatch, "retry") == 0
    assert capsys.readouterr().out == "1 results are due again\n"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("90m", 5_400), ("4w", 2_419_200)]
)
def test_ages(text: str, seconds: float) -> None:
    """A number and its unit."""
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 days", "٣d"])
def test_no_ages(text: str) -> None:
    """Anything else is refused: it decides what is deleted."""
    with pytest.raises(ConfigError):
        parse_age(text)
