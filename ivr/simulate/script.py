"""The dialogue script: what the simulated caller does, and what should come of it.

Theory of operation: a script is a list of steps that the phone runs in order on the clock of the
line. A step has one verb; the other keys beside the verb are its options::

    description: Speaks the number, confirms it.
    flow: phone_banking                   # of the server's flows; without it, its default
    caller: {voice: en-gb, rate_wpm: 150, noise_dbfs: -55, seed: 1}
    steps:
      - wait_prompt                       # until the agent has finished a new prompt
      - say: "four one, five five"        # speak (espeak); voice, rate_wpm, pitch per step too
      - wav: answer.wav                   # or play a recording (path relative to the script)
      - keys: "4155#"                     # or press keys
      - pause_s: 0.5                      # or keep silent
      - barge_in: {after_s: 1.0, say: "yes"}   # speak or press keys into a prompt
      - hang_up                           # end the call from this side
    expect:
      outcome: completed
      variables: {account: "41550012"}
      turns: [no-input-timeout, {step: ask, cause: success, mode: dtmf, value: "41550012"}]

After the last step the caller keeps listening until the agent ends the call. Every mistake in a
file is a `ConfigError` with file, line, key path and cure, found before the call is placed
(`ivr.simulate.script_file`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ivr.errors import ConfigError
from ivr.recognition import CompletionCause, InputMode

Seconds = Annotated[float, Field(ge=0.0, le=600.0, allow_inf_nan=False)]
LevelDbfs = Annotated[float, Field(ge=-90.0, le=-3.0, allow_inf_nan=False)]


class _Strict(BaseModel):
    """Unknown keys are errors; values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CallerVoice(_Strict):
    """How the caller sounds.

    Attributes:
        voice: espeak-ng voice of `say` steps.
        rate_wpm: words a minute of `say` steps.
        pitch: 0..99, espeak's pitch of `say` steps.
        level_dbfs: active speech level of `say` steps, dB below full scale. ITU-T P.56 calls -26
            nominal for networks; a handset held close is louder, and -20 still leaves room for
            peaks.
        noise_dbfs: level of the line's noise, dB below full scale; ``None`` is digital silence.
        seed: of the noise, so that a call can be repeated.
    """

    voice: str = "en-us"
    rate_wpm: Annotated[int, Field(ge=80, le=450)] = 150
    pitch: Annotated[int, Field(ge=0, le=99)] = 50
    level_dbfs: LevelDbfs = -20.0
    noise_dbfs: LevelDbfs | None = None
    seed: Annotated[int, Field(ge=0)] = 0


class WaitPrompt(_Strict):
    """Listen until the agent has finished a prompt that began after the last thing this caller did.

    Attributes:
        settle_s: quiet after the prompt before it counts as finished: people answer after about as
            much (0.2 to 0.5 s), and it bridges the gap between two prompts that belong together.
        timeout_s: how long to wait before the script fails.
    """

    wait_prompt: Literal[True] = True
    settle_s: Seconds = 0.4
    timeout_s: Seconds = 20.0


class Say(_Strict):
    """Speak a text; options that are left out come from the script's `caller`."""

    say: Annotated[str, Field(min_length=1, max_length=500)]
    voice: str | None = None
    rate_wpm: Annotated[int, Field(ge=80, le=450)] | None = None
    pitch: Annotated[int, Field(ge=0, le=99)] | None = None
    level_dbfs: LevelDbfs | None = None


class Wav(_Strict):
    """Play a recording (wav, flac, mp3, ogg; any rate); paths are relative to the script."""

    wav: Path


def _check_keys(text: str) -> str:
    """Refuse text without a key or with something that no telephone has."""
    if not re.fullmatch(r"[0-9A-D*# -]{1,64}", text) or not text.strip(" -"):
        raise ValueError("keys are 0-9, A-D, * and # (64 at most), with spaces or - between")
    return text


