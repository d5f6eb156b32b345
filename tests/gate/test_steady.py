"""The steady law, as a table: what was seen, and what follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.gate.law import EWMA_ALPHA, MIN_SAMPLES, GateBounds, LimitedBy, Observation, smooth
from batchrun.gate.steady import GROW_BELOW, steady

BOUNDS = GateBounds(target_cpu=70.0, min_slots=2, max_slots=10)


def seen(cpu: float | None = 20.0, peak: int = 99, samples: int = MIN_SAMPLES, *, held: bool = False) -> Observation:
    """A quiet machine whose slots were all used, unless told otherwise."""
    return Observation(cpu, samples, peak, held)


TABLE: dict[str, tuple[int, Observation, int, LimitedBy]] = {
    "room everywhere": (5, seen(), 6, LimitedBy.RAMP),
    "just below 80 % of the target": (5, seen(55.9), 6, LimitedBy.RAMP),
    "at 80 % of the target": (5, seen(56.0), 5, LimitedBy.CPU),
    "near the target": (5, seen(69.9), 5, LimitedBy.CPU),
    "at the target": (5, seen(70.0), 5, LimitedBy.CPU),
    "above the target": (5, seen(70.1), 4, LimitedBy.CPU),
    "far above the target": (5, seen(100.0), 4, LimitedBy.CPU),
    "above the target at the least": (2, seen(100.0), 2, LimitedBy.CPU),
    "above the target with idle slots": (5, seen(100.0, peak=1), 4, LimitedBy.CPU),
    "above the target while held": (5, seen(100.0, held=True), 4, LimitedBy.CPU),
    "held": (5, seen(held=True), 5, LimitedBy.RATE_LIMIT),
    "held with idle slots": (5, seen(peak=0, held=True), 5, LimitedBy.RATE_LIMIT),
    "one slot idle": (5, seen(peak=4), 5, LimitedBy.JOBS),
    "every slot used": (5, seen(peak=5), 6, LimitedBy.RAMP),
    "more in flight than slots": (5, seen(peak=9), 6, LimitedBy.RAMP),
    "at the most": (10, seen(), 10, LimitedBy.MAX_SLOTS),
    "at the most with idle slots": (10, seen(peak=3), 10, LimitedBy.JOBS),
    "no sample": (5, seen(None, samples=0), 5, LimitedBy.RAMP),
    "two samples": (5, seen(samples=MIN_SAMPLES - 1), 5, LimitedBy.RAMP),
    "two samples of a busy machine": (5, seen(100.0, samples=MIN_SAMPLES - 1), 5, LimitedBy.RAMP),
    "bounds lowered": (20, seen(), 10, LimitedBy.MAX_SLOTS),
    "bounds raised": (1, seen(), 2, LimitedBy.MAX_SLOTS),
    "bounds lowered before the first sample": (20, seen(None, samples=0), 10, LimitedBy.MAX_SLOTS),
}


@pytest.mark.parametrize(("limit", "observation", "then", "limited_by"), TABLE.values(), ids=TABLE.keys())
def test_the_steady_law(limit: int, observation: Observation, then: int, limited_by: LimitedBy) -> None:
    """One down the moment the CPU is above the target; one up only where nothing speaks against it; and it says why."""
    decision = steady(limit, observation, BOUNDS)
    assert (decision.limit, decision.limited_by) == (then, limited_by)
    assert decision.reason


observations = st.builds(
    Observation,
    cpu=st.none() | st.floats(0, 100),
    samples=st.integers(0, 10),
    in_flight_peak=st.integers(0, 12),
    is_held=st.booleans(),
)


@given(limit=st.integers(2, 10), observation=observations)
def test_a_step_is_one_slot_and_stays_within_bounds(limit: int, observation: Observation) -> None:
    """Whatever was seen: never two at once, never below the least, never above the most."""
    decision = steady(limit, observation, BOUNDS)
    assert abs(decision.limit - limit) <= 1
    assert BOUNDS.min_slots <= decision.limit <= BOUNDS.max_slots


@given(limit=st.integers(2, 10), observation=observations)
def test_nothing_grows_without_every_reason(limit: int, observation: Observation) -> None:
    """Growth needs three samples, a CPU below 80 % of the target, no hold, and every slot used."""
    if steady(limit, observation, BOUNDS).limit > limit:
        assert observation.samples >= MIN_SAMPLES
        assert observation.cpu is not None
        assert observation.cpu < GROW_BELOW * BOUNDS.target_cpu
        assert not observation.is_held
        assert observation.in_flight_peak >= limit


def test_a_busy_machine_shrinks_to_the_least_and_work_goes_on() -> None:
    """However long others keep the machine busy, the minimum stays."""
    limit = 10
    for _ in range(100):
        limit = steady(limit, seen(99.0), BOUNDS).limit
    assert limit == BOUNDS.min_slots


def test_a_quiet_machine_grows_to_the_most_one_period_at_a_time() -> None:
    """From the least to the most takes as many periods as there are slots between."""
    limits = [2]
    while steady(limits[-1], seen(), BOUNDS).limit != limits[-1]:
        limits.append(steady(limits[-1], seen(), BOUNDS).limit)
    assert limits == list(range(2, 11))


def test_the_first_real_sample_is_the_load() -> None:
    """A machine that is busy from the start is not taken for a quiet one."""
    assert smooth(None, 80.0) == 80.0


def test_the_load_follows_its_samples_by_three_tenths() -> None:
    """EWMA with alpha 0.3."""
    assert smooth(50.0, 100.0) == pytest.approx(50 + EWMA_ALPHA * 50)
    assert EWMA_ALPHA == 0.3


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_load_lies_between_what_it_was_and_what_it_is(previous: float, sample: float) -> None:
    """Smoothing never overshoots."""
    low, high = sorted((previous, sample))
    assert low - 1e-9 <= smooth(previous, sample) <= high + 1e-9
