"""What a phone has played, and when: the provider's playback buffer as a clock.

Theory of operation: a provider keeps one queue of what the agent sent, audio and marks in the
order of arrival, and plays it at 8 kHz. Here the clock is the caller's line: `play` is called
once for each 20 ms frame and moves time on by exactly that much, so a whole call can be played
in memory without waiting, and "when did the caller hear it" is a sample number. A mark is played
when the last sample before it is; a mark with nothing before it at once; a clear drops the audio
and returns the marks.

Audio between two marks is one prompt. Silence inside a prompt is an underrun: the agent sent too
late, and the caller heard a gap.

State: the queue, the position, the prompts. Latency: none; what arrives is played by the next
`play`. Invariant: the samples played, their gaps aside, do not depend on how the agent cut them
into messages.

Source: Twilio Media Streams, "mark" and "clear" messages.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE_HZ: Final = 8000

SAME_PROMPT_SAMPLES: Final = 12_000
"""Audio after more silence than this (1.5 s) is a new prompt, also where the agent sends no marks:
longer than any underrun that a caller would take for a pause, shorter than any noinput timeout."""


@dataclass(slots=True)
class PlayedPrompt:
    """One prompt as the caller heard it; it grows until `closed`.

    Attributes:
        start_sample: line position of its first sample.
        end_sample: line position after its last sample played so far.
        underrun_samples: silence inside it.
        mark: the mark that ended it, if one did.
        cleared: the agent cut it short.
    """

    start_sample: int
    end_sample: int
    underrun_samples: int = 0
    mark: str | None = None
    cleared: bool = False

    @property
    def closed(self) -> bool:
        """Whether a mark or a clear ended it: no more audio belongs to it."""
        return self.cleared or self.mark is not None


class Playout:
    """The playback buffer of one call.

    Attributes:
        position: samples played since the call began, silence included.
        queued_samples: audio that waits to be played.
        prompts: what was heard, in order.
    """

    def __init__(self) -> None:
        self.position = 0
        self.queued_samples = 0
        self.prompts: list[PlayedPrompt] = []
        self._queue: deque[NDArray[np.int16] | str] = deque()

    @property
    def quiet_samples(self) -> int:
        """Silence since the last sample of the agent's audio; the position before the first."""
        return self.position - (self.prompts[-1].end_sample if self.prompts else 0)

    def media(self, samples: NDArray[np.int16]) -> None:
        """Queue audio.

        Args:
            samples: [n] int16, 8 kHz.
        """
        if samples.size:
            self._queue.append(samples)
            self.queued_samples += samples.size

    def mark(self, name: str) -> list[str]:
        """Queue a mark; returns it where nothing waits before it."""
        self._queue.append(name)
        return self._due_marks()

    def clear(self) -> list[str]:
        """Drop all audio.

        Returns:
            The marks that were pending, in order.
        """
        if self.queued_samples and self.prompts and self.prompts[-1].end_sample == self.position:
            # Only a prompt that was being heard is cut; one that never began leaves no trace.
            self.prompts[-1].cleared = True
        names = [item for item in self._queue if isinstance(item, str)]
        self._queue.clear()
        self.queued_samples = 0
        return names

    def play(self, n_samples: int) -> tuple[NDArray[np.int16], list[str]]:
        """Move time on.

        Args:
            n_samples: how far, at 8 kHz.

        Returns:
            [n_samples] int16, what the caller hears (silence where the queue ran dry), and the
            marks that were reached, in order.
        """
        heard = np.zeros(n_samples, np.int16)
        marks: list[str] = []
        filled = 0
        while filled < n_samples and self.queued_samples:
            piece = self._queue.popleft()
            if isinstance(piece, str):
                marks.append(self._reach(piece))
                continue
            taken = piece[: n_samples - filled]
            if taken.size < piece.size:
                self._queue.appendleft(piece[taken.size :])
            heard[filled : filled + taken.size] = taken
            self._note(self.position + filled, taken.size)
            filled += taken.size
            self.queued_samples -= taken.size
        self.position += n_samples
        return heard, marks + self._due_marks()

    def _due_marks(self) -> list[str]:
        """Take the marks that have no audio before them."""
        names: list[str] = []
        while self._queue and isinstance(piece := self._queue[0], str):
            self._queue.popleft()
            names.append(self._reach(piece))
        return names

    def _reach(self, name: str) -> str:
        """Close the prompt that this mark ends, if there is one."""
        if self.prompts and not self.prompts[-1].closed:
            self.prompts[-1].mark = name
        return name

    def _note(self, start: int, n_samples: int) -> None:
        """Add audio played at `start` to the last prompt, or begin one."""
        last = self.prompts[-1] if self.prompts else None
        gap = start - last.end_sample if last else 0
        if last is None or last.closed or gap > SAME_PROMPT_SAMPLES:
            self.prompts.append(PlayedPrompt(start, start + n_samples))
            return
        last.underrun_samples += gap
        last.end_sample = start + n_samples
