"""Synthesised speech: phrases rendered by several unrelated synthesisers, and corpora made of them.

    python -m ivr.train.synthesize corpus OUT --count 30000 --seed 1 --workers 2
    python -m ivr.train.synthesize heldout OUT --engine pico

Theory of operation: phrase and voice of item i are a function of (seed, i) and the engines alone,
drawn from a generator seeded with both, so an interrupted build goes on where it stopped and a
larger count continues a smaller one. (The samples repeat to within espeak's own noise, whose state
runs on from clip to clip.) Audio is appended to ``audio.i16`` first, then the batch's rows to
``index.csv`` in one write: what the index names is on the disk, so a corpus may be read while it
grows.

No engine is a dependency of the server; a missing one is left out with a warning. Each runs inside
the worker (ctypes, an extension) but festival, which stays open behind a pipe: starting a
synthesiser for every phrase would cost more than its speech. Each voice draws its own rate, pitch,
pitch range and pauses, and ``shift`` resamples it: formants and pitch move together, as with a
shorter or a longer vocal tract.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import functools
import importlib
import importlib.util
import io
import json
import logging
import multiprocessing
import os
import random
import re
import select
import shutil
import subprocess
import tempfile
import wave
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from ivr.asr.tokens import DIGITS, ZEROS
from ivr.train.phrases import Phrase, phrase_of, sample_phrase, spell_number, spell_pair

logger = logging.getLogger(__name__)

RATE_HZ = 8000
PEAK = round(32767 * 10 ** (-3 / 20))  # -3 dBFS: headroom for the channel's filters
EDGE_S = 0.05  # silence left at either end
SILENCE_DBFS = (
    -40.0
)  # relative to the loudest 10 ms; engines have digital silence, breathless onsets
BATCH = 250  # items between two writes of the index

# fmt: off
INSTALL = {
    "espeak": "pip install espeakng-loader",
    "flite": "apt install flite",
    "festival": "apt install festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts",
    "pico": "pip install ttspico (needs a C compiler)",
}
# Held out: no corpus holds it unless asked for by name.
HELD_OUT_ENGINE = "pico"
HELD_OUT_COUNT = 200  # clips of each group but the numbers, of which there are 999
ENGINE_WEIGHTS = {"espeak": 0.60, "flite": 0.22, "festival": 0.18}

# American and British weigh as much as all regional accents together.
ENGLISH = {
    "en-us": 30, "en": 22, "en-gb-x-rp": 10, "en-gb-scotland": 10, "en-gb-x-gbclan": 7,
    "en-gb-x-gbcwmd": 7, "en-029": 8, "en-us-nyc": 6,
}
# English spoken by another language's voice: each English phoneme (espeak's letters) becomes the
# nearest that every table has (ACCENT). Left out, as words lost phonemes (lasted under 0.55 of the
# American voice's): ru, cs, hu, ta, te, kn, ml, vi, gu.
FOREIGN = (
    "de", "fr", "es", "es-419", "it", "hi", "el", "pt", "sv", "ro", "ar", "tr", "id", "cmn", "ko",
    "pa", "ur", "fa", "sw", "nl", "pl", "af", "nb", "da", "fi", "bn", "ja",
)
SAYS_S_FOR_TH = ("de", "fr", "cmn", "ko", "ja")  # the others say t
ACCENT = {
    "i:": "i", "u:": "u", "O:": "o", "A:": "a", "3:": "e|r", "@L": "e|l", "I#": "i", "a#": "a",
    "I2": "i", "t#": "t", "t2": "t", "aa": "a", "V": "a", "0": "o", "A@": "a|r", "o@": "o|r",
    "O@": "o|r", "i@": "i", "3": "e|r", "@": "e", "T": "t", "D": "d", "w": "u", "aI": "a|i",
    "eI": "e|i", "oU": "o", "aU": "a|u", "OI": "o|i", "E": "e", "I": "i", "Z": "z", "N": "n",
    "U": "u", "j": "i",
}
# Left out after measuring: whispers (under a third of the frames voiced), robots and monsters, and
# voices with under a third of their energy where the telephone listens (300 to 3,400 Hz).
UNFIT_VARIANTS = {
    "whisper", "whisperf", "Demonic", "croak", "caleb", "anika", "anikaRobot", "UniRobot",
    "announcer",
}
# fmt: on
FLITE = ("kal", "kal16", "awb", "rms", "slt")
FESTIVAL = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
PICO = ("en-US", "en-GB")

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Voice:
    """How one phrase is spoken.

    Attributes:
        engine: a key of `INSTALL`.
        name: the engine's name of the voice; espeak: language, "+", variant.
        rate: speed, 1.0 = the engine's own.
        pitch: mean pitch, 1.0 = the voice's own; engines without the knob ignore it.
        pitch_range: liveliness, 1.0 = the voice's own.
        word_gap_ms: pause between words (espeak only).
        shift: formants and pitch together, by resampling; duration is kept.
    """

    engine: str
    name: str
    rate: float = 1.0
    pitch: float = 1.0
    pitch_range: float = 1.0
    word_gap_ms: int = 0
    shift: float = 1.0


class SynthesisError(Exception):
    """An engine failed or gave audio that cannot be the phrase."""


class _Espeak:
    """espeak-ng in process; one instance a process, for the library keeps global state."""

    def __init__(self) -> None:
        loader: Any = importlib.import_module("espeakng_loader")
        self.lib = ctypes.CDLL(loader.get_library_path())
        self.data = Path(loader.get_data_path())
        self.rate_hz: int = self.lib.espeak_Initialize(2, 0, str(self.data).encode(), 0)
        self.lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.chunks: list[Samples] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self.callback = kind(self._receive)  # kept: the library holds only the address
        self.lib.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples: Any, count: int, _events: object) -> int:
        if count > 0 and samples:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def select(self, name: str) -> None:
        if self.lib.espeak_SetVoiceByName(name.encode()):
            raise SynthesisError(f"espeak has no voice {name}")

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - one instance a process, see above
    def phonemes(self, word: str, language: str) -> str:
        """One English word in espeak's phoneme letters, as a foreign speaker says it."""
        if word == "a":  # alone it would be read as the letter, which sounds like "eight"
            return "e"
        self.select("en-us")
        pointer = ctypes.pointer(ctypes.c_char_p(word.encode()))
        raw = self.lib.espeak_TextToPhonemes(
            ctypes.cast(pointer, ctypes.c_void_p), 1, ord("_") << 8
        )
        letters = []
        for phoneme in raw.decode().split("_"):
            letter = phoneme.lstrip(
                "',%="
            )  # "," is secondary stress here, a clause's end to speak()
            stress = "'" if phoneme.startswith("'") else ""
            spoken = (
                "s" if letter == "T" and language in SAYS_S_FOR_TH else ACCENT.get(letter, letter)
            )
            letters.append(stress + spoken)
        if word.endswith(
            "teen"
        ):  # stressed there by most who learnt English; espeak's English never does
            letters = [
                *(letter.lstrip("'") for letter in letters[:-2]),
                "'" + letters[-2],
                letters[-1],
            ]
        return "|".join(letters)

    def speak(self, text: str, voice: Voice) -> tuple[Samples, int]:
        language = voice.name.split("+")[0]
        if language not in ENGLISH:
            words = re.sub(r"[^\s,.;?!]+", lambda m: self.phonemes(m[0], language), text)
            # One block a clause: a block a word would be spoken with a pause after each.
            text = re.sub(r"([^,.;?!]*[^,.;?! ]) *([,.;?!]|$)", r"[[\1]]\2", words)
        self.select(voice.name)
        pitch = min(99, max(0, round(50 + 60 * float(np.log2(voice.pitch)))))
        settings = {
            1: round(175 * voice.rate),
            3: pitch,
            4: round(50 * voice.pitch_range),
            7: voice.word_gap_ms // 10,
        }
        for parameter, value in settings.items():
            self.lib.espeak_SetParameter(parameter, value, 0)
        self.chunks.clear()
        data = text.encode() + b"\0"
        self.lib.espeak_Synth(data, len(data), 0, 1, 0, 0x101, None, None)  # UTF-8, [[phonemes]]
        return np.concatenate(self.chunks or [np.zeros(0, np.int16)]), self.rate_hz


