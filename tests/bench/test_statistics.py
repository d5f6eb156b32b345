"""The figures of a table are what they are called, and nothing measured is no zero."""

from __future__ import annotations

from batchrun.bench.statistics import mean_of, ratio, statistics_of


def test_the_statistics_of_a_hundred_figures() -> None:
    """Mean, median and percentiles of 1 to 101, whatever their order."""
    told = statistics_of(range(101, 0, -1))
    assert told is not None
    assert (told.n, told.mean, told.median, told.p95, told.p99) == (101, 51, 51, 96, 100)


def test_a_single_figure_is_all_of_them() -> None:
    """No percentile leaves the range of what was measured."""
    told = statistics_of([2.5])
    assert told is not None
    assert (told.mean, told.median, told.p95, told.p99) == (2.5, 2.5, 2.5, 2.5)


def test_nothing_measured_is_none() -> None:
    """Neither statistics nor a mean nor a ratio is made up."""
    assert statistics_of([]) is None
    assert mean_of([]) is None
    assert ratio(None, 2.0) is None
    assert ratio(1.0, None) is None
    assert ratio(1.0, 0) is None
    assert ratio(1.0, 4.0) == 0.25
