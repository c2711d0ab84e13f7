"""The worker pool with real processes: loading, refusing, dying, closing."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from ivr.asr import pool as pool_module
from ivr.asr.model_files import EMBEDDED, write_description
from ivr.asr.pool import RecognizerPool
from ivr.errors import ConfigError, ModelError, Overloaded
from tests.asr.tiny import DESCRIPTION, tones
from tests.asr.workers import error_of, run, serving, stopped, until, worker_ids

NATURAL = "builtin:natural"


def test_recognises_in_another_process(shared_model: Path) -> None:
    """Samples go out, words come back, and the parent never loaded the model."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            assert len(worker_ids()) == 1
            recognition = await pool.recognize(tones("four one five"), NATURAL)
            assert recognition.best.text == "four one five"
            assert pool_module._engine is None

    run(scenario)


def test_many_utterances_each_get_their_own_answer(shared_model: Path) -> None:
    """Two workers, eight callers: nobody gets another's number."""
    spoken = ["four", "one", "five five", "four one", "one one one", "yes", "five", "one four"]

    async def scenario() -> None:
        async with serving(shared_model, workers=2, queue_limit=8) as pool:
            answers = await asyncio.gather(
                *(pool.recognize(tones(words), NATURAL) for words in spoken)
            )
            assert [answer.best.text for answer in answers] == spoken
            assert len(worker_ids()) == 2

    run(scenario)


