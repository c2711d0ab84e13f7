"""What every test shares.

Hypothesis runs without a wall-clock deadline: a busy machine must not fail a property.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ivr", deadline=None)
settings.load_profile("ivr")
