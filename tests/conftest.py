"""What every test shares.

Hypothesis runs without a wall-clock deadline: a busy machine must not fail a property. Tests marked
slow run where IVR_SLOW is 1.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("ivr", deadline=None)
settings.load_profile("ivr")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what takes long, unless it is asked for."""
    if os.environ.get("IVR_SLOW") == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes long; run it with IVR_SLOW=1"))
