"""How much memory a recogniser worker takes: measured in a process of its own, as the pool starts.

A process that did other work before knows only its own size. So one is spawned that does what a
worker does, loads the model and recognises once, and tells what the system says of it.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def _load_and_recognize(folder: Path | None, samples: bytes, grammar: str) -> float:
    from ivr.asr.loading import open_engine  # noqa: PLC0415 - as in the pool's workers

    engine = open_engine(folder)
    engine.warm_up()
    engine.recognize(np.frombuffer(samples, np.int16), grammar)
    return resident_mb()


def resident_mb() -> float:
    """Resident memory of this process, megabytes (1e6 bytes); where Linux does not tell, its peak.

    Pages shared with other processes count in full.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def worker_mb(folder: Path | None, samples: NDArray[np.int16], grammar: str) -> float:
    """Resident memory, in megabytes, of a worker that recognised these samples.

    Args:
        folder: the model's folder; None for the embedded model.
        samples: [n] int16, 8 kHz mono.
        grammar: a grammar URI.

    Raises:
        ModelError: the model is missing, altered or unreadable.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        measured = pool.submit(_load_and_recognize, folder, samples.tobytes(), grammar)
        return measured.result()
