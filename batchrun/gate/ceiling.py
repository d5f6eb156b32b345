"""How many slots each signal bears, and which of them bears no more: the lowest ceiling counts. Pure."""

from __future__ import annotations

from math import ceil, inf
from typing import NamedTuple

from batchrun.gate.cpu import FLOOR, Gauge, Use, bearable, fitting
from batchrun.gate.law import GateBounds, LimitedBy, Observation
from batchrun.gate.memory import Memory
from batchrun.gate.strain import LAG, PRESSURE, THROTTLED, sparing, under

SPARE = 1.25  # times the slots that the provider's rate needs, for some attempts take longer than others
STRAINS = (
    # Throttling, pressure and lag, in the order in which they are remembered.
    (LimitedBy.ALLOWANCE, THROTTLED),
    (LimitedBy.PRESSURE, PRESSURE),
    (LimitedBy.LOOP, LAG),
)


class Ceiling(NamedTuple):
    """The most slots that all signals bear, the signal that bears the fewest, and how many the host's CPU bears: that
    one is shared with others."""

    slots: float
    by: LimitedBy
    shared: float


def lowest(limit: int, seen: Observation, bounds: GateBounds, memory: Memory, use: Use) -> Ceiling:
    """The ceiling under all signals."""
    target, host, allowance, loop = bounds.target_cpu, memory.host, memory.allowance, memory.loop
    most, by, shared = float(bounds.max_slots), LimitedBy.MAX_SLOTS, inf
    if host is not None:
        pegged = _while_pegged(host, seen.signals.own, loop, seen.signals.loop)
        shared = fitting(host, target, limit, use, pegged, _squeeze(seen, memory, use))
        if shared < most:
            most, by = shared, LimitedBy.NEIGHBOUR if host.others > target - FLOOR else LimitedBy.CPU
    if loop is not None:
        slots = bearable(loop, limit, use, is_draining=memory.stale > 0)
        if slots < most:
            most, by = slots, LimitedBy.LOOP
    if allowance is not None:
        pegged = _while_pegged(allowance, seen.signals.own_allowance, loop, seen.signals.loop)
        slots = fitting(allowance, target, limit, use, pegged)
        if slots < most:
            most, by = slots, LimitedBy.ALLOWANCE
    if any(memory.strains):
        slots, strain = _strained(limit, memory, use)
        if slots < most:
            most, by = slots, strain
    slots, supply = _supplied(limit, seen, use)
    return Ceiling(slots, supply, shared) if slots < most else Ceiling(most, by, shared)


def _while_pegged(cpu: Gauge, own: float, loop: Gauge | None, busy: float) -> float:
    """The points of a CPU that the run uses when its event loop has no time left: it cannot use more of it. Of this
    period's and the mean one's the larger, for what children use may be told in lumps."""
    if loop is None or min(loop.own, busy) <= FLOOR:
        return inf
    return 100.0 * max(own / busy, cpu.own / loop.own)


def _squeeze(seen: Observation, memory: Memory, use: Use) -> float:
    """How many times what it got of the host's CPU the run wanted: its streams are known by what they cost at ease. By
    slots it could not be told, for streams that are squeezed last longer, and more of the slots are being answered."""
    own = max(seen.signals.own, memory.host.own if memory.host else 0.0) * use.share
    return memory.stream * seen.answering / own if own > 0 else 1.0


def _strained(limit: int, memory: Memory, use: Use) -> tuple[float, LimitedBy]:
    """The worst of what a machine suffers from; a run that costs it next to nothing is not the cause."""
    most, by = inf, LimitedBy.PRESSURE
    if memory.host is None or memory.host.own <= FLOOR:
        return most, by
    for (name, bearing), now, before in zip(STRAINS, memory.strains, memory.strains_before, strict=True):
        slots = under(bearing, now, before, limit, use.in_flight)
        if slots < most:
            most, by = slots, name
    return most, by


def _supplied(limit: int, seen: Observation, use: Use) -> tuple[float, LimitedBy]:
    """Of what there is only so much: memory, open files, and what the provider lets in."""
    told = seen.signals
    most, by = inf, LimitedBy.MEMORY
    if told.free_memory_mb is not None:
        most = sparing(told.free_memory_mb, told.reserve_mb, told.own_memory_mb, limit, use)
    if told.free_files is not None and limit + told.free_files / use.gates < most:
        most, by = limit + told.free_files / use.gates, LimitedBy.FILES
    if seen.rate_slots is not None and seen.rate_slots * SPARE < most:
        # More slots than the provider lets in are no harm: its own rules hold the requests back.
        most, by = max(ceil(seen.rate_slots * SPARE), float(limit)), LimitedBy.RATE_LIMIT
    return most, by
