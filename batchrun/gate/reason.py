"""Why a gate has the limit that it has, in words for the telemetry and for people. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from batchrun.gate.cpu import Gauge
from batchrun.gate.law import GateBounds, LimitedBy, Observation, Signals


class Facts(NamedTuple):
    """What a reason may tell of: the limit before and after, and what was seen."""

    limit: int
    then: int
    seen: Observation
    bounds: GateBounds
    host: Gauge

    @property
    def told(self) -> Signals:
        return self.seen.signals


def _ramp(facts: Facts) -> str:
    if facts.then > facts.limit:
        return f"CPU {facts.host.busy:.0f} %, and nothing else is short"
    return "the slots have not shown yet what they cost"


def _cpu(facts: Facts) -> str:
    _, _, _, bounds, host = facts
    where = "above" if facts.then < facts.limit else "near"
    return f"CPU {host.busy:.0f} % is {where} the target of {bounds.target_cpu:.0f} %, {host.own:.0f} of it ours"


REASONS: dict[LimitedBy, Callable[[Facts], str]] = {
    LimitedBy.RAMP: _ramp,
    LimitedBy.CPU: _cpu,
    LimitedBy.NEIGHBOUR: lambda facts: (
        f"other programs use {facts.host.others:.0f} % of the CPU, this run {facts.host.own:.0f}"
    ),
    LimitedBy.ALLOWANCE: lambda facts: (
        f"the container uses {facts.told.allowance or 0.0:.0f} % of the CPU that it may use"
        f" and was held back for {facts.told.throttled:.0f} % of the time"
    ),
    LimitedBy.LOOP: lambda facts: (
        f"the event loop was busy for {facts.told.loop:.0f} % of the time and {facts.seen.lag_ms:.0f} ms late"
    ),
    LimitedBy.PRESSURE: lambda facts: (
        f"for {facts.told.pressure or 0.0:.0f} % of the time something waited for the CPU"
    ),
    LimitedBy.MEMORY: lambda facts: f"{facts.told.free_memory_mb or 0.0:.0f} MB of memory are free",
    LimitedBy.FILES: lambda facts: f"{facts.told.free_files or 0} more files can be opened",
    LimitedBy.MAX_SLOTS: lambda facts: "at --max-slots",
    LimitedBy.JOBS: lambda facts: f"only {facts.seen.in_flight:.0f} of {facts.limit} slots were used",
    LimitedBy.RATE_LIMIT: lambda facts: "the provider lets no more in",
}
