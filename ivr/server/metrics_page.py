"""The reference of `/metrics`, made from the list of families.

python -m ivr.server.metrics_page > docs/reference/metrics.md
"""

from __future__ import annotations

import sys
from typing import Final

from ivr.server.metrics import FAMILIES

_HEAD: Final = """\
# Metrics

What `GET /metrics` answers, in Prometheus's text format, or as OpenMetrics to whoever asks for it.
This page is made from the code: `python -m ivr.server.metrics_page > docs/reference/metrics.md`.

Times are seconds, sizes bytes, shares 0 to 1. Label values are fixed names, names of flows and of
their outcomes, at most 512 of a family; further ones count as `other`. Nothing that a caller said
or keyed, and no number of a telephone, is in any of them. The `reason`s are explained in
[wire errors](wire-errors.md). Beside these the page has Prometheus's own `process_*` of the
server's process; recognisers are processes of their own.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
"""

_TAIL: Final = """
A histogram `NAME` has `NAME_bucket` with the label `le`, `NAME_sum` and `NAME_count`.

## Buckets

Upper bounds, in the metric's unit; there is one more without bound.

| histogram | buckets |
| --- | --- |
"""


def page() -> str:
    """The page as it should be."""
    rows = "".join(
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} "
        f"| {one.meaning} |\n"
        for one in FAMILIES
    )
    buckets = "".join(
        f"| `{one.name}` | {', '.join(f'{bound:g}' for bound in one.buckets)} |\n"
        for one in FAMILIES
        if one.buckets
    )
    return _HEAD + rows + _TAIL + buckets


if __name__ == "__main__":
    sys.stdout.write(page())
