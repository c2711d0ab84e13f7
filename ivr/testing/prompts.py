"""What the agent says in a test: rendered like a server's, but whatever was rendered before."""

from __future__ import annotations

from ivr.config import PromptSettings
from ivr.prompts.store import PromptStore
from ivr.prompts.voices import EspeakVoice, VoiceOptions
from ivr.testing.voices import FreshVoice


def open_prompts(settings: PromptSettings, voice: FreshVoice) -> PromptStore:
    """The store of a configuration, with a synthesiser that forgets; nothing is kept on disk.

    Raises:
        ConfigError: there is no such synthesiser or voice, or its options are wrong.
        ModelError: it cannot be loaded.
    """
    if settings.engine != "espeak":
        return PromptStore.open(settings.model_copy(update={"cache_dir": None}))
    options = VoiceOptions(settings.voice, settings.rate_wpm, settings.engine_options)
    return PromptStore(EspeakVoice(options, voice), None, settings.recordings_dir)