class Keys(_Strict):
    """Press keys.

    Attributes:
        keys: 0-9, A-D, ``*`` and ``#``; spaces and hyphens are for the reader.
        gap_s: from one key to the next; 0.25 is a brisk hand, far under an inter-digit timeout.
    """

    keys: Annotated[str, AfterValidator(_check_keys)]
    gap_s: Seconds = 0.25

    @property
    def pressed(self) -> str:
        """The keys alone."""
        return self.keys.replace(" ", "").replace("-", "")


class Pause(_Strict):
    """Keep silent for a while."""

    pause_s: Seconds


Input = Say | Wav | Keys


class BargeIn(_Strict):
    """Answer while the prompt is still playing, `after_s` after it began."""

    after_s: Seconds
    input: Input


class HangUp(_Strict):
    """End the call from this side."""

    hang_up: Literal[True] = True


Step = WaitPrompt | Say | Wav | Keys | Pause | BargeIn | HangUp


class ExpectedTurn(_Strict):
    """What one turn of the call record should hold; a key that is left out is not compared."""

    step: str | None = None
    cause: CompletionCause | None = None
    mode: InputMode | None = None
    value: str | None = None
    barged_in: bool | None = None


class Expect(_Strict):
    """What should come of the call; a key that is left out is not compared.

    Attributes:
        outcome: the call record's outcome.
        variables: these flow variables have these values; others may exist.
        turns: the call's turns, all of them, in order.
    """

    outcome: str | None = None
    variables: dict[str, str] = Field(default_factory=dict)
    turns: tuple[ExpectedTurn, ...] | None = None


class Script(_Strict):
    """A whole dialogue.

    Attributes:
        name: for reports; the file name without its suffixes.
        description: one line for reports.
        flow: the name of the flow that is called, as in ``/voice?flow=NAME``; ``None`` calls the
            server's default.
        caller: how the caller sounds.
        steps: what the caller does.
        expect: what should come of it.
        patience_s: how long the caller listens after the last step before it gives up.
        directory: where relative paths start.
    """

    name: str
    description: str = ""
    flow: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    caller: CallerVoice = CallerVoice()
    steps: tuple[Step, ...]
    expect: Expect = Expect()
    patience_s: Seconds = 30.0
    directory: Path = Path()


def describe(step: Step) -> str:
    """A step as its verb, for messages; without what is said or keyed."""
    if isinstance(step, BargeIn):
        return f"barge_in with {describe(step.input)}"
    return next(verb for verb, kind in STEP_OF_VERB.items() if isinstance(step, kind))


INPUT_OF_VERB: dict[str, type[Say] | type[Wav] | type[Keys]] = {
    "say": Say,
    "wav": Wav,
    "keys": Keys,
}
STEP_OF_VERB: dict[str, type[Step]] = {
    "wait_prompt": WaitPrompt,
    **INPUT_OF_VERB,
    "pause_s": Pause,
    "barge_in": BargeIn,
    "hang_up": HangUp,
}


def quick_script(
    answers: Sequence[tuple[str, str]], caller: CallerVoice, *, name: str = "call"
) -> Script:
    """The script behind ``--say``, ``--wav`` and ``--keys``: answer prompt after prompt.

    After the last answer the caller hears one more prompt (what the flow made of it) and hangs up.

    Args:
        answers: pairs of verb (``say``, ``wav``, ``keys``) and text, file name or keys, in order.
        caller: how the caller sounds.
        name: for reports.

    Raises:
        ConfigError: an answer that its verb does not allow, or a file that does not exist.
    """
    steps: list[Step] = []
    for verb, text in answers:
        if verb not in INPUT_OF_VERB:
            raise ConfigError(f"--{verb}: not an answer; use one of {', '.join(INPUT_OF_VERB)}")
        try:
            answer = INPUT_OF_VERB[verb].model_validate({verb: text})
        except ValidationError as error:
            problem = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"--{verb}: {problem}") from error
        if isinstance(answer, Wav) and not answer.wav.is_file():
            raise ConfigError(f"--wav: no file {answer.wav}; check the path")
        steps += [WaitPrompt(), answer]
    steps += [WaitPrompt(), HangUp()]
    return Script(name=name, caller=caller, steps=tuple(steps))
