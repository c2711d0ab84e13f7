"""Speech from text, by the espeak-ng library inside the `espeakng-loader` wheel.

Theory of operation: espeak-ng is a C library whose whole state (voice, speed, oscillators) is
global to the process, so one lock serialises every render, and every render sets every parameter:
nothing that a caller of `Espeak` chose before can be heard later. It computes 22,050 Hz int16 about
300 times faster than it plays and hands it over in blocks through a callback; the blocks are joined
and resampled once. ctypes lets go of the GIL meanwhile, so an event loop in another thread goes on.

Two traps of the library are dealt with here. It copies its data path into a buffer of 160 bytes,
and a virtual environment may well lie deeper: such a path is reached through a short link. And its
noise generator is seeded with the time of day, and its oscillators run on from render to render:
the seed is fixed, so that a fresh process that renders the same texts in the same order gives the
same samples, bit for bit; a different order gives samples that differ and sound the same.

This is the only binding of espeak in the project: prompts, the simulated caller and training use
it.
"""

from __future__ import annotations

import ctypes
import difflib
import re
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.resample import resample
from ivr.errors import ConfigError, ModelError

# Numbers of espeak-ng's speak_lib.h, release 1.52.
_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_INITIALIZE_DONT_EXIT: Final = 0x8000  # without it a missing data folder ends the process
_EE_OK: Final = 0
_PARAMETER: Final = {"rate": 1, "volume": 2, "pitch": 3, "range": 4, "word gap": 7}
_CHARS_UTF8: Final = 1
_PHONEMES: Final = 0x100
_IPA: Final = 0x02

# The library's buffer is 160 bytes and it appends file names of up to 40 to what it holds.
_LONGEST_DATA_PATH: Final = 110
# Of 100. At espeak's own 100 a dozen variants (iven, Jacky, paul) clip, at 40 two still do, at 30
# none. Plain voices come out about -31 dBFS then; `ivr.audio.level` brings speech to the level its
# user wants.
_VOLUME: Final = 30
_SEED: Final = 1

RATE_WPM: Final = (80, 450)  # the library silently clamps below, and time-squeezes above
PITCH: Final = (0, 99)
PITCH_RANGE: Final = (0, 100)
WORD_GAP: Final = (0, 500)

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")  # \x01 opens an embedded command

