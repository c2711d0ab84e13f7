"""The example flows, talked to as text, with the demo's bank behind them over HTTP."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ivr.config import LookupSettings
from ivr.flow.draw import mermaid
from ivr.flow.model import Flow
from ivr.flow.request import Answer
from ivr.flow.schema import load_flow
from ivr.lookups.service import Lookups
from ivr.rehearsal import Rehearsal
from ivr.simulate.bank.command import HOST, PORT, serving_bank
from ivr.simulate.bank.seed import CUSTOMERS
from ivr.simulate.demo import load_calls

ROOT = Path(__file__).parents[2]
FLOWS = ROOT / "config" / "flows"
BANK = f"http://{HOST}:{PORT}"
NAMES = sorted(path.stem for path in FLOWS.glob("*.yaml"))

ALICE, BEN, CLARA = CUSTOMERS
KNOWN = [ALICE.accounts[0].number, ALICE.pin]
PAN = "4532015112830366"


def talk(folder: Path, name: str, answers: Sequence[str]) -> tuple[Rehearsal, list[str]]:
    """One call as text with a bank of its own; what the agent said, in order."""
    shutil.copytree(FLOWS, folder / "flows")

    async def call() -> tuple[Rehearsal, list[str]]:
        async with serving_bank(folder / "bank.sqlite3", 0) as url:
            for path in (folder / "flows").rglob("*.yaml"):
                path.write_text(path.read_text().replace(BANK, url))
            flow = load_flow(folder / "flows" / f"{name}.yaml")
            lookups = Lookups(LookupSettings(allowed_hosts=[url.removeprefix("http://")]))
            lookups.check(flow)
            try:
                return await _talk(flow, lookups, answers)
            finally:
                await lookups.close()

    return asyncio.run(call())


async def _talk(
    flow: Flow, lookups: Lookups, answers: Sequence[str]
) -> tuple[Rehearsal, list[str]]:
    rehearsal = Rehearsal(flow)
    said = [prompt.text for prompt in rehearsal.prompts]
    waiting = list(answers)
    while rehearsal.end is None:
        if rehearsal.lookup is not None:
            rehearsal.looked_up(await lookups.look_up(rehearsal.lookup.request))
        elif rehearsal.transfer is not None:
            rehearsal.transferred("done")
        else:
            assert waiting, f"the call is not over; last said: {said[-1]}"
            rehearsal.answer(waiting.pop(0))
        said += [prompt.text for prompt in rehearsal.prompts]
    assert not waiting
    return rehearsal, said


TRANSFER = [*KNOWN, "three", "fifty dollars", "yes", "no"]


@pytest.mark.parametrize(
    ("name", "answers", "end", "said"),
    [
        ("phone_banking", [*KNOWN, "1", "no"], "completed", "1250 dollars and 75 cents"),
        ("phone_banking", TRANSFER, "completed", "Done. You have 1200 dollars and 75 cents left."),
        (
            *("phone_banking", [*KNOWN, "two", "yes", "yes", "yes", "yes", "no"], "completed"),
            "There are no more.",
        ),
        ("phone_banking", [*KNOWN, "4", "yes", "no"], "completed", "It is blocked."),
        (
            *("phone_banking", [*KNOWN, "4", "yes", "yes", "4", "no"], "completed"),
            "Your card is blocked already.",
        ),
        (
            *("phone_banking", [CLARA.accounts[0].number, CLARA.pin, "3", "no"], "completed"),
            "You have only this account with us.",
        ),
        (
            "phone_banking",
            [BEN.accounts[0].number, BEN.pin, "3", "two hundred dollars", "yes", "no"],
            "completed",
            "There is not enough",
        ),
        (
            *("phone_banking", [KNOWN[0], "1111", "1112", "1113"], "transferred"),
            "Telephone banking is locked",
        ),
        ("phone_banking", ["12345674", "12345674"], "transferred", "no account with that number"),
        ("phone_banking", [*KNOWN, "operator"], "transferred", "Please hold."),
        ("account_record", [KNOWN[0], "yes"], "completed", "Thank you, Alice."),
        (
            *("card_payment", ["twenty five dollars", "yes", PAN, "0528", "417"], "completed"),
            "Paid.",
        ),
        (
            "card_payment",
            ["25*50#", "1", PAN, "0528", "000", "no"],
            "declined",
            "That card was declined.",
        ),
        (
            "meter_reading",
            ["482716", "31000", "yes", "no", "31500", "yes"],
            "completed",
            "The last reading was higher, 31405.",
        ),
        ("meter_reading", ["482716", "39000", "yes", "yes"], "completed", "That is 7595 more"),
        ("meter_reading", ["111111", "no"], "transferred", "I have no meter one one one"),
        ("appointment", ["702159", "1"], "confirmed", "December 3, 2026 at 10:30 AM"),
        ("appointment", ["702159", "2", "no", "yes"], "moved", "December 8, 2026 at 3:30 PM"),
        ("appointment", ["702159", "2", "no", "no", "no"], "transferred", "I have no other times."),
        ("appointment", ["702159", "3", "yes"], "cancelled", "It is cancelled."),
        ("appointment", ["111112", "no"], "transferred", "no appointment with that reference"),
    ],
)
def test_flow_runs_as_it_stands(
    tmp_path: Path, name: str, answers: list[str], end: str, said: str
) -> None:
    """From the welcome to the end, by every way that a caller may take."""
    rehearsal, spoken = talk(tmp_path, name, answers)
    assert rehearsal.end is not None
    assert rehearsal.end.outcome == end
    assert said in "\n".join(spoken)


@pytest.mark.parametrize(
    ("name", "answers", "end"),
    [
        ("phone_banking", [KNOWN[0]], "no_agent"),
        ("account_record", [KNOWN[0], "yes"], "no_record"),
        ("card_payment", ["50#", "yes", PAN, "0528", "417"], "no_agent"),
        ("meter_reading", ["482716"], "no_agent"),
        ("appointment", ["702159"], "no_agent"),
    ],
)
def test_call_goes_on_without_the_bank(name: str, answers: list[str], end: str) -> None:
    """A system that does not answer costs the caller no more than a person's time."""
    rehearsal = Rehearsal(load_flow(FLOWS / f"{name}.yaml"))
    for answer in answers:
        rehearsal.answer(answer)
    assert rehearsal.lookup is not None
    rehearsal.looked_up(Answer.failed("timeout"))
    if rehearsal.transfer is not None:
        rehearsal.transferred("(failed)")
    assert rehearsal.end is not None
    assert rehearsal.end.outcome == end


