"""From frames to utterances: when the caller begins to speak, pauses, and is done.

Theory of operation. Every 20 ms frame is weighed once by three witnesses (`ivr.endpointing.vad`,
`ivr.endpointing.evidence`) and becomes

* *speechlike*: the VAD hears speech and the level is over the line's noise. Fricatives are that; so
  is noise that has just begun.
* a *nucleus*: speechlike and voiced, the core of a syllable. Clicks, coughs and hiss have none.

Nuclei alone start an utterance and carry it on; speechlike frames only widen it, so that "s" and
"f" are kept and noise starts nothing:

                        two nuclei within                silence for short_pause_ms
                         start_window_ms
        +---------+ ------------------------> +---------+ ----------------> +--------+
        | waiting |       SpeechStarted       | talking |   SpeechPaused    | paused |
        +---------+ <------------------------ +---------+ <---------------- +--------+
             ^          UtteranceEnded:            |       SpeechResumed:       |
             |          max_speech_ms, finish()    |       two more nuclei      |
             +-------------------------------------+----------------------------+
                        UtteranceEnded: silence for end_silence_ms

The start looks back: the utterance begins `pre_roll_ms` before the first speechlike frame that
leads up to the nuclei. The voice of a clipped "six" is two frames long, between two fricatives of
160 ms; a rule of three nuclei lost whole digits so. The end looks ahead: a digit that begins
with a soft fricative is heard by its nucleus only 100 to 200 ms after it began, so speechlike
frames at the deadline hold the end open for `grace_ms`; and in noise the edges of words drown, so
the same pause measures longer, and `noise_allowance_ms` is added.

The only clock is the count of samples. Every number in `EndpointSettings` without a source was set
on the dev speakers of Speech Commands and AN4 and the project's noise recordings, through mu-law;
the figures below are from those runs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.endpointing.events import (
    EndpointEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    UtteranceEnded,
)
from ivr.endpointing.evidence import NoiseLevel, level_dbfs, periodicity
from ivr.endpointing.settings import FRAME_MS, EndpointSettings
from ivr.endpointing.vad import FRAME_SAMPLES, RATE_HZ, Vad

__all__ = [
    "EndpointEvent",
    "EndpointSettings",
    "Endpointer",
    "SpeechPaused",
    "SpeechResumed",
    "SpeechStarted",
    "UtteranceEnded",
]

_NO_FRAME: Final = np.zeros(FRAME_SAMPLES, dtype=np.int16)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one frame showed; a nucleus is also speechlike."""

    speechlike: bool = False
    nucleus: bool = False


