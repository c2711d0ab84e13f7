"""Workers that neither answer nor die: stopped by a signal, as a disk or a lock might stop them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from ivr import worker as worker_module
from ivr.errors import ModelError
from tests.asr.tiny import tones
from tests.asr.workers import PATIENCE_S, error_of, run, serving, stopped, until, worker_ids

NATURAL = "builtin:natural"
STUCK_S = 2.0  # each test waits for it; long for the tiny model, on a busy machine too


def test_stuck_worker_is_replaced(shared_model: Path) -> None:
    """What takes far too long is a ModelError, once; whoever waited behind it is heard."""

    async def scenario() -> None:
        async with serving(shared_model, timeout_s=STUCK_S) as pool:
            (stuck,) = worker_ids()
            with stopped({stuck}):
                waiting = [
                    asyncio.ensure_future(pool.recognize(tones(words), NATURAL))
                    for words in ("four", "one", "five")
                ]
                error = await error_of(waiting[0])
                assert isinstance(error, ModelError)
                assert "in time" in str(error)
                answers = await asyncio.gather(*waiting[1:])
                assert [answer.best.text for answer in answers] == ["one", "five"]
            assert pool.restarts == 1
            assert pool.ready
            assert stuck not in worker_ids()
            assert len(worker_ids()) == 1

    run(scenario)


def test_stuck_worker_disturbs_no_other(shared_model: Path) -> None:
    """The second worker goes on answering, and is not the one that is replaced."""

    async def scenario() -> None:
        async with serving(shared_model, workers=2, timeout_s=STUCK_S) as pool:
            stuck, healthy = sorted(worker_ids())
            with stopped({stuck}):
                first = [
                    asyncio.ensure_future(pool.recognize(tones("four one"), NATURAL))
                    for _ in range(2)
                ]
                done, late = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                assert [task.result().best.text for task in done] == ["four one"]
                while pool.restarts == 0:
                    assert (await pool.recognize(tones("five"), NATURAL)).best.text == "five"
                assert [type(await error_of(task)) for task in late] == [ModelError]
                await until(lambda: len(worker_ids()) == 2)
            assert healthy in worker_ids()
            assert stuck not in worker_ids()
            assert pool.restarts == 1

    run(scenario)


def test_stuck_worker_is_replaced_though_its_caller_hung_up(shared_model: Path) -> None:
    """The server waits less long than the pool: who gives up first must not leave it stuck."""

    async def scenario() -> None:
        async with serving(shared_model, timeout_s=STUCK_S) as pool:
            (stuck,) = worker_ids()
            with stopped({stuck}):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(pool.recognize(tones("four"), NATURAL), 0.1)
                assert worker_ids() == {stuck}
                assert (await pool.recognize(tones("one"), NATURAL)).best.text == "one"
            assert pool.restarts == 1
            assert stuck not in worker_ids()

    run(scenario)


def test_worker_that_sticks_while_loading_is_given_up(
    shared_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs the utterance that it was started for, not the pool."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            (first,) = worker_ids()
            monkeypatch.setattr(worker_module, "LOAD_TIMEOUT_S", STUCK_S)
            os.kill(first, signal.SIGKILL)
            unlucky = asyncio.ensure_future(pool.recognize(tones("four"), NATURAL))
            await until(lambda: bool(worker_ids() - {first}))
            (second,) = worker_ids() - {first}
            monkeypatch.setattr(worker_module, "LOAD_TIMEOUT_S", PATIENCE_S)
            with stopped({second}):
                error = await error_of(unlucky)
                assert isinstance(error, ModelError)
                assert "in time" in str(error)
                assert (await pool.recognize(tones("five"), NATURAL)).best.text == "five"
            assert second not in worker_ids()

    run(scenario)


@pytest.mark.parametrize("busy", [True, False], ids=["at work", "idle"])
def test_close_does_not_wait_for_a_stuck_worker(shared_model: Path, busy: bool) -> None:
    """It is killed; the utterance that it had, and the one behind it, end with a ModelError."""

    async def scenario() -> None:
        async with serving(shared_model, timeout_s=STUCK_S) as pool:
            with stopped(worker_ids()):
                waiting = [
                    asyncio.ensure_future(pool.recognize(tones("four"), NATURAL))
                    for _ in range(2 if busy else 0)
                ]
                await asyncio.sleep(0.05)
                await pool.close()
                assert worker_ids() == set()
                assert [type(await error_of(task)) for task in waiting] == [ModelError] * (
                    2 if busy else 0
                )
            assert pool.restarts == 0

    run(scenario)
