"""The dialogue script: what the simulated caller does, and what should come of it.

Theory of operation: a script is a list of steps that the phone runs in order on the clock of the
line. A step has one verb; the other keys beside the verb are its options::

    description: Speaks the number, confirms it.
    flow: phone_banking                 # by its name; `ivr test` takes its file, too
    caller: {voice: en-gb, rate_wpm: 150, noise: {kind: babble, snr_db: 15}, seed: 1}
    line: {loss: 0.02, band_hz: [300, 3400]}
    steps:
      - wait_prompt                       # until the agent has finished a new prompt
      - say: "four one, five five"        # speak (espeak); voice, rate_wpm, pitch per step too
      - wav: answer.wav                   # or play a recording (path relative to the script)
      - keys: "4155#"                     # or press keys
      - pause_s: 0.5                      # or keep silent
      - barge_in: {after_s: 1.0, say: "yes"}   # speak or press keys into a prompt
      - hang_up                           # end the call from this side
      - drop_line                         # or lose it
    expect:
      outcome: completed
      variables: {account: "41550012"}
      says: ["account number", "Thank you"]
      max_decision_ms: 900
      turns: [no-input-timeout, {step: ask, cause: success, mode: dtmf, value: "41550012"}]

After the last step the caller keeps listening until the agent ends the call. Every mistake in a
file is a `ConfigError` with file, line, key path and cure, found before the call is placed
(`ivr.simulate.script_file`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ivr.errors import ConfigError
from ivr.recognition import CompletionCause, InputMode
from ivr.simulate.script_lookups import ExpectedLookup, StubbedLookup

Seconds = Annotated[float, Field(ge=0.0, le=600.0, allow_inf_nan=False)]
LevelDbfs = Annotated[float, Field(ge=-90.0, le=-3.0, allow_inf_nan=False)]


class _Strict(BaseModel):
    """Unknown keys are errors; values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoiseKind(StrEnum):
    """What is heard behind the caller."""

    WHITE = "white"  # a hiss, as of an old line
    PINK = "pink"  # wind, a fan, a distant road
    BROWN = "brown"  # a car from inside
    HUM = "hum"  # mains and its overtones
    BABBLE = "babble"  # several people talking: the hardest, for it is made of speech


class Noise(_Strict):
    """Noise behind the caller, all through the call.

    Attributes:
        kind: what it is.
        snr_db: how far the caller's speech (`level_dbfs`) is above it; or
        level_dbfs: how loud it is, dB below full scale.
    """

    kind: NoiseKind = NoiseKind.WHITE
    snr_db: Annotated[float, Field(ge=-20.0, le=80.0, allow_inf_nan=False)] | None = None
    level_dbfs: LevelDbfs | None = None

    @model_validator(mode="after")
    def _one_level(self) -> Noise:
        if (self.snr_db is None) == (self.level_dbfs is None):
            raise ValueError("noise has either snr_db or level_dbfs")
        return self


class CallerVoice(_Strict):
    """How the caller sounds.

    Attributes:
        voice: espeak-ng voice of `say` steps: the accent (``en-gb-scotland``), and a timbre behind
            a plus if wanted (``en-us+f3``).
        rate_wpm: words a minute of `say` steps.
        pitch: 0..99, espeak's pitch of `say` steps.
        level_dbfs: active speech level of `say` steps, dB below full scale. ITU-T P.56 calls -26
            nominal for networks; a handset held close is louder, and -20 still leaves room for
            peaks.
        noise: behind the caller; ``None`` is digital silence.
        noise_dbfs: short for white noise of this level.
        seed: of noise and losses, so that a call can be repeated.
    """

    voice: str = "en-us"
    rate_wpm: Annotated[int, Field(ge=80, le=450)] = 150
    pitch: Annotated[int, Field(ge=0, le=99)] = 50
    level_dbfs: LevelDbfs = -20.0
    noise: Noise | None = None
    noise_dbfs: LevelDbfs | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_noise(self) -> CallerVoice:
        if self.noise is not None and self.noise_dbfs is not None:
            raise ValueError("write noise or noise_dbfs, not both")
        return self


class LineQuality(_Strict):
    """What the network does to the caller's voice.

    Attributes:
        loss: share of the 20 ms packets that do not arrive; calls suffer audibly from 0.02 on.
        loss_burst: packets lost in a row, on average; mobile networks lose several.
        conceal: a lost packet is filled with the fading last one, as gateways do; otherwise it is
            silence.
        band_hz: what passes, [low, high]; a landline's is [300, 3400].
        gain_db: how much louder or softer everything arrives.
        echo_db: level of the agent's own voice that comes back; ``None`` for none.
        echo_ms: how late it comes back.
    """

    loss: Annotated[float, Field(ge=0.0, le=0.5, allow_inf_nan=False)] = 0.0
    loss_burst: Annotated[float, Field(ge=1.0, le=50.0, allow_inf_nan=False)] = 1.0
    conceal: bool = False
    band_hz: (
        tuple[
            Annotated[float, Field(ge=0.0, le=4000.0)], Annotated[float, Field(ge=100.0, le=4000.0)]
        ]
        | None
    ) = None
    gain_db: Annotated[float, Field(ge=-40.0, le=20.0, allow_inf_nan=False)] = 0.0
    echo_db: Annotated[float, Field(ge=-80.0, le=0.0, allow_inf_nan=False)] | None = None
    echo_ms: Annotated[int, Field(ge=20, le=1000)] = 120

    @model_validator(mode="after")
    def _some_band(self) -> LineQuality:
        if self.band_hz is not None and self.band_hz[0] >= self.band_hz[1]:
            raise ValueError("band_hz is [low, high], the lower first")
        return self


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


