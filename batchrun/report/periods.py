"""Reading telemetry.jsonl from a moment on, while a run may be appending to it. What a period means is `series`'s.

Telemetry is a story and no truth: a line that cannot be read is passed over, and no trouble here is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from batchrun.report.series import Period, period_of

_NEAR = 1 << 16  # bytes: closer than this, reading on costs less than another seek


def read_periods(path: Path, since: str) -> Iterator[Period]:
    """The periods from `since` (a stamp) on, in the order of the file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            _seek(file, since)
            for line in file:
                period = _period(line)
                if period is not None and period.stamp >= since:
                    yield period
    except OSError:
        return


def _seek(file: BinaryIO, since: str) -> None:
    """Stand at the beginning of some line before the first that is not older than `since`: months of telemetry may
    lie before it, and the lines stand in the order of time."""
    low, high = 0, file.seek(0, 2)
    while high - low > _NEAR:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        begin = file.tell()
        period = _period(file.readline())
        # An unreadable line says nothing about its time; reading on from before it is always right.
        if period is not None and period.stamp < since:
            low = begin
        else:
            high = middle
    file.seek(low)


def _period(line: bytes) -> Period | None:
    try:
        return period_of(orjson.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
