"""`bench gate`: consumers that burn CPU, behind a fixed number of slots and behind the law, on this very machine.

Always on the embedded provider: what is measured is the host, and a paid stream would burn it no better.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import mean, median

import psutil

from batchrun.bench.sample import Sample, answered, causes_of, samples_of
from batchrun.bench.statistics import Statistics, ratio, statistics_of
from batchrun.bench.worker import Figures, run_worker
from batchrun.gate.law import GateBounds
from batchrun.simulator.process import start_simulator

ALONE, FIXED, LAW = "alone", "fixed", "law"
# A host is overloaded by so much when every fixed slot is taken: enough to hurt, little enough to end.
OVERLOAD = 1.5
BEFORE_SECONDS = 2.0  # how long the host is looked at before anything is done to it


@dataclass(frozen=True, slots=True)
class GatePlan:
    """`items` streams of so many `tokens`, `fixed` of them at once, against the law. 12 slots are the articles'.

    No item begins later than `most_seconds` after the first of its policy, so that a busy machine ends too. `period` is
    that of a run.
    """

    items: int = 48
    fixed: int = 12
    target_cpu: float = GateBounds().target_cpu
    period: float = 2.0
    tokens: int = 60
    tokens_a_second: float = 20.0
    alone: int = 3
    most_seconds: float = 36.0

    @property
    def cores_an_item(self) -> float:
        """What the consumer of one item burns while its stream comes at full pace, so that this host is overloaded by
        `fixed` of them whatever its size."""
        return OVERLOAD * (os.cpu_count() or 1) / self.fixed


@dataclass(frozen=True, slots=True)
class GateFigures:
    """One policy. Seconds; CPU in per cent of the host, by the sampler of a run, as long as items were waiting.

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
    settled_slots: float | None
    settled_range: tuple[float, float] | None
    times: tuple[float, ...]
    cpu: tuple[float, ...]
    slots: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GateComparison:
    """`fixed` and `law` over the same items; `alone` is the median wall of an item that has the host to itself, as far
    as other programs leave it: `others_cpu` is what they used of it just before, in per cent."""

    plan: GatePlan
    cores: int
    others_cpu: float
    law: str
    alone: float | None
    policies: tuple[GateFigures, GateFigures]


def measure_gate(plan: GatePlan) -> GateComparison:
    """Items alone, then all of them behind fixed slots, then behind the law; each in a process of its own.

    Raises:
        BatchrunError: a worker did not end well.
    """
    others = psutil.cpu_percent(BEFORE_SECONDS)
    pace = ("--ttft", "0.2", "--tokens-per-second", str(plan.tokens_a_second))
    told: dict[str, Figures] = {}
    # Neither side is kept on a core: the whole host is what is measured.
    with start_simulator("calm", extra=pace) as server:
        for policy in (ALONE, FIXED, LAW):
            order = {"base_url": server.base_url, "plan": asdict(plan), "policy": policy}
            told[policy] = run_worker("gate_worker", order, plan.most_seconds + 30.0, None)
    return gate_comparison(plan, others, told)


def gate_comparison(plan: GatePlan, others_cpu: float, told: Mapping[str, Figures]) -> GateComparison:
    """The figures in what the workers told, by policy."""
    walls = [sample.total for sample in answered(samples_of(told[ALONE]["samples"]))]
    alone = median(walls) if walls else None
    fixed, law = (_gate_figures(policy, told[policy], alone) for policy in (FIXED, LAW))
    return GateComparison(plan, os.cpu_count() or 1, others_cpu, told[LAW]["law"], alone, (fixed, law))


def _gate_figures(policy: str, told: Figures, alone: float | None) -> GateFigures:
    samples: list[Sample] = samples_of(told["samples"])
    good = answered(samples)
    wall = statistics_of(sample.total for sample in good)
    times, cpu, slots = (tuple(period[name] for period in told["periods"]) for name in ("t", "cpu", "slots"))
    settled = slots[len(slots) // 2 :]
    return GateFigures(
        policy=policy,
        items=len(samples),
        failed=len(samples) - len(good),
        causes=causes_of(samples),
        not_begun=told["not_begun"],
        wall=wall,
        over_alone=ratio(wall.p95 if wall else None, alone),
        total_seconds=told["total_seconds"],
        cpu_mean=mean(cpu) if cpu else None,
        settled_slots=median(settled) if settled else None,
        settled_range=(min(settled), max(settled)) if settled else None,
        times=times,
        cpu=cpu,
        slots=slots,
    )