class Endpointer:
    """Finds the utterances in one caller's audio.

    Args:
        settings: see `EndpointSettings`.
        vad: the detector to use; by default one of aggressiveness 2. On noise the choice
            hardly matters (dishes: 86, 79 and 78 % of the frames are speech at 1, 2 and 3).

    State: the partial frame, the VAD's and the noise tracker's view of the line, the audio that may
    still belong to an utterance (at most `max_speech_ms` and the look-back), the utterance in
    progress. `reset` clears all of it and sets the position to 0; one call keeps one endpointer and
    does not reset it between answers, so that the line's noise is known.

    Latency: a start is decided 60 to 240 ms after the first voiced sound, an end `end_silence_ms`
    after the last speech plus, where they apply, `grace_ms` and `noise_allowance_ms`.

    Invariant: the events do not depend on how the samples were cut into chunks. Samples are
    delivered in one ended utterance at most.
    """

    def __init__(self, settings: EndpointSettings | None = None, vad: Vad | None = None) -> None:
        self.settings = settings or EndpointSettings()
        self._vad = vad or Vad()
        self._noise = NoiseLevel()
        self._end_silence_ms = self.settings.end_silence_ms
        self._max_speech_ms = self.settings.max_speech_ms
        self.reset()

    def reset(self) -> None:
        """Begin a new call at sample 0; `end_silence_ms` goes back to that of the settings."""
        s = self.settings
        self._vad.reset()
        self._noise.reset()
        self._end_silence_ms = s.end_silence_ms
        self._max_speech_ms = s.max_speech_ms
        self._partial = np.zeros(0, dtype=np.int16)
        self._position = 0  # end of the last whole frame
        # Whole frames from _frames_start on: all that an utterance may still reach back to.
        self._frames: deque[NDArray[np.int16]] = deque()
        self._frames_start = 0
        look_back_ms = s.start_window_ms + s.max_onset_ms
        self._evidence: deque[_Evidence] = deque(maxlen=_frames(look_back_ms))
        self._idle_frames = _frames(look_back_ms) + _frames(s.pre_roll_ms) + 1
        self._delivered_to = 0
        # The utterance in progress, if any.
        self._in_speech = False
        self._pauses = 0  # told since the last speech: 0, 1 (short), 2
        self._start = 0  # of its samples
        self._onset = 0  # its first speechlike frame
        self._speech_end = 0
        self._nucleus_end = 0
        self._loudest_over_gate_db = 0.0

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is in progress, pauses included."""
        return self._in_speech

    @property
    def start_sample(self) -> int:
        """Where the samples of the utterance begin that is in progress, or was the last."""
        return self._start

    @property
    def silence_ms(self) -> int:
        """How long the utterance in progress has been silent; 0 where there is none."""
        return (self._position - self._speech_end) * 1000 // RATE_HZ if self._in_speech else 0

    def set_end_silence_ms(self, end_silence_ms: int) -> None:
        """Change how long a silence ends the utterance, from the next frame on.

        Args:
            end_silence_ms: short where what was heard is complete, long where more must come. A
                silence already longer ends the utterance with the next frame.

        Raises:
            ValueError: under one frame (20 ms).
        """
        if end_silence_ms < FRAME_MS:
            raise ValueError(f"end_silence_ms must be at least {FRAME_MS}, not {end_silence_ms}")
        self._end_silence_ms = end_silence_ms

    def set_max_speech_ms(self, max_speech_ms: int) -> None:
        """Change how long an utterance may last, from the next frame on.

        Raises:
            ValueError: under one frame (20 ms).
        """
        if max_speech_ms < FRAME_MS:
            raise ValueError(f"max_speech_ms must be at least {FRAME_MS}, not {max_speech_ms}")
        self._max_speech_ms = max_speech_ms

    def feed(self, samples: NDArray[np.int16]) -> list[EndpointEvent]:
        """Take the next samples of the call.

        Args:
            samples: [n] int16, 8 kHz, n >= 0; a partial frame waits for the next call.

        Returns:
            What happened in them, in order.

        Raises:
            ValueError: not one-dimensional or not int16.
        """
        if samples.ndim != 1 or samples.dtype != np.int16:
            raise ValueError(
                f"the endpointer takes [n] int16, not {samples.ndim}-D {samples.dtype}"
            )
        pending = np.concatenate((self._partial, samples))
        whole = pending.shape[0] // FRAME_SAMPLES * FRAME_SAMPLES
        # Until the last frame is done no partial frame may be seen, or events would depend on the
        # chunks.
        self._partial = pending[:0]
        events: list[EndpointEvent] = []
        for at in range(0, whole, FRAME_SAMPLES):
            self._feed_frame(pending[at : at + FRAME_SAMPLES], events)
        self._partial = pending[whole:]
        return events

    def finish(self) -> list[EndpointEvent]:
        """End the utterance in progress now: no more audio, or an early decision.

        Returns:
            The `UtteranceEnded`, or nothing where no utterance is in progress. The stream may go
            on.
        """
        if not self._in_speech:
            return []
        return [self._end(self._position + self._partial.shape[0], too_long=False)]

    def so_far(self) -> NDArray[np.int16]:
        """The utterance in progress, [n] int16 from its pre-roll to now; empty where there is none.

        At most the post-roll after its last speech; the stream goes on.
        """
        if not self._in_speech:
            return _NO_FRAME[:0]
        return self._utterance(self._position)

    def _feed_frame(self, frame: NDArray[np.int16], events: list[EndpointEvent]) -> None:
        self._evidence.append(self._weigh(frame))
        self._frames.append(frame)
        self._position += FRAME_SAMPLES
        if self._in_speech:
            self._follow(events)
        else:
            self._await_start(events)
        if not self._in_speech:
            while len(self._frames) > self._idle_frames:
                self._frames.popleft()
                self._frames_start += FRAME_SAMPLES

    def _weigh(self, frame: NDArray[np.int16]) -> _Evidence:
        s = self.settings
        # Every frame goes to both trackers, whatever the other says: they know the line by what
        # they hear.
        heard = self._vad.is_speech(frame)
        level = level_dbfs(frame)
        noise_gate = self._noise.gate_dbfs(s.over_median_db, s.over_loud_db)
        gate = max(s.min_level_dbfs, noise_gate)
        known = self._noise.known
        self._noise.add(level, self._in_speech)
        if not heard or level <= gate:
            return _Evidence()
        loud = known and level > gate + s.loud_db - s.over_median_db
        before = self._frames[-1] if self._frames else _NO_FRAME
        pitch = periodicity(np.concatenate((before, frame)))
        threshold = s.min_periodicity_loud if loud else s.min_periodicity
        if self._in_speech:
            threshold = min(threshold, s.min_periodicity_in_speech)
            if pitch >= threshold:
                self._loudest_over_gate_db = max(self._loudest_over_gate_db, level - gate)
        return _Evidence(speechlike=True, nucleus=pitch >= threshold)

    def _latest(self, window_ms: int) -> list[_Evidence]:
        return list(self._evidence)[-_frames(window_ms) :]

    def _await_start(self, events: list[EndpointEvent]) -> None:
        s = self.settings
        if not self._evidence[-1].nucleus:
            return  # the evidence only grows with a nucleus
        nuclei_ms = FRAME_MS * sum(e.nucleus for e in self._latest(s.start_window_ms))
        if nuclei_ms < s.min_speech_ms:
            return
        self._onset = self._find_onset()
        self._start = max(
            self._onset - _samples(s.pre_roll_ms), self._frames_start, self._delivered_to
        )
        self._in_speech, self._pauses = True, 0
        self._speech_end = self._nucleus_end = self._position
        self._loudest_over_gate_db = 0.0
        events.append(SpeechStarted(self._start, self._position))

    def _find_onset(self) -> int:
        """Where the speech that leads to the nuclei begins, short gaps bridged."""
        s = self.settings
        evidence = list(self._evidence)
        window_start = max(0, len(evidence) - _frames(s.start_window_ms))
        return self._leading_to(
            next(i for i in range(window_start, len(evidence)) if evidence[i].speechlike)
        )

    def _leading_to(self, onset: int) -> int:
        """Where the speech begins that leads to a frame of the evidence, short gaps bridged."""
        evidence = list(self._evidence)
        for i in range(onset - 1, -1, -1):
            if evidence[i].speechlike:
                onset = i
            elif onset - i > _frames(self.settings.max_onset_gap_ms):
                break
        return self._position - (len(evidence) - onset) * FRAME_SAMPLES

    def _follow(self, events: list[EndpointEvent]) -> None:
        s = self.settings
        self._extend(events)
        silence = self._position - self._speech_end
        over_end = silence - _samples(self._end_silence_ms + self._noise_allowance_ms())
        if self._position - self._onset >= _samples(self._max_speech_ms):
            events.append(self._end(self._position, too_long=True))
        elif over_end >= 0 and not (over_end < _samples(s.grace_ms) and self._may_resume()):
            events.append(self._end(self._position, too_long=False))
        elif self._pauses < 2 and silence >= _samples((s.short_pause_ms, s.pause_ms)[self._pauses]):
            self._pauses += 1
            samples, short = self._utterance(self._position), self._pauses == 1
            events.append(SpeechPaused(self._speech_end, self._position, samples, short))

    def _extend(self, events: list[EndpointEvent]) -> None:
        """Move the end of speech to the present, if the last frame carries the utterance on."""
        s = self.settings
        now = self._evidence[-1]
        if not now.speechlike:
            return
        near = self._position - FRAME_SAMPLES - self._speech_end <= _samples(s.max_gap_ms)
        resumed_ms = FRAME_MS * sum(e.nucleus for e in self._latest(s.resume_window_ms))
        paused_at = self._speech_end
        if (near and now.nucleus) or resumed_ms >= s.min_resume_ms:
            self._nucleus_end = self._speech_end = self._position
        elif near and self._position - self._nucleus_end <= _samples(s.max_unvoiced_ms):
            self._speech_end = self._position
        else:
            return
        if self._pauses:
            self._pauses = 0
            onset = self._leading_to(len(self._evidence) - 1)
            events.append(SpeechResumed(max(onset, paused_at), self._position))

    def _may_resume(self) -> bool:
        """Whether the latest frames could be the fricative that begins another digit."""
        latest = self._latest(self.settings.grace_ms)
        speechlike_ms = FRAME_MS * sum(e.speechlike for e in latest)
        return latest[-1].speechlike and speechlike_ms >= self.settings.min_grace_ms

    def _noise_allowance_ms(self) -> int:
        noisy = self._loudest_over_gate_db < self.settings.noisy_db
        return self.settings.noise_allowance_ms if noisy else 0

    def _utterance(self, available_to: int) -> NDArray[np.int16]:
        end = min(self._speech_end + _samples(self.settings.post_roll_ms), available_to)
        kept = np.concatenate((*self._frames, self._partial))
        return kept[self._start - self._frames_start : end - self._frames_start].copy()

    def _end(self, at: int, *, too_long: bool) -> UtteranceEnded:
        samples = self._utterance(at)
        self._in_speech, self._pauses = False, 0
        self._delivered_to = self._start + samples.shape[0]
        self._evidence.clear()  # what ended this utterance must not start the next
        return UtteranceEnded(self._start, self._speech_end, at, samples, too_long)


def _samples(ms: int) -> int:
    return ms * RATE_HZ // 1000


def _frames(ms: int) -> int:
    """Whole frames that cover the duration."""
    return -(-ms // FRAME_MS)
