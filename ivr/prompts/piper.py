"""Piper's neural voices (extra ``ivr[piper]``): better to listen to, slower to render.

Theory of operation: one ONNX model a voice, run on one thread, so that a prompt takes no more than
one core from the recognisers. It is loaded when the server starts, not in a call. Piper draws noise
for its prosody, so the same text sounds a little different each time it is rendered.

Source: https://github.com/OHF-voice/piper1-gpl; its wheel holds espeak-ng, and is GPL-3.0-or-later.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ivr.audio.resample import resample
from ivr.errors import ConfigError, ModelError
from ivr.prompts.voices import RATE_HZ, Option, VoiceOptions

_USUAL_WPM: Final = 150  # the speed of prompts at which a voice speaks as it was trained
_KNOWN: Final = ("model", "models", "speaker", "noise", "noise_w")


@dataclass(frozen=True, slots=True)
class _Model:
    voice: Any
    digest: str


class PiperVoice:
    """A Piper model for each language.

    Args:
        options: ``model`` is the path of the voice's ``.onnx``, its ``.onnx.json`` beside it;
            ``models`` names others by language; ``speaker`` is a number of a voice with several,
            ``noise`` and ``noise_w`` are Piper's noise scales.

    Raises:
        ConfigError: the package, a model or an option is missing or wrong.
        ModelError: a model cannot be loaded.
    """

    def __init__(self, options: VoiceOptions) -> None:
        given = options.options
        for name in given:
            if name not in _KNOWN:
                raise ConfigError(
                    f'prompts.engine_options: piper has no "{name}"; known are {", ".join(_KNOWN)}'
                )
        self._piper = _import_piper()
        self._lock = threading.Lock()
        self._speech = self._piper.SynthesisConfig(
            speaker_id=_whole("speaker", given.get("speaker")),
            length_scale=_USUAL_WPM / options.rate_wpm,
            noise_scale=_number("noise", given.get("noise")),
            noise_w_scale=_number("noise_w", given.get("noise_w")),
        )
        self._own = self._load(_path(given.get("model")))
        others = given.get("models") or {}
        if not isinstance(others, Mapping):
            raise ConfigError(
                "prompts.engine_options: models must name a file for each language, such as "
                "models: {es: /srv/ivr/es_ES-davefx-medium.onnx}"
            )
        self._others = {_key(name): self._load(_path(path)) for name, path in others.items()}
        self._digests = "+".join(m.digest for m in (self._own, *self._others.values()))

    @property
    def identity(self) -> str:
        """Release, models and options."""
        return f"piper {metadata.version('piper-tts')} {self._digests} {self._speech}"

    def speak(self, text: str, language: str | None) -> NDArray[np.int16]:
        """See `ivr.prompts.voices.Synthesiser.speak`."""
        voice = self._model(language).voice
        try:
            with self._lock:  # its espeak-ng has one state for the whole process
                chunks = list(voice.synthesize(text, self._speech))
        except Exception as error:  # noqa: BLE001 - whatever a model or its espeak raises
            # Not the error's text: it may quote the prompt, and the prompt the caller.
            raise ModelError(f"Piper could not speak ({type(error).__name__})") from None
        parts = [np.asarray(chunk.audio_int16_array, np.int16) for chunk in chunks]
        if not parts:
            return np.zeros(0, np.int16)
        return resample(np.concatenate(parts), voice.config.sample_rate, RATE_HZ)

    def _model(self, language: str | None) -> _Model:
        if language is None:
            return self._own
        wanted, short = _key(language), _key(language).partition("-")[0]
        for name in (wanted, short):
            if name in self._others:
                return self._others[name]
        own = _key(str(self._own.voice.config.espeak_voice))
        if short == own.partition("-")[0]:
            return self._own
        raise ConfigError(
            f'prompts.engine_options: piper has no model for the language "{language}"; add it '
            "under models"
        )

    def _load(self, path: Path) -> _Model:
        config = path.with_name(path.name + ".json")
        for needed in (path, config):
            if not needed.is_file():
                raise ConfigError(
                    f"prompts.engine_options: {needed}: no such file; a Piper voice is NAME.onnx "
                    "with NAME.onnx.json beside it"
                )
        threads = onnxruntime.SessionOptions()
        threads.intra_op_num_threads = threads.inter_op_num_threads = 1
        try:
            described = self._piper.config.PiperConfig.from_dict(
                json.loads(config.read_text(encoding="utf-8"))
            )
            session = onnxruntime.InferenceSession(
                str(path), threads, providers=["CPUExecutionProvider"]
            )
            voice = self._piper.PiperVoice(config=described, session=session)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except Exception as error:
            raise ModelError(
                f"{path}: not a Piper voice ({type(error).__name__}: {error})"
            ) from error
        return _Model(voice, digest[:16])


def _import_piper() -> Any:
    try:
        import piper  # noqa: PLC0415 - an extra
        import piper.config  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"prompts.engine: piper needs the package {error.name}; install it with "
            "pip install 'ivr[piper]'"
        ) from None
    return piper


def _key(language: str) -> str:
    return language.replace("_", "-").lower()


def _path(value: Option | None) -> Path:
    if not isinstance(value, str) or not value:
        raise ConfigError(
            "prompts.engine_options: piper needs the path of a voice as model, such as "
            "model: /srv/ivr/en_US-joe-medium.onnx"
        )
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise ConfigError(f"prompts.engine_options: {path}: give the whole path, from / on")
    return path


def _number(name: str, value: Option | None) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise ConfigError(f"prompts.engine_options: {name} must be a number")


def _whole(name: str, value: Option | None) -> int | None:
    number = _number(name, value)
    return None if number is None else int(number)
