"""Opens a model's folder with the engine that runs it: the numeric one, or the stock baseline's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.asr.engine import Engine
from ivr.asr.model_files import ModelDescription, open_model
from ivr.asr.stock import StockEngine
from ivr.recognition import Recognition


class Recognizer(Protocol):
    """What every engine does."""

    description: ModelDescription

    def warm_up(self) -> None:
        """Runs once on silence, so that the first caller does not wait for allocations."""

    def recognize(self, samples: NDArray[np.int16], grammar: str) -> Recognition:
        """Recognises samples [n] int16, 8 kHz mono, with a grammar URI."""

    def describe(self) -> dict[str, Any]:
        """What the model is, for logs and `/readyz`."""


def open_engine(folder: Path | None = None) -> Recognizer:
    """The engine of a model, loaded.

    Args:
        folder: the model's folder; None for the embedded model.

    Raises:
        ModelError: the model is missing, altered or unreadable.
    """
    checked, description = open_model(folder)
    return Engine(folder) if description.stock is None else StockEngine(checked)
