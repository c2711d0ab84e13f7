"""Hypothesis without a wall-clock deadline: a busy machine must not fail a property."""

from hypothesis import settings

settings.register_profile("ivr", deadline=None)
settings.load_profile("ivr")
