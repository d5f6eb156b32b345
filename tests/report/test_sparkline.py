"""A curve in one line: as wide as asked, with gaps where nothing ran."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchrun.report.sparkline import ASCII, BLOCKS, downsample, sparkline


def test_a_curve_is_never_wider_than_asked() -> None:
    """Eight hours of periods fit into sixty columns, each the mean of its slice."""
    times = [2.0 * period for period in range(14_400)]
    means = downsample(times, [50.0] * len(times), 60)
    assert means == [50.0] * 60


def test_a_short_run_is_not_stretched() -> None:
    """Five periods are five marks, not sixty."""
    assert downsample([0, 2, 4, 6, 8], [1, 2, 3, 4, 5], 60) == [1, 2, 3, 4, 5]


def test_uneven_periods_leave_no_holes() -> None:
    """A period that came late on a busy machine is no gap."""
    times = [0, 2, 4, 7.9, 8.1, 10, 12, 14, 16, 18]
    assert None not in downsample(times, [1.0] * len(times), 60)


def test_hours_without_a_run_are_a_gap() -> None:
    """Two runs with an hour between them are drawn apart."""
    times = [*range(0, 100, 2), *range(3600, 3700, 2)]
    means = downsample(times, [7.0] * len(times), 40)
    assert means[0] == means[-1] == 7.0
    assert means[1:-2].count(None) > 30


def test_no_sample_is_no_curve_and_one_sample_is_one_mark() -> None:
    """A run that was killed in its first period still has a report."""
    assert downsample([], [], 60) == []
    assert downsample([5.0], [3.0], 60) == [3.0]
    assert downsample([5.0, 5.0], [3.0, 5.0], 60) == [4.0]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), max_size=200), st.integers(0, 80))
def test_any_series_gives_a_line_that_fits(samples: list[tuple[float, float]], width: int) -> None:
    """Whatever the times are, the line fits and its means lie within the figures."""
    samples.sort()
    means = downsample([time for time, _ in samples], [figure for _, figure in samples], width)
    assert len(means) <= max(width, 1)
    assert all(mean is None or -1e-6 <= mean <= 100 + 1e-6 for mean in means)
    assert len(sparkline(means, 100.0)) == len(means)


def test_little_is_drawn_as_something_and_nothing_as_nothing() -> None:
    """One slot among a hundred is visible; a gap is blank; what is above the top is the top."""
    assert sparkline([0.0, 0.5, 50.0, 100.0, 180.0, None], 100.0) == " ▁▄██ "
    assert sparkline([0.0, 0.5, 100.0], 100.0, ASCII) == " .@"
    assert sparkline([1.0], 0.0) == BLOCKS[1]
