"""How long a stream may go unseen, by its age and by what is left to a deadline."""

from __future__ import annotations

import pytest

from batchrun.providers.provider import AT_ONCE, Pace
from batchrun.stream.tick import MAX_TICK, TICK_PER_AGE, pace_of


@pytest.mark.parametrize("age", [0.1, 0.5, 2.0, 10.0])
def test_the_end_is_seen_a_hundredth_of_the_wall_late_on_the_mean(age: float) -> None:
    """Half a tick on the mean, of a tick that is a fiftieth of the age."""
    assert pace_of(age, 60.0).tick / 2 <= age * 0.01


def test_the_tick_grows_with_the_age_up_to_its_bound() -> None:
    """An old stream is looked at four times a second, and so is one that is older still."""
    ticks = [pace_of(age, 3600.0).tick for age in (0.0, 1.0, 5.0, 12.5, 100.0, 3000.0)]
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[1], ticks[-1]) == (0.0, TICK_PER_AGE, MAX_TICK)


@pytest.mark.parametrize("left", [0.2, 0.05, 0.0, -1.0])
def test_no_clock_suffers(left: float) -> None:
    """However old the stream is: what has come is told well before a deadline that it would move."""
    pace = pace_of(100.0, left)
    assert max(pace) <= max(0.0, left) / 4


def test_a_listener_hears_what_a_look_finds() -> None:
    """A rule that held a quarter of a second ago has cost tokens since; a sink's pieces are not kept from it."""
    pace = pace_of(2.0, 60.0, has_listener=True)
    assert pace == Pace(2.0 * TICK_PER_AGE, 2.0 * TICK_PER_AGE)


def test_past_the_deadline_nothing_waits() -> None:
    """Nothing is negative, and nothing is held back."""
    assert pace_of(100.0, -5.0) == AT_ONCE == Pace(0.0, 0.0)
