"""`bench gate` lets the real gate, laws and sampler work on consumers that really burn CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from batchrun.bench.endpoint import Endpoint
from batchrun.bench.gate import GateFigures, GatePlan, Policy, compare
from batchrun.bench.gate_worker import burn, measure
from batchrun.bench.worker import Figures
from batchrun.gate.law import GateBounds

# Streams of 8 ms that burn next to nothing: what is tested is the bookkeeping.
PLAN = GatePlan(items=6, fixed=2, period=0.01, tokens=4, tokens_a_second=500.0, alone=1)
FIXED, LAW = Policy("fixed 2", 2), Policy("adaptive", 8, "adaptive")
SAMPLE = {"streamed": True, "first_byte": None, "ttft": None, "tokens": 0, "connections": 1, "cause": None}


async def measured(endpoint: Endpoint, policy: Policy, plan: GatePlan = PLAN) -> Figures:
    return await measure({"base_url": endpoint.base_url, "plan": asdict(plan), "policy": asdict(policy)})


@pytest.mark.parametrize("policy", [FIXED, LAW, Policy("steady", 8, "steady")], ids=lambda policy: policy.name)
async def test_every_policy_gets_the_same_items(quick: Endpoint, policy: Policy) -> None:
    """All are begun and answered, and each period is noted with what all and what we used."""
    told = await measured(quick, policy)
    assert [sample["cause"] for sample in told["samples"]] == [None] * PLAN.items
    assert told["not_begun"] == 0
    for period in told["periods"]:
        assert 0 <= period["own"] <= period["cpu"] <= 100


async def test_only_a_law_moves_the_slots(quick: Endpoint) -> None:
    """Fixed slots stay what they are, whatever the load; a law starts where a run does."""
    many = replace(PLAN, items=24, tokens=10, period=0.005)
    fixed, law = await measured(quick, FIXED, many), await measured(quick, LAW, many)
    assert {period["slots"] for period in fixed["periods"]} == {2.0}
    assert law["periods"][0]["slots"] == GateBounds().start_slots


async def test_a_machine_that_is_too_busy_ends_the_bench_and_says_so(quick: Endpoint) -> None:
    """Items that were not begun in time are counted, and nothing is told of them."""
    told = await measured(quick, LAW, replace(PLAN, seconds_an_item=-1.0))
    assert (told["samples"], told["not_begun"]) == ([], PLAN.items)


def machine(cost: float, others: float = 2.0) -> Callable[[Policy], Figures]:
    """A machine on which each slot costs so many points and nothing is ever late."""

    def run(policy: Policy) -> Figures:
        cpu = min(100.0, policy.slots * cost + others)
        periods = [{"t": 2.0 * n, "cpu": cpu, "own": cpu - others, "slots": float(policy.slots)} for n in range(4)]
        samples: list[dict[str, Any]] = [SAMPLE | {"total": max(1.0, policy.slots * cost / 98.0)}] * 4
        return {"samples": samples, "not_begun": 0, "periods": periods, "total_seconds": 100.0 / policy.slots}

    return run


def compared(plan: GatePlan, run: Callable[[Policy], Figures]) -> tuple[str | None, list[str]]:
    figures = compare(plan, 0.0, run)
    return figures.best, [policy.policy for policy in figures.policies]


def test_the_best_fixed_limit_is_found_by_trying() -> None:
    """The most slots that keep to the target and five points, and one more to be sure; then the laws."""
    cost = 100.0 * 1.5 / 12
    best, tried = compared(GatePlan(), machine(cost))
    assert best == "fixed 5"
    assert tried == ["fixed 12", "fixed 5", "fixed 6", "steady", "adaptive"]


def test_where_time_runs_short_fewer_fixed_limits_are_tried() -> None:
    """The laws are measured in any case, and the whole ends within two minutes."""
    clock = iter(range(30, 1000, 25))
    tried: list[str] = []

    def run(policy: Policy) -> Figures:
        tried.append(policy.name)
        return machine(12.5)(policy)

    compare(GatePlan(), 0.0, run, lambda: float(next(clock)))
    assert tried == ["alone", "fixed 12", "fixed 5", "fixed 6", "steady", "adaptive"]
    tried.clear()
    compare(GatePlan(), 0.0, run, lambda: 60.0)
    assert tried == ["alone", "fixed 12", "fixed 5", "steady", "adaptive"]


def test_all_fixed_limits_can_be_tried() -> None:
    """Where there is time for it."""
    best, tried = compared(GatePlan(tries_all=True), machine(10.0))
    assert best == "fixed 7"
    assert {f"fixed {slots}" for slots in range(1, 13)} <= set(tried)


def test_where_others_use_the_machine_no_fixed_limit_is_the_best() -> None:
    """None keeps to the target, and that is said."""
    best, tried = compared(GatePlan(), machine(12.5, others=90.0))
    assert best is None
    assert tried[-1] == "adaptive"


def test_a_policy_with_items_missing_is_never_the_best() -> None:
    """It would have been the quicker one for having done less."""
    whole = GateFigures("fixed 1", 3, 0, {}, 0, None, None, 1.0, None, None, None, None, (), (), ())
    assert whole.is_whole
    assert not replace(whole, not_begun=1).is_whole
    assert not replace(whole, failed=1).is_whole


def test_a_consumer_burns_what_it_is_told_to() -> None:
    """CPU time and not wall time: a busy machine does not make the load smaller."""
    began = time.thread_time()
    burn(0.02)
    assert time.thread_time() - began >= 0.02


def test_the_load_grows_with_the_host() -> None:
    """All fixed slots together overload it by half, however many cores it has."""
    plan = GatePlan(fixed=4)
    assert plan.cores_an_item * 4 / GatePlan(fixed=1).cores_an_item == 1
