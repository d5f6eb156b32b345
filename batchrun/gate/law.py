"""What a law of the gate is told and what it answers. Pure; the laws themselves are `steady` and `adaptive`.

A law is any function of the shape `Law`: the gate asks it once a period and does what it says. What it wants to know at
the next period it hands out with its decision, and gets back: it keeps nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from batchrun.gate.memory import START, Memory

EWMA_ALPHA = 0.3  # the articles'
USED = 0.8  # of the slots must be in flight, or the limit is not what limits
MIN_SAMPLES = 3  # psutil's first reading is 0; nothing grows before three real ones


class LimitedBy(StrEnum):
    """What keeps more from running at this moment."""

    CPU = "cpu"
    NEIGHBOUR = "neighbour"  # other programs use all the CPU that the target leaves, and ours next to none
    ALLOWANCE = "allowance"  # the CPU that the container may use
    LOOP = "loop"  # our own event loop, which is one core at most
    PRESSURE = "pressure"  # what is ready to run has to wait for a CPU
    MEMORY = "memory"
    FILES = "files"  # open files, of which each connection is one
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


# A named tuple like all that is made anew each period: worlds ask a law a hundred thousand times a second.
class Signals(NamedTuple):
    """What the machine showed in one period; None where it does not tell.

    A point is a hundredth of the whole host, whatever its cores. `own` is what this process, its sinks and its children
    used of it. `allowance` and `own_allowance` are per cent of the CPU that the container may use. `throttled`,
    `pressure` and `loop` are per cent of the period: in which the container was held back, in which something waited
    for a CPU, and for which the event loop was busy.
    """

    host: float = 0.0
    own: float = 0.0
    allowance: float | None = None
    own_allowance: float = 0.0
    throttled: float = 0.0
    loop: float = 0.0
    pressure: float | None = None
    free_memory_mb: float | None = None
    reserve_mb: float = 0.0  # of the free memory, what is to stay free
    own_memory_mb: float = 0.0
    free_files: int | None = None


class Observation(NamedTuple):
    """What one period showed to one gate. `cpu` is the smoothed CPU in per cent of the host, or of the container's
    allowance where that is nearer its end; None before the first real sample."""

    cpu: float | None
    samples: int
    in_flight_peak: int  # the most slots that were taken at once during the period
    is_held: bool  # the provider told the backend to wait
    in_flight: float = 0.0  # slots that were taken, on the mean of the period
    ended: float = 0.0  # slots that were given back during the period
    answering: float = 0.0  # of those in flight now: whose attempt has shown what it costs
    share: float = 1.0  # of all slots that the run has taken: those of this gate
    gates: int = 1  # how many gates of the run have something in flight
    lag_ms: float = 0.0  # how late the event loop was
    rate_slots: float | None = None  # the most slots that the provider's rate limits leave work for
    signals: Signals = Signals()


class Decision(NamedTuple):
    """The limit from now on, what limits, and why, for the telemetry. `memory` is for the next period."""

    limit: int
    limited_by: LimitedBy
    reason: str
    memory: Memory = START


Law = Callable[[int, Observation, GateBounds, Memory], Decision]


def smooth(previous: float | None, sample: float) -> float:
    """The EWMA of the load; the first real sample initialises it."""
    return sample if previous is None else previous + EWMA_ALPHA * (sample - previous)
