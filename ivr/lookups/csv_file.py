"""Lookups in CSV files: a line by the text of one or several of its columns.

Theory of operation: a file is read once and indexed by the columns that it is asked by; it is read
again when it has changed. Reading is done in a thread. Where several lines have the same key the
first is the answer.
"""

from __future__ import annotations

import asyncio
import csv
import threading
from pathlib import Path
from typing import Any, Final

from ivr.flow.request import MISSING, Answer, CsvRequest
from ivr.flow.tables import read_table

_Key = tuple[str, ...]
_MOST_BYTES: Final = 64_000_000  # indexed it takes about ten times as much memory


class CsvLookups:
    """Looks into files.

    State: the index of each file and set of columns, and how the file looked when it was read.
    """

    def __init__(self) -> None:
        self._indexes: dict[tuple[str, _Key], tuple[tuple[int, int], dict[_Key, Any]]] = {}
        self._lock = threading.Lock()  # two calls at once shall not read a large file twice

    async def look_up(self, request: CsvRequest) -> Answer:
        """The first line that fits."""
        try:
            async with asyncio.timeout(request.timeout_s):
                return await asyncio.to_thread(self._find, request)
        except TimeoutError:
            return Answer.failed("timeout")
        except OSError:
            return Answer.failed("unreadable")
        except (ValueError, KeyError, csv.Error):
            return Answer.failed("bad_file")

    def _find(self, request: CsvRequest) -> Answer:
        with self._lock:
            index = self._index(Path(request.file), tuple(request.where))
        found = index.get(tuple(text.strip() for text in request.where.values()))
        return MISSING if found is None else Answer.found(found)

    def _index(self, path: Path, columns: _Key) -> dict[_Key, Any]:
        stat = path.stat()
        state = (stat.st_mtime_ns, stat.st_size)
        known = self._indexes.get((str(path), columns))
        if known is not None and known[0] == state:
            return known[1]
        if stat.st_size > _MOST_BYTES:
            raise ValueError("too large")
        index: dict[_Key, Any] = {}
        for row in read_table(path):
            index.setdefault(tuple(row[column] for column in columns), row)
        self._indexes[str(path), columns] = (state, index)
        return index
