"""The caller's telephone: runs a script on the clock of the line. Sans I/O.

Theory of operation: `tick` is one 20 ms frame of the call. It lets the script go on, takes the
next 160 samples of the caller's speech and noise, moves the playout on by as much, and returns
what the provider tells the server: the frame, keys, marks. `receive` takes what the server tells
the provider. The shell (`ivr.simulate.caller`) only calls `tick` every 20 ms and carries the
messages; a test calls it as fast as it likes, so a call of a minute is tested in milliseconds,
and the whole can stand back to back with `ivr.call.Call` in memory.

The script runs as a generator that yields once a frame: each step reads as what the caller does.

How the caller knows that a prompt ended: its own playout has played everything that was sent,
the mark included, and the line stayed quiet for `settle_s`. A prompt counts for `wait_prompt`
only if it began after the caller's last answer began and was not cut short for that answer, so
that the rest of an interrupted turn is not taken for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from ivr.errors import StateError
from ivr.providers.events import (
    AgentMessage,
    DtmfReceived,
    Event,
    MarkPlayed,
    MediaReceived,
    SendMark,
    SendMedia,
    StreamStopped,
)
from ivr.simulate.noise import Losses, background
from ivr.simulate.playout import RATE_HZ, SAME_PROMPT_SAMPLES, PlayedPrompt, Playout
from ivr.simulate.script import (
    BargeIn,
    DropLine,
    HangUp,
    Input,
    Keys,
    Pause,
    Say,
    Script,
    Step,
    WaitPrompt,
    Wav,
    describe,
)
from ivr.simulate.voice import Sound, Sounds

FRAME_SAMPLES: Final = 160
FRAME_S: Final = FRAME_SAMPLES / RATE_HZ
BARGE_IN_TIMEOUT_S: Final = 20.0  # as long as wait_prompt waits by default


@dataclass(frozen=True, slots=True)
class GivenInput:
    """One answer of the caller.

    Attributes:
        step: index of the step in the script.
        kind: ``say``, ``wav`` or ``keys``.
        text: what was said or keyed, or the recording's file name. Personal.
        start_sample: line position of its first sample or key.
        end_sample: line position after the last spoken sample, or of the last key: from here the
            caller waits.
        barged_in: given while a prompt was playing.
    """

    step: int
    kind: str
    text: str
    start_sample: int
    end_sample: int
    barged_in: bool


class _ScriptError(Exception):
    """The call did not let the script go on; the text says why."""


class Phone:
    """One call, from the caller's side.

    Args:
        script: what to do.
        sounds: the audio of the script's `say` and `wav` steps, by step index.

    Attributes:
        playout: what the agent said, and when it was heard.
        inputs: what the caller gave.
        step: index of the step that runs; the number of steps when all are done.
        failure: why the script could not be carried out, or ``None``.
        ended_by: ``"caller"`` or ``"agent"`` once the call is over, ``None`` before.
    """

    def __init__(self, script: Script, sounds: Mapping[int, Sound]) -> None:
        self.script = script
        self.playout = Playout()
        self.inputs: list[GivenInput] = []
        self.step = 0
        self.failure: str | None = None
        self.ended_by: str | None = None
        self._sounds = sounds
        self._speech = np.zeros(0, np.int16)  # of the caller, not yet sent
        self._keys: list[str] = []  # pressed since the last frame
        self._heard = 0  # prompts that the caller has already answered or waited for
        self._answered_at = 0  # line position of the end of the last answer
        self._run = self._run_script()
        talk = sounds.talk if isinstance(sounds, Sounds) else ()
        self._background = background(script.caller, script.line, talk)
        self._losses = Losses(script.line, script.caller.seed)
        self._saying: Say | Wav | None = None  # the answer being given, or given last
        self._dropped = False
        self._caller_track: list[NDArray[np.int16]] = []
        self._agent_track: list[NDArray[np.int16]] = []

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self.ended_by is not None

    @property
    def position_s(self) -> float:
        """Time on the line."""
        return self.playout.position / RATE_HZ

    @property
    def saying(self) -> Say | Wav | None:
        """What the caller says or said last; ``None`` before, and after keys."""
        return self._saying

    def receive(self, message: AgentMessage) -> list[Event]:
        """Take what the agent sent.

        Returns:
            The marks due at once: all pending ones after a clear, or one with no audio before it.
        """
        if isinstance(message, SendMedia):
            self.playout.media(mulaw_decode(message.payload))
            return []
        if isinstance(message, SendMark):
            return [MarkPlayed(name) for name in self.playout.mark(message.name)]
        return [MarkPlayed(name) for name in self.playout.clear()]

    def tick(self) -> list[Event]:
        """One frame of 20 ms.

        Returns:
            What the provider tells the server, in order; `StreamStopped` ends the call, and nothing
            at all one whose line was lost.

        Raises:
            StateError: the call is over.
        """
        if self.ended:
            raise StateError("the call is over")
        try:
            next(self._run)
        except StopIteration:
            self.ended_by = "caller"
        except _ScriptError as failed:
            self.failure = str(failed)
            self.ended_by = "caller"
        if self.ended:
            return [] if self._dropped else [StreamStopped()]
        timestamp_ms = self.playout.position * 1000 // RATE_HZ
        payload = mulaw_encode(self._next_frame())
        self._caller_track.append(mulaw_decode(payload))
        heard, marks = self.playout.play(FRAME_SAMPLES)
        self._agent_track.append(heard)
        keys, self._keys = self._keys, []
        return [
            MediaReceived(payload, timestamp_ms),
            *(DtmfReceived(key) for key in keys),
            *(MarkPlayed(name) for name in marks),
        ]

    def agent_hung_up(self) -> None:
        """The agent closed the stream: fine after the last answer, a failure before it."""
        if self.ended:
            return
        self.ended_by = "agent"
        done = {given.step for given in self.inputs}
        for number, step in enumerate(self.script.steps, start=1):
            if number <= self.step or number - 1 in done or not isinstance(step, BargeIn | Input):
                continue
            self.failure = (
                f"the agent ended the call before step {number} ({describe(step)}) was done"
            )
            return

    def fail(self, reason: str) -> None:
        """The call cannot go on; the caller hangs up. The first reason stays."""
        self.failure = self.failure or reason
        self.ended_by = self.ended_by or "caller"

    def tracks(self) -> NDArray[np.int16]:
        """Both sides of the call as the line carried them.

        Returns:
            [n_samples, 2] int16, 8 kHz: the caller left, the agent right.
        """
        if not self._caller_track:
            return np.zeros((0, 2), np.int16)
        sides = (np.concatenate(self._caller_track), np.concatenate(self._agent_track))
        return np.stack(sides, axis=1)

    def _next_frame(self) -> NDArray[np.int16]:
        """[160] int16: the caller's speech with what is behind it, as the line carries it."""
        frame = np.zeros(FRAME_SAMPLES, np.float64)
        piece = self._speech[:FRAME_SAMPLES]
        self._speech = self._speech[FRAME_SAMPLES:]
        frame[: piece.size] = piece
        line, at = self.script.line, len(self._caller_track)
        if self._background is not None:
            places = np.arange(at * FRAME_SAMPLES, (at + 1) * FRAME_SAMPLES)
            frame += self._background.take(places, mode="wrap")
        late = max(1, round(line.echo_ms / 1000 / FRAME_S))
        if line.echo_db is not None and at >= late:
            frame += self._agent_track[at - late] * 10 ** (line.echo_db / 20)
        frame = self._losses.pass_on(frame)
        return np.clip(np.rint(frame), -32768, 32767).astype(np.int16)

    # --- the script -----------------------------------------------------------------------------

    def _run_script(self) -> Iterator[None]:
        """All steps, then patience; ends when the caller hangs up."""
        for index, step in enumerate(self.script.steps):
            self.step = index
            if isinstance(step, HangUp | DropLine):
                self._dropped = isinstance(step, DropLine)
                return
            try:
                yield from self._run_step(step)
            except _ScriptError as failed:
                raise _ScriptError(f"step {index + 1} ({describe(step)}): {failed}") from None
        self.step = len(self.script.steps)
        yield from self._wait(self.script.patience_s)
        patience = f"within {self.script.patience_s:g} s of the last step"
        raise _ScriptError(f"the agent did not end the call {patience}")

    def _run_step(self, step: Step) -> Iterator[None]:
        """One step other than `hang_up`."""
        if isinstance(step, WaitPrompt):
            return self._wait_prompt(step)
        if isinstance(step, Pause):
            return self._wait(step.pause_s)
        if isinstance(step, BargeIn):
            return self._barge_in(step)
        assert isinstance(step, Input)  # noqa: S101 - hang_up never comes here
        return self._give(step, barged_in=False)

    def _wait(self, seconds: float) -> Iterator[None]:
        """Keep silent."""
        until = self.playout.position + round(seconds * RATE_HZ)
        while self.playout.position < until:
            yield

    def _wait_prompt(self, step: WaitPrompt) -> Iterator[None]:
        """Listen until a new prompt has ended."""
        until = self.playout.position + round(step.timeout_s * RATE_HZ)
        while not self._prompt_ended(step.settle_s):
            if self.playout.position >= until:
                raise _ScriptError(f"no prompt ended within {step.timeout_s:g} s")
            yield
        self._heard = len(self.playout.prompts)

    def _new_prompts(self) -> list[PlayedPrompt]:
        """The prompts that wait for an answer.

        One that began under the caller's own answer and was cut short for it is part of the turn
        that this answer ended.
        """
        return [
            prompt
            for prompt in self.playout.prompts[self._heard :]
            if not (prompt.cleared and prompt.start_sample < self._answered_at)
        ]

    def _prompt_ended(self, settle_s: float) -> bool:
        """Whether a new prompt began and the line has been quiet since its end."""
        if self.playout.queued_samples or not self._new_prompts():
            return False
        settle_samples = round(settle_s * RATE_HZ)
        if not self.playout.prompts[-1].closed:  # an agent that sends no marks: only time can tell
            settle_samples = max(settle_samples, SAME_PROMPT_SAMPLES)
        return self.playout.quiet_samples >= settle_samples

    def _barge_in(self, step: BargeIn) -> Iterator[None]:
        """Wait until a new prompt has been heard for `after_s`, then answer into it."""
        until = self.playout.position + round(BARGE_IN_TIMEOUT_S * RATE_HZ)
        after_samples = round(step.after_s * RATE_HZ)
        while True:
            if new := self._new_prompts():
                begun = new[0].start_sample
                if self.playout.position - begun >= after_samples:
                    break
                if self._prompt_ended(settle_s=0.4):
                    length_s = (new[-1].end_sample - begun) / RATE_HZ
                    raise _ScriptError(f"the prompt was over after {length_s:.1f} s, too early")
            elif self.playout.position >= until:
                raise _ScriptError(f"no prompt began within {BARGE_IN_TIMEOUT_S:g} s")
            yield
        if not self.playout.queued_samples:
            raise _ScriptError(f"no prompt was playing any more after {step.after_s:g} s")
        yield from self._give(step.input, barged_in=True)

    def _give(self, answer: Input, *, barged_in: bool) -> Iterator[None]:
        """Speak or press keys; prompts that begin from now on are new."""
        self._heard = len(self.playout.prompts)
        start = self.playout.position
        self._saying = None if isinstance(answer, Keys) else answer
        if isinstance(answer, Keys):
            end = start
            for number, key in enumerate(answer.pressed):
                if number:
                    yield from self._wait(answer.gap_s)
                self._keys.append(key)
                end = self.playout.position
            text = answer.pressed
        else:
            sound = self._sounds[self.step]
            self._speech = sound.samples
            end = start + sound.speech_end_sample
            text = sound.text
            while self._speech.size > FRAME_SAMPLES:
                yield
        kind = describe(answer)
        self.inputs.append(GivenInput(self.step, kind, text, start, end, barged_in))
        self._answered_at = self.playout.position + FRAME_SAMPLES
        yield  # the last samples or key leave with this frame, before a next step may hang up
