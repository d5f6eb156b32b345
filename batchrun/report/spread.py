"""How a figure spreads over the items: its middle, its tail, its largest. Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

EXACT = 100_000  # of more figures an even sample is sorted: no percentile moves by anything that a reader could see


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 95th percentile and maximum over `n` items, in the figure's own unit."""

    p50: float
    p95: float
    max: float
    n: int


def spread(figures: array[float]) -> Spread | None:
    """None where there is nothing to spread. The maximum is exact; the percentiles are, up to `EXACT` figures."""
    if not figures:
        return None
    step = -(-len(figures) // EXACT)
    ordered = sorted(figures[::step])
    return Spread(percentile(ordered, 0.50), percentile(ordered, 0.95), max(figures), len(figures))


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ascending `ordered` lie, between neighbours in proportion."""
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
