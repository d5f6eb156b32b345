"""What a law has to answer for in a world is what it did, and nothing that no law could have done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.oracle import best_fixed
from batchrun.bench.trial import Judged, Trial, judge
from batchrun.bench.world import HOUR, Change, Machine, Source, World
from batchrun.gate.adaptive import adaptive
from batchrun.gate.law import Decision, GateBounds, LimitedBy, Observation
from batchrun.gate.memory import Memory
from batchrun.gate.steady import steady

CALM = World(machine=Machine(stream_cost=1.5, noise=0.3), source=Source(0.5, 10.0))
VISITED = replace(CALM, changes=(Change(0.0), Change(1000.0, others=55.0), Change(1200.0), Change(2400.0, others=55.0)))


class LawOfAScript:
    """Says these limits one after another, then the last of them for ever."""

    def __init__(self, *limits: int) -> None:
        self._limits = list(limits)

    def __call__(self, limit: int, seen: Observation, bounds: GateBounds, memory: Memory) -> Decision:
        then = self._limits.pop(0) if len(self._limits) > 1 else self._limits[0]
        return Decision(then, LimitedBy.CPU, "by the script", memory)


def judged(world: World, *limits: int) -> Judged:
    return judge(world, best_fixed(world), LawOfAScript(*limits))


def test_slots_that_go_one_way_only_do_not_swing() -> None:
    """Long after the start they may still come down, step by step; to and fro is another thing."""
    down = [40 - place // 60 for place in range(2400)]
    fro = [40 if place // 300 % 2 else 30 for place in range(2400)]
    assert judged(CALM, *down).swing == 0.0
    assert judged(CALM, *fro).swing == pytest.approx(10 / 4.0)


def test_who_makes_room_late_intrudes_though_it_settles_in_time() -> None:
    """The steady law leaves a slot a period to who has come; within the minutes that a law is given to settle, nothing
    else tells of that. The adaptive law is at its part after three periods."""
    best = best_fixed(VISITED)
    late, soon = judge(VISITED, best, steady), judge(VISITED, best, adaptive)
    assert late.keeps_to(70.0)
    assert not late.keeps_all_rules(70.0)
    assert soon.intruding == 0.0
    assert soon.keeps_all_rules(70.0)


def test_slots_that_the_provider_leaves_empty_take_nothing_from_others() -> None:
    """Two hundred slots of which ten have work are ten."""
    limited = replace(VISITED, source=replace(VISITED.source, rate=0.8))
    assert judged(limited, 200).yields == pytest.approx(judged(limited, 10).yields, abs=2.5)
    assert max(judged(VISITED, 200).yields) > 40.0


def test_where_no_limit_is_quicker_nobody_is_asked_to_be() -> None:
    """The oracle's limit is the least there is, or more than the provider leaves work for."""
    busy = replace(CALM, changes=(Change(0.0, others=80.0),))
    poor = replace(CALM, source=Source(0.5, 10.0, rate=0.5), machine=replace(CALM.machine, memory=40.0))
    for world, has_choice in ((CALM, True), (busy, False), (poor, False)):
        best = best_fixed(world)
        trial = Trial(world, best, judge(world, best, adaptive), judge(world, best, steady))
        assert trial.is_bound
        assert trial.has_choice is has_choice


def test_streams_that_cost_more_use_more() -> None:
    """Two players of one world whose streams differ by half."""
    cheap, dear = Player(None, 10), Player(None, 10, cost=1.5)
    Play(CALM, [cheap, dear]).run(HOUR)
    assert dear.owns[-1] == pytest.approx(1.5 * cheap.owns[-1], rel=0.1)
