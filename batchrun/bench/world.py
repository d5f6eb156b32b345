"""Worlds for the gate: a machine, its neighbours, a provider and a load, drawn from a seed. Values only; pure.

What is common at night is drawn often: neighbours stay for minutes and leave for longer, most machines are small, and
most slots cost little. A slot never costs more than a quarter of the machine: there no law has much to decide.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from batchrun.gate.law import GateBounds

HOUR = 3600.0
LONGEST = 8 * HOUR  # what happens is known for so long
SLOT_MB = 4.0


@dataclass(frozen=True, slots=True)
class Machine:
    """Costs are in points of the host. `loop_part` of what streams cost is the event loop's. `allowance` is in cores,
    `memory` in slots; None without a limit. `background` and `noise` are what a quiet system uses, and how unevenly."""

    cores: int = 4
    stream_cost: float = 1.0
    loop_part: float = 0.1
    base_cost: float = 0.5
    allowance: float | None = None
    memory: float | None = None
    background: float = 2.0
    noise: float = 1.0

    @property
    def quota(self) -> float:
        """What the container may use, in points."""
        return 100.0 if self.allowance is None else 100.0 * self.allowance / self.cores

    @property
    def loop_quota(self) -> float:
        """What our processes can use before the event loop is pegged, in points."""
        return 100.0 / self.cores / self.loop_part


@dataclass(frozen=True, slots=True)
class Source:
    """A provider: seconds to the first token, seconds of answering after it, and how many items a second it lets in."""

    latency: float = 1.0
    answer: float = 10.0
    rate: float | None = None

    @property
    def seconds(self) -> float:
        return self.latency + self.answer


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on, in seconds, others want so many points, and a stream costs so many times what it did at first."""

    at: float
    others: float = 0.0
    cost: float = 1.0


BOUNDS = GateBounds()


@dataclass(frozen=True, slots=True)
class World:
    """`kind` is the neighbours'."""

    seed: int = 0
    kind: str = "quiet"
    machine: Machine = Machine()
    source: Source = Source()
    changes: tuple[Change, ...] = (Change(0.0),)
    bounds: GateBounds = BOUNDS
    period: float = 2.0

    @property
    def used_at_most(self) -> float:
        """The slots that the provider leaves work for; it is as good as without end where it lets everybody in."""
        return math.inf if self.source.rate is None else self.source.rate * self.source.seconds


KINDS = {"quiet": 0.45, "steady": 0.15, "coming and going": 0.35, "backup": 0.05}


def draw(seed: int) -> World:
    """The world of a seed."""
    dice = random.Random(seed)
    source = Source(_log(dice, 0.3, 10.0), _log(dice, 3.0, 60.0))
    cores = dice.choice((1, 2, 2, 2, 4, 4, 8, 16, 32))
    machine = Machine(
        cores=cores,
        stream_cost=100.0 / _log(dice, 4.0, 400.0) * source.seconds / source.answer,
        loop_part=dice.choice((0.1, 0.3, 0.6, 1.0)),
        base_cost=dice.uniform(0.0, 1.0) / cores,
        allowance=dice.uniform(0.3, 1.0) * cores if dice.random() < 0.2 else None,
        memory=_log(dice, 8.0, 300.0) if dice.random() < 0.1 else None,
        background=dice.uniform(0.5, 4.0),
        noise=dice.uniform(0.3, 2.0),
    )
    if dice.random() < 0.2:
        source = replace(source, rate=_log(dice, 3.0, 200.0) / source.seconds)
    kind = dice.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    return World(
        seed=seed,
        kind=kind,
        machine=machine,
        source=source,
        changes=_changes(dice, kind),
        bounds=GateBounds(
            target_cpu=dice.choice((70.0, 70.0, 70.0, 60.0, 50.0, 80.0)),
            max_slots=dice.choice((256, 256, 256, 64, 16, 8)),
        ),
        period=dice.choice((2.0, 2.0, 3.0, 5.0)),
    )


def _changes(dice: random.Random, kind: str) -> tuple[Change, ...]:
    wanted = {"quiet": 0.0, "backup": 100.0}.get(kind, dice.uniform(10.0, 60.0))
    stay, leave = dice.uniform(60.0, 300.0), dice.uniform(300.0, 1200.0)
    at, others = 0.0, wanted if kind == "steady" else 0.0
    events: list[tuple[float, float | None, float | None]] = [(0.0, others, 1.0)]
    while kind in ("coming and going", "backup") and at < LONGEST:
        at += max(30.0, dice.expovariate(1.0 / leave))
        events.append((at, wanted if kind == "backup" else wanted * dice.uniform(0.5, 1.0), None))
        at += max(30.0, dice.expovariate(1.0 / stay))
        events.append((at, 0.0, None))
    at = 0.0
    # Other lines of the job file cost more, or less.
    while dice.random() < 0.25 and at < LONGEST:
        at += max(60.0, dice.expovariate(1.0 / 600.0))
        events.append((at, None, dice.uniform(0.7, 1.4)))
    changes, cost = [], 1.0
    for moment, points, factor in sorted(events, key=lambda event: event[0]):
        others = others if points is None else points
        cost = cost if factor is None else factor
        changes.append(Change(moment, others, cost))
    return tuple(changes)


def _log(dice: random.Random, low: float, high: float) -> float:
    """Each order of magnitude as often as the others."""
    return math.exp(dice.uniform(math.log(low), math.log(high)))
