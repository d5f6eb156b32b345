"""One world played by both laws and by the oracle: what the adaptive law has to answer for, in numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.oracle import MEMORY_KEPT, TOLERANCE, Best, best_fixed
from batchrun.bench.world import LONGEST, World, draw
from batchrun.gate.adaptive import adaptive
from batchrun.gate.cpu import FLOOR
from batchrun.gate.law import Law
from batchrun.gate.steady import steady

FAR_ABOVE = 10.0  # points above the target
SELDOM = 0.02  # of the time
YIELD_PERIODS = 3
HALF = 40.0  # points: who comes with so many takes half of what the target leaves to anybody


@dataclass(frozen=True, slots=True)
class Judged:
    """One law in one world, in seconds and shares.

    `slower` is its total time over the oracle's, less one. `far_above` is the share of the settled time in which the
    CPU was more than ten points above the target though ours was not down to its least. `swing` is how far the slots
    went to and fro once they had settled, 1 being two slots or a tenth, None where the world itself moved. `crowd` is
    the slots over those that keep the event loop, or the container's allowance, just busy: more of them only make each
    stream slower. `yields` are the points that were still above our part three periods after a neighbour had come who
    takes half the machine.
    """

    seconds: float
    slower: float
    mean_cpu: float
    most_memory: float
    far_above: float
    swing: float | None
    crowd: float
    yields: tuple[float, ...]
    limited_by: str

    def keeps_to(self, target: float) -> bool:
        """Whether the machine was left what belongs to others."""
        is_cool = self.mean_cpu <= target + TOLERANCE and self.far_above <= SELDOM
        return is_cool and self.most_memory <= MEMORY_KEPT + 0.05


@dataclass(frozen=True, slots=True)
class Trial:
    world: World
    best: Best
    adaptive: Judged
    steady: Judged

    @property
    def is_bound(self) -> bool:
        """Whether something else than the most slots limits the run."""
        return self.best.limit < self.world.bounds.max_slots


def try_world(seed: int) -> Trial:
    """The world of a seed, played three times."""
    world = draw(seed)
    best = best_fixed(world)
    return Trial(world, best, judge(world, best, adaptive), judge(world, best, steady))


def judge(world: World, best: Best, law: Law) -> Judged:
    """What a law makes of the oracle's hour."""
    bounds = world.bounds
    player = Player(law, min(max(bounds.start_slots, bounds.min_slots), bounds.max_slots), best.backlog)
    play = Play(world, [player])
    play.run(LONGEST)
    return Judged(
        seconds=player.seconds,
        slower=player.seconds / best.seconds - 1.0,
        mean_cpu=play.mean_cpu,
        most_memory=play.most_memory,
        far_above=_far_above(play, player),
        swing=_swing(play, player),
        crowd=_crowd(play, player),
        yields=tuple(_yields(play, player)),
        limited_by=max(set(player.words), key=player.words.count) if player.words else "",
    )


def _far_above(play: Play, player: Player) -> float:
    """After the start and after each change there is time for what runs to end: three items' worth."""
    world = play.world
    settling = 3 * world.source.seconds + 10 * world.period
    far = settled = 0
    changes = [*(change.at for change in world.changes[1:]), math.inf]
    since, following = 0.0, 0
    for place in range(player.full):
        now = place * world.period
        if now >= changes[following]:
            since, following = now, following + 1
        if now - since < settling or now < 2 * settling:
            continue
        settled += 1
        is_least = player.owns[place] <= FLOOR * 1.1 or player.limits[place] <= world.bounds.min_slots
        far += play.cpus[place] > world.bounds.target_cpu + FAR_ABOVE and not is_least
    return far / settled if settled else 0.0


def _swing(play: Play, player: Player) -> float | None:
    limits = player.limits[player.full // 3 : player.full]
    if len(play.world.changes) > 1 or not limits:
        return None
    return (max(limits) - min(limits)) / max(2.0, 0.1 * median(limits))


def _crowd(play: Play, player: Player) -> float:
    """Two slots more are never called a crowd."""
    machine = play.world.machine
    enough = math.ceil(min(machine.loop_quota, machine.quota) / play.slot_cost)
    limits = player.limits[player.full // 3 : player.full]
    used = min(median(limits), play.world.used_at_most) if limits else 0.0
    return 1.0 if used <= enough + 2 else used / enough


def _yields(play: Play, player: Player) -> Iterator[float]:
    world, machine = play.world, play.world.machine
    for before, after in pairwise(world.changes):
        place = math.ceil(after.at / world.period) + YIELD_PERIODS
        if after.others - before.others < HALF or place >= player.full:
            continue
        slot_cost = play.slot_cost * after.cost
        own = min(player.limits[place] * slot_cost, machine.loop_quota, machine.quota)
        room = world.bounds.target_cpu - after.others - machine.background
        yield own - max(room, FLOOR, slot_cost * world.bounds.min_slots)
