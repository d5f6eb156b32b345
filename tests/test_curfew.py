"""When a run has to end though its items have not."""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta, timezone

import pytest

from batchrun.curfew import SURE, Curfew, MaxFailures, next_occurrence

NOW = datetime(2026, 11, 21, 23, 0, tzinfo=timezone(timedelta(hours=1)))


def test_without_a_bound_a_run_may_go_on_for_ever() -> None:
    """No time is up, and no failures are too many."""
    free = Curfew()
    assert free.left(NOW, 1e9) == math.inf
    assert free.time_is_up(NOW, 1e9) is None
    assert free.too_many_failed(10**6, 10**6) is None


def test_the_sooner_of_two_ends_counts() -> None:
    """A deadline by the wall clock, a length by the run's own."""
    both = Curfew(deadline=NOW + timedelta(hours=1), max_time=7200)
    assert both.left(NOW, 0) == 3600
    assert both.left(NOW, 5400) == 1800
    assert both.time_is_up(NOW, 7199) is None
    assert both.time_is_up(NOW + timedelta(hours=1), 0) == "the deadline of 00:00 has come"
    assert both.time_is_up(NOW, 7200) == "the run has lasted 2 h (--max-time)"


def test_so_many_failures_are_enough() -> None:
    """The hundredth ends it; the ninety-ninth does not."""
    ends = Curfew(max_failures=MaxFailures(count=100))
    assert ends.too_many_failed(99, 10_000) is None
    assert ends.too_many_failed(100, 10_000) == "100 of 10,000 items have failed (--max-failures 100)"


def test_a_share_says_nothing_before_enough_have_finished() -> None:
    """The first item alone would be all of them."""
    ends = Curfew(max_failures=MaxFailures(share=0.1))
    assert ends.too_many_failed(1, 1) is None
    assert ends.too_many_failed(SURE - 1, SURE - 1) is None
    assert ends.too_many_failed(2, SURE) is not None
    assert ends.too_many_failed(9, 100) is None
    assert ends.too_many_failed(10, 100) == "10 of 100 items have failed (--max-failures 10%)"


@pytest.mark.parametrize(
    ("clock", "hours"), [(time(23, 30), 0.5), (time(23, 0), 24), (time(6, 0), 7), (time(0, 0), 1)], ids=str
)
def test_a_deadline_is_the_next_time_that_the_clock_shows_it(clock: time, hours: float) -> None:
    """Today if it is still to come, else tomorrow."""
    local = NOW.replace(tzinfo=None).astimezone()
    assert next_occurrence(clock, local) - local == timedelta(hours=hours)
