"""The steady law: one slot at a time, by the CPU of the host alone, as the articles have it. Pure."""

from __future__ import annotations

from batchrun.gate.law import MIN_SAMPLES, Decision, GateBounds, LimitedBy, Observation
from batchrun.gate.memory import START, Memory

GROW_BELOW = 0.8  # of the target; between it and the target the limit rests


def steady(limit: int, seen: Observation, bounds: GateBounds, memory: Memory = START) -> Decision:
    """One slot down the moment the CPU is above the target, one up only below 80 % of it; remembers nothing."""
    within = min(max(limit, bounds.min_slots), bounds.max_slots)
    if within != limit:
        return Decision(within, LimitedBy.MAX_SLOTS, "the bounds were changed", memory)
    if seen.cpu is None or seen.samples < MIN_SAMPLES:
        return Decision(limit, LimitedBy.RAMP, "too few samples of the CPU yet", memory)
    if seen.cpu > bounds.target_cpu:
        reason = f"CPU {seen.cpu:.0f} % is above the target of {bounds.target_cpu:.0f} %"
        return Decision(max(limit - 1, bounds.min_slots), LimitedBy.CPU, reason, memory)
    if seen.is_held:
        return Decision(limit, LimitedBy.RATE_LIMIT, "the provider asked to wait", memory)
    if seen.in_flight_peak < limit:
        return Decision(limit, LimitedBy.JOBS, f"only {seen.in_flight_peak} of {limit} slots were used", memory)
    if seen.cpu >= bounds.target_cpu * GROW_BELOW:
        return Decision(limit, LimitedBy.CPU, f"CPU {seen.cpu:.0f} % is near the target", memory)
    if limit >= bounds.max_slots:
        return Decision(limit, LimitedBy.MAX_SLOTS, "at --max-slots", memory)
    reason = f"CPU {seen.cpu:.0f} % is below {bounds.target_cpu * GROW_BELOW:.0f} % and every slot was used"
    return Decision(limit + 1, LimitedBy.RAMP, reason, memory)
