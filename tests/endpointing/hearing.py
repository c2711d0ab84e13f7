"""An endpointer fed with a whole call, and what it told of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ivr.endpointing.endpointer import Endpointer, EndpointEvent, EndpointSettings, UtteranceEnded


def feed(
    endpointer: Endpointer, samples: NDArray[np.int16], chunk: int = 160
) -> list[EndpointEvent]:
    """Feed all samples in chunks."""
    events: list[EndpointEvent] = []
    for at in range(0, samples.shape[0], chunk):
        events += endpointer.feed(samples[at : at + chunk])
    return events


def run(samples: NDArray[np.int16], **changes: float) -> list[EndpointEvent]:
    """The events of one call."""
    return feed(Endpointer(EndpointSettings(**changes)), samples)  # type: ignore[arg-type]


def names(events: list[EndpointEvent]) -> list[str]:
    """The kinds of the events."""
    return [type(event).__name__ for event in events]


def plain(events: list[EndpointEvent]) -> list[tuple]:
    """The events as comparable tuples, audio as bytes."""
    rows = []
    for event in events:
        values = [getattr(event, name) for name in event.__slots__]
        fields = [v.tobytes() if isinstance(v, np.ndarray) else v for v in values]
        rows.append((type(event).__name__, *fields))
    return rows


def the_utterance(events: list[EndpointEvent]) -> UtteranceEnded:
    """The one utterance."""
    (ended,) = [event for event in events if isinstance(event, UtteranceEnded)]
    return ended
