"""Named counts of what happened: every refusal has one; no name holds anything of a caller's."""

from __future__ import annotations

from collections import Counter

# Names come from our own code, but a reason that a peer could choose would let it grow this table.
_MAX_NAMES = 512


class Counters:
    """Counts by (family, reason), for /metrics and the tests; used from the event loop only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, family: str, reason: str) -> None:
        """Count one ``reason`` of a ``family`` such as ``refusals``."""
        key = (family, reason)
        if key not in self._counts and len(self._counts) >= _MAX_NAMES:
            key = (family, "other")
        self._counts[key] += 1

    def get(self, family: str, reason: str) -> int:
        """How often; 0 if never."""
        return self._counts[family, reason]

    def exposition(self) -> str:
        """The counts in the text format of Prometheus, version 0.0.4."""
        lines: list[str] = []
        for family in sorted({family for family, _ in self._counts}):
            lines.append(f"# TYPE ivr_{family}_total counter")
            lines.extend(
                f'ivr_{family}_total{{reason="{reason}"}} {count}'
                for (of, reason), count in sorted(self._counts.items())
                if of == family
            )
        return "\n".join(lines) + "\n"
