"""How the figures of a bench spread: mean, median and tail. Pure.

The report's `spread` has no mean and no 99th percentile: an operator at night needs neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batchrun.report.spread import percentile


@dataclass(frozen=True, slots=True)
class Statistics:
    """Over `n` figures, in their own unit. Of fewer than 100 figures the 99th percentile leans on the largest one."""

    n: int
    mean: float
    median: float
    p95: float
    p99: float


def statistics_of(figures: Iterable[float]) -> Statistics | None:
    """None where there is no figure: nothing measured is no zero."""
    ordered = sorted(figures)
    if not ordered:
        return None
    return Statistics(
        n=len(ordered),
        mean=sum(ordered) / len(ordered),
        median=percentile(ordered, 0.50),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
    )


def mean_of(figures: Iterable[float]) -> float | None:
    """None where there is no figure."""
    told = statistics_of(figures)
    return None if told is None else told.mean


def ratio(part: float | None, whole: float | None) -> float | None:
    """None where one of them is unknown, or there is nothing to divide by."""
    return None if part is None or not whole else part / whole
