"""Several runs on one host, none of which knows of the others: how their laws share it. Pure.

Their streams cost differently much and they begin at different times; nothing but the host's CPU limits them, so that
an unequal part is the law's doing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.world import HOUR, Machine, Source, World
from batchrun.gate.adaptive import adaptive
from batchrun.gate.cpu import FLOOR
from batchrun.gate.law import Law
from batchrun.report.spread import percentile

LATEST = 900.0  # seconds: within so many all of them have begun
SETTLING = HOUR  # a courtesy is a small part of the slots, and a minute or two lie between two
ALONE = 60.0  # seconds in which a run that has just come may still wait for its first answers
HUNGRY = 0.8  # of what a run is never cut below


@dataclass(frozen=True, slots=True)
class Shares:
    """What each run had of the host once all had settled, in points. `starved` is the share of its time in which the
    run that fared worst had less than what nobody is cut below, or than its least slots come to."""

    seed: int
    points: tuple[float, ...]
    starved: float

    @property
    def fairness(self) -> float:
        """Jain's index: 1 where all are equal, one over their number where one has all."""
        return sum(self.points) ** 2 / (len(self.points) * sum(each**2 for each in self.points))

    @property
    def evenness(self) -> float:
        """The smallest part over the largest."""
        return min(self.points) / max(self.points)


@dataclass(frozen=True, slots=True)
class ShareFigures:
    """Many hosts with so many runs each."""

    runs: int
    hosts: int
    fairness_median: float
    fairness_p5: float
    evenness_median: float
    evenness_p5: float
    starving: int


def share_host(seed: int, runs: int, law: Law = adaptive) -> Shares:
    """The host of a seed, played for an hour after all have settled."""
    dice = random.Random(seed)
    latency, answer = math.exp(dice.uniform(-1.0, 2.0)), math.exp(dice.uniform(1.2, 3.7))
    slot_cost = math.exp(dice.uniform(math.log(0.3), math.log(5.0)))
    machine = Machine(
        cores=dice.choice((1, 2, 4, 8)),
        stream_cost=slot_cost * (latency + answer) / answer,
        noise=dice.uniform(0.3, 2.0),
        background=dice.uniform(0.5, 4.0),
    )
    world = World(seed, machine=machine, source=Source(latency, answer), period=dice.choice((2.0, 2.0, 3.0, 5.0)))
    begins = [0.0, *(dice.uniform(0.0, LATEST) for _ in range(runs - 1))]
    players = [Player(law, 8, begins=at, cost=math.exp(dice.uniform(-0.7, 0.7))) for at in begins]
    play = Play(world, players)
    play.run(LATEST + SETTLING + HOUR)
    settled = int(HOUR / world.period)
    waiting = math.ceil((ALONE + 2 * world.source.seconds) / world.period)
    starved = max(_starved(player.owns[waiting:], play.slot_cost * player.cost) for player in players)
    return Shares(seed, tuple(mean(player.owns[-settled:]) for player in players), starved)


def _starved(owns: Sequence[float], slot_cost: float) -> float:
    least = HUNGRY * min(FLOOR, slot_cost)
    return mean(own < least for own in owns)


def share_figures(hosts: Sequence[Shares]) -> ShareFigures:
    """A row of the table."""
    fairness, evenness = sorted(each.fairness for each in hosts), sorted(each.evenness for each in hosts)
    return ShareFigures(
        runs=len(hosts[0].points),
        hosts=len(hosts),
        fairness_median=percentile(fairness, 0.5),
        fairness_p5=percentile(fairness, 0.05),
        evenness_median=percentile(evenness, 0.5),
        evenness_p5=percentile(evenness, 0.05),
        starving=sum(each.starved > 0.02 for each in hosts),
    )