_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Voice(ctypes.Structure):
    """`espeak_VOICE` of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class Espeak:
    """Text in, speech out. Instances are cheap and share the process's one library.

    Raises:
        ModelError: the wheel is missing, or its library or voices cannot be loaded.

    State: none that outlives a render, but see the module's words on bit-for-bit repetition.
    """

    def __init__(self) -> None:
        self._library = _Library.shared()

    def render(
        self,
        text: str,
        voice: str = "en-us",
        *,
        variant: str | None = None,
        rate_wpm: int = 150,
        pitch: int = 50,
        pitch_range: int = 50,
        word_gap: int = 0,
        phonemes: bool = False,
        rate_hz: int = 8000,
    ) -> NDArray[np.int16]:
        """Speak a text.

        Args:
            text: what to say; control characters count as spaces.
            voice: a language of `voices`, such as ``en-us``, ``en-gb-scotland`` or ``de``;
                ``en-us+f3`` names the variant as well.
            variant: a timbre of `variants`, such as ``f3`` or ``Andy``; None is the voice's own.
            rate_wpm: speed in words a minute, 80..450.
            pitch: 0..99, 50 is the voice's own.
            pitch_range: liveliness of the melody, 0 (monotone)..100.
            word_gap: extra pause between words, 0..500 in steps of 10 ms (at 175 words a minute; it
                shrinks and grows with the speed).
            phonemes: take what stands in ``[[ ]]`` as espeak phonemes (see `phonemes`), so that a
                word can be said in a way that no spelling gives: ``[[f'aIv]]``.
            rate_hz: sample rate of the result; the library's own is 22,050.

        Returns:
            [n] int16 at `rate_hz`; empty where the text holds nothing that can be said. About -31
            dBFS in a plain voice; see `ivr.audio.level.level_speech`.

        Raises:
            ConfigError: no such voice or variant, or a number out of its range.
            ModelError: the library refused to speak.
        """
        name = self._library.resolve(voice, variant)
        settings = {
            "rate": _within("rate_wpm", rate_wpm, RATE_WPM),
            "volume": _VOLUME,
            "pitch": _within("pitch", pitch, PITCH),
            "range": _within("pitch_range", pitch_range, PITCH_RANGE),
            "word gap": _within("word_gap", word_gap, WORD_GAP),
        }
        spoken = _CONTROLS.sub(" ", text).strip()
        if not spoken:
            return np.zeros(0, dtype=np.int16)
        samples = self._library.synthesise(spoken, name, settings, phonemes=phonemes)
        return resample(samples, self._library.rate_hz, rate_hz) if len(samples) else samples

    def phonemes(
        self, text: str, voice: str = "en-us", separator: str = "_", *, ipa: bool = False
    ) -> str:
        """How a voice would pronounce a text, in espeak's phoneme letters or in IPA.

        Args:
            text: words; a clause's end is a space in the result.
            voice: as for `render`.
            separator: one character put between the phonemes of a word; none if empty.
            ipa: the letters of the International Phonetic Alphabet.

        Returns:
            Such as ``f_'aI_v``; with separators taken out it is what ``[[ ]]`` takes.

        Raises:
            ConfigError: no such voice.
        """
        name = self._library.resolve(voice, None)
        return self._library.pronounce(_CONTROLS.sub(" ", text).strip(), name, separator, ipa=ipa)

    def voices(self) -> tuple[str, ...]:
        """The languages that `render` speaks, sorted: ``en-us``, ``en-gb``, ``de``, ..."""
        return tuple(sorted(self._library.voices))

    def variants(self) -> tuple[str, ...]:
        """The timbres that any voice can take, sorted: ``f1``, ``klatt2``, ``whisper``, ..."""
        return tuple(sorted(self._library.variants))

    @property
    def version(self) -> str:
        """The library's release, such as ``1.52.0``; part of the prompt cache's key."""
        return self._library.version


class _Library:
    """The loaded, initialised C library; one a process, every call under one lock."""

    _one: _Library | None = None
    _lock = threading.Lock()

    @classmethod
    def shared(cls) -> _Library:
        with cls._lock:
            if cls._one is None:
                cls._one = cls()
            return cls._one

    def __init__(self) -> None:
        library_path, data_path = _locate()
        self._link: tempfile.TemporaryDirectory[str] | None = None
        if len(bytes(data_path)) > _LONGEST_DATA_PATH:
            data_path = self._shorten(data_path)
        try:
            self._c: Any = ctypes.CDLL(str(library_path))
        except OSError as error:
            raise ModelError(
                f"espeak-ng cannot be loaded from {library_path} ({error}); "
                "reinstall espeakng-loader"
            ) from error
        self._c.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._c.espeak_Info.restype = ctypes.c_char_p
        self._c.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.rate_hz: int = self._c.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, bytes(data_path), _INITIALIZE_DONT_EXIT
        )
        if self.rate_hz <= 0:
            raise ModelError(f"espeak-ng found no voices in {data_path}; reinstall espeakng-loader")
        self.version: str = self._c.espeak_Info(None).decode().split()[0]
        self.voices = self._list_voices()
        self.variants = frozenset(path.name for path in (data_path / "voices" / "!v").iterdir())
        self._blocks: list[NDArray[np.int16]] = []
        self._callback = _SynthCallback(self._take)  # kept: ctypes does not hold it for the library
        self._c.espeak_SetSynthCallback(self._callback)

    def _shorten(self, data_path: Path) -> Path:
        """A short link to the data; it lives as long as the process, for voices are loaded late."""
        try:
            self._link = tempfile.TemporaryDirectory(prefix="ivr-", ignore_cleanup_errors=True)
            short = Path(self._link.name) / "espeak-ng-data"
            short.symlink_to(data_path, target_is_directory=True)
        except OSError as error:
            raise ModelError(
                f"espeak-ng cannot use data so deep in the file system ({data_path}), and no short "
                f"link to it could be made ({error}); install ivr under a shorter path"
            ) from error
        return short

    def _list_voices(self) -> dict[str, str]:
        """Identifier of the voice file for each language; the best where several speak it."""
        best: dict[str, tuple[int, str]] = {}
        listed = self._c.espeak_ListVoices(None)
        index = 0
        while listed[index]:
            voice = listed[index].contents
            identifier = voice.identifier.decode()
            for priority, language in _languages(voice.languages):
                if language != "variant" and (priority, identifier) < best.get(language, (256, "")):
                    best[language] = (priority, identifier)
            index += 1
        return {language: identifier for language, (_, identifier) in best.items()}

    def resolve(self, voice: str, variant: str | None) -> str:
        """The name that the library knows a voice with its variant by.

        The library itself takes an unknown variant for none and does not know ``en-gb``.

        Raises:
            ConfigError: no such voice or variant, with the nearest that exists.
        """
        language, plus, named = voice.partition("+")
        if plus and variant:
            raise ConfigError(f'voice "{voice}" names a variant already; leave out "{variant}"')
        variant = variant or (named if plus else None)
        identifier = self.voices.get(language.lower())
        if identifier is None:
            raise ConfigError(_unknown("voice", language, self.voices))
        if variant is None:
            return identifier
        if variant not in self.variants:
            raise ConfigError(_unknown("voice variant", variant, self.variants))
        return f"{identifier}+{variant}"

    def synthesise(
        self, text: str, name: str, settings: dict[str, int], *, phonemes: bool
    ) -> NDArray[np.int16]:
        """[n] int16 at `rate_hz`."""
        encoded = text.encode("utf-8", "replace")
        flags = _CHARS_UTF8 | (_PHONEMES if phonemes else 0)
        with self._lock:
            self._blocks.clear()
            self._select(name)
            for parameter, value in settings.items():
                self._c.espeak_SetParameter(_PARAMETER[parameter], value, 0)
            self._c.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
            status = self._c.espeak_Synth(
                encoded, ctypes.c_size_t(len(encoded) + 1), 0, 1, 0, flags, None, None
            )
            if status != _EE_OK:
                raise ModelError(f"espeak-ng refused to speak (status {status})")
            if not self._blocks:
                return np.zeros(0, dtype=np.int16)
            return np.concatenate(self._blocks)

    def pronounce(self, text: str, name: str, separator: str, *, ipa: bool) -> str:
        """See `Espeak.phonemes`."""
        mode = (ord(separator) << 8 if separator else 0) | (_IPA if ipa else 0)
        clauses = []
        rest = ctypes.c_char_p(text.encode("utf-8", "replace"))
        with self._lock:
            self._select(name)
            while (
                rest.value
            ):  # the library moves the pointer on by a clause, and to NULL at the end
                spoken = self._c.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, mode)
                clauses.append(spoken.decode())
        return " ".join(clause for clause in clauses if clause)

    def _select(self, name: str) -> None:
        if self._c.espeak_SetVoiceByName(name.encode()) != _EE_OK:
            raise ModelError(
                f"espeak-ng could not load its voice {name}; reinstall espeakng-loader"
            )

    def _take(self, block: Any, n_samples: int, _events: Any) -> int:
        """The library's callback: copy the block, whose memory it reuses; 0 says go on."""
        if block and n_samples > 0:
            self._blocks.append(np.ctypeslib.as_array(block, (n_samples,)).copy())
        return 0


def _locate() -> tuple[Path, Path]:
    """Library file and data folder of the wheel.

    Raises:
        ModelError: the wheel is missing or incomplete.
    """
    try:
        import espeakng_loader  # noqa: PLC0415 - its absence must not break what needs no voice
    except ImportError as error:
        raise ModelError(
            "the prompts' voice is missing: install it with `pip install espeakng-loader`"
        ) from error
    try:
        return Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except RuntimeError as error:
        raise ModelError(f"espeakng-loader is incomplete ({error}); reinstall it") from error


def _languages(address: int | None) -> list[tuple[int, str]]:
    """(priority, language) pairs of a voice: a byte and a C string each, ended by a zero byte."""
    found: list[tuple[int, str]] = []
    while address and (priority := ctypes.c_ubyte.from_address(address).value):
        language = ctypes.string_at(address + 1)
        found.append((priority, language.decode().lower()))
        address += len(language) + 2
    return found


def _within(name: str, value: int, bounds: tuple[int, int]) -> int:
    low, high = bounds
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}; espeak takes {low} to {high}")
    return int(value)


def _unknown(what: str, name: str, known: Any) -> str:
    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.4)
    cure = f'did you mean "{near[0]}"?' if near else 'try "en-us" or "f3"'
    return f'there is no {what} "{name}"; {cure}'
