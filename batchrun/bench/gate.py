"""`bench gate` on this very machine: consumers that burn CPU, behind fixed slots and behind the laws.

Always on the embedded provider: what is measured is the host, and a paid stream would burn it no better.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import mean, median

import psutil

from batchrun.bench.oracle import TOLERANCE
from batchrun.bench.sample import Sample, answered, causes_of, samples_of
from batchrun.bench.statistics import Statistics, ratio, statistics_of
from batchrun.bench.worker import Figures, run_worker
from batchrun.gate.law import GateBounds
from batchrun.simulator.process import start_simulator

# A host is overloaded by so much when every fixed slot is taken: enough to hurt, little enough to end.
OVERLOAD = 1.5
BEFORE_SECONDS = 2.0  # how long the host is looked at before anything is done to it
MOST_TRIES = 3  # of fixed limits, unless all are to be tried
END_SECONDS = 6.0  # for what has begun to end, and for the process of the next policy to start
IN_ALL = 116.0 / 20.0  # times what a policy may take: two minutes with the defaults, however busy the machine is


@dataclass(frozen=True, slots=True)
class GatePlan:
    """`items` streams of so many `tokens`, `fixed` of them at once, against the laws. 12 slots are the articles'.

    No item begins later than `most_seconds` after the first of its policy, so that a busy machine ends too; and where
    time runs short, fewer fixed limits are tried. `period` is that of a run. `tries_all`: every fixed limit, instead of
    those that an item alone makes likely.
    """

    items: int = 32
    fixed: int = 12
    target_cpu: float = GateBounds().target_cpu
    period: float = 2.0
    tokens: int = 60
    tokens_a_second: float = 20.0
    alone: int = 2
    seconds_an_item: float = 20.0 / 32  # a calm machine needs less
    tries_all: bool = False

    @property
    def cores_an_item(self) -> float:
        """What the consumer of one item burns while its stream comes at full pace, so that this host is overloaded by
        `fixed` of them whatever its size."""
        return OVERLOAD * (os.cpu_count() or 1) / self.fixed

    @property
    def most_seconds(self) -> float:
        """For one policy."""
        return self.seconds_an_item * max(32, self.items)


@dataclass(frozen=True, slots=True)
class Policy:
    """How many may run at once: what a law says, or always as many as at first. `items` None: those of the plan."""

    name: str
    slots: int
    law: str | None = None
    items: int | None = None


@dataclass(frozen=True, slots=True)
class GateFigures:
    """One policy. Seconds; CPU in per cent of the host, by the sampler of a run, as long as items were waiting.

    `others_mean` is what of it was none of ours: other programs, and the embedded provider.

    `settled_slots` is the median of the second half of that time, `settled_range` what it moved between: a law may
    still be swinging. `over_alone` is the 95th percentile of an item's wall over its median where nothing else runs.
    `not_begun` items came too late for the time that there was.
    """

    policy: str
    items: int
    failed: int
    causes: dict[str, int]
    not_begun: int
    wall: Statistics | None
    over_alone: float | None
    total_seconds: float
    cpu_mean: float | None
    others_mean: float | None
    settled_slots: float | None
    settled_range: tuple[float, float] | None
    times: tuple[float, ...]
    cpu: tuple[float, ...]
    slots: tuple[float, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every item was begun and answered: else its time tells nothing."""
        return not self.not_begun and not self.failed and bool(self.items)


@dataclass(frozen=True, slots=True)
class GateComparison:
    """All policies over the same items. `alone` is the median wall of an item that has the host to itself, as far as
    other programs leave it: `others_cpu` is what they used of it just before, in per cent. `best` names the quickest
    fixed limit that kept to the target, among those that were tried."""

    plan: GatePlan
    cores: int
    others_cpu: float
    alone: float | None
    best: str | None
    policies: tuple[GateFigures, ...]


