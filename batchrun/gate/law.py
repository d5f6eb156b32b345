"""The law of the gate. Pure: a limit and an observation in, a decision with its reason out.

A law is any function of the shape `Law`; the gate asks it once a period and does what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from batchrun.plural import agreed, counted

EWMA_ALPHA = 0.3  # the articles'
MIN_SAMPLES = 3  # psutil's first reading is 0; nothing grows before three real ones
GROW_BELOW = 0.8  # of the target; between it and the target the limit rests


class LimitedBy(StrEnum):
    """What keeps more from running at this moment."""

    CPU = "cpu"
    MAX_SLOTS = "max_slots"
    JOBS = "jobs"  # not enough items are left to fill the slots
    RATE_LIMIT = "rate_limit"  # the provider told us to wait
    OUTAGE = "outage"  # the provider does not answer: one probe at a time
    PAUSED = "paused"  # by the operator
    STOPPING = "stopping"  # the run admits nothing any more
    RAMP = "ramp"  # nothing: the limit is still growing


@dataclass(frozen=True, slots=True)
class GateBounds:
    """Bounds of one gate. `target_cpu` in per cent of the host."""

    target_cpu: float = 70.0  # the articles'; 60 on a machine that others share
    min_slots: int = 1
    max_slots: int = 256
    start_slots: int = 8  # what a small machine bears without noticing, before anything was measured


@dataclass(frozen=True, slots=True)
class Observation:
    """What one period showed. `cpu` is the smoothed host CPU in per cent, None before the first real sample."""

    cpu: float | None
    samples: int
    in_flight_peak: int  # the most slots that were taken at once during the period
    is_held: bool  # the provider told the backend to wait


@dataclass(frozen=True, slots=True)
class Decision:
    """The limit from now on, what limits, and why, for the telemetry."""

    limit: int
    limited_by: LimitedBy
    reason: str


Law = Callable[[int, Observation, GateBounds], Decision]


def smooth(previous: float | None, sample: float) -> float:
    """The EWMA of the load; the first real sample initialises it."""
    return sample if previous is None else previous + EWMA_ALPHA * (sample - previous)


def steady(limit: int, seen: Observation, bounds: GateBounds) -> Decision:
    """One slot down the moment the CPU is above the target, one up only below 80 % of it, as the articles have it."""
    within = min(max(limit, bounds.min_slots), bounds.max_slots)
    if within != limit:
        return Decision(within, LimitedBy.MAX_SLOTS, "the bounds were changed")
    if seen.cpu is None or seen.samples < MIN_SAMPLES:
        return Decision(limit, LimitedBy.RAMP, "too few samples of the CPU yet")
    if seen.cpu > bounds.target_cpu:
        reason = f"CPU {seen.cpu:.0f} % is above the target of {bounds.target_cpu:.0f} %"
        return Decision(max(limit - 1, bounds.min_slots), LimitedBy.CPU, reason)
    if seen.is_held:
        return Decision(limit, LimitedBy.RATE_LIMIT, "the provider asked to wait")
    if seen.in_flight_peak < limit:
        return Decision(
            limit,
            LimitedBy.JOBS,
            f"only {seen.in_flight_peak} of {counted(limit, 'slot')} {agreed(seen.in_flight_peak, 'was', 'were')} used",
        )
    if seen.cpu >= bounds.target_cpu * GROW_BELOW:
        return Decision(limit, LimitedBy.CPU, f"CPU {seen.cpu:.0f} % is near the target")
    if limit >= bounds.max_slots:
        return Decision(limit, LimitedBy.MAX_SLOTS, "at --max-slots")
    reason = f"CPU {seen.cpu:.0f} % is below {bounds.target_cpu * GROW_BELOW:.0f} % and every slot was used"
    return Decision(limit + 1, LimitedBy.RAMP, reason)
