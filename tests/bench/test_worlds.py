"""The adaptive law in simulated worlds: 200 of them each time, as many as the budget lasts in the soak."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import mean

import pytest

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.many import try_worlds
from batchrun.bench.trial import Trial
from batchrun.bench.world import HOUR, Machine, World
from batchrun.bench.worlds import WorldFigures, world_figures
from batchrun.gate.adaptive import adaptive
from batchrun.gate.cpu import FLOOR
from tests.soak import Soak

WORLDS = 200
SOAKED = 2000


def check(trials: Sequence[Trial]) -> None:
    """What the law has to answer for, over many worlds."""
    row: WorldFigures = world_figures(trials)[0]
    assert row.slower_median <= 0.03, row
    assert row.slower_p95 <= 0.10, row
    assert row.far_above <= 0.02, row
    assert row.hot <= 0.03 * row.worlds, row
    assert row.swinging <= max(2, 0.01 * row.still), row
    assert row.crowded <= max(3, 0.02 * row.worlds), row
    assert row.arrivals - row.yielded <= max(3, 0.02 * row.arrivals), row
    # Here the law is short of its aim, which is none and all: a neighbour who comes and goes is yielded to at once, as
    # the steady law does not do it, and where the best limit is the least one nothing can be better. Where the steady
    # law made room, too, and there is a better limit to be found, less is forgiven. Seen in 2,000
    # worlds from each of five seeds: 1.1 to 2.3 % worse and 94 to 97 % better; of the fair ones 0.1 to 0.6 and 98 to
    # 99.7 %. Each bound is some standard deviations off, or chance would break it on some days.
    assert row.worse <= max(3, 0.03 * row.steady_kept), row
    assert row.better >= 0.93 * row.bound, row
    assert row.fair_worse <= max(2, 0.01 * row.fair), row
    assert row.fair_better >= 0.96 * row.fair_bound, row


def test_the_law_in_two_hundred_worlds() -> None:
    """The median total time is within 3 % of the best fixed limit's, the worst 5 % begin within 10 %; the CPU is hardly
    ever ten points above the target, the slots do not swing, and neighbours are made room for."""
    check(try_worlds(range(1, WORLDS + 1)))


@pytest.mark.soak
def test_the_law_in_thousands_of_worlds(soak: Soak) -> None:
    """The same over other worlds, at least 2,000, and as many as there is time for."""
    until = time.monotonic() + soak.budget_seconds
    first = soak.seed * 100_000
    trials = try_worlds(range(first, first + SOAKED))
    while time.monotonic() < until:
        following = first + len(trials)
        trials += try_worlds(range(following, following + WORLDS))
    check(trials)


def shares(slot_cost: float, count: int, *, shares_process: bool = False) -> list[list[float]]:
    """What each of so many uses of one host, period by period; they begin five minutes after one another."""
    world = World(machine=Machine(stream_cost=slot_cost * 1.1, cores=2))
    players = [Player(adaptive, 8, begins=300.0 * number) for number in range(count)]
    Play(world, players, shares_process=shares_process).run(2 * HOUR)
    return [player.owns for player in players]


@pytest.mark.parametrize("slot_cost", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("shares_process", [False, True], ids=["two runs", "two gates of a run"])
def test_two_on_one_host_come_to_fair_parts(slot_cost: float, shares_process: bool) -> None:
    """Though the first had all of it; and whoever comes later is never starved meanwhile."""
    first, second = shares(slot_cost, 2, shares_process=shares_process)
    settled = len(second) // 2
    parts = mean(first[-settled:]), mean(second[-settled:])
    assert max(parts) < 1.6 * min(parts), parts
    assert sum(parts) > 60.0
    joined = second[15:]
    assert mean(own > 0.8 * FLOOR for own in joined) > 0.97


@pytest.mark.parametrize("slot_cost", [0.5, 2.0, 5.0])
def test_three_runs_come_to_fair_parts_too(slot_cost: float) -> None:
    """Nobody knows how many there are."""
    parts = [mean(owns[-900:]) for owns in shares(slot_cost, 3)]
    assert max(parts) < 1.8 * min(parts), parts
