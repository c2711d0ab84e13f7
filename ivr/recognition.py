"""What was heard, and why a collection ended: values only, imported by everyone.

A `Recognition` is what the recogniser says of one utterance: an N-best list of *spoken words*.
Turning words into a number is the grammar's work (`ivr.grammar`), which yields an `Interpretation`.
What the call flow receives in the end is a `Collected`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class CompletionCause(StrEnum):
    """Why a collection ended; names are those of MRCP (RFC 6787, 9.4.11) where it has one."""

    SUCCESS = "success"
    NO_MATCH = "no-match"
    NO_INPUT_TIMEOUT = "no-input-timeout"
    TOO_MUCH_SPEECH = "too-much-speech-timeout"
    ERROR = "error"
    HANGUP = "hangup"
    # What the caller wanted instead of answering; not MRCP's.
    REPEAT = "repeat"
    HELP = "help"
    OPERATOR = "operator"
    RESTART = "restart"


class InputMode(StrEnum):
    """How the caller answered."""

    SPEECH = "speech"
    DTMF = "dtmf"
    BOTH = "both"  # some of it spoken, some of it keyed


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its place in the utterance.

    Attributes:
        text: a word of the numeric vocabulary, e.g. ``"five"``.
        start_ms: onset, milliseconds from the start of the utterance's samples.
        end_ms: end, likewise.
        confidence: 0..1.
    """

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One way to hear the utterance.

    Attributes:
        words: the spoken words in order; empty when no vocabulary word was heard. The text
            ``<other>`` stands for speech outside the vocabulary.
        score: natural log of the hypothesis's probability among the N-best, <= 0.
    """

    words: tuple[Word, ...]
    score: float

    @property
    def text(self) -> str:
        """The words joined by single spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Recognition:
    """The recogniser's answer for one utterance.

    Attributes:
        hypotheses: best first; never empty (the empty hypothesis says that no word was heard).
        confidence: 0..1, calibrated: of the answers given with 0.9, about 90 % are right.
        audio_ms: length of the samples that were recognised.
        compute_ms: time spent per stage, by name (``mel``, ``encode``, ``decode``, ...).
        queued_ms: time it waited for a worker before that.
    """

    hypotheses: tuple[Hypothesis, ...]
    confidence: float
    audio_ms: int
    compute_ms: dict[str, float] = field(default_factory=dict)
    queued_ms: float = 0.0

    @property
    def best(self) -> Hypothesis:
        """The first hypothesis."""
        return self.hypotheses[0]


NOTHING_HEARD = Recognition((Hypothesis((), 0.0),), confidence=0.0, audio_ms=0)
"""A recognition without a word: a noise, or what is none of the caller's."""


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What a grammar made of words or keys.

    Attributes:
        value: the accepted value: a digit string (``"41555"``), a date or an amount in its
            canonical form, or ``"yes"`` / ``"no"``.
        words: the words or keys it was read from.
        confidence: 0..1; of the words, not of the choice among alternatives.
        alternatives: other values that the same words have just as well; a caller who said them
            can mean any.
    """

    value: str
    words: str
    confidence: float
    alternatives: tuple[str, ...] = ()

    @property
    def ambiguous(self) -> bool:
        """Whether the words do not tell the value from others: worth a confirmation."""
        return bool(self.alternatives)


@dataclass(frozen=True, slots=True, repr=False)  # it holds the caller's number
class Unclear:
    """A number of which one group was not understood.

    Attributes:
        before: the digits before that group.
        after: the digits after it.
        group: which it is, from 0.
        length: how many digits it has.
    """

    before: str
    after: str
    group: int
    length: int


@dataclass(frozen=True, slots=True)
class Collected:
    """How one collection (one prompt and its answer) ended; what the call flow receives.

    Attributes:
        cause: why it ended.
        value: the accepted value, or ``None`` unless the cause is SUCCESS.
        words: what was heard or keyed, for the record ("" if nothing).
        confidence: 0..1; keys have 1.0, no answer has 0.0.
        mode: how the caller answered, ``None`` if not at all.
        barged_in: the caller's answer stopped the prompt.
        latency_ms: stream time from the caller's last speech (or key) to the decision, plus the
            recogniser's wall time as the shell reported it; ``None`` for noinput.
        correction: the words of a no that says what is right ("no, five not nine").
        alternatives: other values that the same words have just as well.
        digit_confidence: for each character of the value, 0..1; empty where that is not known.
        n_best: values that were heard with a confidence each, surest first; where the cause is
            NO_MATCH, those that were not sure enough.
        unclear: of a NO_MATCH, the one group that was not understood, the others being clear.
        attempt: how often the question was asked, this time included.
    """

    cause: CompletionCause
    value: str | None = None
    words: str = ""
    confidence: float = 0.0
    mode: InputMode | None = None
    barged_in: bool = False
    latency_ms: float | None = None
    correction: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    digit_confidence: tuple[float, ...] = ()
    n_best: tuple[tuple[str, float], ...] = ()
    unclear: Unclear | None = None
    attempt: int = 1

    @property
    def ambiguous(self) -> bool:
        """Whether the words do not tell the value from others: worth a confirmation."""
        return bool(self.alternatives)

    def __repr__(self) -> str:
        """Without what the caller said."""
        shown = "None" if self.value is None else f"<{len(self.value)} characters>"
        return (
            f"Collected({self.cause.value}, value={shown}, mode={self.mode}, "
            f"confidence={self.confidence:.3f})"
        )
