"""Voices: drawn from the generator alone, over engines and accents, without unfit variants."""

from __future__ import annotations

import random

from ivr.audio.espeak import Espeak
from ivr.train.voices import (
    ENGLISH,
    FOREIGN,
    HELD_OUT_ENGINE,
    INSTALL,
    UNFIT_VARIANTS,
    espeak_variants,
    sample_voice,
    voice_names,
)


def test_voices_are_drawn_over_engines_and_accents() -> None:
    """Same generator, same voices; English accents outnumber foreign ones three to one."""
    drawn = [sample_voice(random.Random(i), ("espeak", "flite")) for i in range(800)]
    assert drawn == [sample_voice(random.Random(i), ("espeak", "flite")) for i in range(800)]
    espeak = [voice.name.split("+")[0] for voice in drawn if voice.engine == "espeak"]
    assert 0.65 < len(espeak) / len(drawn) < 0.82
    assert 0.18 < sum(name in FOREIGN for name in espeak) / len(espeak) < 0.32
    assert all(0.6 <= voice.rate <= 1.5 for voice in drawn)


def test_variants_that_nobody_would_take_for_a_person_are_left_out() -> None:
    """Whispers, robots and monsters go; the rest is a crowd."""
    variants = espeak_variants()
    assert len(variants) > 70
    assert list(variants) == sorted(variants)
    assert not {*UNFIT_VARIANTS} & {*variants}
    assert not [name for name in variants if name.startswith("robosoft")]


def test_every_language_of_the_lists_exists() -> None:
    """A language that a new release drops shows here, not in a corpus without it."""
    assert {*ENGLISH, *FOREIGN} <= {*Espeak().voices()}
    assert not {*ENGLISH} & {*FOREIGN}


def test_every_engine_has_voices() -> None:
    """The held-out one too."""
    assert HELD_OUT_ENGINE in INSTALL
    for engine in INSTALL:
        names = voice_names(engine)
        assert names
        assert len(names) == len({*names})


def test_the_held_out_engine_has_a_voice_when_asked_for() -> None:
    """By name it can be drawn, with the weight of an engine that no table lists."""
    drawn = {sample_voice(random.Random(i), ("flite", HELD_OUT_ENGINE)).engine for i in range(50)}
    assert drawn == {"flite", HELD_OUT_ENGINE}
