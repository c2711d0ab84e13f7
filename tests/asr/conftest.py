"""A model for the tests: small, exact, and made anew for whoever wants to break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asr.tiny import make_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a tiny model, the test's own."""
    return make_model(tmp_path / "model")


@pytest.fixture(scope="session")
def shared_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that no test changes."""
    return make_model(tmp_path_factory.mktemp("shared") / "model")
