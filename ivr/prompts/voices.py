"""Synthesisers of prompts: the protocol, those that come along, and others by entry point.

Theory of operation: `prompts.engine` names a synthesiser. ``espeak`` and ``piper`` are known here,
any other name is looked up among the entry points of the group ``ivr.voices``, each of which is
called with a `VoiceOptions` and gives a `Synthesiser`. A synthesiser gives samples: a voice that
the provider speaks with (TwiML ``<Say>``) is none, see docs/decisions/0020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.audio.espeak import Espeak
from ivr.errors import ConfigError

GROUP: Final = "ivr.voices"
RATE_HZ: Final = 8000

Option = str | float | bool | dict[str, str]


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """What a synthesiser is made with.

    Attributes:
        voice: ``prompts.voice``.
        rate_wpm: ``prompts.rate_wpm``, words a minute.
        options: ``prompts.engine_options``, the engine's own.
    """

    voice: str = "en-us"
    rate_wpm: int = 150
    options: Mapping[str, Option] = field(default_factory=dict)


class Synthesiser(Protocol):
    """Text in, speech out; used by several threads."""

    @property
    def identity(self) -> str:
        """All that shapes its speech: name, version, voice, speed. A part of the cache's key."""

    def speak(self, text: str, language: str | None) -> NDArray[np.int16]:
        """Speak a text.

        Args:
            text: what to say.
            language: as a flow names it, such as ``es`` or ``en-GB``; None is the configured
                voice's own.

        Returns:
            [n] int16 at 8 kHz, at any level; empty where nothing can be said.

        Raises:
            ConfigError: it does not speak the language.
            ModelError: it failed.
        """


def open_voice(engine: str, options: VoiceOptions) -> Synthesiser:
    """The synthesiser of a name, ready to speak.

    Raises:
        ConfigError: there is none, or its options are wrong.
        ModelError: it cannot be loaded.
    """
    if engine == "espeak":
        return EspeakVoice(options)
    if engine == "piper":
        from ivr.prompts.piper import PiperVoice  # noqa: PLC0415 - an extra

        return PiperVoice(options)
    return _plugged_in(engine, options)


def _plugged_in(engine: str, options: VoiceOptions) -> Synthesiser:
    found = metadata.entry_points(group=GROUP)
    for entry in found:
        if entry.name == engine:
            try:
                make: Callable[[VoiceOptions], Synthesiser] = entry.load()
            except (ImportError, AttributeError) as error:
                raise ConfigError(
                    f'prompts.engine: "{engine}" ({entry.value}) cannot be loaded: {error}'
                ) from error
            return make(options)
    known = ", ".join(["espeak", "piper", *sorted(entry.name for entry in found)])
    raise ConfigError(
        f'prompts.engine: there is no "{engine}"; known are {known}; a package adds one by an '
        f"entry point of the group {GROUP}"
    )


class EspeakVoice:
    """espeak-ng in this process.

    Args:
        options: the voice is a language of espeak-ng, with a variant or without; no options of its
            own.
        espeak: what speaks; the library in this process by default.

    Raises:
        ModelError: the library is missing.
        ConfigError: it has no such voice, cannot speak so slowly or fast, or there are options.
    """

    def __init__(self, options: VoiceOptions, espeak: Espeak | None = None) -> None:
        if options.options:
            raise ConfigError(
                "prompts.engine_options: espeak has none; use prompts.voice and prompts.rate_wpm"
            )
        self._espeak = espeak or Espeak()
        self._voice, self._rate_wpm = options.voice, options.rate_wpm
        self._espeak.render("a", self._voice, rate_wpm=self._rate_wpm)  # told at start
        self._languages = frozenset(self._espeak.voices())

    @property
    def identity(self) -> str:
        """Release, voice and speed."""
        return f"espeak-ng {self._espeak.version} {self._voice} {self._rate_wpm}"

    def speak(self, text: str, language: str | None) -> NDArray[np.int16]:
        """See `Synthesiser.speak`."""
        return self._espeak.render(text, self._voice_of(language), rate_wpm=self._rate_wpm)

    def _voice_of(self, language: str | None) -> str:
        """The configured voice where it speaks the language; else another, of the same timbre."""
        configured, plus, variant = self._voice.partition("+")
        wanted = (language or configured).replace("_", "-").lower()
        if wanted == configured.lower() or wanted == configured.lower().partition("-")[0]:
            return self._voice
        for name in (wanted, wanted.partition("-")[0]):
            if name in self._languages:
                return f"{name}{plus}{variant}"
        raise ConfigError(
            f'espeak-ng has no voice for the language "{language}"; write it as in: '
            "en-us, en-gb, es, es-419, de, fr, pt-br"
        )
