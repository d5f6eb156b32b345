"""One world played by both laws and by the oracle: what the adaptive law has to answer for, in numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.oracle import MEMORY_KEPT, TOLERANCE, Best, best_fixed
from batchrun.bench.world import LONGEST, Change, World, draw
from batchrun.gate.adaptive import adaptive
from batchrun.gate.cpu import FLOOR
from batchrun.gate.law import Law
from batchrun.gate.steady import steady

FAR_ABOVE = 10.0  # points above the target
SELDOM = 0.02  # of the time
INTRUDING = 0.005  # of the time: who takes for so long what is not his gains less by it than is called a difference
YIELD_PERIODS = 3
YIELDED = 5.0  # points above our part that are still called yielding
HALF = 40.0  # points: who comes with so many takes half of what the target leaves to anybody


@dataclass(frozen=True, slots=True)
class Judged:
    """One law in one world, in seconds and shares.

    `slower` is its total time over the oracle's, less one. `far_above` is the share of the settled time in which the
    CPU was more than ten points above the target though ours was not down to its least. `swing` is how far the slots
    went to and fro once they had settled, 1 being two slots or a tenth, None where the world itself moved. `crowd` is
    the slots over those that keep the event loop, or the container's allowance, just busy: more of them only make each
    stream slower. `yields` are the points that were still above our part three periods after a neighbour had come who
    takes half the machine. `intruding` is the share of all the time, but for the three periods after each change, in
    which the slots came to more than five points above our part.
    """

    seconds: float
    slower: float
    mean_cpu: float
    most_memory: float
    far_above: float
    swing: float | None
    crowd: float
    yields: tuple[float, ...]
    intruding: float
    limited_by: str

    def keeps_to(self, target: float) -> bool:
        """Whether the machine was left what belongs to others."""
        is_cool = self.mean_cpu <= target + TOLERANCE and self.far_above <= SELDOM
        return is_cool and self.most_memory <= MEMORY_KEPT + 0.05

    def keeps_all_rules(self, target: float) -> bool:
        """And whether it made room for others as the adaptive law has to, and as soon. `far_above` does not tell: it
        leaves out the minutes after each change, in which a slow law has not made room yet."""
        return self.keeps_to(target) and self.intruding <= INTRUDING


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

    @property
    def has_choice(self) -> bool:
        """Whether a law can win anything by its limit: not where the provider leaves no work for so many slots, where
        not even the fewest keep to the target, or where eight hours are too short for any number of them."""
        is_between = self.world.bounds.min_slots < self.best.limit < self.world.used_at_most
        return self.is_bound and is_between and self.best.seconds < LONGEST


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
        intruding=_intruding(play, player),
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
    return min(_widest_rise(limits), _widest_rise([-limit for limit in limits])) / max(2.0, 0.1 * median(limits))


def _widest_rise(limits: Sequence[int]) -> int:
    """From any of them to any later one."""
    return max(later - least for later, least in zip(limits, accumulate(limits, min), strict=True))


def _crowd(play: Play, player: Player) -> float:
    """Two slots more are never called a crowd."""
    machine = play.world.machine
    enough = math.ceil(min(machine.loop_quota, machine.quota) / play.slot_cost)
    limits = player.limits[player.full // 3 : player.full]
    used = min(median(limits), play.world.used_at_most) if limits else 0.0
    return 1.0 if used <= enough + 2 else used / enough


def _intruding(play: Play, player: Player) -> float:
    world, places = play.world, 0
    for change, end in zip(world.changes, [*(change.at for change in world.changes[1:]), math.inf], strict=True):
        first = math.ceil(change.at / world.period) + YIELD_PERIODS
        last = min(player.full, math.ceil(end / world.period) if end < math.inf else player.full)
        places += sum(_beyond(play, limit, change) > YIELDED for limit in player.limits[first:last])
    return places / max(1, player.full)


def _yields(play: Play, player: Player) -> Iterator[float]:
    world = play.world
    for before, after in pairwise(world.changes):
        place = math.ceil(after.at / world.period) + YIELD_PERIODS
        if after.others - before.others < HALF or place >= player.full:
            continue
        yield _beyond(play, player.limits[place], after)


def _beyond(play: Play, limit: int, change: Change) -> float:
    """By how many points so many slots, all of them answering, are more than our part."""
    world, machine = play.world, play.world.machine
    slot_cost = play.slot_cost * change.cost
    own = min(min(limit, world.used_at_most) * slot_cost, machine.loop_quota, machine.quota)
    room = world.bounds.target_cpu - change.others - machine.background
    return own - max(room, FLOOR, slot_cost * world.bounds.min_slots)
