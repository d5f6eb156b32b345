"""Reading telemetry.jsonl from a moment on, while a run may be appending to it. What a period means is `series`'s.

Telemetry is a story and no truth: a line that cannot be read is passed over, and no trouble here is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from batchrun.journal.since import seek_before
from batchrun.report.series import Period, period_of


def read_periods(path: Path, since: str) -> Iterator[Period]:
    """The periods from `since` (a stamp) on, in the order of the file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            seek_before(file, since, _stamp)
            for line in file:
                period = _period(line)
                if period is not None and period.stamp >= since:
                    yield period
    except OSError:
        return


def _stamp(line: bytes) -> str | None:
    period = _period(line)
    return None if period is None else period.stamp


def _period(line: bytes) -> Period | None:
    try:
        return period_of(orjson.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
