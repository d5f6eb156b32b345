"""`bench gate --side-by-side`: two runs on one host that do not know of each other, and how they come to share it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from statistics import mean

from batchrun.bench.gate import GatePlan, Policy
from batchrun.bench.sample import answered, samples_of
from batchrun.bench.statistics import statistics_of
from batchrun.bench.worker import Figures, run_worker
from batchrun.gate.law import GateBounds
from batchrun.simulator.process import start_simulator

LATER = 0.1  # of the longest that a run may take: then the second begins, and finds the host taken
# Of the time that both are there the first half is for finding the shares.
SETTLED = 0.5


@dataclass(frozen=True, slots=True)
class SideFigures:
    """One of the runs. `times` are seconds since the first of them began; `own` is what it used, in per cent of the
    host; `share` is the mean of that while both were there and had settled, None where they never were."""

    items: int
    failed: int
    not_begun: int
    p95: float | None
    total_seconds: float
    share: float | None
    times: tuple[float, ...]
    own: tuple[float, ...]
    slots: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two runs of one law. `host_cpu` is what all used while both were there and had settled, in per cent;
    `fairness` is the smaller share over the larger."""

    plan: GatePlan
    law: str
    cores: int
    both_seconds: float
    host_cpu: float | None
    fairness: float | None
    runs: tuple[SideFigures, ...]


def measure_side_by_side(plan: GatePlan, law: str = "adaptive") -> SideBySide:
    """Each run has all items of the plan, and twice the time for them, for it has half the host.

    Raises:
        BatchrunError: a worker did not end well.
    """
    plan = replace(plan, seconds_an_item=2 * plan.seconds_an_item)
    pace = ("--ttft", "0.2", "--tokens-per-second", str(plan.tokens_a_second))
    with start_simulator("calm", extra=pace) as server:

        def run(policy: Policy, delay: float) -> Figures:
            time.sleep(delay)
            order = {"base_url": server.base_url, "plan": asdict(plan), "policy": asdict(policy)}
            return run_worker("gate_worker", order, plan.most_seconds + 30.0, None)

        return beside(plan, law, run)


def beside(plan: GatePlan, law: str, run: Callable[[Policy, float], Figures]) -> SideBySide:
    """Both by `run`, which is what measures, and waits before it begins."""
    delays = (0.0, LATER * plan.most_seconds)
    with ThreadPoolExecutor(len(delays)) as pool:
        told = list(pool.map(run, repeat(Policy(law, GateBounds().start_slots, law)), delays))
    origin = min(each["began"] for each in told)
    periods = [[period | {"t": period["t"] + each["began"] - origin} for period in each["periods"]] for each in told]
    since, until = _both(periods)
    settled = [[each for each in run_ if since <= each["t"] <= until] for run_ in periods]
    shares = [mean(each["own"] for each in run_) if run_ else None for run_ in settled]
    known = [share for share in shares if share is not None]
    return SideBySide(
        plan=plan,
        law=law,
        cores=os.cpu_count() or 1,
        both_seconds=max(0.0, until - since) / SETTLED,
        host_cpu=mean(each["cpu"] for run_ in settled for each in run_) if any(settled) else None,
        fairness=min(known) / max(known) if len(known) == len(told) and max(known) > 0 else None,
        runs=tuple(_figures(*each) for each in zip(told, periods, shares, strict=True)),
    )


def _both(periods: Sequence[Sequence[dict[str, float]]]) -> tuple[float, float]:
    """From when until when both were there and had settled."""
    if not all(periods):
        return 0.0, 0.0
    since, until = max(run[0]["t"] for run in periods), min(run[-1]["t"] for run in periods)
    return until - (until - since) * SETTLED, until


def _figures(told: Figures, periods: Sequence[dict[str, float]], share: float | None) -> SideFigures:
    samples = samples_of(told["samples"])
    good = answered(samples)
    wall = statistics_of(sample.total for sample in good)
    return SideFigures(
        items=len(samples),
        failed=len(samples) - len(good),
        not_begun=told["not_begun"],
        p95=wall.p95 if wall else None,
        total_seconds=told["total_seconds"],
        share=share,
        times=tuple(period["t"] for period in periods),
        own=tuple(period["own"] for period in periods),
        slots=tuple(period["slots"] for period in periods),
    )