def measure_gate(plan: GatePlan) -> GateComparison:
    """Items alone, then all of them behind fixed slots and behind the laws; each policy in a process of its own.

    Raises:
        BatchrunError: a worker did not end well.
    """
    others = psutil.cpu_percent(BEFORE_SECONDS)
    pace = ("--ttft", "0.2", "--tokens-per-second", str(plan.tokens_a_second))
    began = time.monotonic()
    # Neither side is kept on a core: the whole host is what is measured.
    with start_simulator("calm", extra=pace) as server:

        def run(policy: Policy) -> Figures:
            order = {"base_url": server.base_url, "plan": asdict(plan), "policy": asdict(policy)}
            return run_worker("gate_worker", order, plan.most_seconds + 30.0, None)

        return compare(plan, others, run, lambda: time.monotonic() - began)


def compare(
    plan: GatePlan, others_cpu: float, run: Callable[[Policy], Figures], elapsed: Callable[[], float] = lambda: 0.0
) -> GateComparison:
    """Every policy by `run`, which is what measures; `elapsed` are the seconds since the beginning."""
    told = run(Policy("alone", 1, items=plan.alone))
    walls = [sample.total for sample in answered(samples_of(told["samples"]))]
    alone = median(walls) if walls else None
    found: dict[str, GateFigures] = {}

    def measured(policy: Policy) -> GateFigures:
        if policy.name not in found:
            found[policy.name] = _figures(policy.name, run(policy), alone)
        return found[policy.name]

    def has_time() -> bool:
        # For one more, and for both laws.
        return elapsed() + 3 * (plan.most_seconds + END_SECONDS) <= IN_ALL * plan.most_seconds

    measured(_fixed(plan.fixed))
    _search(plan, _likely(plan, told), measured, has_time)
    fixed = [each for each in found.values() if each.is_whole and _keeps(plan, each)]
    best = min(fixed, key=lambda each: each.total_seconds, default=None)
    for law in ("steady", "adaptive"):
        measured(Policy(law, GateBounds().start_slots, law))
    return GateComparison(
        plan, os.cpu_count() or 1, others_cpu, alone, None if best is None else best.policy, tuple(found.values())
    )


def _fixed(slots: int) -> Policy:
    return Policy(f"fixed {slots}", slots)


def _search(
    plan: GatePlan, likely: int, measured: Callable[[Policy], GateFigures], has_time: Callable[[], bool]
) -> None:
    """Try fixed limits until the most slots that keep to the target, and one more, have been tried."""
    if plan.tries_all:
        for slots in range(1, plan.fixed):
            measured(_fixed(slots))
        return
    slots, tried = likely, dict[int, bool]()
    while len(tried) < MOST_TRIES and slots not in tried and 1 <= slots <= plan.fixed and (not tried or has_time()):
        tried[slots] = _keeps(plan, measured(_fixed(slots)))
        slots += 1 if tried[slots] else -1


def _likely(plan: GatePlan, alone: Figures) -> int:
    """As many as an item alone makes one expect, counted from what the consumers burn: others come on top."""
    cpu = [period["cpu"] - period["own"] for period in alone["periods"]]
    cost = 100.0 * plan.cores_an_item / (os.cpu_count() or 1)
    room = plan.target_cpu + TOLERANCE - (min(cpu) if cpu else 0.0)
    return max(1, min(plan.fixed, int(room / cost)))


def _keeps(plan: GatePlan, figures: GateFigures) -> bool:
    return figures.cpu_mean is not None and figures.cpu_mean <= plan.target_cpu + TOLERANCE


def _figures(name: str, told: Figures, alone: float | None) -> GateFigures:
    samples: list[Sample] = samples_of(told["samples"])
    good = answered(samples)
    wall = statistics_of(sample.total for sample in good)
    times, cpu, slots = (tuple(period[each] for period in told["periods"]) for each in ("t", "cpu", "slots"))
    settled = slots[len(slots) // 2 :]
    return GateFigures(
        policy=name,
        items=len(samples),
        failed=len(samples) - len(good),
        causes=causes_of(samples),
        not_begun=told["not_begun"],
        wall=wall,
        over_alone=ratio(wall.p95 if wall else None, alone),
        total_seconds=told["total_seconds"],
        cpu_mean=mean(cpu) if cpu else None,
        others_mean=mean(period["cpu"] - period["own"] for period in told["periods"]) if cpu else None,
        settled_slots=median(settled) if settled else None,
        settled_range=(min(settled), max(settled)) if settled else None,
        times=times,
        cpu=cpu,
        slots=slots,
    )
