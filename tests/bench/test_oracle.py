"""The best fixed limit is the best one: no other one that keeps to the target is quicker."""

from __future__ import annotations

import math

import pytest

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.oracle import TOLERANCE, best_fixed
from batchrun.bench.world import HOUR, LONGEST, draw


@pytest.mark.parametrize("seed", range(100, 112))
def test_no_other_fixed_limit_is_better(seed: int) -> None:
    """Tried around it and far from it: each is slower, or uses more of the machine than it may."""
    world = draw(seed)
    best = best_fixed(world)
    assert best.seconds >= HOUR
    top = world.bounds.target_cpu + TOLERANCE
    tried = {best.limit - 1, best.limit + 1, best.limit // 2, best.limit * 2, world.bounds.max_slots}
    for limit in tried & set(range(world.bounds.min_slots, world.bounds.max_slots + 1)):
        hour = Play(world, [Player(None, limit)])
        hour.run(HOUR)
        other = Player(None, limit, best.backlog)
        Play(world, [other]).run(LONGEST)
        is_slower = other.seconds >= best.seconds * 0.99
        kept_memory = world.machine.memory is None or limit <= 0.9 * world.machine.memory
        assert is_slower or hour.mean_cpu > top or not kept_memory or other.seconds == math.inf
