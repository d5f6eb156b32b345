"""How long a stream may go unseen, by its age and by what is left to a deadline."""

from __future__ import annotations

import pytest

from batchrun.providers.pacer import GRID
from batchrun.providers.provider import AT_ONCE, Pace
from batchrun.stream.tick import MAX_HELD, MAX_TICK, TICK_PER_AGE, pace_of


@pytest.mark.parametrize("age", [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0])
def test_the_end_is_seen_a_hundredth_of_the_wall_late_at_the_most(age: float) -> None:
    """Half a tick on the mean, of ticks that are told at each wake-up, over all the ends between two of them."""
    pace = pace_of(age, 60.0)
    ends = [age + pace.longest * nth / 100 for nth in range(100)]
    assert sum(pace.tick / 2 / end for end in ends) / 100 <= 0.01


def test_the_tick_grows_with_the_age_up_to_its_bound() -> None:
    """An old stream is looked at four times a second, and so is one that is older still."""
    ticks = [pace_of(age, 3600.0).tick for age in (0.0, 1.0, 5.0, 12.5, 100.0, 3000.0)]
    assert ticks == sorted(ticks)
    assert 0 < ticks[0] < GRID
    assert ticks[-3:] == [MAX_TICK] * 3


def test_an_old_stream_is_handed_on_once_a_second() -> None:
    """A wake-up costs as much as some looks, be it for one piece or for fifty; a young stream's tick has to grow."""
    assert [pace_of(age, 3600.0).longest for age in (0.1, 1.0, 2.0, 4.0, 100.0)] == [
        MAX_TICK,
        MAX_TICK,
        0.5,
        1.0,
        MAX_HELD,
    ]


@pytest.mark.parametrize("left", [0.2, 0.05, 0.0, -1.0])
def test_no_clock_suffers(left: float) -> None:
    """However old the stream is: what has come is told well before a deadline that it would move."""
    pace = pace_of(100.0, left)
    assert max(pace) <= max(0.0, left) / 4


def test_a_listener_hears_what_a_look_finds() -> None:
    """A rule that held a quarter of a second ago has cost tokens since; a sink's pieces are not kept from it."""
    pace = pace_of(2.0, 60.0, has_listener=True)
    assert pace == Pace(2.0 * TICK_PER_AGE, 0.0)


def test_past_the_deadline_nothing_waits() -> None:
    """Nothing is negative, and nothing is held back."""
    assert pace_of(100.0, -5.0) == AT_ONCE == Pace(0.0, 0.0)