def test_secrets_are_sensitive() -> None:
    """No card, code or PIN is kept in clear, nor what the caller owns."""
    payment = Rehearsal(load_flow(FLOWS / "card_payment.yaml"))
    assert payment.sensitive == {"card", "expiry", "code"}
    banking = Rehearsal(load_flow(FLOWS / "phone_banking.yaml"))
    assert {"identify__pin", "balance", "sum", "text", "left", "other"} <= banking.sensitive


def test_directory_is_the_banks() -> None:
    """The list of allowed accounts has those that the bank knows."""
    lines = (FLOWS / "accounts.txt").read_text().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert listed == [each.number for customer in CUSTOMERS for each in customer.accounts]


def test_flows_ask_the_bank_alone() -> None:
    """The address in the examples is the one that `ivr bank` listens on."""
    for path in FLOWS.rglob("*.yaml"):
        asked = set(re.findall(r"http: \"?(http://[^/\s]+)", path.read_text()))
        assert asked <= {BANK}, path


def test_every_flow_has_its_calls() -> None:
    """The demo plays each example, and plays none that is not there."""
    called = {script.flow or "account_id" for script in load_calls(ROOT / "config" / "demo")}
    assert called == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_diagrams_in_the_documents_are_the_flows(name: str) -> None:
    """Each is drawn as it is; if this fails, put in what `ivr flow draw` says."""
    page = (ROOT / "docs" / "reference" / "example-flows.md").read_text()
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    drawn = re.search(r"```mermaid\n(.*?)```", section, re.DOTALL)
    assert drawn is not None
    assert drawn[1] == mermaid(load_flow(FLOWS / f"{name}.yaml"))
