"""Calls one after the other with one recogniser and one synthesiser: for the pytest plugin."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

from ivr.asr.pool import RecognizerPool
from ivr.config import load_settings
from ivr.server.logging import configure_logging
from ivr.simulate.exchange import Verdict
from ivr.testing.cases import Case, find_cases
from ivr.testing.prompts import open_prompts
from ivr.testing.run import CallTest, Plan, run_cases
from ivr.testing.voices import FreshVoice

_STUCK_S = 300.0
_SCRIPT = "call.call.yaml"
_FLOW = "flow.yaml"


class _Kept(RecognizerPool):
    """A pool that outlives the servers that use it."""

    async def start(self) -> None:
        if not self.ready:
            await super().start()

    async def close(self) -> None:
        """Not yet."""

    async def end(self) -> None:
        await super().close()


class Session:
    """Places calls until it is closed; from any thread, one call at a time.

    Args:
        config: of the servers; ``None`` takes the defaults and the environment.
        real_time: calls last as long as they would.
    """

    def __init__(self, config: Path | None = None, *, real_time: bool = False) -> None:
        self._settings = load_settings(config)
        configure_logging(self._settings.log.model_copy(update={"level": "error"}))
        self._plan = Plan(real_time=real_time)
        self._voice = FreshVoice()
        self._prompts = open_prompts(self._settings.prompts, self._voice)
        self._pool = _Kept(self._settings.recognizer.model_dir, 1, 100, _STUCK_S)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def place(self, script: Path) -> Verdict:
        """Place the call of a script file to its flow.

        Raises:
            IvrError: script or flow are wrong, or something cannot be started.
        """
        (case,) = find_cases([script])
        return self._place(case)

    def call(self, flow: str | Path, script: str | Path, folder: Path) -> Verdict:
        """Place a call.

        Args:
            flow: a file, or a flow as text.
            script: likewise.
            folder: what files are relative to.

        Raises:
            IvrError: as `place`.
        """
        with tempfile.TemporaryDirectory(prefix="ivr-call-") as made:
            flow_file = _file(flow, folder, Path(made) / _FLOW)
            script_file = _file(script, folder, Path(made) / _SCRIPT)
            return self._place(find_cases([script_file], flow=flow_file)[0])

    def close(self) -> None:
        """Stop everything."""
        asyncio.run_coroutine_threadsafe(self._pool.end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._voice.close()

    def _place(self, case: Case) -> Verdict:
        test = CallTest(
            [case],
            self._settings,
            self._pool,
            prompts=self._prompts,
            voice=self._voice,
            plan=self._plan,
        )
        placing = run_cases([case], test)
        return asyncio.run_coroutine_threadsafe(placing, self._loop).result()[0].verdict


def _file(given: str | Path, folder: Path, made: Path) -> Path:
    """A file that was named, or one with the text that was given."""
    if isinstance(given, str) and "\n" in given:
        made.write_text(given, encoding="utf-8")
        return made
    return folder / given