def test_idle_worker_that_dies_is_replaced(
    shared_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody speaks: a server without a worker is sent no calls that could notice."""
    monkeypatch.setattr(pool_module, "WATCH_S", 0.05)

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            (worker,) = worker_ids()
            os.kill(worker, signal.SIGKILL)
            await until(lambda: pool.state().restarts == 1 and pool.state().alive == 1)
            recognition = await pool.recognize(tones("four one"), NATURAL)
            assert recognition.best.text == "four one"
            assert pool.state().restarts == 1

    run(scenario)


def test_ready_from_start_to_close(shared_model: Path) -> None:
    """Readiness follows the model, and no process is left behind."""

    async def scenario() -> None:
        pool = RecognizerPool(shared_model)
        assert not pool.ready
        await pool.start()
        assert pool.ready
        await pool.close()
        assert not pool.ready
        assert worker_ids() == set()

    run(scenario)


def test_not_started_or_closed_pool_refuses() -> None:
    """An utterance before start or after close is a ModelError, and close may come twice."""

    async def scenario() -> None:
        pool = RecognizerPool(None)
        with pytest.raises(ModelError, match="not running"):
            await pool.recognize(tones("four"), NATURAL)
        await pool.close()
        await pool.close()

    run(scenario)


def test_closed_pool_refuses(shared_model: Path) -> None:
    """After close there is no worker to ask."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            pass
        with pytest.raises(ModelError, match="not running"):
            await pool.recognize(tones("four"), NATURAL)

    run(scenario)


def test_missing_model_fails_at_start(tmp_path: Path) -> None:
    """The error is the parent's own, with the path in it, and no process was started."""

    async def scenario() -> None:
        pool = RecognizerPool(tmp_path / "nowhere")
        with pytest.raises(ModelError, match="nowhere"):
            await pool.start()
        assert not pool.ready
        assert worker_ids() == set()

    run(scenario)


def test_altered_model_fails_at_start(model: Path) -> None:
    """Weights that are not those of the description are not served."""
    (model / "encoder.onnx").write_bytes(b"other")

    async def scenario() -> None:
        with pytest.raises(ModelError, match="was altered"):
            await RecognizerPool(model).start()

    run(scenario)


def test_model_that_does_not_load_fails_at_start(
    model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker that cannot load is an error at start, not a hang."""
    (model / "encoder.onnx").write_bytes(b"not a model")
    write_description(model, DESCRIPTION)

    async def scenario() -> None:
        pool = RecognizerPool(model)
        with pytest.raises(ModelError, match="died while loading"):
            await pool.start()
        assert not pool.ready

    run(scenario)
    assert "encoder.onnx" in capfd.readouterr().err


def test_wrong_grammar_comes_back_as_itself(shared_model: Path) -> None:
    """An error of the question crosses the process with its type, and the worker lives on."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            with pytest.raises(ConfigError, match="colours"):
                await pool.recognize(tones("four"), "builtin:colours")
            assert (await pool.recognize(tones("four"), NATURAL)).best.text == "four"
            assert pool.restarts == 0

    run(scenario)


def test_full_queue_refuses_and_recovers(shared_model: Path) -> None:
    """One at work and two waiting are all there is room for; the rest is refused at once."""

    async def scenario() -> None:
        async with serving(shared_model, workers=1, queue_limit=2) as pool:
            with stopped(worker_ids()):
                waiting = [
                    asyncio.ensure_future(pool.recognize(tones(words), NATURAL))
                    for words in ("four", "one", "five")
                ]
                await asyncio.sleep(0)
                with pytest.raises(Overloaded, match="3 utterances wait for 1 workers"):
                    await pool.recognize(tones("yes"), NATURAL)
            answers = await asyncio.gather(*waiting)
            assert [answer.best.text for answer in answers] == ["four", "one", "five"]
            assert (await pool.recognize(tones("yes"), NATURAL)).best.text == "yes"

    run(scenario)


def test_caller_who_hangs_up_frees_the_place(shared_model: Path) -> None:
    """A cancelled utterance no longer counts against the queue."""

    async def scenario() -> None:
        async with serving(shared_model, workers=1, queue_limit=1) as pool:
            with stopped(worker_ids()):
                tasks = [
                    asyncio.ensure_future(pool.recognize(tones("four"), NATURAL)) for _ in range(2)
                ]
                await asyncio.sleep(0)
                assert isinstance(await error_of(pool.recognize(tones("one"), NATURAL)), Overloaded)
                for task in tasks:
                    task.cancel()
                assert isinstance(await error_of(tasks[0]), asyncio.CancelledError)
                assert isinstance(await error_of(tasks[1]), asyncio.CancelledError)
                last = asyncio.ensure_future(pool.recognize(tones("one"), NATURAL))
                await asyncio.sleep(0)
            assert (await last).best.text == "one"

    run(scenario)


def test_worker_killed_between_utterances_is_replaced(shared_model: Path) -> None:
    """The next caller is heard by a new worker."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            (killed,) = worker_ids()
            os.kill(killed, signal.SIGKILL)
            await until(lambda: killed not in worker_ids())
            assert (await pool.recognize(tones("four"), NATURAL)).best.text == "four"
            assert pool.restarts == 1
            assert pool.ready
            assert killed not in worker_ids()

    run(scenario)


def test_worker_killed_in_mid_utterance_loses_no_caller(shared_model: Path) -> None:
    """The utterance under way and those that waited are tried again, by one new pool."""
    spoken = ["four one", "five", "one one"]

    async def scenario() -> None:
        async with serving(shared_model, workers=1) as pool:
            (killed,) = worker_ids()
            with stopped({killed}):
                waiting = [
                    asyncio.ensure_future(pool.recognize(tones(words), NATURAL)) for words in spoken
                ]
                await asyncio.sleep(0.05)
                os.kill(killed, signal.SIGKILL)
                answers = await asyncio.gather(*waiting)
            assert [answer.best.text for answer in answers] == spoken
            assert pool.restarts == 1

    run(scenario)


def test_utterance_that_kills_twice_is_given_up(shared_model: Path) -> None:
    """A third worker is not sacrificed to it, and the next utterance gets a new one."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            (first,) = worker_ids()
            with stopped({first}):
                fatal = asyncio.ensure_future(pool.recognize(tones("four"), NATURAL))
                await asyncio.sleep(0.05)
                os.kill(first, signal.SIGKILL)
                await until(lambda: bool(worker_ids() - {first}))
                (second,) = worker_ids() - {first}
                os.kill(second, signal.SIGKILL)
                error = await error_of(fatal)
            assert isinstance(error, ModelError)
            assert "died twice" in str(error)
            assert (await pool.recognize(tones("five"), NATURAL)).best.text == "five"

    run(scenario)


def test_close_ends_what_waits(shared_model: Path) -> None:
    """At close the utterance at work is finished, and one in the queue gets a ModelError."""

    async def scenario() -> None:
        pool = RecognizerPool(shared_model, 1, 8)
        await pool.start()
        with stopped(worker_ids()):
            waiting = [
                asyncio.ensure_future(pool.recognize(tones("four"), NATURAL)) for _ in range(5)
            ]
            await asyncio.sleep(0.05)
            closing = asyncio.ensure_future(pool.close())
            await asyncio.sleep(0.05)
        await closing
        results = await asyncio.gather(*waiting, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        assert len(errors) < len(results)
        assert isinstance(results[-1], ModelError)
        assert "closed" in str(results[-1])
        assert all(isinstance(error, ModelError) for error in errors)

    run(scenario)


def test_worker_outlives_ctrl_c(shared_model: Path) -> None:
    """Ctrl-C goes to the whole process group; the parent drains, so the workers must stay."""

    async def scenario() -> None:
        async with serving(shared_model) as pool:
            for process_id in worker_ids():
                os.kill(process_id, signal.SIGINT)
            assert (await pool.recognize(tones("four"), NATURAL)).best.text == "four"
            assert pool.restarts == 0

    run(scenario)


def test_embedded_model_serves() -> None:
    """The package's own model, in a worker, named or by default."""

    async def scenario() -> None:
        async with serving(EMBEDDED) as pool:
            recognition = await pool.recognize(tones("four"), "builtin:digits?length=4")
            assert 0.0 <= recognition.confidence <= 1.0

    run(scenario)