class _FliteVoice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class _FliteWave(ctypes.Structure):
    _fields_ = (
        *(("type", ctypes.c_char_p), ("rate_hz", ctypes.c_int), ("count", ctypes.c_int)),
        *(("channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short))),
    )


class _Flite:
    """CMU flite through its shared libraries."""

    def __init__(self) -> None:
        for part in ("flite", "flite_usenglish", "flite_cmulex"):
            ctypes.CDLL(f"lib{part}.so.1", mode=ctypes.RTLD_GLOBAL)
        self.lib = ctypes.CDLL("libflite.so.1")
        self.lib.flite_init()
        self.lib.flite_text_to_wave.restype = ctypes.POINTER(_FliteWave)
        self.lib.feat_set_float.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)

    @functools.cache  # noqa: B019 - one instance a process
    def voice(self, name: str) -> Any:
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        register.restype = ctypes.POINTER(_FliteVoice)
        return register(None)

    def speak(self, text: str, voice: Voice) -> tuple[Samples, int]:
        handle = self.voice(voice.name)
        features = {b"duration_stretch": 1 / voice.rate}
        if voice.name.startswith("kal"):  # 95 and 11 Hz are the voice's own
            features |= {
                b"int_f0_target_mean": 95 * voice.pitch,
                b"int_f0_target_stddev": 11 * voice.pitch_range,
            }
        for key, value in features.items():
            self.lib.feat_set_float(handle.contents.features, key, value)
        result = self.lib.flite_text_to_wave(text.encode("ascii", "ignore"), handle)
        audio = np.ctypeslib.as_array(result.contents.samples, (result.contents.count,)).copy()
        rate_hz: int = result.contents.rate_hz
        self.lib.delete_wave(result)
        return audio, rate_hz


class _Festival:
    """Festival, kept running behind a pipe."""

    TIMEOUT_S = 30.0  # the slowest phrase takes under two

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="festival-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["festival", "--pipe"],  # noqa: S607 - wherever the system's package put it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        weakref.finalize(self, _stop, process)
        return process

    def speak(self, text: str, voice: Voice) -> tuple[Samples, int]:
        path = self.folder / "speech.wav"
        path.unlink(missing_ok=True)
        spoken = re.sub(r"[^a-zA-Z0-9,.;?!' ]", "", text)
        lines = [f"(voice_{voice.name})", f"(Parameter.set 'Duration_Stretch {1 / voice.rate:.3f})"]
        if voice.name.endswith("diphone"):  # 105 and 14 Hz are these voices' own
            mean, deviation = 105 * voice.pitch, 14 * voice.pitch_range
            lines.append(
                f"(set! int_lr_params '((target_f0_mean {mean:.0f}) (target_f0_std {deviation:.0f})"
                " (model_f0_mean 170) (model_f0_std 34)))"
            )
        lines += [
            f'(utt.save.wave (SynthText "{spoken}") "{path}" \'riff)',
            '(format t "done\\n")',
            "(fflush nil)",
        ]
        if self.process.poll() is not None:  # it ends at the first error
            self.process = self._start()
        if not self._ask("\n".join(lines) + "\n") or not path.exists():
            self.process.kill()
            self.process.wait()
            raise SynthesisError("festival gave no audio")
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()

    def _ask(self, commands: str) -> bool:
        """Whether festival answers within the time."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            return False
        try:
            stdin.write(commands.encode())
            stdin.flush()
        except BrokenPipeError:
            return False
        ready, _, _ = select.select([stdout], [], [], self.TIMEOUT_S)
        return bool(ready) and bool(stdout.readline())


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


class _Pico:
    """SVOX pico."""

    @functools.cache  # noqa: B019 - one instance a process
    def voice(self, name: str) -> Any:
        return importlib.import_module("ttspico").TtsEngine(name)

    def speak(self, text: str, voice: Voice) -> tuple[Samples, int]:
        engine = self.voice(voice.name)
        engine.rate, engine.pitch = round(100 * voice.rate), round(100 * voice.pitch)
        return np.frombuffer(engine.speak(text) or b"", np.int16), 16000


_ENGINES: dict[str, Callable[[], Any]] = {
    "espeak": _Espeak,
    "flite": _Flite,
    "festival": _Festival,
    "pico": _Pico,
}


@functools.cache
def _engine(name: str, _process_id: int) -> Any:
    """The engine of this process: the id keeps a forked child from using its parent's pipe."""
    return _ENGINES[name]()


def available_engines() -> list[str]:
    """The engines that can be used here; warns of the others, saying how to install them."""
    found = []
    for name, how in INSTALL.items():
        try:
            _engine(name, os.getpid())
        except (ImportError, OSError):
            logger.warning("speech synthesiser %s is missing: %s", name, how)
        else:
            if name != "pico" or importlib.util.find_spec("ttspico"):
                found.append(name)
    return found


def voice_names(engine: str) -> list[str]:
    """Names of an engine's voices; for espeak without its variants."""
    if engine == "espeak":
        return [*ENGLISH, *FOREIGN]
    return list({"flite": FLITE, "festival": FESTIVAL, "pico": PICO}[engine])


@functools.cache
def espeak_variants() -> tuple[str, ...]:
    """The intelligible variants ("f3", "klatt2" ...) that this espeak-ng has."""
    folder = _engine("espeak", os.getpid()).data / "voices" / "!v"
    names = sorted(entry.name for entry in folder.iterdir())
    return tuple(n for n in names if n not in UNFIT_VARIANTS and not n.startswith("robosoft"))


def sample_voice(rng: random.Random, engines: Sequence[str]) -> Voice:
    """Draws an engine by `ENGINE_WEIGHTS` (0.1 for others), a voice of it, and how it speaks."""
    engine = rng.choices(engines, [ENGINE_WEIGHTS.get(e, 0.1) for e in engines])[0]
    if engine == "espeak":
        foreign = rng.random() < 0.25
        english = rng.choices(tuple(ENGLISH), tuple(ENGLISH.values()))[0]
        name = rng.choice(FOREIGN) if foreign else english
        if rng.random() < 0.85:
            name += f"+{rng.choice(espeak_variants())}"
        rate = rng.triangular(0.63, 1.5, 1.0)  # 110 to 260 words a minute
        pitch, gap = rng.uniform(0.75, 1.35), rng.choice((0, 0, 0, 0, 20, 60, 120))
        return Voice(engine, name, rate, pitch, rng.uniform(0.3, 1.7), gap, rng.uniform(0.93, 1.1))
    name = rng.choice(voice_names(engine))
    rate, pitch = rng.triangular(0.7, 1.5, 1.0), rng.uniform(0.75, 1.7)
    return Voice(engine, name, rate, pitch, rng.uniform(0.5, 1.8), 0, rng.uniform(0.85, 1.2))


def condition(samples: npt.NDArray[Any], rate_hz: float) -> Samples:
    """Resamples, trims silence and sets the peak.

    Args:
        samples: [n] mono, any scale, at rate_hz.
        rate_hz: source rate; it may lie, which shifts formants and pitch (see `Voice.shift`).

    Returns:
        [m] int16 at 8,000 Hz, peak -3 dBFS, at most 50 ms of silence at either end.

    Raises:
        SynthesisError: no sound in it.
    """
    if not len(samples) or not np.any(samples):
        raise SynthesisError("silence")
    audio = soxr.resample(samples.astype(np.float32), rate_hz, RATE_HZ, "HQ")
    hop = RATE_HZ // 100
    frames = audio[: len(audio) // hop * hop].reshape(-1, hop)
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (SILENCE_DBFS / 10))
    if not len(loud):
        raise SynthesisError("shorter than 10 ms")
    edge = round(EDGE_S * RATE_HZ)
    audio = audio[max(0, loud[0] * hop - edge) : (loud[-1] + 1) * hop + edge]
    return np.asarray(np.round(audio * (PEAK / np.abs(audio).max())), dtype=np.int16)


def render(text: str, voice: Voice) -> Samples:
    """Speaks a text.

    Returns:
        [n] int16, mono, 8,000 Hz, conditioned.

    Raises:
        SynthesisError: the engine failed.
    """
    paced = Voice(**{**voice.__dict__, "rate": voice.rate / voice.shift})
    samples, rate_hz = _engine(voice.engine, os.getpid()).speak(text, paced)
    return condition(samples, rate_hz * voice.shift)


def check_clip(audio: Samples, text: str) -> None:
    """Refuses a clip whose length cannot be that of its text.

    Raises:
        SynthesisError: under 0.14 s or over 1.5 s a word, or hardly any energy.
    """
    words, seconds = len(text.split()), len(audio) / RATE_HZ
    if not 0.14 * words + 0.08 <= seconds <= 1.5 * words + 0.6:
        raise SynthesisError(f"{seconds:.2f} s for {words} words")
    if np.square(audio / 32768).mean() < 2e-4:  # -37 dBFS against a peak of -3; speech has over -33
        raise SynthesisError("clicks only")


def _item(task: tuple[int, int, tuple[str, ...]]) -> tuple[Phrase, Voice, Samples]:
    seed, number, engines = task
    for attempt in range(8):
        rng = random.Random(f"{seed}/{number}/{attempt}")
        phrase, voice = sample_phrase(rng), sample_voice(rng, engines)
        try:
            audio = render(phrase.text, voice)
            check_clip(audio, phrase.text)
        except SynthesisError as error:
            logger.debug("item %d, %s: %s", number, voice, error)
            continue
        return phrase, voice, audio
    raise SynthesisError(f"item {number}: no engine gave speech")


def _items(
    tasks: list[tuple[int, int, tuple[str, ...]]], workers: int
) -> Iterator[tuple[Phrase, Voice, Samples]]:
    if workers <= 1:
        yield from map(_item, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_item, tasks, chunksize=25)


def _resume(out: Path, identity: dict[str, object]) -> tuple[int, int]:
    """Items and samples already there; cuts what an interruption left behind.

    Raises:
        ValueError: the folder holds a corpus of another seed or other engines.
    """
    out.mkdir(parents=True, exist_ok=True)
    note, index, audio = out / "corpus.json", out / "index.csv", out / "audio.i16"
    if note.exists() and json.loads(note.read_text()) != identity:
        raise ValueError(f"{out} holds another corpus: {note.read_text()}")
    note.write_text(json.dumps(identity))
    if not index.exists():
        index.write_text("start,samples,words,kind,engine,voice\n")
        audio.write_bytes(b"")
    text = index.read_text()
    text = text[: text.rindex("\n") + 1]
    index.write_text(text)
    rows = list(csv.DictReader(io.StringIO(text)))
    samples = int(rows[-1]["start"]) + int(rows[-1]["samples"]) if rows else 0
    os.truncate(audio, 2 * samples)
    return len(rows), samples


def build_corpus(
    out: Path,
    count: int,
    seed: int,
    engines: Sequence[str] | None = None,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _count: None,
) -> None:
    """Renders a corpus, or the rest of it.

    Args:
        out: folder for audio.i16, index.csv and corpus.json.
        count: items in all.
        seed: draws phrases and voices.
        engines: names; every available one but `HELD_OUT_ENGINE` if not given.
        workers: processes.
        progress: called with (items done, count) after each batch.

    Raises:
        ValueError: no engine, or out holds another corpus.
    """
    wanted = engines or [name for name in INSTALL if name != HELD_OUT_ENGINE]
    names = tuple(name for name in available_engines() if name in wanted)
    if not names:
        raise ValueError(f"no speech synthesiser; install one: {INSTALL}")
    done, start = _resume(out, {"seed": seed, "engines": list(names)})
    with (
        (out / "audio.i16").open("ab") as audio_file,
        (out / "index.csv").open("a", newline="") as index_file,
    ):
        rows = io.StringIO()
        for phrase, voice, audio in _items([(seed, i, names) for i in range(done, count)], workers):
            audio_file.write(audio.astype("<i2").tobytes())
            csv.writer(rows, lineterminator="\n").writerow(
                (start, len(audio), phrase.words, phrase.kind, voice.engine, voice.name)
            )
            start, done = start + len(audio), done + 1
            if done % BATCH == 0 or done == count:
                audio_file.flush()
                os.fsync(audio_file.fileno())
                index_file.write(rows.getvalue())
                index_file.flush()
                rows = io.StringIO()
                progress(done, count)


def _number_forms(number: int) -> list[str]:
    """The ways to say a number, as marked text."""
    forms = [spell_number(number), spell_number(number, british=True)]
    if 100 <= number < 200:
        forms.append(spell_number(number, british=True, a_hundred=True))
    if number > 100 and number % 100:
        forms.append(f"{spell_number(number // 100)} {spell_pair(number % 100)}")
    return forms


def _digits_of(words: str) -> str:
    """Digits of a transcript of single digits, "double" and "triple"."""
    digits, times = "", 1
    for word in words.split():
        if word in ("double", "triple"):
            times = 2 if word == "double" else 3
            continue
        digits, times = (
            digits + times * str(0 if word in ("zero", *ZEROS) else DIGITS.index(word)),
            1,
        )
    return digits


def _heldout_phrases(rng: random.Random) -> Iterator[tuple[str, str, Phrase]]:
    """(group, digits, phrase) of the evaluation set."""
    for number in range(1, 1000):
        yield "number", str(number), phrase_of(rng.choice(_number_forms(number)) + ".", "number")
    groups = {"oh": ("string", "oh"), "multiple": ("multiple", "double"), "other": ("other", "")}
    for group, (kind, needed) in groups.items():
        found = 0
        while found < HELD_OUT_COUNT:
            phrase = sample_phrase(rng, {kind: 1.0})
            if needed in phrase.words.split() or not needed:
                found += 1
                yield group, "" if group == "other" else _digits_of(phrase.words), phrase


def build_heldout(out: Path, engine: str = HELD_OUT_ENGINE, seed: int = 1) -> None:
    """WAV files and manifest.csv of an engine that no corpus holds, for evaluation.

    Every number from 1 to 999 once, in varied form (group number); digit strings with "oh" (oh) and
    with "double" (multiple); speech without a number, digits empty (other).

    Raises:
        SynthesisError: the engine gave no speech for a phrase.
    """
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"heldout/{seed}")
    with (out / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "digits", "words", "speaker", "group"))
        for count, (group, digits, phrase) in enumerate(_heldout_phrases(rng)):
            name = rng.choice(voice_names(engine))
            voice = Voice(engine, name, rng.uniform(0.85, 1.3), rng.uniform(0.8, 1.3))
            audio = render(phrase.text, voice)
            check_clip(audio, phrase.text)
            path = out / f"{group}_{count:04d}.wav"
            with wave.open(str(path), "wb") as clip:
                clip.setnchannels(1)
                clip.setsampwidth(2)
                clip.setframerate(RATE_HZ)
                clip.writeframes(audio.astype("<i2").tobytes())
            rows.writerow((path.name, digits, phrase.words, f"{engine}-{name}", group))


def main() -> None:
    """The command line, see the module's docstring."""
    parser = argparse.ArgumentParser(description="Build synthesised speech.")
    parser.add_argument("what", choices=("corpus", "heldout"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=30_000, help="corpus: phrases in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="corpus: processes")
    parser.add_argument("--engine", action="append", help="corpus: only these; heldout: this one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    if options.what == "heldout":
        build_heldout(options.out, (options.engine or [HELD_OUT_ENGINE])[0], options.seed)
        return
    build_corpus(
        *(options.out, options.count, options.seed, options.engine),
        workers=options.workers,
        progress=lambda done, count: logger.info("%d of %d", done, count),
    )


if __name__ == "__main__":
    main()
