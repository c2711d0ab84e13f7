"""What a studio needs for a flow, and whether what it delivered can be used.

Theory of operation: what a flow can say has names (`ivr.flow.saying`): its fixed texts, its own
words around values, and, where it speaks numbers, their words. `script` lists them; `check` looks
for a file of each and at what is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.audio.level import speech_level_dbfs
from ivr.audio.wav import read_speech
from ivr.errors import AudioError
from ivr.flow.model import Flow
from ivr.flow.saying import fixed_parts, fixed_prompts, languages_of
from ivr.flow.spoken import ENGLISH, words_of
from ivr.flow.steps import texts
from ivr.flow.text import parse_template, placeholders
from ivr.flow.turn import BEEP, Prompt
from ivr.flow.values import AMOUNT, DATE
from ivr.prompts.recordings import DIGITS, NUMERALS, SUFFIXES, Recordings
from ivr.prompts.shaping import LEVEL_DBFS, RATE_HZ

# Further words of numbers, beside those of `NUMERALS`.
_SCALES: Final = ("hundred", "thousand", "million", "and")
_CLIPPED_RUN: Final = 4  # samples in a row at full scale: cut off, not just loud
_FULL: Final = 32_700
_FAINT_DBFS: Final = LEVEL_DBFS - 25.0  # lifting it lifts the room's noise as much
_SILENT_S: Final = 0.5  # around the speech, and in front of every answer of the caller's
_ACTIVE_DB: Final = 40.0
_SIGNS: Final = ",.;:!? "  # nobody reads out what stands between a value and the words behind it


@dataclass(frozen=True, slots=True)
class Line:
    """One recording that a flow can use.

    Attributes:
        name: of the file, without suffix.
        text: what is said in it.
        part: it is a part of a prompt: a word of a number, or the words around a value.
        language: as for `Prompt`.
    """

    name: str
    text: str
    part: bool = False
    language: str | None = None

    @property
    def file(self) -> str:
        """Its place in the folder of recordings."""
        folder = f"{self.language}/" if self.language is not None else ""
        return f"{folder}{self.name}{SUFFIXES[0]}"

    @property
    def prompt(self) -> Prompt:
        """To be rendered."""
        return Prompt(self.text, recording=self.name, language=self.language)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one recording.

    Attributes:
        line: which.
        path: its file; None where it is missing.
        level_dbfs: of the speech; None where it is missing or cannot be read.
        faults: what makes it unusable.
        remarks: what could be better.
    """

    line: Line
    path: Path | None
    level_dbfs: float | None = None
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def script(flow: Flow) -> tuple[Line, ...]:
    """All that can be recorded for a flow, each name once."""
    lines: dict[tuple[str | None, str], Line] = {}
    for part, prompts in ((False, fixed_prompts(flow)), (True, fixed_parts(flow))):
        for prompt in prompts:
            if prompt.recording is not None:
                key = (prompt.language, prompt.recording)
                said = prompt.text.strip().lstrip(_SIGNS)
                line = Line(prompt.recording, said, part, prompt.language)
                lines.setdefault(key, line)
    for language in languages_of(flow):
        for word in _words(flow, language or ENGLISH):
            name = f"{DIGITS}/{NUMERALS.get(word, word.lower())}"
            lines[language, name] = Line(name, word, True, language)
    return tuple(lines.values())


def _words(flow: Flow, language: str) -> Iterator[str]:
    """The words of the values that a flow can speak; figures are words in English alone."""
    said = [text.text for step in flow.steps.values() for _, text in texts(step)]
    forms = {place.form for text in said for place in placeholders(parse_template(text))}
    if not forms:
        return
    words = words_of(language)
    english = words is words_of(ENGLISH)
    yield from (*NUMERALS, *_SCALES) if english else words.digits
    if AMOUNT in forms:
        yield from (*words.money[0], *words.money[1], words.joint, words.minus)
    if DATE in forms:
        yield from words.months


def check(flow: Flow, folder: Path) -> Iterator[Finding]:
    """What a folder has of a flow's recordings, in the order of `script`."""
    recordings = Recordings(folder)
    for line in script(flow):
        path = recordings.find(line.name, line.language)
        yield Finding(line, None) if path is None else _look(line, path)


def strangers(flow: Flow, folder: Path) -> tuple[Path, ...]:
    """Files in the folder that no prompt of the flow would ever play, as a slip of the pen makes.

    Words of numbers and of other languages are left out.
    """
    wanted = {(folder / line.file).with_suffix("") for line in script(flow)}
    wanted.add(folder / str(BEEP.recording))
    return tuple(
        sorted(
            path
            for path in folder.glob("*")
            if path.suffix in SUFFIXES and path.with_suffix("") not in wanted
        )
    )


def half_recorded(findings: list[Finding]) -> bool:
    """Whether some digits are there and others not: then none is used."""
    digits = [f for f in findings if f.line.name in {f"{DIGITS}/{n}" for n in range(10)}]
    return len({finding.path is None for finding in digits}) > 1


def _look(line: Line, path: Path) -> Finding:
    faults, remarks = [], []
    try:
        speech = read_speech(path, RATE_HZ)
        info = soundfile.info(str(path))
    except (AudioError, soundfile.SoundFileError) as error:
        return Finding(line, path, faults=(str(error),))
    level = speech_level_dbfs(speech)
    if info.samplerate < RATE_HZ:
        faults.append(f"recorded at {info.samplerate} Hz, a telephone has {RATE_HZ}: record anew")
    if _is_clipped(path):
        faults.append("clipped: record it with less gain")
    if level < _FAINT_DBFS:
        faults.append(f"faint, {level:.0f} dBFS: its noise would be lifted with it")
    before_s, after_s = _silence_s(speech)
    if not line.part and max(before_s, after_s) > _SILENT_S:
        remarks.append(f"silent for {before_s:.1f} s before and {after_s:.1f} s after: cut it")
    return Finding(line, path, round(level, 1), tuple(faults), tuple(remarks))


def _is_clipped(path: Path) -> bool:
    try:
        samples, _ = soundfile.read(str(path), dtype="int16", always_2d=True)
    except soundfile.SoundFileError:  # what libsndfile does not read, FFmpeg did
        return False
    full = (np.abs(samples.astype(np.int32)) >= _FULL).any(axis=1)
    run = np.convolve(full, np.ones(_CLIPPED_RUN, np.int64))
    return bool(len(run) and run.max() >= _CLIPPED_RUN)


def _silence_s(speech: NDArray[np.int16]) -> tuple[float, float]:
    width = RATE_HZ // 50
    powers = np.square(
        np.pad(speech, (0, -len(speech) % width)).astype(np.float64).reshape(-1, width)
    ).mean(axis=1)
    loud = np.flatnonzero(powers > powers.max() * 10 ** (-_ACTIVE_DB / 10))
    if not len(loud):
        return len(speech) / RATE_HZ, 0.0
    return loud[0] / 50, (len(powers) - 1 - loud[-1]) / 50