class Misheard(_Strict):
    """What a spoken answer has in common, whether synthesised or recorded.

    Attributes:
        heard_as: what the recogniser is to hear, whatever is said: a mishearing on purpose, word by
            word; "" for no word at all. For `ivr test`, whose server is its own.
        heard_confidence: how sure it is to be of that.
        for_s: only so much of it is said, for callers who are cut off.
    """

    heard_as: Annotated[str, Field(max_length=500)] | None = None
    heard_confidence: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = 0.95
    for_s: Seconds | None = None


class Say(Misheard):
    """Speak a text; options that are left out come from the script's `caller`."""

    say: Annotated[str, Field(min_length=1, max_length=500)]
    voice: str | None = None
    rate_wpm: Annotated[int, Field(ge=80, le=450)] | None = None
    pitch: Annotated[int, Field(ge=0, le=99)] | None = None
    level_dbfs: LevelDbfs | None = None


class Wav(Misheard):
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


class DropLine(_Strict):
    """Lose the connection, without a goodbye."""

    drop_line: Literal[True] = True


Step = WaitPrompt | Say | Wav | Keys | Pause | BargeIn | HangUp | DropLine


Milliseconds = Annotated[int, Field(ge=0, le=600_000)]
Pattern = Annotated[str, Field(min_length=1, max_length=500)]


class ExpectedTurn(_Strict):
    """What one turn of the call record should hold; a key that is left out is not compared.

    Attributes:
        step: of the flow.
        cause: why it ended.
        mode: ``speech``, ``dtmf`` or ``both``.
        value: what was understood.
        words: what was heard or keyed.
        barged_in: whether the answer stopped the prompt.
        says: what the prompt says, or a part of it; capitals do not matter.
        min_confidence: how sure the recogniser has to be.
        max_decision_ms: longest time from the caller's last word or key to the decision.
        max_response_ms: longest time from there to the agent's next word.
    """

    step: str | None = None
    cause: CompletionCause | None = None
    mode: InputMode | None = None
    value: str | None = None
    words: str | None = None
    barged_in: bool | None = None
    says: Pattern | None = None
    min_confidence: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    max_decision_ms: Milliseconds | None = None
    max_response_ms: Milliseconds | None = None


class Expect(_Strict):
    """What should come of the call; a key that is left out is not compared.

    All times are of the line: samples of the caller's audio, the same in real time and faster.

    Attributes:
        outcome: the call record's outcome.
        variables: these flow variables have these values; others may exist.
        turns: the call's turns, all of them, in order.
        lookups: the call's lookups, all of them, in order.
        says: what the agent says, in this order, other things between; capitals do not matter.
        never_says: what it does not say.
        ended_by: who ends the call, ``caller`` or ``agent``.
        max_turns: at most so many questions.
        max_duration_s: longest call.
        max_decision_ms, max_response_ms: as of a turn, for every turn.
    """

    outcome: str | None = None
    variables: dict[str, str] = Field(default_factory=dict)
    turns: tuple[ExpectedTurn, ...] | None = None
    lookups: tuple[ExpectedLookup, ...] | None = None
    says: tuple[Pattern, ...] = ()
    never_says: tuple[Pattern, ...] = ()
    ended_by: Literal["caller", "agent"] | None = None
    max_turns: Annotated[int, Field(ge=0)] | None = None
    max_duration_s: Seconds | None = None
    max_decision_ms: Milliseconds | None = None
    max_response_ms: Milliseconds | None = None


class Script(_Strict):
    """A whole dialogue.

    Attributes:
        name: for reports; the file name without its suffixes.
        description: one line for reports.
        flow: the name of the flow that is called, as in ``/voice?flow=NAME``, or its file, relative
            to the script, for tests, which start a server of their own; ``None`` calls a server's
            default, and tests the one flow beside the script.
        caller: how the caller sounds.
        line: what the network makes of it.
        lookups: what the flow's lookups answer, by step, time after time; for `ivr test`.
        steps: what the caller does.
        expect: what should come of it.
        patience_s: how long the caller listens after the last step before it gives up.
        directory: where relative paths start.
    """

    name: str
    description: str = ""
    flow: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$|\.ya?ml$")] | None = None
    caller: CallerVoice = CallerVoice()
    line: LineQuality = LineQuality()
    lookups: dict[str, tuple[StubbedLookup, ...]] = Field(default_factory=dict)
    steps: tuple[Step, ...]
    expect: Expect = Expect()
    patience_s: Seconds = 30.0
    directory: Path = Path()

    @property
    def flow_name(self) -> str | None:
        """The flow's name for a server; ``None`` where the script gives a file, or nothing."""
        return None if self.flow is None or "." in self.flow else self.flow


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
    "drop_line": DropLine,
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
