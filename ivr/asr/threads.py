"""One thread of linear algebra to a process.

numpy's library takes a thread for each core, and they spin while they wait. A recogniser's matrices
are too small to be shared out: on one core a second thread doubled the time of an utterance, and
many workers would fight over the cores that they share.
"""

from __future__ import annotations

import os


def keep_to_one_thread() -> None:
    """For this process, if numpy is not loaded yet, and for those that it starts.

    What the environment says already stays.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
