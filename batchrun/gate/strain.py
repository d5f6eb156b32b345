"""Signs that a machine suffers, whatever its CPU says: it throttles, lets what is ready wait, is late, or runs short.
Pure."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from batchrun.gate.cpu import Use


class Bearing(NamedTuple):
    """Up to `calm` a sign is none; from there on nothing grows; above `hard` slots are taken away in proportion."""

    calm: float
    hard: float


THROTTLED = Bearing(5.0, 25.0)  # per cent of the time
PRESSURE = Bearing(80.0, 95.0)  # per cent of the time
LAG = Bearing(100.0, 250.0)  # milliseconds


def under(bearing: Bearing, now: float, before: float, limit: int, in_flight: float) -> float:
    """The most slots under a strain; it counts if it has lasted for two periods."""
    lasting = min(now, before)
    if lasting <= bearing.calm:
        return inf
    if lasting <= bearing.hard:
        return limit
    return min(limit, in_flight * bearing.hard / lasting)


def sparing(free: float, reserve: float, own: float, limit: int, use: Use) -> float:
    """The most slots with so much free of which a reserve is to stay, in the same unit as what is the run's `own`: one
    more slot takes no more than a slot's part of that."""
    if free < reserve:
        return min(limit, use.in_flight * free / reserve)
    one = own / max(1.0, use.of_run)
    return limit + (free - reserve) / one / use.gates if one > 0 else inf
