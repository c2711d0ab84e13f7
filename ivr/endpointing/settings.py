"""How much evidence each decision of the endpointer needs, and where the number comes from.

The figures were measured on the dev speakers of Speech Commands and AN4 and on the project's noise
recordings, all through mu-law, at the default settings but for the one in question.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from ivr.endpointing.vad import FRAME_SAMPLES, RATE_HZ
from ivr.errors import ConfigError

FRAME_MS: Final = FRAME_SAMPLES * 1000 // RATE_HZ


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """How much evidence each decision needs; durations in ms, counted in whole frames of 20 ms.

    Attributes:
        start_window_ms: a start needs its evidence within this window.
        min_speech_ms: nuclei in the window that start an utterance: the vowel of a clipped "six" is
            two frames long. With 60 ms 3.1 % of 356 digits at 10 dB SNR and 1 % of 200 clean "yes"
            and "no" went unheard, with 40 ms 1.1 % and none; noise recordings start 1.2 instead of
            0.8 utterances a minute; of the 11 in 8.8 minutes one, a cat's, was taken for an answer.
        max_onset_ms: how far before the window the utterance's beginning is sought.
        max_onset_gap_ms: and over which gaps.
        min_resume_ms: nuclei within `resume_window_ms` that carry an utterance on after a gap.
        resume_window_ms: see there.
        max_gap_ms: a gap that a speechlike frame may bridge without that: the closures of "eight"
            and "six" take 60 to 100 ms.
        max_unvoiced_ms: how long speechlike frames widen the utterance after a nucleus: a final "s"
            lasts up to 250 ms. It bounds what noise can add to the end.
        short_pause_ms: silence after which the first `SpeechPaused` comes. It may be no more than
            the closure in "six" or "eight"; but what is complete by then is known 120 ms sooner.
        pause_ms: silence after which the second one comes.
        end_silence_ms: silence after which the utterance ends. The default bridges the gaps of a
            fluent number; whoever knows the grammar lengthens or shortens it.
        grace_ms: how much later it ends while something that may be a soft onset goes on. Without
            it 3 instead of 1 of 100 clean 8-digit strings were cut in two.
        min_grace_ms: speechlike frames within `grace_ms` that may be one.
        noise_allowance_ms: how much later it ends on a noisy line. Without it 21 instead of 6 of
            100 8-digit strings at 10 dB SNR were cut in two.
        noisy_db: a line is noisy if the loudest nucleus exceeds the noise gate by less. 10 dB of
            SNR is about 13 dB here.
        pre_roll_ms: audio kept before the first speechlike frame: the softest part of an
            "f" or "th" is under the VAD or the gate.
        post_roll_ms: audio kept after the last: the burst of a final "t" follows its closure.
        max_speech_ms: an utterance is cut off here.
        min_level_dbfs: frames under this are never speech. At -52, 7 of 100 dev words made
            20 dB softer were lost, at -58 4 (150 words each).
        over_median_db: a frame is speechlike so far over the noise's median level...
        over_loud_db: ...and over its 90th percentile.
        loud_db: a frame so far over the median is loud.
        min_periodicity: a frame is a nucleus from this periodicity on. At 0.58 12 more of 1,424
            digits at 10 dB SNR went unheard; 10.4 minutes of noise recordings start 20 instead of
            15 utterances, of which the recogniser takes one for an answer.
        min_periodicity_loud: the same for loud frames, since the level speaks for them too.
        min_periodicity_in_speech: the same once the caller speaks. Losing a digit in the middle is
            worse than hearing one frame too many.
    """

    start_window_ms: int = 240
    min_speech_ms: int = 40
    max_onset_ms: int = 600
    max_onset_gap_ms: int = 120
    min_resume_ms: int = 40
    resume_window_ms: int = 100
    max_gap_ms: int = 100
    max_unvoiced_ms: int = 300
    short_pause_ms: int = 80
    pause_ms: int = 200
    end_silence_ms: int = 800
    grace_ms: int = 240
    min_grace_ms: int = 60
    noise_allowance_ms: int = 200
    noisy_db: float = 20.0
    pre_roll_ms: int = 300
    post_roll_ms: int = 200
    max_speech_ms: int = 20_000
    min_level_dbfs: float = -58.0
    over_median_db: float = 4.0
    over_loud_db: float = 2.0
    loud_db: float = 15.0
    min_periodicity: float = 0.5
    min_periodicity_loud: float = 0.46
    min_periodicity_in_speech: float = 0.45

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            ConfigError: names the setting and what it must be.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_ms") and value < 0:
                raise ConfigError(f"{field.name} is {value}: a duration is 0 ms or more")
        for name in ("start_window_ms", "resume_window_ms", "end_silence_ms", "max_speech_ms"):
            if getattr(self, name) < FRAME_MS:
                raise ConfigError(f"{name} must be at least one frame, {FRAME_MS} ms")
        if not FRAME_MS <= self.short_pause_ms <= self.pause_ms:
            raise ConfigError(f"short_pause_ms must be {FRAME_MS} to {self.pause_ms} (pause_ms)")
        if self.post_roll_ms > self.pause_ms:
            # Otherwise SpeechPaused could not bring the samples that UtteranceEnded will.
            raise ConfigError(f"post_roll_ms must not exceed pause_ms ({self.pause_ms} ms)")
        if self.max_gap_ms >= self.pause_ms:
            # Otherwise one speechlike frame could undo a pause that was reported.
            raise ConfigError(f"max_gap_ms must be under pause_ms ({self.pause_ms} ms)")
