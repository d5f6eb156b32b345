"""The liquid: nothing is lost in it, it flows as fast as there is CPU for it, and a leap ends where steps would."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.world import HOUR, Change, Machine, Source, World, draw
from batchrun.gate.law import Decision, GateBounds, LimitedBy, Observation
from batchrun.gate.memory import Memory

SMALL = World(machine=Machine(stream_cost=2.0, base_cost=0.0, background=0.0, noise=0.0))


def rest(limit: int, seen: Observation, bounds: GateBounds, memory: Memory) -> Decision:
    """A law that changes nothing, so that the play is watched as closely as one that does."""
    return Decision(limit, LimitedBy.MAX_SLOTS, "at rest", memory)


def played(world: World, player: Player, seconds: float = 10 * HOUR) -> Play:
    play = Play(world, [player])
    play.run(seconds)
    return play


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_on_the_way(seed: int) -> None:
    """What is in flight, what has been answered and what has not been begun are the whole, all the time."""
    player = Player(rest, 12, backlog=500.0)
    played(draw(seed), player, HOUR)
    flow = player.flow
    assert flow.answered + flow.in_flight + flow.backlog == pytest.approx(500.0, abs=0.01)


def test_what_fits_flows_at_its_own_pace() -> None:
    """Ten slots of eleven seconds answer an item in 1.1 seconds, at a cost of twenty points less what waits."""
    player = Player(None, 10)
    play = played(SMALL, player, HOUR)
    assert player.flow.answered == pytest.approx(HOUR / 1.1, rel=0.1)
    assert play.mean_cpu == pytest.approx(10 * play.slot_cost, rel=0.02)


def test_what_does_not_fit_flows_as_fast_as_there_is_cpu() -> None:
    """A hundred slots would need twice the machine; they get all of it, and no more is answered than it bears."""
    most = Player(None, 50)
    play, crowded = played(SMALL, most, HOUR), Player(None, 100)
    assert played(SMALL, crowded, HOUR).mean_cpu == pytest.approx(100.0, abs=1.0)
    assert crowded.flow.answered <= most.flow.answered * 100.0 / play.mean_cpu * 1.02


def test_a_neighbour_takes_his_part() -> None:
    """With half of the machine gone, so much less is answered where all of it was used."""
    beside = replace(SMALL, changes=(Change(0.0, others=100.0),))
    alone, shared = Player(None, 50), Player(None, 50)
    played(SMALL, alone, HOUR), played(beside, shared, HOUR)
    assert 0.45 < shared.flow.answered / alone.flow.answered < 0.6


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_a_leap_ends_where_steps_would(seed: int) -> None:
    """A fixed limit is played by leaps; the same, played period by period, answers the same."""
    world = draw(seed)
    quiet = replace(world, machine=replace(world.machine, noise=0.0))
    leaping, stepping = Player(None, 9, backlog=3000.0), Player(rest, 9, backlog=3000.0)
    played(quiet, leaping, 2 * HOUR), played(quiet, stepping, 2 * HOUR)
    if math.inf not in (leaping.seconds, stepping.seconds):
        assert leaping.flow.answered == pytest.approx(stepping.flow.answered, rel=0.01)
        assert leaping.seconds == pytest.approx(stepping.seconds, rel=0.01)


def test_the_provider_lets_no_more_in_than_it_says() -> None:
    """However many slots there are."""
    limited = replace(SMALL, source=Source(rate=0.5))
    player = Player(None, 200)
    played(limited, player, HOUR)
    assert player.flow.answered == pytest.approx(0.5 * HOUR, rel=0.01)


def test_who_runs_out_of_memory_is_killed() -> None:
    """And needs for ever."""
    player = Player(None, 50, backlog=1000.0)
    played(replace(SMALL, machine=replace(SMALL.machine, memory=40.0)), player)
    assert player.seconds == math.inf


def test_the_same_seed_is_the_same_world() -> None:
    """A failure can be replayed."""
    assert draw(4711) == draw(4711)
    assert draw(4711) != draw(4712)
