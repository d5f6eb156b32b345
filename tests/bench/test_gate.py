"""`bench gate` lets the real gate, law and sampler work on consumers that really burn CPU."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from batchrun.bench.endpoint import Endpoint
from batchrun.bench.gate import ALONE, FIXED, LAW, GateComparison, GatePlan, gate_comparison
from batchrun.bench.gate_worker import burn, measure
from batchrun.gate.law import GateBounds

# Streams of 8 ms that burn next to nothing: what is tested is the bookkeeping.
PLAN = GatePlan(items=6, fixed=2, period=0.01, tokens=4, tokens_a_second=500.0, alone=1)


async def measured(endpoint: Endpoint, plan: GatePlan = PLAN) -> GateComparison:
    told = {
        policy: await measure({"base_url": endpoint.base_url, "plan": asdict(plan), "policy": policy})
        for policy in (ALONE, FIXED, LAW)
    }
    return gate_comparison(plan, 0.0, told)


async def test_both_policies_get_the_same_items(quick: Endpoint) -> None:
    """All are begun and ended; how much longer they took is told against an item alone in the same run."""
    figures = await measured(quick)
    assert figures.law == "steady"
    assert figures.alone
    for policy in figures.policies:
        assert (policy.items, policy.failed, policy.not_begun) == (6, 0, 0)
        assert policy.wall is not None
        assert policy.over_alone == policy.wall.p95 / figures.alone
        assert len(policy.times) == len(policy.cpu) == len(policy.slots)


async def test_only_the_law_moves_the_slots(quick: Endpoint) -> None:
    """Fixed slots stay what they are, whatever the load; the law starts where a run does."""
    many = replace(PLAN, items=24, tokens=10, period=0.005)
    fixed, law = (await measured(quick, many)).policies
    assert set(fixed.slots) == {2.0}
    assert law.slots[0] == GateBounds().start_slots
    assert (fixed.settled_slots, fixed.settled_range) == (2.0, (2.0, 2.0))


async def test_a_machine_that_is_too_busy_ends_the_bench_and_says_so(quick: Endpoint) -> None:
    """Items that were not begun in time are counted, and nothing is told of them."""
    figures = await measured(quick, replace(PLAN, most_seconds=-1.0))
    for policy in figures.policies:
        assert (policy.items, policy.not_begun) == (0, 6)
        assert (policy.wall, policy.over_alone, policy.cpu_mean, policy.settled_slots) == (None, None, None, None)


def test_a_consumer_burns_what_it_is_told_to() -> None:
    """CPU time and not wall time: a busy machine does not make the load smaller."""
    began = time.thread_time()
    burn(0.02)
    assert time.thread_time() - began >= 0.02


def test_the_load_grows_with_the_host() -> None:
    """All fixed slots together overload it by half, however many cores it has."""
    plan = GatePlan(fixed=4)
    assert plan.cores_an_item * 4 / GatePlan(fixed=1).cores_an_item == 1
