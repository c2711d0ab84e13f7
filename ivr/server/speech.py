"""Prompts as the wire wants them, rendered off the event loop and shared between calls.

Ten calls that are greeted at once need the greeting once: a prompt without personal content is
rendered by the first call that wants it, the others wait for the same result, and it stays in
memory as mu-law. A prompt that repeats a caller's number is rendered for that call and forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_encode
from ivr.errors import IvrError
from ivr.flow.machine import Prompt
from ivr.server.metrics import Metrics

_log = structlog.get_logger(__name__)

# The synthesiser holds one lock for the whole process; a second thread encodes while the first
# renders.
_THREADS: Final = 2
_MAX_SHARED: Final = 256  # prompts; 5 s each is 10 MB


class PromptRenderer(Protocol):
    """What renders prompts: `ivr.prompts.store.PromptStore`, or a test's stand-in."""

    def render(self, prompt: Prompt) -> NDArray[np.int16]:
        """The prompt's speech: [n] int16, 8 kHz."""


class Speech:
    """Rendered prompts.

    Args:
        renderer: called in a thread.
        metrics: counts the failures, and times the rendering.
    """

    def __init__(self, renderer: PromptRenderer, metrics: Metrics) -> None:
        self._renderer = renderer
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="prompts")
        self._shared: OrderedDict[Prompt, asyncio.Future[bytes]] = OrderedDict()

    async def payload(self, prompt: Prompt) -> bytes:
        """The prompt as mu-law, 8 kHz; empty where it cannot be rendered: the call goes on."""
        try:
            if prompt.personal:
                return await self._start(prompt)
            shared = self._shared.get(prompt)
            if shared is None or shared.cancelled():
                shared = self._shared[prompt] = self._start(prompt)
                shared.add_done_callback(_retrieve)
                while len(self._shared) > _MAX_SHARED:
                    self._shared.popitem(last=False)
            # One call's barge-in must not cancel the rendering that others wait for.
            return await asyncio.shield(shared)
        except (IvrError, OSError, ValueError) as error:
            self._shared.pop(prompt, None)
            self._metrics.add("failures", "prompt")
            # The text of the error may quote the prompt, and the prompt the caller.
            _log.error(
                "prompt_failed", cause=type(error).__name__, recording=prompt.recording or "none"
            )
            return b""

    def close(self) -> None:
        """Start no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, prompt: Prompt) -> asyncio.Future[bytes]:
        return asyncio.get_running_loop().run_in_executor(self._threads, self._encode, prompt)

    def _encode(self, prompt: Prompt) -> bytes:
        began_s = time.monotonic()
        payload = mulaw_encode(self._renderer.render(prompt))
        self._metrics.time("prompt_render", time.monotonic() - began_s)
        return payload


def _retrieve(done: asyncio.Future[bytes]) -> None:
    """Look at a failure that no call waits for any more, which asyncio would otherwise report."""
    if not done.cancelled():
        done.exception()
